"""What each capability's image needs of others, by the names that pyproject.toml knows them by.

python -m infra.images             prints the capabilities
python -m infra.images payments    prints what `make lock` pins for one of them
"""

import re
import sys
import tomllib
from pathlib import Path

from infra.declaration import CAPABILITIES

ROOT = Path(__file__).parents[1]

EVERY_IMAGE = (
    "boto3",
    "cachetools",
    "chalice",
    "pydantic",
    "uvicorn",
)
"""What the chassis and the runtime are built on."""
_ASKS_OUTSIDE = ("urllib3",)
_OPENS_CARDS = ("cryptography",)

MORE: dict[str, tuple[str, ...]] = {
    "cards": (*_OPENS_CARDS, *_ASKS_OUTSIDE),
    "merchants": ("python-stdnum",),
    "payments": (*_OPENS_CARDS, *_ASKS_OUTSIDE),
    "payouts": _ASKS_OUTSIDE,
    "topups": (*_OPENS_CARDS, *_ASKS_OUTSIDE),
    "webhooks": ("httpcore",),
}
"""What only some capabilities import; tests/infra/test_images.py holds it against their code."""


def needed(capability: str) -> tuple[str, ...]:
    """The distributions that a capability imports from, itself or through the layers."""
    return tuple(sorted({*EVERY_IMAGE, *MORE.get(capability, ())}))


def requirements(capability: str) -> list[str]:
    """What it needs as pyproject.toml requires it, extras and lowest versions included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in project["dependencies"]}
    return [required[name] for name in needed(capability)]


if __name__ == "__main__":
    lines = [line for name in sys.argv[1:] for line in requirements(name)] if sys.argv[1:] else CAPABILITIES
    sys.stdout.write("".join(f"{line}\n" for line in lines))
