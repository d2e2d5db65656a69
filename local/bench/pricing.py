"""What AWS asks for what was used: public on-demand prices of us-east-1, which change."""

from dataclasses import dataclass

from infra.functions import MEMORY_MB
from local.bench.metering import Use

WRITE_UNITS, READ_UNITS = 0.625, 0.125
"""Dollars per million, DynamoDB on demand."""
HTTP_API, LAMBDA, SQS = 1.00, 0.20, 0.40
"""Dollars per million requests."""
GIGABYTE_SECOND = 0.0000166667
"""Dollars, Lambda on x86."""
MESSAGES_PER_REQUEST = 10
"""What SQS takes at once, which is what a steady load gives; each message is sent, received and deleted."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million times something."""

    storage: float
    requests: float
    lambda_time: float
    """As if a function on AWS took as long as here, which nobody has measured; not in the total."""

    @property
    def total(self) -> float:
        """Without Lambda's time."""
        return self.storage + self.requests


def sqs_requests(use: Use) -> float:
    """What its messages need of SQS, in full batches."""
    return 3 * use.messages / MESSAGES_PER_REQUEST


def price(use: Use, *, is_request: bool) -> Price:
    """Of a million of these; a request comes through the HTTP API."""
    return Price(
        storage=use.write_units * WRITE_UNITS + use.read_units * READ_UNITS,
        requests=(HTTP_API if is_request else 0.0) + use.invocations * LAMBDA + sqs_requests(use) * SQS,
        lambda_time=use.milliseconds * 1000 * MEMORY_MB / 1024 * GIGABYTE_SECOND,
    )
