"""Owns the counting of what a request asks of AWS, the same for everybody: clients that keep a bill."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from chassis.attributes import size
from local.bench import pricing

PER_MILLION = {
    "write_units": pricing.WRITE_UNITS,
    "read_units": pricing.READ_UNITS,
    "lambda_requests": pricing.LAMBDA,
    "sqs_requests": pricing.SQS,
}
"""Dollars."""
WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})
READS = frozenset({"get_item", "batch_get_item", "query"})


@dataclass(frozen=True)
class Bill:
    """What one request asks of AWS."""

    write_units: float = 0.0
    write_calls: int = 0
    read_units: float = 0.0
    read_calls: int = 0
    sqs_requests: float = 0.0
    lambda_requests: float = 1.0

    @property
    def dollars_per_million(self) -> float:
        """Of a million of them, the gateway's request included; GB-seconds, storage and logs are not."""
        priced: float = sum(price * getattr(self, name) for name, price in PER_MILLION.items())
        return pricing.HTTP_API + priced


class Counting:
    """A client whose calls are counted: units as told, or at full price where a write was refused."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.bill = Bill()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.real, name)
        if name == "send_message":
            return self._sending(call)
        return self._counted(name, call) if name in WRITES | READS else call

    def _sending(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def send(**parameters: Any) -> Any:
            self.bill = replace(self.bill, sqs_requests=self.bill.sqs_requests + 1)
            return call(**parameters)

        return send

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(**parameters: Any) -> Any:
            try:
                answer = call(**{**parameters, "ReturnConsumedCapacity": "TOTAL"})
            except ClientError:
                if name in WRITES:
                    self._add(name, _full_price(parameters))
                raise
            told = answer.get("ConsumedCapacity") or _price_of(parameters["RequestItems"])
            self._add(
                name, sum(part["CapacityUnits"] for part in (told if isinstance(told, list) else [told]))
            )
            return answer

        return counted

    def _add(self, name: str, units: float) -> None:
        bill = self.bill
        if name in WRITES:
            bill = replace(bill, write_units=bill.write_units + units, write_calls=bill.write_calls + 1)
        else:
            bill = replace(bill, read_units=bill.read_units + units, read_calls=bill.read_calls + 1)
        self.bill = bill


def _full_price(parameters: dict[str, Any]) -> int:
    members = parameters.get("TransactItems")
    if members is not None:
        return 2 * sum(_full_price(request) for member in members for request in member.values())
    content = parameters.get("Item") or {
        **parameters["Key"],
        **parameters.get("ExpressionAttributeValues", {}),
    }
    return max(1, -(-size(content) // 1024))


def _price_of(requested: dict[str, Any]) -> list[dict[str, float]]:
    """The read units of a batch of small items, of which MiniStack does not tell."""
    return [
        {"CapacityUnits": len(part["Keys"]) * (1.0 if part.get("ConsistentRead") else 0.5)}
        for part in requested.values()
    ]
