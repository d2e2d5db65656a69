"""The bank, as payouts ask it: each question under the attempt id that was stored before it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from chassis.auth import BankAccount
from chassis.config import settings
from chassis.outside import NotFound, Outside, Unknown
from functions.payouts.records import Accepted, Change, Outcome, Refused, StoredPayout
from functions.payouts.shapes import FailureCode

PAGE_LINES = 100

_REFUSALS = {
    "account_closed": FailureCode.ACCOUNT_CLOSED,
    "canceled": FailureCode.PROCESSING_ERROR,
}


def submit(payout: StoredPayout, account: BankAccount) -> Outcome:
    """Have the bank take the order to pay."""
    asked = {
        "attempt": payout.attempt_id,
        "amount": payout.amount,
        **account.model_dump(exclude_none=True),
    }
    return _order("/v1/payouts", asked)


def find_out(payout: StoredPayout) -> Outcome | NotFound:
    """Whether the bank has taken an order; NotFound when it never saw it."""
    return _ask("GET", _path(payout))


def give_up(payout: StoredPayout) -> Outcome:
    """Cancel an order that was abandoned: the bank refuses its attempt id for ever.

    Refused when that is so, and only then it may be called a failure; accepted when it was too late.
    """
    return _order(f"{_path(payout)}/cancel", {})


def changes_after(line: int) -> Sequence[Change] | None:
    """The next lines of the bank's feed, in the order of their numbers; None while it cannot tell."""
    return _bank().ask("GET", f"/v1/changes?after={line}&limit={PAGE_LINES}", None, _read_changes)


def _order(path: str, asked: Mapping[str, Any]) -> Outcome:
    found = _ask("POST", path, asked)
    # Only a question can be answered by "not found".
    return Unknown() if isinstance(found, NotFound) else found


def _ask(method: str, path: str, asked: Mapping[str, Any] | None = None) -> Outcome | NotFound:
    return _bank().ask(method, path, asked, _read) or Unknown()


def _path(payout: StoredPayout) -> str:
    return f"/v1/payouts/{quote(payout.attempt_id, safe='')}"


def _read(status: int, said: Any) -> Outcome | NotFound | None:
    """What an answer means: only one that is understood in full is more than unknown."""
    match status, said:
        case HTTPStatus.OK, {"outcome": "accepted"}:
            return Accepted()
        case HTTPStatus.OK, {"outcome": "refused", "code": str(code)}:
            # Banks add codes; a refusal for a new reason is a refusal, of which nothing more is known.
            return Refused(_REFUSALS.get(code, FailureCode.REJECTED))
        # A bare 404 may come from whatever stands between; it must not lead to a cancellation.
        case HTTPStatus.NOT_FOUND, {"outcome": "not_found"}:
            return NotFound()
    return None


def _read_changes(status: int, said: Any) -> Sequence[Change] | None:
    match status, said:
        case HTTPStatus.OK, {"data": list(lines)}:
            changes = [change for change in map(_change, lines) if change]
            return sorted(changes, key=lambda change: change.line) if len(changes) == len(lines) else None
    return None


def _change(said: Any) -> Change | None:
    """A line that says something else than we know is still a line; what has no number is none."""
    match said:
        case {"line": int(number)}:
            return Change(line=number, attempt=_text(said, "attempt"), status=_text(said, "status"))
    return None


def _text(said: Mapping[str, Any], name: str) -> str | None:
    found = said.get(name)
    return found if isinstance(found, str) else None


def _bank() -> Outside:
    """The bank that this process is configured for. Raises ConfigurationError where there is none."""
    chosen = settings()
    return _connected(chosen.required("bank_url"), chosen.bank_try_seconds, chosen.bank_total_seconds)


@lru_cache(maxsize=4)
def _connected(url: str, try_seconds: float, total_seconds: float) -> Outside:
    """The connection to that address, which all threads of this process share."""
    return Outside(url, try_seconds, total_seconds)
