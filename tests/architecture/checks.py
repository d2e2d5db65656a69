"""The checks of what the layout promises and an import contract cannot say: from a tree to its faults."""

import ast
import re
import runpy
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

MAX_FILE_LINES = 280
MAX_FUNCTION_LINES = 45
CAPABILITY_FILES = {
    f"{name}.py"
    for name in (
        *("__init__", "app", "actions", "refunds", "resolution", "publication", "table", "gateway"),
        *("delivery", "addresses", "pending", "model", "postings", "records", "shapes"),
    )
}
VAGUE_NAMES = {"utils", "common", "helpers", "core"}
FOREIGN_WORDS = {("chassis.openapi", "webhooks")}
"""What a layer may say although a capability is called so: OpenAPI has a section of that name."""
WRITE_BUILDERS = {"Write", "put", "replace_version", "update", "upsert"}


class Tree:
    """The source below a root: its modules, what they import and what the infrastructure declares."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(
            path
            for folder in ("functions", "infra", "layers", "local")
            for path in root.glob(f"{folder}/**/*.py")
        )
        self.modules = {self.module_name(path): ast.parse(path.read_text()) for path in self.files}

    def module_name(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(part for part in parts if part not in {"layers", "__init__"})

    def show(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    @cached_property
    def declaration(self) -> dict[str, Any]:
        return runpy.run_path(str(self.root / "infra/declaration.py"))

    @cached_property
    def capabilities(self) -> set[str]:
        return {path.parent.name for path in self.root.glob("functions/*/__init__.py")}

    def layer_modules(self) -> Iterator[tuple[str, ast.Module]]:
        """The modules that the images share; the runtime serves them all from outside."""
        packages = {path.name for path in self.root.glob("layers/*")} - {"runtime"}
        return ((name, tree) for name, tree in self.modules.items() if name.split(".")[0] in packages)

    def imports(self, module: str) -> set[str]:
        """Our own modules that a module imports, with the packages that these lie in."""
        named = set()
        for node in ast.walk(self.modules[module]):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                named |= {f"{node.module}.{alias.name}" for alias in node.names}
        prefixes = {
            ".".join(parts[:end]) for name in named for parts in [name.split(".")] for end in range(1, 9)
        }
        return prefixes & self.modules.keys()

    def reached_from(self, capability: str) -> set[str]:
        """Every module that is loaded with a capability's app."""
        reached: set[str] = set()
        frontier = {f"functions.{capability}.app"} & self.modules.keys()
        while frontier:
            reached |= frontier
            frontier = set().union(*(self.imports(module) for module in frontier)) - reached
        return reached


def files_are_short(tree: Tree) -> Iterator[str]:
    for path in tree.files:
        lines = len(path.read_text().splitlines())
        if lines > MAX_FILE_LINES:
            yield f"{tree.show(path)} has {lines} lines"


def functions_are_short(tree: Tree) -> Iterator[str]:
    for name, module in tree.modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    yield f"{name}.{node.name} has {lines} lines"


def modules_say_what_they_own_in_a_sentence(tree: Tree) -> Iterator[str]:
    # A drawing may follow the sentence after a blank line, such as the tree of errors.
    for name, module in tree.modules.items():
        sentence, *_ = (ast.get_docstring(module) or "").split("\n\n")
        if not sentence.endswith(".") or re.search(r"[.!?]\s+[A-Z]", sentence):
            yield f"{name} has no docstring of one sentence"


def names_mean_something(tree: Tree) -> Iterator[str]:
    for name in tree.modules:
        if VAGUE_NAMES & set(name.split(".")):
            yield f"{name} could hold anything"


def layers_serve_two_capabilities(tree: Tree) -> Iterator[str]:
    reached = [tree.reached_from(capability) for capability in tree.capabilities]
    for name, _ in tree.layer_modules():
        if sum(name in modules for modules in reached) < 2:
            yield f"{name} serves fewer than two capabilities"


def layers_name_no_capability(tree: Tree) -> Iterator[str]:
    # A layer's module may be called like a capability: `ledger.accounts` is not `functions.accounts`.
    own = {part for name, _ in tree.layer_modules() for part in name.split(".")}
    for name, module in tree.layer_modules():
        for node in ast.walk(module):
            banned = tree.capabilities if isinstance(node, ast.Constant) else tree.capabilities - own
            # Whatever kind of node it is, its identifiers and its string are fields of it.
            for _, word in ast.iter_fields(node):
                if not isinstance(word, str) or (name, word) in FOREIGN_WORDS:
                    continue
                if word in banned or word.startswith("functions."):
                    yield f"{name} names {word}"


def capabilities_have_the_fixed_files(tree: Tree) -> Iterator[str]:
    for capability in tree.capabilities:
        folder = tree.root / "functions" / capability
        found = {path.name for path in folder.iterdir()} - {"__pycache__"}
        for name in found - CAPABILITY_FILES:
            yield f"{tree.show(folder / name)} is none of the files of a capability"
        if "app.py" not in found:
            yield f"{tree.show(folder)} has no app.py"


def capabilities_are_declared(tree: Tree) -> Iterator[str]:
    for capability in tree.capabilities ^ set(tree.declaration["CAPABILITIES"]):
        yield f"{capability} is not both a folder of functions and declared"


def source_is_mirrored_by_tests(tree: Tree) -> Iterator[str]:
    # A module of a layer has its own test file. A capability is tested as a whole, and so is what runs on a
    # laptop: there a folder with tests is enough.
    for path in tree.root.glob("layers/*/*.py"):
        mirror = tree.root / "tests/layers" / path.parent.name / f"test_{path.name}"
        if path.name != "__init__.py" and not mirror.exists():
            yield f"{tree.show(mirror)} is missing"
    folders = [f"tests/functions/{capability}" for capability in tree.capabilities]
    for folder in [*folders, "tests/local"]:
        if not any(tree.root.glob(f"{folder}/test_*.py")):
            yield f"{folder} has no tests"


def tables_have_one_writer(tree: Tree) -> Iterator[str]:
    # A table has one constant `TABLE` in the source, and who builds a write for it is its declared writer.
    writers = {table.name: table.writer for table in tree.declaration["TABLES"]}
    named = {name: table for name, module in tree.modules.items() for table in _named_tables(module)}
    if sorted(named.values()) != sorted(writers):
        yield f"declared are the tables {sorted(writers)}, but a TABLE have {named}"
    for name in tree.modules.keys() - {"chassis.writes"}:
        module = tree.modules[name]
        imported = _imported_names(module)
        for call in _write_builders(module, imported):
            table = named.get(_home_of_table(call, imported, here=name))
            if table is None or writers.get(table) != name.rpartition(".")[0]:
                yield f"{name} line {call.lineno} writes to {table or 'a table without a TABLE'}"


def _named_tables(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="TABLE")], value=ast.Constant(value=str(table))):
                yield table


def _imported_names(module: ast.Module) -> dict[str, tuple[str, str]]:
    """Local name -> (module, name there), of every `from module import name`."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _write_builders(module: ast.Module, imported: dict[str, tuple[str, str]]) -> Iterator[ast.Call]:
    """Calls of what `chassis.writes` builds writes with, as `writes.put(...)` or under an imported name."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                built_by = imported.get(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)):
                built_by = (".".join(imported.get(owner, ())), name)
            case _:
                continue
        if built_by and built_by[0] == "chassis.writes" and built_by[1] in WRITE_BUILDERS:
            yield node


def _home_of_table(call: ast.Call, imported: dict[str, tuple[str, str]], here: str) -> str:
    """The module whose `TABLE` a call is given, first or as `table`; empty when it is given anything else."""
    match [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "table")]:
        case [ast.Name(id=name)]:
            home, original = imported.get(name, (here, name))
            return home if original == "TABLE" else ""
        case [ast.Attribute(value=ast.Name(id=owner), attr="TABLE")]:
            return ".".join(imported.get(owner, ()))
    return ""


Check = Callable[[Tree], Iterator[str]]
CHECKS: list[Check] = [
    files_are_short,
    functions_are_short,
    modules_say_what_they_own_in_a_sentence,
    names_mean_something,
    layers_serve_two_capabilities,
    layers_name_no_capability,
    capabilities_have_the_fixed_files,
    capabilities_are_declared,
    source_is_mirrored_by_tests,
    tables_have_one_writer,
]
