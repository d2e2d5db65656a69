"""Run inside a container: prints as JSON what the image holds and what a process in it may do."""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chassis import aws

TASK = Path("/var/task")
STRANGERS = (
    "pip",
    "setuptools",
    "wheel",
    "inquirer",
    "pycparser",
    "tests",
    "local",
    "infra",
    "moto",
    "ministack",
)
PLACES = ("/", "/tmp", "/var/task", "/var/task/functions", "/var/lang/lib")  # noqa: S108 - it tries to write there
UNCHECKED = 1
"""The flags of a compiled module that is loaded without a look at its source (PEP 552)."""


def _writable() -> Iterator[str]:
    for place in PLACES:
        path = Path(place) / "trial"
        try:
            path.write_text("here")
        except OSError:
            continue
        yield place


def _status(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def _uncompiled() -> Iterator[str]:
    """Modules that would be compiled, or looked at, whenever they are imported."""
    for source in TASK.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        if not compiled.exists():
            yield str(source)
    for compiled in TASK.rglob("*.pyc"):
        with compiled.open("rb") as file:
            if int.from_bytes(file.read(8)[4:], "little") != UNCHECKED:
                yield str(compiled)


def _unbuilt(services: Sequence[str]) -> Iterator[str]:
    for service in services:
        try:
            aws.client(service).meta.endpoint_url.startswith("https://")
        except Exception as error:  # noqa: BLE001 - whatever it is, the client cannot be built
            yield f"{service}: {error}"


def _uncallable(handlers: Sequence[str]) -> Iterator[str]:
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        if not callable(getattr(importlib.import_module(module), name)):
            yield handler


def _unsealed() -> Iterator[str]:
    """Whether a seal does not open: of what cryptography brings, the images leave out what only compiles."""
    if (TASK / "cryptography").exists():
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - not every image has it

        cipher = AESGCM(AESGCM.generate_key(256))
        if cipher.decrypt(bytes(12), cipher.encrypt(bytes(12), b"sealed", b""), b"") != b"sealed":
            yield "AES-GCM"


def _from_elsewhere() -> Iterator[str]:
    """What was imported neither from the image nor from Python itself: the base has packages of its own."""
    library = str(Path(os.__file__).parent)
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        is_standard = file.startswith(library) and "-packages" not in file
        if file and not is_standard and not file.startswith(str(TASK)):
            yield f"{name} from {file}"


def _megabytes(paths: Iterator[Path]) -> float:
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sum(file.lstat().st_size for file in files if file.is_file()) / 1e6


def look(
    own: Sequence[str], services: Sequence[str], handlers: Sequence[str], modules: Sequence[str]
) -> dict[str, Any]:
    """What there is to tell."""
    for module in modules:
        importlib.import_module(module)
    return {
        "user": [os.getuid(), os.getgid(), *os.getgroups()],
        "privileges": [_status("CapPrm"), _status("CapEff"), _status("CapBnd"), _status("NoNewPrivs")],
        "writable": list(_writable()),
        "uncompiled": list(_uncompiled()),
        "strangers": [name for name in STRANGERS if (TASK / name).exists()],
        "unbuilt": list(_unbuilt(services)),
        "unsealed": list(_unsealed()),
        "uncallable": list(_uncallable(handlers)),
        "from_elsewhere": list(_from_elsewhere()),
        "dependencies_mb": _megabytes(path for path in TASK.iterdir() if path.name not in own),
        "capabilities": sorted(path.parent.name for path in TASK.glob("functions/*/app.py")),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(**json.loads(sys.argv[1]))) + "\n")
