"""How a stranger's answer goes wrong on purpose: what the sandboxes of the outside world play."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """How an answer goes wrong."""

    SILENT_BEFORE = "nothing is done, and no answer comes"
    SILENT_AFTER = "it is done, but no answer comes"
    CUT_AFTER = "it is done, but the connection breaks in the middle of the first answer"
    SLOW = "the answer takes its time"
    ERROR_TWICE = "the first two answers are 500, and nothing is done"
    ERROR = "every answer is 500, and nothing is done"
    LATE = "no answer comes; it is done some seconds after a lookup that did not find it"


@dataclass(frozen=True, slots=True)
class Act:
    """What a sandbox makes of a request; by default it agrees at once."""

    decline: str | None = None
    fault: Fault | None = None
