"""Owns the words of the sandbox acquirer: how it is asked, and each of its answers read as one outcome."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from acquiring.acquirer import Approved, Card, DeclineCode, Declined, Outcome
from chassis.outside import NotFound, Outside, Unknown

_DECLINES = {code.value: code for code in DeclineCode}


class SandboxAcquirer:
    """The sandbox acquirer, over HTTP."""

    def __init__(self, url: str, try_seconds: float, total_seconds: float) -> None:
        self._outside = Outside(url, try_seconds, total_seconds)

    def verify(self, attempt_id: str, card: Card, cvc: str) -> Outcome:
        """See `Acquirer.verify`."""
        return self._do("verify", {"attempt": attempt_id, "card": {**_card(card), "cvc": cvc}})

    def authorize(self, attempt_id: str, card: Card, amount: int, currency: str, *, capture: bool) -> Outcome:
        """See `Acquirer.authorize`."""
        money = {"amount": amount, "currency": currency, "capture": capture}
        return self._do("authorize", {"attempt": attempt_id, "card": _card(card), **money})

    def capture(self, attempt_id: str, authorization: str, amount: int) -> Outcome:
        """See `Acquirer.capture`."""
        return self._do("capture", {"attempt": attempt_id, "charge": authorization, "amount": amount})

    def refund(self, attempt_id: str, charge: str, amount: int) -> Outcome:
        """See `Acquirer.refund`."""
        return self._do("refund", {"attempt": attempt_id, "charge": charge, "amount": amount})

    def void(self, attempt_id: str) -> Outcome:
        """See `Acquirer.void`."""
        return self._do("void", {"attempt": attempt_id})

    def lookup(self, attempt_id: str) -> Outcome | NotFound:
        """See `Acquirer.lookup`."""
        return self._ask("GET", f"/v1/attempts/{quote(attempt_id, safe='')}")

    def _do(self, verb: str, asked: Mapping[str, Any]) -> Outcome:
        found = self._ask("POST", f"/v1/{verb}", asked)
        # Only a question can be answered by "not found".
        return Unknown() if isinstance(found, NotFound) else found

    def _ask(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> Outcome | NotFound:
        return self._outside.ask(method, path, asked, _read) or Unknown()


@lru_cache(maxsize=4)
def connect(url: str, try_seconds: float, total_seconds: float) -> SandboxAcquirer:
    """The connector for that address, whose connections all threads of this process share."""
    return SandboxAcquirer(url, try_seconds, total_seconds)


def _card(card: Card) -> dict[str, Any]:
    return {
        "number": card.number,
        "brand": card.brand,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
    }


def _read(status: int, said: Any) -> Outcome | NotFound | None:
    """What an answer means: only one that is understood in full is more than unknown."""
    match status, said:
        case HTTPStatus.OK, {"outcome": "approved"}:
            return Approved()
        case HTTPStatus.OK, {"outcome": "declined", "code": str(code)}:
            return Declined(_decline(code))
        # A bare 404 may come from whatever stands between; it must not lead to a void.
        case HTTPStatus.NOT_FOUND, {"outcome": "not_found"}:
            return NotFound()
    return None


def _decline(code: str) -> DeclineCode:
    # Networks add codes; a refusal for a new reason is a refusal, of which nothing more is known.
    return _DECLINES.get(code, DeclineCode.DO_NOT_HONOR)
