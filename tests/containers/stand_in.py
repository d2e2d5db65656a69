"""A stand-in for the public Lambda base where that is out of reach: Debian, with its paths and variables.

Its twin for arm64 is empty: enough to build an image for arm64 on, and to see what got into it.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from infra.images import ROOT
from tests.containers.engine import FOLDER, Engine, Unable

NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")
OTHER = "amd64" if NATIVE == "arm64" else "arm64"
SUITE = "bookworm"
"""The Debian whose Python is 3.11, as the base's is."""
PACKAGES = "python3.11-minimal,libpython3.11-stdlib,libstdc++6,zlib1g,dash"
LOCK = ROOT / "infra/requirements/containers.txt"
BUILD_SECONDS = 900.0
HOST_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""What this machine's pip needs to reach its index."""
ENTRYPOINT = """#!/bin/sh
if [ $# -ne 1 ]; then
  echo "entrypoint requires the handler name to be the first argument" 1>&2
  exit 142
fi
exec /var/lang/bin/python3 -m awslambdaric "$1"
"""
VARIABLES = {
    "LANG": "C.UTF-8",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": (
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    ),
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
}


def stand_in(engine: Engine) -> str:
    """The name of the base, which is built when this recipe has changed since."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + LOCK.read_bytes())
    name = f"localhost/tael-stand-in:{recipe.hexdigest()[:12]}"
    try:
        engine.run("buildah", "manifest", "inspect", name)
    except Unable:
        _build(engine, name)
    return name


def _build(engine: Engine, name: str) -> None:
    root = FOLDER / "root"
    shutil.rmtree(root, ignore_errors=True)
    engine.run(
        *("mmdebstrap", "--quiet", "--variant=extract", f"--include={PACKAGES}", "--format=directory"),
        *('--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/*", SUITE, str(root)),
        seconds=BUILD_SECONDS,
    )
    _rearrange(root)
    working = {NATIVE: engine.run("buildah", "from", "scratch")}
    engine.run("buildah", "copy", "--quiet", working[NATIVE], str(root), "/")
    working[OTHER] = engine.run("buildah", "from", "scratch")
    images = {
        architecture: _commit(engine, container, architecture) for architecture, container in working.items()
    }
    engine.run("buildah", "manifest", "create", name)
    for architecture, image in images.items():
        engine.run("buildah", "manifest", "add", "--arch", architecture, name, image)
    shutil.rmtree(root)


def _rearrange(root: Path) -> None:
    """Put Python and the runtime's client where Lambda has them."""
    for folder in ("proc", "sys", "tmp", "var/lang/bin", "var/lang/lib", "var/runtime", "var/task"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/python3.11").rename(root / "var/lang/bin/python3.11")
    (root / "var/lang/bin/python3").symlink_to("python3.11")
    library = root / "var/lang/lib/python3.11"
    (root / "usr/lib/python3.11").rename(library)
    (library / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    for unused in ("usr/share", "var/cache", "var/lib/apt", "var/lib/dpkg", "etc/apt"):
        shutil.rmtree(root / unused, ignore_errors=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version=3.11"),
            *("--root-user-action=ignore", "--target", library / "dist-packages", "--requirement", LOCK),
        ],
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    for file in HOST_FILES:
        if Path(file).exists():
            copy = root / file.removeprefix("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    entrypoint = root / "lambda-entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT)
    entrypoint.chmod(0o555)


def _commit(engine: Engine, container: str, architecture: str) -> str:
    variables = [part for name, value in VARIABLES.items() for part in ("--env", f"{name}={value}")]
    engine.run(
        *("buildah", "config", "--os", "linux", "--arch", architecture, *variables),
        *("--workingdir", "/var/task", "--entrypoint", '["/lambda-entrypoint.sh"]', container),
    )
    return engine.run("buildah", "commit", "--quiet", "--rm", container)
