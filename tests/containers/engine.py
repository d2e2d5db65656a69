"""The container tools, installed where they are missing, with a storage of their own below `build/`."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, TimeoutExpired

from infra.images import ROOT

PACKAGES = ("buildah", "podman", "runc", "mmdebstrap", "catatonit")
FOLDER = ROOT / "build/containers"
COMMAND_SECONDS = 120.0
INSTALL_SECONDS = 900.0


class Unable(Exception):
    """Nothing can be said of the images here; the message says why."""


@dataclass(frozen=True)
class Engine:
    """Buildah and Podman, by the variables that have both use our own storage."""

    environment: Mapping[str, str]

    def run(self, *command: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run a command and return what it printed. Raises Unable when it fails."""
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                stdout=PIPE,
                stderr=STDOUT,
                text=True,
                timeout=seconds,
                check=False,
            )
        except TimeoutExpired:
            raise Unable(f"`{' '.join(command)}` took more than {seconds:g} s") from None
        if done.returncode:
            raise Unable(f"`{' '.join(command)}` failed:\n{done.stdout}")
        return done.stdout.strip()


def prepare() -> Engine:
    """Install what is missing, and see to it that both tools work."""
    _install()
    try:
        return _working("overlay")
    except Unable:
        return _working("vfs")  # slower, but a machine that is a container itself may know nothing else


def _working(driver: str) -> Engine:
    engine = Engine(_configured(driver))
    engine.run("buildah", "info")
    engine.run("podman", "info")
    # What a run left that was killed itself.
    engine.run("podman", "rm", "--all", "--force", "--time=0")
    return engine


def _install() -> None:
    missing = [package for package in PACKAGES if not _is_installed(package)]
    if not missing:
        return
    wanted = f"the container tools {', '.join(missing)} are not installed"
    if not shutil.which("apt-get"):
        raise Unable(f"{wanted}, and this is no Debian where they could be")
    if os.geteuid() != 0:
        raise Unable(
            f"{wanted}, which takes root: sudo apt-get install --no-install-recommends {' '.join(missing)}"
        )
    plain = Engine({**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    plain.run("apt-get", "update", "-q", seconds=INSTALL_SECONDS)
    plain.run(
        *("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing), seconds=INSTALL_SECONDS
    )


def _is_installed(package: str) -> bool:
    if shutil.which(package):
        return True
    query = shutil.which("dpkg-query")
    if not query:
        return False
    asked = subprocess.run(
        [query, "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _configured(driver: str) -> dict[str, str]:
    """Write the configuration; the variables by which the tools find it."""
    folder = FOLDER / driver
    folder.mkdir(parents=True, exist_ok=True)
    storage, containers = folder / "storage.conf", folder / "containers.conf"
    storage.write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n'
        # Without, the folder is a mount of its own, which nothing can remove.
        '[storage.options.overlay]\nskip_mount_home = "true"\n'
    )
    containers.write_text(
        # The limits: runc cannot raise them above those of this machine. The rest: there may be no systemd.
        '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\nnetns = "host"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
    )
    return {
        **os.environ,
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_CONF": str(containers),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def size_mb(path: Path) -> float:
    """What the files of a folder come to."""
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
