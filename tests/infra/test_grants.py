"""What each function may do is what it does: every call is granted, and every grant is used."""

from collections.abc import Iterator

import pytest

from infra.functions import functions
from infra.grants import GRANTS, granted, settings
from local.system import System
from tests.functions.payouts.bank import InnerBank
from tests.infra.errands import Errands, asked_bank
from tests.infra.recording import Recording, Use
from tests.receiver import receiving

UNREACHED: dict[tuple[str, Use], str] = {}
"""What is granted for what these errands do not come across, and when that is."""


@pytest.fixture(scope="module")
def used(engine: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[Use]]]:
    """Function -> what it asked for, when every function has done what it is for."""
    bank = InnerBank(tmp_path_factory.mktemp("bank"))
    with pytest.MonkeyPatch.context() as patch, receiving() as receiver:
        recording = Recording(engine, patch)
        recording.begin()
        try:
            asked_bank(patch, bank)
            Errands(recording, receiver, bank).run()
        finally:
            recording.end()
            bank.book.close()
        yield recording.used


def allowed(function: str) -> set[Use]:
    """What a function may do, and what it is told."""
    grants = granted(function)
    told = {*settings(function), *(grant.resource for grant in grants if grant.service == "secretsmanager")}
    return {
        (grant.service, grant.resource, action)
        for grant in grants
        if grant.service != "secretsmanager"
        for action in grant.actions
    } | {("setting", name, "") for name in told}


def test_every_function_has_its_needs_declared() -> None:
    assert {function.name for function in functions()} == set(GRANTS)


@pytest.mark.parametrize("function", sorted(GRANTS))
def test_every_call_is_granted_and_every_grant_is_used(used: dict[str, set[Use]], function: str) -> None:
    listed = {use for (name, use) in UNREACHED if name == function}
    found = used.get(function, set())
    assert found - allowed(function) == set(), "not granted"
    assert allowed(function) - found == listed, "not used"
