"""Owns the calls that leave a process: each takes its time, meets its fault, and is written down."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from chassis.aws import READ_TIMEOUT_SECONDS
from tests.simulation.acquirer import Reply
from tests.simulation.aws.dynamodb import Database
from tests.simulation.aws.kms import Kms
from tests.simulation.aws.sqs import Queues
from tests.simulation.scheduler import Killed, Scheduler
from tests.simulation.trace import Trace
from tests.simulation.weather import OF_A_READ, OF_A_WRITE, OF_THE_OUTSIDE, Fault, Weather

WRITES: Final = frozenset(
    {"put_item", "update_item", "delete_item", "transact_write_items", "send_message_batch", "send_message"}
)
OUTAGES: Final = frozenset({Fault.LOST, Fault.ANSWER_LOST, Fault.LATE, Fault.ERROR, Fault.GARBLED})
OUTAGE_SHARE, OUTAGE_SECONDS = 0.5, 60.0
"""Of the faults of strangers, how many stay for a while, and how long."""
OUTSIDE_TIMES = 3.0
"""So much oftener strangers fail than services, for they are asked seldom."""
LATE_SECONDS = 8.0
"""A request that nobody waits for any more arrives within this time, after its timeout."""
VERY_LATE_SECONDS = 160.0
"""The same, of a stranger's: longer than the time after which its answer is looked up."""
UNDONE_SHARE = 0.5
"""Of the errors of strangers, those that say the truth."""
IN_PART: Final = frozenset({"send_message_batch", "batch_get_item"})
PART_SHARE = 0.5
"""Of the throttled calls that can be done in part, those that are."""
SLOW_SHARE = 0.95
"""Of the time that a caller has patience for."""

Stranger = Callable[[str, str, dict[str, Any], str | None], Reply]


class Client:
    """In the place of a boto3 client."""

    def __init__(self, service: str, call: Callable[[str, str, dict[str, Any]], Any]) -> None:
        self._service = service
        self._call = call

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        made = partial(self._made, operation)
        self.__dict__[operation] = made  # next time it is found at once
        return made

    def _made(self, operation: str, **parameters: Any) -> Any:
        return self._call(self._service, operation, parameters)


class Services:
    """DynamoDB, SQS and KMS, and the network on the way to them and to strangers."""

    def __init__(
        self,
        scheduler: Scheduler,
        weather: Weather,
        trace: Trace,
        *,
        database: Database,
        queues: Queues,
        kms: Kms,
    ) -> None:
        self.weather = weather
        self._scheduler = scheduler
        self._trace = trace
        self._database = database
        self._queues = queues
        self._services: dict[str, Any] = {"dynamodb": database, "sqs": queues, "kms": kms}
        self.clients: dict[str, Any] = {name: Client(name, self.call) for name in self._services}
        self._outage, self._outage_ends = Fault.NONE, 0.0
        self.after_send: Callable[[str], None] = lambda queue: None

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        """One call as a function makes it. Raises ClientError, a timeout of botocore's, or Killed."""
        fault = self.weather.strikes(OF_A_WRITE if operation in WRITES else OF_A_READ)
        self._trace.called(service, operation, parameters, fault)
        self._travel(fault)
        if fault is Fault.THROTTLED and operation in IN_PART and self.weather.random.random() < PART_SHARE:
            return self._done_in_part(service, operation, parameters)
        if fault is Fault.THROTTLED or (fault is Fault.CONFLICT and service != "dynamodb"):
            raise _throttled(service, operation)
        if fault is Fault.CONFLICT:
            raise _conflict(operation, parameters)
        if fault is Fault.LATE:
            late = READ_TIMEOUT_SECONDS + self.weather.random.uniform(0, LATE_SECONDS)
            self._scheduler.after(late, lambda: self._done_late(service, operation, parameters))
            self._time_out()
        answer, refusal = self._done(service, operation, parameters)
        self._return(fault)
        if refusal is not None:
            self._trace.refused(refusal)
            raise refusal
        return answer

    def _done_in_part(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        """The first of what was asked for; the answer names the others, which are to be asked for again."""
        if operation == "batch_get_item":
            asked = parameters["RequestItems"]
            first = {table: {**part, "Keys": part["Keys"][:1]} for table, part in asked.items()}
            left = {
                table: {**part, "Keys": part["Keys"][1:]} for table, part in asked.items() if part["Keys"][1:]
            }
            answer, refusal = self._at_once(service, operation, {**parameters, "RequestItems": first})
            assert refusal is None, refusal
            return {**answer, "UnprocessedKeys": left}
        taken, *others = parameters["Entries"]
        answer, refusal = self._at_once(service, operation, {**parameters, "Entries": [taken]})
        assert refusal is None, refusal
        failed = {"Code": "InternalError", "Message": "", "SenderFault": False}
        return {**answer, "Failed": [{"Id": other["Id"], **failed} for other in others]}

    def _return(self, fault: Fault) -> None:
        if fault is Fault.DIES_AFTER:
            raise Killed("after a call")
        if fault is Fault.ANSWER_LOST:
            self._time_out()
        if fault is Fault.SLOW:
            self._scheduler.sleep(READ_TIMEOUT_SECONDS * SLOW_SHARE)
        self._scheduler.sleep(self.weather.latency())

    def _travel(self, fault: Fault) -> None:
        if fault is Fault.DIES_BEFORE:
            raise Killed("before a call")
        if fault is Fault.LOST:
            self._scheduler.sleep(READ_TIMEOUT_SECONDS)
            raise ConnectTimeoutError(endpoint_url="simulated")
        self._scheduler.sleep(self.weather.latency())

    def _time_out(self) -> None:
        self._scheduler.sleep(READ_TIMEOUT_SECONDS)
        raise ReadTimeoutError(endpoint_url="simulated")

    def _done(
        self, service: str, operation: str, parameters: dict[str, Any]
    ) -> tuple[Any, ClientError | None]:
        """What the service does, whoever waits for it: a transaction is under way for a while."""
        if operation == "transact_write_items" and not self._is_locked(parameters):
            members = parameters["TransactItems"]
            self._database.lock(members)
            outcome: list[tuple[Any, ClientError | None]] = []

            def finish() -> None:
                self._database.unlock(members)
                outcome.append(self._at_once(service, operation, parameters))

            duration = self.weather.latency()
            self._scheduler.after(duration, finish)
            self._scheduler.sleep(duration)
            return outcome[0]
        return self._at_once(service, operation, parameters)

    def _is_locked(self, parameters: dict[str, Any]) -> bool:
        return self._database.is_locked(parameters["TransactItems"])

    def _at_once(
        self, service: str, operation: str, parameters: dict[str, Any]
    ) -> tuple[Any, ClientError | None]:
        try:
            answer = getattr(self._services[service], operation)(**parameters)
        except ClientError as refusal:
            return None, refusal
        if operation == "send_message_batch":
            self.after_send(self._queues.name_of(parameters["QueueUrl"]))
        return answer, None

    def _done_late(self, service: str, operation: str, parameters: dict[str, Any]) -> None:
        self._trace.note(f"late {operation}")
        self._at_once(service, operation, parameters)

    def ask_stranger(
        self, stranger: Stranger, request: tuple[str, str, dict[str, Any]], decline: str, seconds: float
    ) -> Reply | None:
        """One try at somebody else's HTTP service; None where no answer came in time."""
        fault = self._struck_outside()
        self._trace.asked(*request, fault)
        if fault is Fault.DIES_BEFORE:
            raise Killed("before asking")
        self._scheduler.sleep(seconds if fault is Fault.LOST else min(self.weather.latency(), seconds))
        if fault is Fault.LOST or (fault is Fault.ERROR and self.weather.random.random() < UNDONE_SHARE):
            return (500, {"error": "nothing was done"}) if fault is Fault.ERROR else None
        if fault is Fault.LATE:
            late = seconds + self.weather.random.uniform(0, VERY_LATE_SECONDS)
            self._scheduler.after(late, lambda: self._asked_late(stranger, request))
            self._scheduler.sleep(seconds)
            return None
        reply = stranger(*request, decline if fault is Fault.REFUSED else None)
        return self._answered(reply, fault, seconds)

    def _answered(self, reply: Reply, fault: Fault, seconds: float) -> Reply | None:
        """What of a stranger's answer arrives."""
        match fault:
            case Fault.DIES_AFTER:
                raise Killed("after asking")
            case Fault.ANSWER_LOST:
                self._scheduler.sleep(seconds)
                return None
            case Fault.SLOW:
                self._scheduler.sleep(seconds * SLOW_SHARE)
            case Fault.ERROR:
                return 500, {"error": "it was done"}
            case Fault.GARBLED:
                return 200, {"outcome": "approvedd"}
        return reply

    def _struck_outside(self) -> Fault:
        """What becomes of a question to a stranger: some faults stay for longer than all tries take."""
        if self._scheduler.now < self._outage_ends:
            return self._outage
        fault = self.weather.strikes(OF_THE_OUTSIDE, OUTSIDE_TIMES)
        if fault in OUTAGES and self.weather.random.random() < OUTAGE_SHARE:
            self._outage = fault
            self._outage_ends = self._scheduler.now + self.weather.random.uniform(0, OUTAGE_SECONDS)
        return fault

    def _asked_late(self, stranger: Stranger, request: tuple[str, str, dict[str, Any]]) -> None:
        self._trace.note(f"late {request[0]} {request[1]}")
        stranger(*request, None)


def _throttled(service: str, operation: str) -> ClientError:
    code = {
        "dynamodb": "ProvisionedThroughputExceededException",
        "sqs": "RequestThrottled",
        "kms": "ThrottlingException",
    }[service]
    metadata = {"HTTPStatusCode": 400}
    return ClientError({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, operation)


def _conflict(operation: str, parameters: dict[str, Any]) -> ClientError:
    metadata = {"HTTPStatusCode": 400}
    if operation == "transact_write_items":
        others = [{"Code": "None"} for _ in parameters["TransactItems"][1:]]
        reasons = [*others, {"Code": "TransactionConflict", "Message": ""}]
        error = {"Code": "TransactionCanceledException", "Message": ""}
        answer = {"Error": error, "CancellationReasons": reasons, "ResponseMetadata": metadata}
        return ClientError(answer, operation)
    error = {"Code": "TransactionConflictException", "Message": ""}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, operation)
