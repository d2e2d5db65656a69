"""Where the story is told: a system, and the strangers behind it whose own statements can be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """The addresses of a running system."""

    url: str
    platform_key: str
    acquirer_url: str | None = None
    bank_url: str | None = None
    loses_an_answer: bool = True
    """Whether it looks after a lost answer soon enough for this story."""
