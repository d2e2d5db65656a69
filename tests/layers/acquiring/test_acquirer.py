"""What card networks can answer, and what a caller is told of a refusal."""

import json

import pytest

from acquiring import acquirer
from acquiring.acquirer import Card, CardDeclined, DeclineCode
from acquiring.sandbox import SandboxAcquirer
from chassis.config import ConfigurationError, settings
from local.system import System

CODES = {
    "insufficient_funds",
    "do_not_honor",
    "expired_card",
    "lost_card",
    "stolen_card",
    "incorrect_cvc",
    "suspected_fraud",
    "processing_error",
}


def test_decline_codes_are_the_fields_own_and_say_what_to_do() -> None:
    assert {code.value for code in DeclineCode} == CODES
    for code in DeclineCode:
        problem = json.loads(CardDeclined(code).document("req_1"))
        assert (problem["status"], problem["code"], problem["decline_code"]) == (402, "card_declined", code)
        assert problem["detail"] == f"{code}: {code.advice}"


def test_a_card_shows_its_number_nowhere() -> None:
    card = Card("4929123456789012", exp_month=12, exp_year=2030, brand="visa", last4="9012")
    assert "4929123456789012" not in f"{card} {card!r}"


def test_the_connector_follows_the_settings(engine: System, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(acquirer.connector(), SandboxAcquirer)
    assert acquirer.connector() is acquirer.connector()
    monkeypatch.delenv("TAEL_ACQUIRER_URL")
    settings.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="TAEL_ACQUIRER_URL is not set"):
            acquirer.connector()
    finally:
        settings.cache_clear()
