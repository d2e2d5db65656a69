"""A claim that is checked, and how what contradicts it is put into words."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """A claim, and what contradicts it: nothing, when it holds."""

    claim: str
    contradictions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return not self.contradictions


def differences(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> tuple[str, ...]:
    """A sentence for each name under which the two do not have the same."""
    return tuple(
        f"{what} {name}: {actual.get(name, 'missing')} instead of {expected.get(name, 'nothing')}"
        for name in (expected | actual)
        if expected.get(name) != actual.get(name)
    )


def pounds(pence: int) -> str:
    """An amount as people write it, such as £1,234.56."""
    sign = "-" if pence < 0 else ""
    return f"{sign}£{abs(pence) // 100:,}.{abs(pence) % 100:02}"
