"""Every event that there is: declared once, for each status, told by the running system, and read by all."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

import pytest

from functions.payments.shapes import RefundStatus
from functions.payments.shapes import Status as PaymentStatus
from functions.payouts.shapes import Status as PayoutStatus
from functions.settlement.shapes import SettlementStatus
from functions.topups.model import Status as TopupStatus
from functions.wallets.model import Transfer, WalletStatus
from infra.declaration import EVENT_TYPES, QUEUES, STREAMS
from tests.conftest import Shop, new_key
from tests.functions.inside import SERVICES
from tests.functions.told import DECLARED
from tests.journeys.till import await_until

STATUSES: dict[str, Iterable[str]] = {
    "payment": PaymentStatus,
    "refund": get_args(RefundStatus),
    "topup": TopupStatus,
    "payout": PayoutStatus,
    "settlement": get_args(SettlementStatus),
    "transfer": get_args(Transfer.model_fields["status"].annotation),
    "wallet": get_args(WalletStatus),
}
ACTIVE = {"wallet.opened", "wallet.unfrozen"}
"""What `wallet.active` is called: it is either new, or so again."""
OTHERS = {"deposit.completed", "webhook_endpoint.disabled"}


def test_every_type_of_event_is_declared_once_and_documented() -> None:
    assert Counter(event.name for event in DECLARED) == Counter(EVENT_TYPES)
    assert all(event.summary.endswith(".") for event in DECLARED)


def test_whoever_tells_of_something_is_of_that_name() -> None:
    """What `payment.captured` is about is in the service that has payments, and is what that shows."""
    for event in DECLARED:
        subject = "".join(word.title() for word in event.name.partition(".")[0].split("_"))
        assert event.resource.__name__ in {subject, subject.removeprefix("Webhook")}, event.name


def test_every_status_of_every_resource_has_its_type() -> None:
    named = {f"{resource}.{status}" for resource, statuses in STATUSES.items() for status in statuses}
    assert (named - {"wallet.active"}) | ACTIVE | OTHERS == set(EVENT_TYPES)


def test_every_stream_has_the_handler_that_is_declared() -> None:
    declared = Counter((stream.table, stream.handler) for stream in STREAMS)
    handlers = (
        (source.table, f"functions.{service.name}.app.{source.name}")
        for service in SERVICES
        for source in service.streams
    )
    assert Counter(handlers) == declared


def test_what_a_queue_subscribes_to_is_told_by_somebody() -> None:
    subscribed = {pattern for queue in QUEUES for pattern in queue.subscribes}
    assert subscribed - {"*"} <= set(EVENT_TYPES)


def logged(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.http.get("/v1/events", params={"limit": 100}).json()["data"]
    return found


@pytest.mark.usefixtures("system")
def test_the_running_system_tells_a_merchant_of_all_that_it_does(shop: Shop) -> None:
    wallet, other = shop.wallet(2000), shop.wallet()
    body = {"from_wallet": wallet, "to_wallet": other, "amount": 500, "currency": "GBP"}
    shop.http.post("/v1/transfers", json=body, headers=new_key())
    for change in ("freeze", "unfreeze"):
        shop.become(other, change)
    shop.pay("1", wallet, 1000)
    shop.refund("1", 400)
    expected = Counter(
        {
            "wallet.opened": 2,
            "deposit.completed": 1,
            "transfer.completed": 1,
            "wallet.frozen": 1,
            "wallet.unfrozen": 1,
            "payment.captured": 1,
            "payment.partially_refunded": 1,
            "refund.succeeded": 1,
            "settlement.open": 1,
        }
    )
    await_until(lambda: Counter(event["type"] for event in logged(shop)) == expected)
    # In whatever order they were told: they are listed by when they happened.
    moments = [event["created_at"] for event in logged(shop)]
    assert moments == sorted(moments, reverse=True)
