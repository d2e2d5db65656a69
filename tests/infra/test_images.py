"""An image has the dependencies that its code imports, as they were tested, cut down to what it needs."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from infra import images, images_build, images_content
from infra.declaration import CAPABILITIES
from infra.images_build import CannotBuild, Order
from tests.architecture.checks import Tree

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "infra/requirements"
LAPTOP_ONLY = {"localstack_client"}
"""Imported where LocalStack is the engine alone, which no image is meant for."""
ASKED_FOR_BY_SDK = {"sts"}
"""Clients that botocore builds by itself."""


@pytest.fixture(scope="module")
def source() -> Tree:
    """The source, read once."""
    return Tree(ROOT)


def modules_of(source: Tree, capability: str) -> set[str]:
    """Every module that an image of this capability may load: its app's, and those of the runtime."""
    reached: set[str] = set()
    frontier = {f"functions.{capability}.app"} | {
        name for name in source.modules if name.startswith("runtime")
    }
    while frontier:
        reached |= frontier
        frontier = set().union(*(source.imports(module) for module in frontier)) - reached
    return reached


def imported(source: Tree, capability: str) -> set[str]:
    """The distributions that an image's modules import from, wherever in them."""
    found = set()
    for module in modules_of(source, capability):
        for node in ast.walk(source.modules[module]):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    strangers = found - sys.stdlib_module_names - source.modules.keys() - LAPTOP_ONLY
    homes = metadata.packages_distributions()
    return {normal(distribution) for name in strangers for distribution in homes[name]}


def brought(names: set[str]) -> set[str]:
    """These distributions, and all that they ask for unconditionally."""
    reached: set[str] = set()
    frontier = names
    while frontier:
        reached |= frontier
        frontier = {each for name in frontier for each in _asked_for(name)} - reached
    return reached


def _asked_for(name: str) -> Iterator[str]:
    for line in metadata.requires(name) or ():
        if ";" not in line:
            yield normal(re.split(r"[^\w.-]", line, maxsplit=1)[0])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, str]:
    """Distribution -> version, of a lock."""
    lines = (LOCKS / f"{lock}.txt").read_text().splitlines()
    pinned = (re.match(r"([\w.-]+)==([^ ;\\]+)", line) for line in lines)
    return {match[1]: match[2] for match in pinned if match}


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_an_image_has_what_its_code_imports_and_nothing_else(source: Tree, capability: str) -> None:
    needed, found = set(images.needed(capability)), imported(source, capability)

    assert found - brought(needed) == set(), "imported, and not declared in infra/images.py"
    assert needed - found == set(), "declared in infra/images.py, and not imported"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_an_image_is_locked_to_what_is_tested(capability: str) -> None:
    pinned = pins(capability)

    assert pinned.items() <= pins("development").items(), "run `make lock`"
    assert set(images.needed(capability)) <= pinned.keys(), "run `make lock`"
    excluded = set((LOCKS / "excluded.txt").read_text().split())
    assert not excluded & pinned.keys()


def test_an_undeclared_import_is_found(tmp_path: Path) -> None:
    for file, text in {
        "functions/tea/app.py": "def pour():\n    import rich.table",
        "layers/runtime/http.py": "import chassis.aws",
        "layers/chassis/__init__.py": "",
        "layers/chassis/aws.py": "from botocore.config import Config\nimport json",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)

    assert imported(Tree(tmp_path), "tea") == {"rich", "botocore"}
    assert "botocore" in brought({"boto3"})


def test_more_is_declared_of_capabilities_alone() -> None:
    assert images.MORE.keys() <= set(CAPABILITIES)


def test_botocore_keeps_the_services_that_the_code_speaks_to(source: Tree) -> None:
    spoken_to = {service for name in source.modules for service in _services(source.modules[name], name)}

    assert spoken_to == set(images_content.SERVICES) - ASKED_FOR_BY_SDK


def _services(module: ast.Module, name: str) -> Iterator[str]:
    """The services whose clients a module of an image asks `chassis.aws` for."""
    if name.startswith(("local", "infra")):
        return
    for node in ast.walk(module):
        match node:
            case ast.Call(
                func=ast.Name(id="client" | "administrator" | "_connect") | ast.Attribute(attr="client"),
                args=[ast.Constant(value=str(service)), *_],
            ):
                yield service


def test_dependencies_are_left_as_a_function_needs_them(tmp_path: Path) -> None:
    endpoints = {"partitions": [{"services": {"sqs": 1, "s3": 2, "streams.dynamodb": 3}}]}
    for file, text in {
        "botocore/data/endpoints.json": json.dumps(endpoints),
        "botocore/data/sqs/2012-11-05/service-2.json": "{}",
        "botocore/data/sqs/2012-11-05/examples-1.json": "{}",
        "botocore/data/s3/2006-03-01/service-2.json": "{}",
        "botocore/session.py": "x = 1",
        "chalice/app.py": "x = 1",
        "chalice/cli/__init__.py": "x = 1",
        "bin/jp.py": "x = 1",
        "other-1.0.dist-info/RECORD": "",
        "other-1.0.dist-info/METADATA": "",
        "other/tests/test_other.py": "x = 1",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)

    images_content.dependencies(tmp_path)

    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "botocore/data/endpoints.json",
        "botocore/data/sqs/2012-11-05/service-2.json",
        "botocore/session.pyc",
        "chalice/app.pyc",
        "other-1.0.dist-info/METADATA",
    }
    kept = json.loads((tmp_path / "botocore/data/endpoints.json").read_text())
    assert kept == {"partitions": [{"services": {"sqs": 1, "streams.dynamodb": 3}}]}
    assert {path.stat().st_mode & 0o222 for path in tmp_path.rglob("*")} == {0}


def test_code_is_one_capability_and_the_layers_compiled_for_where_it_will_lie(tmp_path: Path) -> None:
    source, image = tmp_path / "source", tmp_path / "image"
    for file in (
        "functions/__init__.py",
        "functions/tea/app.py",
        "functions/milk/app.py",
        "layers/chassis/a.py",
    ):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text("app = 1")

    images_content.code(source, "tea", image)

    assert {str(path.relative_to(image)) for path in image.rglob("*.py")} == {
        *("chassis/a.py", "functions/__init__.py", "functions/tea/app.py", "handler.py")
    }
    compiled = image / f"chassis/__pycache__/a.{sys.implementation.cache_tag}.pyc"
    assert b"/var/task/chassis/a.py" in compiled.read_bytes()


def test_an_engine_that_does_not_work_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBuild, match="docker is not installed; podman is not installed; buildah is"):
        images_build.working_engine()

    _plant(tmp_path / "docker", "echo where is the daemon; exit 1")
    with pytest.raises(CannotBuild, match="docker says: where is the daemon;"):
        images_build.working_engine()

    _plant(tmp_path / "buildah", "exit 0")
    assert images_build.working_engine() == "buildah"


def test_what_the_engine_says_is_told_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _plant(tmp_path / "docker", 'echo "$@"; exit 1')

    with pytest.raises(CannotBuild) as refusal:
        images_build.build("tea", Order("docker", base_image="base@sha256:0"))

    assert str(refusal.value).split("\n")[1] == (
        "build --provenance=false --file infra/Dockerfile --platform linux/arm64 --build-arg FUNCTION=tea"
        " --build-arg BASE_IMAGE=base@sha256:0 --tag tael-tea ."
    )


def test_those_who_share_dependencies_come_after_one_that_has_built_them() -> None:
    ordered = images_build.by_what_they_share(CAPABILITIES)

    sets = [images.needed(capability) for capability in ordered]
    assert sorted(ordered) == sorted(CAPABILITIES)
    assert len({*sets[: len(set(sets))]}) == len(set(sets))


def _plant(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
