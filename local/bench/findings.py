"""Everything that one run found out, and its JSON document."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.bench.costs import Cost
from local.bench.latency import PERCENTILES, Latency
from local.bench.machine import Machine
from local.bench.pricing import price
from local.bench.throughput import Throughput, efficiency

FORMAT = 1
WHOLE_PAYMENT = "wallet payment"
"""To which all shares are added for what a payment costs altogether."""


@dataclass(slots=True)
class Findings:
    """The parts in the order in which they are measured."""

    command: str
    seed: int
    machine: Machine
    generator: float = 0.0
    """Requests per second that the load generator can send by itself."""
    throughput: list[Throughput] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    latency_workers: int = 0
    flows: list[Cost] = field(default_factory=list)
    shares: list[Cost] = field(default_factory=list)

    @property
    def whole(self) -> Sequence[Cost]:
        """A wallet payment and all that it causes."""
        return [*(cost for cost in self.flows if cost.name == WHOLE_PAYMENT), *self.shares]

    def document(self) -> dict[str, Any]:
        """All of it; times in seconds, amounts in dollars per million."""
        return {
            "format": FORMAT,
            "command": self.command,
            "seed": self.seed,
            "machine": asdict(self.machine),
            "generator_requests_per_second": self.generator,
            "throughput": [
                {
                    **asdict(each),
                    "accepted_per_second": each.accepted,
                    "settled_per_second": each.settled,
                    "per_worker": each.per_worker,
                    "per_worker_of_one": efficiency(self.throughput, each),
                }
                for each in self.throughput
            ],
            "latency": [{"workers": self.latency_workers, **_latency(each)} for each in self.latency],
            "costs": [
                {**asdict(cost), "dollars": asdict(price(cost.use, is_request=cost.is_request))}
                for cost in [*self.flows, *self.shares]
            ],
            "dollars_of_a_whole_payment": sum(dollars(self.whole)),
        }

    def write(self, file: Path) -> None:
        """Write the document."""
        file.write_text(json.dumps(self.document(), indent=2) + "\n")


def dollars(costs: Sequence[Cost]) -> Iterator[float]:
    """For a million of each, without Lambda's time."""
    return (price(cost.use, is_request=cost.is_request).total for cost in costs)


def _latency(measured: Latency) -> dict[str, Any]:
    percentiles = {f"p{percent:g}": measured.percentile(percent) for percent in PERCENTILES}
    return {**asdict(measured), "percentiles": percentiles, "worst_lag": max(measured.lags)}
