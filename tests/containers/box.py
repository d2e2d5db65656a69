"""A running container: unprivileged, read-only, with nothing writable at all, and gone in the end."""

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import STDOUT, TimeoutExpired

from infra.images_build import name_of
from tests.containers.engine import FOLDER, Engine

LOGS = FOLDER / "logs"
HARDENED = (
    *("--network", "host", "--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
)
"""The user is the image's own."""
STOP_SECONDS = 40.0
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "nobody",
    "TAEL_PEPPERS": f"1:{'5a' * 32}",
    "TAEL_PLATFORM_KEY": "a key for the containers of a test alone",
    "TAEL_STAGE": "test",
}
"""Enough for whatever needs no storage."""


@dataclass(frozen=True)
class Spent:
    """What a container's processes take of the machine."""

    cpu_seconds: float = 0.0
    """Of all its time, which unlike the clock is the same on a busy machine."""
    resident_mb: float = 0.0


@dataclass(frozen=True)
class Box:
    """A running container."""

    name: str
    engine: Engine
    process: subprocess.Popen[bytes]
    log: Path

    def spent(self) -> Spent:
        """What its processes have spent so far."""
        first = self.engine.run("podman", "inspect", "--format", "{{.State.Pid}}", self.name)
        family = _family(first)
        return Spent(sum(_seconds(pid) for pid in family), sum(_resident_mb(pid) for pid in family))

    def terminate(self) -> None:
        """Ask it to end, as Kubernetes does."""
        self.engine.run("podman", "kill", "--signal", "TERM", self.name)

    def ended(self) -> int | None:
        """Wait for its end; its exit code, or None when it goes on."""
        try:
            return self.process.wait(STOP_SECONDS)
        except TimeoutExpired:
            return None

    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")


@contextmanager
def running(
    engine: Engine,
    capability: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *options: str,
) -> Iterator[Box]:
    """Run a command in an image; by the image's entrypoint, unless the options name another."""
    name = f"{name_of(capability)}-{uuid.uuid4().hex[:12]}"
    log = LOGS / f"{name}.log"
    variables = [f"--env={key}={value}" for key, value in {**SETTINGS, **(environment or {})}.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *("podman", "run", "--rm", "--pull=never", "--name", name, *HARDENED, *variables),
                *(*options, name_of(capability), *command),
            ],
            env=engine.environment,
            stdout=output,
            stderr=STDOUT,
        )
    try:
        yield Box(name, engine, process, log)
    finally:
        engine.run("podman", "rm", "--force", "--ignore", "--time=0", name)
        process.wait(STOP_SECONDS)


def _family(pid: str) -> list[str]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(child))]


def _seconds(pid: str) -> float:
    # The name, second in the line, may have spaces in it; the 14th and 15th value are user and system time.
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024 / 1e6
