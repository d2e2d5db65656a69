"""The acquirer's HTTP face: each request is answered as its test card has it."""

from http import HTTPStatus

from local.acquirer.asked import Asked, Authorize, Booked, Capture, Refund, Verify
from local.acquirer.book import APPROVED, Book
from local.acquirer.deck import BY_NAME, Verb
from local.faults import Act, Fault
from local.stranger import NO_ROUTE, Play, Reply, Scope, Stranger

BOOKED: dict[str, tuple[Verb, type[Booked]]] = {
    "/v1/verify": ("verify", Verify),
    "/v1/authorize": ("authorize", Authorize),
    "/v1/capture": ("capture", Capture),
    "/v1/refund": ("refund", Refund),
}


class Acquirer(Stranger):
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
            case "POST", "/v1/void":
                attempt = Asked.model_validate_json(body).attempt
                act = await self._act("void", attempt)
                return await self.perform(act, play, attempt, lambda: self._book.void(attempt), _answer)
            case "POST", _ if path in BOOKED:
                return await self._booked(path, body, play)
        attempt = path.removeprefix("/v1/attempts/")
        if method == "GET" and attempt != path:
            act = await self._act("lookup", attempt)
            return await self.perform(act, play, attempt, lambda: self._book.lookup(attempt), _answer)
        return NO_ROUTE

    async def _booked(self, path: str, body: bytes, play: Play) -> Reply | None:
        verb, model = BOOKED[path]
        entry = model.model_validate_json(body).entry()
        act = BY_NAME[entry.card].act(verb) if entry.card else await self._act(verb, entry.charge)
        if act.fault is Fault.LATE:
            await self.write(lambda: self._book.delay(entry))
            act = Act(fault=Fault.SILENT_BEFORE)
        return await self.perform(act, play, entry.id, lambda: self._book.book(entry, act.decline), _answer)

    async def _act(self, verb: Verb, attempt_id: str | None) -> Act:
        """The part that the card of an attempt in the book plays."""
        name = await self.write(lambda: self._book.card_of(attempt_id))
        return BY_NAME[name].act(verb) if name else Act()


def _answer(outcome: str | None) -> Reply:
    if outcome is None:
        return HTTPStatus.NOT_FOUND, {"outcome": "not_found"}
    if outcome == APPROVED:
        return HTTPStatus.OK, {"outcome": "approved"}
    return HTTPStatus.OK, {"outcome": "declined", "code": outcome}
