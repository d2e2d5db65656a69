"""The source keeps what the layout promises, and each check is shown to find a violation."""

from pathlib import Path

import pytest

from tests.architecture.checks import (
    CHECKS,
    MAX_FILE_LINES,
    MAX_FUNCTION_LINES,
    Check,
    Tree,
    capabilities_are_declared,
    capabilities_have_the_fixed_files,
    files_are_short,
    functions_are_short,
    layers_name_no_capability,
    layers_serve_two_capabilities,
    modules_say_what_they_own_in_a_sentence,
    names_mean_something,
    source_is_mirrored_by_tests,
    tables_have_one_writer,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source() -> Tree:
    """The source, read once for all checks."""
    return Tree(ROOT)


@pytest.mark.parametrize("check", CHECKS)
def test_the_source(check: Check, source: Tree) -> None:
    assert list(check(source)) == []


DECLARATION = '''"""Owns it."""
from types import SimpleNamespace as Table
CAPABILITIES = ("tea", "milk")
TABLES = (Table(name="cups", writer="functions.tea"),)
'''
SOUND = {
    "infra/__init__.py": '"""Owns it."""',
    "infra/declaration.py": DECLARATION,
    "layers/chassis/__init__.py": '"""Owns it."""',
    "layers/chassis/writes.py": '"""Owns it,\nwhole.\n\nAs drawn. And so on.\n"""\nx = "a tea pot"',
    "functions/__init__.py": '"""Owns it."""',
    "functions/tea/__init__.py": '"""Owns it."""',
    "functions/tea/app.py": '"""Owns it."""\nfrom functions.tea import table',
    "functions/tea/table.py": '"""Owns it."""\nfrom chassis import writes\nTABLE = "cups"\nwrites.put(TABLE)',
    "functions/milk/__init__.py": '"""Owns it."""',
    "functions/milk/app.py": '"""Owns it."""\nimport chassis.writes',
    "tests/layers/chassis/test_writes.py": "",
    "tests/functions/tea/test_table.py": "",
    "tests/functions/milk/test_app.py": "",
    "tests/local/test_up.py": "",
}
WRITE = '"""Owns it."""\nfrom chassis.writes import put\n'
PLANTS: list[tuple[Check, str, str | None]] = [
    (files_are_short, "local/long.py", "\n" * (MAX_FILE_LINES + 1)),
    (functions_are_short, "local/long.py", "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES),
    (modules_say_what_they_own_in_a_sentence, "local/mute.py", "x = 1"),
    (modules_say_what_they_own_in_a_sentence, "local/verbose.py", '"""Owns it. And more."""'),
    (names_mean_something, "layers/chassis/utils.py", ""),
    (names_mean_something, "local/common/paths.py", ""),
    (layers_serve_two_capabilities, "functions/milk/app.py", ""),
    (layers_serve_two_capabilities, "layers/chassis/spare.py", ""),
    (layers_name_no_capability, "layers/chassis/writes.py", 'x = "tea"'),
    (layers_name_no_capability, "layers/chassis/writes.py", "def f(milk): pass"),
    (layers_name_no_capability, "layers/chassis/writes.py", 'x = "functions.coffee.app"'),
    (capabilities_have_the_fixed_files, "functions/tea/leaves.py", ""),
    (capabilities_have_the_fixed_files, "functions/tea/leaves/green.py", ""),
    (capabilities_have_the_fixed_files, "functions/tea/app.py", None),
    (capabilities_are_declared, "functions/coffee/__init__.py", ""),
    (capabilities_are_declared, "functions/tea/__init__.py", None),
    (source_is_mirrored_by_tests, "tests/layers/chassis/test_writes.py", None),
    (source_is_mirrored_by_tests, "tests/functions/tea/test_table.py", None),
    (source_is_mirrored_by_tests, "tests/local/test_up.py", None),
    (tables_have_one_writer, "functions/milk/table.py", 'TABLE = "cups"'),
    (tables_have_one_writer, "functions/tea/table.py", 'TABLE = "mugs"'),
    (tables_have_one_writer, "functions/milk/app.py", WRITE + 'put("cups")'),
    (
        tables_have_one_writer,
        "functions/milk/app.py",
        WRITE + "from functions.tea.table import TABLE\nput(TABLE)",
    ),
    (
        tables_have_one_writer,
        "layers/chassis/a.py",
        WRITE + "from functions.tea import table\nput(table=table.TABLE)",
    ),
    (tables_have_one_writer, "layers/chassis/a.py", "from chassis import writes as w\nw.put(TABLE)"),
]


def plant(root: Path, path: str, text: str | None) -> None:
    file = root / path
    if text is None:
        file.unlink()
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(("check", "path", "text"), PLANTS)
def test_a_planted_violation_is_found(tmp_path: Path, check: Check, path: str, text: str | None) -> None:
    for sound_path, sound_text in SOUND.items():
        plant(tmp_path, sound_path, sound_text)
    assert list(check(Tree(tmp_path))) == []

    plant(tmp_path, path, text)

    assert len(list(check(Tree(tmp_path)))) >= 1


def test_every_check_has_a_planted_violation() -> None:
    assert set(CHECKS) == {check for check, _, _ in PLANTS}
