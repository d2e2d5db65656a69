"""What an image contains: dependencies without what no function needs, and our own code, all compiled.

Run while an image is built, by its base's Python, so it needs nothing but the standard library:

    python3 images_content.py dependencies FOLDER
    python3 images_content.py code SOURCE CAPABILITY FOLDER
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

TASK = "/var/task"
"""Where it all lies in an image: first in the search path, and the folder that every command starts in."""
SERVICES = ("dynamodb", "dynamodbstreams", "kms", "secretsmanager", "sqs", "sts")
"""The AWS services that are spoken to; STS is how a pod on Kubernetes gets its role."""
_HOSTS = {"streams.dynamodb", *SERVICES} - {"dynamodbstreams"}
"""What botocore's list of regions calls them."""
_KEPT = {
    "botocore/data": {
        *SERVICES,
        *("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"),
    },
    "chalice": {"__init__.py", "app.py"},  # its router; the rest is its deployment command
}
"""Folder -> all that is kept of it."""
_UNUSED = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "*.dist-info/RECORD",  # it lists what is about to be removed
    *("boto3/data", "boto3/examples", "botocore/data/*/*/examples-1.json"),  # we use clients, not resources
    *("cffi", "pycparser"),  # they compile; what is compiled needs `_cffi_backend` alone
)
_MOMENT_SECONDS = 315_532_800
"""Every file's time, 1980-01-01: what was built twice is one layer, and no clock is in it."""


def dependencies(folder: Path) -> None:
    """Leave of the installed dependencies what a function needs, in compiled form only."""
    _remove(
        path for part, kept in _KEPT.items() for path in (folder / part).iterdir() if path.name not in kept
    )
    _remove(path for pattern in _UNUSED for path in folder.glob(pattern))
    endpoints = folder / "botocore/data/endpoints.json"
    regions = json.loads(endpoints.read_text())
    for partition in regions["partitions"]:
        partition["services"] = {
            name: partition["services"][name] for name in _HOSTS & partition["services"].keys()
        }
    endpoints.write_text(json.dumps(regions))
    _compile(folder, beside_source=True)
    _remove(folder.rglob("*.py"))
    _seal(folder)


def code(source: Path, capability: str, folder: Path) -> None:
    """Copy one capability and the layers, which are import roots; `handler` names its app for the command."""
    _copy(source / "functions" / capability, folder / "functions" / capability)
    shutil.copy(source / "functions/__init__.py", folder / "functions")
    for layer in (source / "layers").iterdir():
        _copy(layer, folder / layer.name)
    document = source / "build/openapi.json"
    if document.exists():
        shutil.copy(document, folder)
    (folder / "handler.py").write_text(f"from functions.{capability}.app import app\n")
    _compile(folder, beside_source=False)
    _seal(folder)


def _copy(source: Path, destination: Path) -> None:
    shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _compile(folder: Path, *, beside_source: bool) -> None:
    """Compile every module; where the source is to go, what is compiled must lie beside it to be found."""
    compiled = compile_dir(
        folder,
        quiet=1,
        legacy=beside_source,
        stripdir=str(folder),
        prependdir=TASK,
        # No import asks whether a module has changed since: in an image none can.
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise SystemExit(f"not everything in {folder} could be compiled")


def _seal(folder: Path) -> None:
    """Make all of it readable to everybody and writable to nobody."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
        os.utime(path, (_MOMENT_SECONDS, _MOMENT_SECONDS))


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    steps: dict[str, Callable[[], None]] = {
        "dependencies": lambda: dependencies(Path(arguments[1])),
        "code": lambda: code(Path(arguments[1]), arguments[2], Path(arguments[3])),
    }
    steps[arguments[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])
