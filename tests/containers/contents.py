"""What an image must hold, and what a process in it must not be able to do, held against what it finds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.functions import functions
from infra.images import ROOT
from infra.images_build import name_of
from infra.images_content import SERVICES
from tests.containers import inside
from tests.containers.box import running
from tests.containers.engine import Engine

DEPENDENCIES_MB = 30.0
RUNTIME = ("runtime.http", "runtime.pages", "runtime.queues", "runtime.schedules", "runtime.streams")
USER = [993, 993]
PRIVILEGES = ["0000000000000000", "0000000000000000", "0000000000000000", "1"]
EMPTY = ("writable", "uncompiled", "strangers", "unbuilt", "unsealed", "uncallable", "from_elsewhere")


@dataclass(frozen=True)
class Contents:
    """What was found."""

    dependencies_mb: float
    total_mb: float
    faults: list[str]


def looked_into(engine: Engine, capability: str) -> Contents:
    """Have a process in a container of this image tell what it finds."""
    layers = [path.name for path in (ROOT / "layers").iterdir()]
    wanted = {
        "own": ["functions", "handler.py", "openapi.json", "__pycache__", *layers],
        "services": list(SERVICES),
        "handlers": [each.handler for each in functions() if each.image == capability],
        "modules": list(RUNTIME),
    }
    script = Path(inside.__file__).read_text()
    command = ["-c", script, json.dumps(wanted)]
    with running(engine, capability, command, None, "--entrypoint", "python3") as box:
        code = box.ended()
        said = box.said()
    size = engine.run("podman", "image", "inspect", "--format", "{{.Size}}", name_of(capability))
    if code != 0:
        return Contents(
            0.0, int(size) / 1e6, [f"{capability}: it could not look into itself: {said[-2000:]}"]
        )
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    faults = [f"{capability}: {fault}" for fault in _faults(capability, found)]
    return Contents(found["dependencies_mb"], int(size) / 1e6, faults)


def _faults(capability: str, found: dict[str, Any]) -> list[str]:
    faults = [f"{name} {found[name]}" for name in EMPTY if found[name]]
    if set(found["user"]) != set(USER):
        faults.append(f"it runs as {found['user']}")
    if found["privileges"] != PRIVILEGES:
        faults.append(f"it has privileges: {found['privileges']}")
    if found["capabilities"] != [capability]:
        faults.append(f"it holds {found['capabilities']}")
    if found["dependencies_mb"] > DEPENDENCIES_MB:
        faults.append(f"its dependencies have {found['dependencies_mb']:.1f} MB, above {DEPENDENCIES_MB:g}")
    return faults
