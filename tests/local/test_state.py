"""The state folder, its lock and the secrets in it."""

import os
import socket
from dataclasses import asdict
from pathlib import Path

import pytest

from local import secrets, state
from local.errors import LocalError
from local.ports import LOOPBACK, free_port, require_free
from local.secrets import Secrets


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_state_folder_is_private(tmp_path: Path) -> None:
    with state.opened(tmp_path / "a" / "state") as opened:
        assert [mode(path) for path in (opened.path, opened.engine, opened.logs)] == [0o700] * 3


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with state.opened(tmp_path) as opened:
        assert (mode(opened.path), mode(opened.logs)) == (0o755, 0o700)


def test_one_system_at_a_time(tmp_path: Path) -> None:
    with state.opened(tmp_path), pytest.raises(LocalError, match="in use by another running"):
        state.opened(tmp_path).__enter__()
    with state.opened(tmp_path):
        pass


def test_whoever_inherited_the_lock_keeps_it(tmp_path: Path) -> None:
    with state.opened(tmp_path) as opened:
        inherited = os.dup(opened.lock_fd)
    with pytest.raises(LocalError, match="in use"):
        state.opened(tmp_path).__enter__()
    os.close(inherited)
    with state.opened(tmp_path):
        pass


def test_a_path_that_cannot_be_a_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match=r"state folder .* cannot be written: Not a directory\.$"):
        state.opened(tmp_path / "file" / "state").__enter__()


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secrets.load_or_generate(path)

    assert secrets.load_or_generate(path) == made
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secrets.json"]
    version, pepper = made.peppers.split(":")
    assert (version, len(bytes.fromhex(pepper))) == ("1", 32)
    assert len(made.platform_key) >= 32


def test_no_two_systems_share_secrets() -> None:
    first, second = asdict(Secrets.generate()), asdict(Secrets.generate())
    assert all(first[name] != second[name] for name in ("peppers", "platform_key"))


def test_a_sandbox_is_remembered_beside_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secrets.load_or_generate(path)
    secrets.save(path, made.with_sandbox("mer_1", "sk_1"))

    kept = secrets.load_or_generate(path)
    assert (kept.peppers, kept.sandbox_merchant, kept.sandbox_key) == (made.peppers, "mer_1", "sk_1")
    assert mode(path) == 0o600


def test_loosened_secrets_are_made_private_again(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    secrets.load_or_generate(path)
    path.chmod(0o644)
    secrets.load_or_generate(path)
    assert mode(path) == 0o600


@pytest.mark.parametrize("text", ["{", '{"peppers": "1:aa"}', "[]", '{"unknown": 1}'])
def test_damaged_secrets_are_never_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(LocalError, match="are damaged"):
        secrets.load_or_generate(path)
    assert path.read_text() == text


def test_an_occupied_port_is_refused_and_a_free_one_is_not() -> None:
    require_free(free_port())
    for address in (LOOPBACK, "0.0.0.0"):  # noqa: S104 - a listener on all interfaces occupies loopback too
        with socket.socket() as listener:
            listener.bind((address, 0))
            listener.listen()
            with pytest.raises(LocalError, match="already in use"):
                require_free(listener.getsockname()[1])


def test_a_port_that_is_bound_but_not_listening_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        with pytest.raises(LocalError, match="cannot be used"):
            require_free(bound.getsockname()[1])
