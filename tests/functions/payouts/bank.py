"""A bank of a test's own in this process: the sandbox's book, with answers that get lost as told."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.bank.book import Book
from local.bank.server import Pay, _answer

DELAY_SECONDS = 60.0
Read = Callable[[int, Any], Any]


class InnerBank:
    """What stands in the place of `chassis.outside.Outside`; its time stands still unless moved."""

    def __init__(self, folder: Path) -> None:
        self.seconds = 1_000_000.0
        self.book = Book(folder, DELAY_SECONDS, now=lambda: self.seconds)
        self.decline: str | None = None
        self.is_deaf = False
        """It hears nothing, so nothing is done."""
        self.is_mute = False
        """It does what it is asked, and nobody hears of it."""
        self.at: dict[str, Callable[[], object]] = {}
        """What happens after a question was answered, before anybody hears of it: by the verb."""
        self.asked: list[str] = []

    def ask(self, method: str, path: str, asked: Mapping[str, Any] | None, read: Read) -> Any:
        """As `Outside.ask`."""
        if self.is_deaf:
            return None
        match method, path.partition("?")[0].split("/")[2:]:
            case "POST", ["payouts"]:
                verb, order = "submit", Pay.model_validate(asked).order()
                status, said = _answer(self.book.book(order, self.decline))
            case "GET", ["payouts", attempt]:
                verb, (status, said) = "lookup", _answer(self.book.lookup(attempt))
            case "POST", ["payouts", attempt, "cancel"]:
                verb, (status, said) = "cancel", _answer(self.book.cancel(attempt))
            case _:
                after = int(path.partition("after=")[2].partition("&")[0])
                verb, status, said = "changes", HTTPStatus.OK, {"data": self.lines(after)}
        self.asked.append(verb)
        self.at.pop(verb, lambda: None)()
        return None if self.is_mute else read(int(status), said)

    def lines(self, after: int) -> list[dict[str, Any]]:
        """The feed; a page is short, so that there are several."""
        return self.book.changes(after, limit=3)

    def later(self) -> None:
        """What has been taken is paid, or returned, meanwhile."""
        self.seconds += DELAY_SECONDS + 1
