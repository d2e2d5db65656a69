"""Builds the images of capabilities with docker, podman or buildah, whichever is there.

    python -m infra.images_build payments cards

builds `tael-payments` and `tael-cards`; without names, all of them.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import PIPE, STDOUT, TimeoutExpired

from infra.declaration import CAPABILITIES
from infra.images import ROOT, needed

PLATFORM = "linux/arm64"
"""What the functions run on; no emulation is needed to build for it elsewhere."""
AT_ONCE = 2
ANSWER_SECONDS = 20.0
BUILD_SECONDS = 900.0
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}

_ENGINES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # An attestation would make an index of the image, which Lambda refuses.
    "docker": (("version", "--format", "{{.Server.Version}}"), ("build", "--provenance=false")),
    "podman": (("info",), ("build", "--layers")),
    "buildah": (("info",), ("bud", "--layers")),
}
"""Engine -> how to ask it whether it works, and how to have it build."""


class CannotBuild(Exception):
    """An image cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built, and with what."""

    engine: str
    platform: str = PLATFORM
    base_image: str | None = None
    """None: the one that the Dockerfile names."""


def working_engine() -> str:
    """The first engine that answers. Raises CannotBuild when none does."""
    faults = []
    for engine, (question, _) in _ENGINES.items():
        if not shutil.which(engine):
            faults.append(f"{engine} is not installed")
            continue
        try:
            asked = _run([engine, *question], ANSWER_SECONDS)
        except TimeoutExpired:
            faults.append(f"{engine} does not answer")
            continue
        if asked.returncode == 0:
            return engine
        faults.append(f"{engine} says: {_last_line(asked.stdout)}")
    raise CannotBuild(f"no engine can build images here ({'; '.join(faults)})")


def build(capability: str, order: Order, name: str | None = None) -> float:
    """Build one image. Returns how many seconds it took; raises CannotBuild with what the engine said."""
    _, verb = _ENGINES[order.engine]
    arguments = {"FUNCTION": capability}
    if order.base_image:
        arguments["BASE_IMAGE"] = order.base_image
    if order.engine != "docker":  # it knows where it runs; of the others only the newest do
        arguments["BUILDPLATFORM"] = f"linux/{_MACHINES.get(platform.machine(), platform.machine())}"
    given = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    started = time.monotonic()
    tag = ["--tag", name or name_of(capability)]
    try:
        built = _run(
            [
                *(order.engine, *verb, "--file", "infra/Dockerfile", "--platform", order.platform),
                *(*given, *tag, "."),
            ],
            BUILD_SECONDS,
        )
    except TimeoutExpired:
        raise CannotBuild(f"{capability} was not built within {BUILD_SECONDS:g} s") from None
    if built.returncode:
        raise CannotBuild(f"the image of {capability} could not be built by {order.engine}:\n{built.stdout}")
    return time.monotonic() - started


def build_all(capabilities: Sequence[str], order: Order) -> None:
    """Build several images, two at once, and say so as they are done."""

    def one(capability: str) -> None:
        seconds = build(capability, order)
        sys.stdout.write(f"built {name_of(capability)} for {order.platform} in {seconds:.1f} s\n")
        sys.stdout.flush()

    first, *others = by_what_they_share(capabilities)
    one(first)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(one, capability) for capability in others]:
            done.result()


def by_what_they_share(capabilities: Sequence[str]) -> list[str]:
    """First one of each set of dependencies: the others find theirs built, if they come late enough.

    The very first is built alone: of twins of the steps that all have, a third one would find only one.
    """
    leaders = {needed(capability): capability for capability in reversed(capabilities)}
    return sorted(capabilities, key=lambda capability: capability not in leaders.values())


def name_of(capability: str) -> str:
    """The image's name."""
    return f"tael-{capability}"


def _run(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, timeout=seconds, check=False
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1]


def main() -> int:
    """Build what the arguments name. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.images_build", description=__doc__.splitlines()[0])
    parser.add_argument("capabilities", nargs="*", metavar="CAPABILITY", help="all when none is named")
    parser.add_argument("--platform", default=PLATFORM, help="default: %(default)s")
    parser.add_argument("--base-image", help="instead of the public Lambda base")
    options = parser.parse_args()
    unknown = sorted(set(options.capabilities) - set(CAPABILITIES))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(CAPABILITIES)}")
    try:
        order = Order(working_engine(), options.platform, options.base_image)
        build_all(options.capabilities or CAPABILITIES, order)
    except CannotBuild as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
