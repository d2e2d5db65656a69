"""Does many things at the same moment, and reads what came of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import httpx

from tests.conftest import Shop

CLIENTS = 32
Answer = TypeVar("Answer")


def together(calls: Sequence[Callable[[], Answer]], clients: int | None = None) -> list[Answer]:
    """Make the calls with so many clients, by default one for each, all of which begin at the same moment.

    With a client for each call, the answers are in the order of the calls.
    """
    crowd = clients or len(calls)
    start = Barrier(crowd)

    def client(number: int) -> list[Answer]:
        start.wait()
        return [call() for call in calls[number::crowd]]

    with ThreadPoolExecutor(crowd) as pool:
        return [answer for answers in pool.map(client, range(crowd)) for answer in answers]


def codes(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def everything(shop: Shop, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """A list to its end."""
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = shop.http.get(path, params={"limit": 100, **query, **more}).json()
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
