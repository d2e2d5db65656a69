"""An image for the other architecture, built without emulation: its libraries are of that architecture."""

from pathlib import Path

from infra.images_build import Order, build, name_of
from tests.containers.engine import Engine
from tests.containers.stand_in import OTHER

CAPABILITY = "payments"
"""The one with the most that is compiled for a machine."""
MACHINES = {"amd64": 62, "arm64": 183}
"""As the header of an ELF file has them (e_machine)."""


def faults_of_the_other(engine: Engine, base: str) -> list[str]:
    """Build it and look at its libraries; nothing of it can run here."""
    name = f"localhost/{name_of(CAPABILITY)}-{OTHER}"
    build(CAPABILITY, Order("buildah", f"linux/{OTHER}", base), name)
    container = engine.run("buildah", "from", "--pull-never", "--arch", OTHER, name)
    try:
        task = Path(engine.run("buildah", "mount", container)) / "var/task"
        libraries = sorted(task.rglob("*.so"))
        wrong = [library.name for library in libraries if _machine(library) != MACHINES[OTHER]]
    finally:
        engine.run("buildah", "rm", container)
    return [f"not for {OTHER}: {name}" for name in wrong] + ([] if libraries else [f"{OTHER}: no libraries"])


def _machine(library: Path) -> int:
    with library.open("rb") as file:
        return int.from_bytes(file.read(20)[18:], "little")
