"""What settlement shows, and what it understands of the events that it is told."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis import ids
from chassis.paging import PageQuery
from chassis.shapes import Resource, Timestamp
from ledger.money import MAX_AMOUNT, Amount, Currency

SettlementStatus = Literal["open", "closed", "released"]
LineType = Literal["payment", "refund"]


class SettlementQuery(PageQuery):
    """Which settlements to list."""

    status: Annotated[SettlementStatus | None, Field(description="Only those of this status.")] = None
    currency: Annotated[
        str | None, Field(pattern="^[A-Z]{3}$", description="Only those in this currency.")
    ] = None

    def keeps(self, settlement: "Settlement") -> bool:
        """Whether the settlement is one of those asked for."""
        return self.status in {None, settlement.status} and self.currency in {None, settlement.currency}


class Settlement(Resource):
    """What a merchant captured in one currency until one cut-off; amounts in minor units."""

    id: str
    status: Annotated[
        SettlementStatus,
        Field(description="`open` until some minutes after the cut-off; `released` once it can be paid out."),
    ]
    currency: str
    window: Annotated[Timestamp, Field(description="The end of its settlement day: the merchant's cut-off.")]
    available_at: Annotated[Timestamp, Field(description="When its net can be paid out.")]
    payments: Annotated[int, Field(description="How many were counted.")]
    captured: int
    refunds: Annotated[int, Field(description="How many were counted.")]
    refunded: int
    fees: int
    carried_in: Annotated[int, Field(description="What the one before lacked: zero, or less.")]
    carried_from: Annotated[str | None, Field(description="The settlement that it was carried over from.")]
    net: Annotated[int, Field(description="captured - refunded - fees + carried_in.")]
    paid: Annotated[int, Field(description="The part of the net that becomes available: net, or zero.")]
    carried_out: Annotated[int, Field(description="What the next one has to make up for: zero, or less.")]
    closed_at: Timestamp | None
    released_at: Timestamp | None
    entries: Annotated[list[str], Field(description="The journal entries of its release.")]


class SettlementLine(Resource):
    """A captured payment, or a refund, that a settlement has counted; amounts in minor units."""

    type: LineType
    order_id: str
    refund_id: str | None
    amount: Annotated[int, Field(description="What was captured, or refunded.")]
    fee: int
    net: Annotated[int, Field(description="What it adds to the settlement's net.")]
    currency: str
    occurred_at: Timestamp
    window: Annotated[
        Timestamp, Field(description="Its own settlement day; an earlier one when it came too late for that.")
    ]


class CurrencyPosition(Resource):
    """A merchant's money in one currency, in minor units."""

    currency: str
    pending: Annotated[
        int, Field(description="Captured less refunds and fees, and not released yet; it can be negative.")
    ]
    available: Annotated[int, Field(description="What can be paid out.")]


class Position(Resource):
    """A merchant's money, by currency."""

    data: list[CurrencyPosition]


_Text = Annotated[str, Field(min_length=1, max_length=64)]


def _is_a_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"), AfterValidator(_is_a_time)
]


class _Told(BaseModel):
    """Whatever else an event says is for others."""

    model_config = ConfigDict(frozen=True, strict=True)


class CapturedPayment(_Told):
    """What settlement needs to know of a captured payment."""

    order_id: _Text
    currency: Currency
    captured: Amount
    fee: Annotated[int, Field(ge=0, le=2 * MAX_AMOUNT)]
    captured_at: _Moment
    settlement_window: _Moment
    available_at: _Moment


class SucceededRefund(_Told):
    """What settlement needs to know of a refund."""

    id: _Text
    order_id: _Text
    currency: Currency
    amount: Amount
    succeeded_at: _Moment
    settlement_window: _Moment
    available_at: _Moment


class _Event(_Told):
    id: Annotated[str, Field(pattern=ids.pattern("evt"))]
    principal: Annotated[str, Field(pattern=ids.pattern("mer"))]


class PaymentCaptured(_Event):
    """A payment was captured."""

    type: Literal["payment.captured"]
    data: CapturedPayment


class RefundSucceeded(_Event):
    """A refund was made."""

    type: Literal["refund.succeeded"]
    data: SucceededRefund


SettlementEvent = Annotated[PaymentCaptured | RefundSucceeded, Field(discriminator="type")]
