"""Owns what an AWS account lets through to the storage: the gateway's rate, Lambda's environments."""

from dataclasses import dataclass

from infra.template.gateway import BURST, REQUESTS_A_SECOND
from tests.benchmarks.scale import limits
from tests.benchmarks.scale.storage import Bucket


@dataclass(frozen=True)
class Account:
    """Quotas; None is one that was raised out of the way."""

    name: str
    requests: float | None = None
    """A second, at the gateway."""
    burst: float = 0.0
    concurrency: int | None = None
    """Environments in all."""
    table_units: float | None = None
    """A second, of each table and index."""
    warm: bool = True
    """Whether every environment that is allowed is there from the start."""


RAISED = Account("quotas raised")
DEFAULT = Account(
    "default quotas",
    limits.API_REQUESTS,
    limits.API_BURST,
    limits.LAMBDA_CONCURRENCY,
    limits.TABLE_WRITE_UNITS,
)
NEW = Account(
    "default quotas, new tables",
    limits.API_REQUESTS,
    limits.API_BURST,
    limits.LAMBDA_CONCURRENCY,
    limits.NEW_TABLE_WRITE_UNITS,
)
DEPLOYED = Account(
    "as the template deploys it",
    float(REQUESTS_A_SECOND[0]),
    float(BURST[0]),
    limits.LAMBDA_CONCURRENCY,
    limits.TABLE_WRITE_UNITS,
)
COLD = Account("no environment yet, quotas raised", warm=False)


class Entrance:
    """The gateway's token bucket, and the environments behind it."""

    def __init__(self, account: Account) -> None:
        self._rate = None if account.requests is None else Bucket(account.requests, account.burst)
        self._most = account.concurrency
        self._warm = account.warm
        self._made = 0
        self._idle = 0
        self._growth = Bucket(
            limits.LAMBDA_NEW_ENVIRONMENTS / limits.LAMBDA_SCALING_SECONDS, limits.LAMBDA_NEW_ENVIRONMENTS
        )

    def admits(self, now: float) -> bool:
        """Whether the gateway lets one more request in; else it is 429."""
        if self._rate is None:
            return True
        admitted = self._rate.has(1.0, now)
        if admitted:
            self._rate.take(1.0)
        return admitted

    def environment(self, now: float) -> str | None:
        """Take an environment: "warm", or "cold" when it has to be made; None: there may be no more now."""
        if self._idle:
            self._idle -= 1
            return "warm"
        if self._most is not None and self._made >= self._most:
            return None
        if not self._warm:
            if not self._growth.has(1.0, now):
                return None
            self._growth.take(1.0)
        self._made += 1
        return "warm" if self._warm else "cold"

    def release(self) -> None:
        """Put an environment back."""
        self._idle += 1
