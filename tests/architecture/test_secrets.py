"""No file of the tree holds what looks like a real secret."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HIDES: dict[str, str] = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "an AWS secret key": r"(?i:aws.{0,20}secret.{0,20})[\"'=: ][A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    "an API key of Tael": r"\bsk_[a-z2-7]{32}_[0-9a-f]{64}\b",
    "a webhook secret": r"\bwhsec_[A-Za-z0-9+/]{32,}",
    "a token of a forge": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|glpat-[\w-]{20})",
    "a token of a chat": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a key of a payment provider": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "a JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}",
    "a password in a URL": r"\b[a-z][a-z+]*://[^\s:/@{}\"']+:[^\s:/@{}\"'$<]{3,}@[\w.-]+",
    "a secret of a stage": r"TAEL_[A-Z_]+[\"']?\s*[=:]\s*[\"']?(?:1:)?"
    r"[0-9a-f]{32,}",
}
PATTERN = re.compile("|".join(f"(?P<p{number}>{text})" for number, text in enumerate(HIDES.values())))
EXAMPLES = {
    "tests/architecture/test_secrets.py": "what is looked for",
    "tests/functions/webhooks/test_addresses.py": "URLs that are refused for their password",
    "layers/runtime/docs/swagger-ui-bundle.js": "not ours, and a megabyte of it",
}
"""Files that are not looked through, and why."""


def secrets(text: str) -> Iterator[str]:
    """What each secret in a text is, and on which line."""
    for found in PATTERN.finditer(text):
        number = int(str(found.lastgroup)[1:])
        yield f"line {text.count(chr(10), 0, found.start()) + 1} has {list(HIDES)[number]}"


def files() -> Iterator[Path]:
    """Every file that is, or will be, committed."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("only a checkout tells which files are source")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return (path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def test_no_file_holds_a_secret() -> None:
    found = [
        f"{name} {secret}"
        for path in files()
        if (name := str(path.relative_to(ROOT))) not in EXAMPLES
        for secret in secrets(path.read_text("utf-8", "replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC PRIVATE KEY-----",
        "AKIAABCDEFGHIJKLMNOP",
        "aws_secret_access_key = " + "aB1/" * 10,
        "sk_" + "a2" * 16 + "_" + "0f" * 32,
        "whsec_" + "aB1+" * 8,
        "ghp_" + "a1" * 18,
        "sk_live_" + "a1" * 8,
        "https://user:password@example.com",
        "TAEL_PEPPERS=1:" + "0f" * 16,
    ],
)
def test_what_is_looked_for_is_found(text: str) -> None:
    assert len(list(secrets(f"first\n{text}\n"))) == 1
