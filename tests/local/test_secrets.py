"""The secrets file: made once, kept as it is, and completed when it is from before there were cards."""

import json
from pathlib import Path

from local import secrets


def test_an_older_file_gets_its_fingerprint_key_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = secrets.load_or_generate(path)
    assert len(bytes.fromhex(first.fingerprint_key)) == secrets.KEY_BYTES
    assert secrets.load_or_generate(path) == first

    older = json.loads(path.read_text())
    del older["fingerprint_key"]
    path.write_text(json.dumps(older))
    completed = secrets.load_or_generate(path)
    assert (completed.peppers, completed.platform_key) == (first.peppers, first.platform_key)
    assert completed.fingerprint_key != first.fingerprint_key
    assert secrets.load_or_generate(path) == completed
