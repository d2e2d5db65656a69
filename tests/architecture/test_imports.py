"""The import contracts of pyproject.toml hold in the source, and each of them can fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
SOURCE = ("functions", "infra", "layers", "local")

PLANTS = [
    ("layers", "layers/chassis/clock.py", "import ledger"),
    ("layers", "layers/ledger/money.py", "import runtime"),
    ("layers", "functions/wallets/model.py", "import local"),
    ("runtime", "functions/wallets/app.py", "import runtime"),
    ("local", "local/__init__.py", "import functions.wallets.model"),
    ("local", "local/__init__.py", "import ledger.money"),
    ("infra", "infra/declaration.py", "import chassis.config"),
    ("capabilities", "functions/wallets/model.py", "import functions.payments.model"),
    ("capability", "functions/wallets/model.py", "import functions.wallets.table"),
    ("capability", "functions/wallets/settings.py", ""),
    ("chalice", "functions/wallets/actions.py", "import chalice.app"),
    ("chalice", "layers/runtime/__init__.py", "import chalice.app"),
    ("boto", "functions/wallets/table.py", "import boto3"),
    ("boto", "local/__init__.py", "import botocore.exceptions"),
    ("localstack", "layers/ledger/money.py", "import localstack_client.session"),
]


def lint(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the contracts on the tree at `root`, in a process of its own that imports from nowhere else."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'layers'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_source_keeps_every_contract() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {contract for contract, _, _ in PLANTS}


@pytest.mark.parametrize(("contract", "path", "line"), PLANTS)
def test_a_planted_violation_breaks_the_contract(tmp_path: Path, contract: str, path: str, line: str) -> None:
    for folder in SOURCE:
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / path).open("a") as module:
        module.write(f"\n{line}\n")

    result = lint(tmp_path, "--contract", contract)

    planted = path.removeprefix("layers/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Contracts: 0 kept, 1 broken." in result.stdout
    assert planted in result.stdout
