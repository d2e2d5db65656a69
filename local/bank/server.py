"""The bank's HTTP face: each order is answered as its test account has it."""

from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from local.bank.accounts import BY_IBAN, PAYING
from local.bank.book import ACCEPTED, Book, Order
from local.stranger import NO_ROUTE, Play, Reply, Scope, Stranger, numbers


class Pay(BaseModel):
    """An order to pay."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    attempt: Annotated[str, Field(min_length=1, max_length=128)]
    iban: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}$", repr=False)]
    bic: str | None = None
    holder_name: Annotated[str, Field(min_length=1, max_length=140)]
    amount: Annotated[int, Field(ge=1)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def order(self) -> Order:
        """As it is to be booked: without the IBAN and the name."""
        return Order(
            id=self.attempt,
            account=BY_IBAN.get(self.iban, PAYING).name,
            last4=self.iban[-4:],
            amount=self.amount,
            currency=self.currency,
            content=self.model_dump_json(),
        )


class Bank(Stranger):
    """The ASGI application."""

    def __init__(self, book: Book, slow_seconds: float) -> None:
        super().__init__(book, slow_seconds)
        self._book = book

    async def reply(self, scope: Scope, body: bytes, play: Play) -> Reply | None:
        """See `Stranger.reply`."""
        method, path = scope["method"], scope["path"]
        match method, path:
            case "GET", "/statement":
                return await self.statement(scope, self._book.statement)
            case "GET", "/v1/changes":
                after, limit = numbers(scope, "after")
                return HTTPStatus.OK, {"data": await self.write(lambda: self._book.changes(after, limit))}
            case "POST", "/v1/payouts":
                return await self._pay(body, play)
        match method, path.split("/")[1:]:
            case "GET", ["v1", "payouts", attempt]:
                return _answer(await self.write(lambda: self._book.lookup(attempt)))
            case "POST", ["v1", "payouts", attempt, "cancel"]:
                return _answer(await self.write(lambda: self._book.cancel(attempt)))
        return NO_ROUTE

    async def _pay(self, body: bytes, play: Play) -> Reply | None:
        asked = Pay.model_validate_json(body)
        act = BY_IBAN.get(asked.iban, PAYING).act
        order = asked.order()
        return await self.perform(act, play, order.id, lambda: self._book.book(order, act.decline), _answer)


def _answer(outcome: str | None) -> Reply:
    if outcome is None:
        return HTTPStatus.NOT_FOUND, {"outcome": "not_found"}
    if outcome == ACCEPTED:
        return HTTPStatus.OK, {"outcome": ACCEPTED}
    return HTTPStatus.OK, {"outcome": "refused", "code": outcome}
