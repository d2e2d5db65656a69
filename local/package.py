"""The code of all functions as one zip, for an engine that runs zips as processes of this very Python."""

import importlib.util
import io
import marshal
import zipfile
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path

PACKAGES = ("acquiring", "chassis", "functions", "ledger", "runtime")
"""What an image holds of ours. What these need of others is in the environment that the engine runs in."""
READABLE = 0o644
_UNCHECKED = (0b01).to_bytes(4, "little")
"""The flag of a compiled module that belongs to its source by hash, and is not checked (PEP 552)."""


def archive(more: Mapping[str, str]) -> bytes:
    """A zip of those packages, compiled: or each start of a function would compile all that it imports.

    `more` are files to add, by their path. The same files make the same zip, byte for byte.
    """
    written = io.BytesIO()
    # Nothing is compressed: the engine unpacks it for each process that it starts.
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as file:
        for name, path in _files():
            _add(file, name, path.read_bytes())
            if path.suffix == ".py":
                _add(file, importlib.util.cache_from_source(name), _compiled(path))
        for name, text in more.items():
            _add(file, name, text.encode())
    return written.getvalue()


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = READABLE << 16
    file.writestr(entry, content)


def _files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(Path(package) / path.relative_to(folder)), path


def _compiled(path: Path) -> bytes:
    """The module as Python keeps it compiled; whatever was compiled of this source before is used again."""
    code = SourceFileLoader(path.stem, str(path)).get_code(path.stem)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(path.read_bytes())
    return header + marshal.dumps(code)
