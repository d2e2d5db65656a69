"""A card authorization that nobody captured in time is voided at the acquirer, and only then canceled."""

from collections.abc import Callable

import pytest

from functions.payments import app
from functions.payments.model import AUTHORIZATION_DAYS
from local.system import System
from runtime.schedules import scheduled_event
from tests.functions.inside import days_later
from tests.journeys.reconciling import statement
from tests.journeys.till import Till


def test_an_expired_authorization_is_voided_once(
    till: Till, hasty_engine: System, books: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    authorized = till.pay("1", till.card(), capture="manual")
    assert authorized.json()["status"] == "authorized"
    attempt = authorized.json()["attempts"][0]["attempt_id"]
    with monkeypatch.context() as moved:
        days_later(moved, AUTHORIZATION_DAYS + 1)
        app.expire(scheduled_event(), None)
        assert app.expire(scheduled_event(), None)["done"] == 0
    payment = till.shop.payment("1")
    assert (payment["status"], payment["cancellation_reason"]) == ("canceled", "expired")
    assert statement(hasty_engine)[attempt]["voided"]
    books()
