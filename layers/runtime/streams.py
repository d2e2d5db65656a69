"""Owns streams outside Lambda: what a DynamoDB stream event source mapping does, for every table's consumer.

    python -m runtime.streams functions.payments.app
    python -m runtime.streams functions.wallets.app --only publish_status

reads each shard from its checkpoint on, parents before children, and hands the changes to the handlers. One
replica per stream is enough and meant; where two overlap, changes are told twice, which consumers expect.
"""

import sys
from collections.abc import Sequence

from chassis import aws, observe
from chassis.config import ConfigurationError, table_name
from chassis.service import Service
from chassis.sources import StreamSource
from runtime import workers
from runtime.checkpoints import Checkpoints
from runtime.shards import RETRY_SECONDS, UNREACHED, Shard, ShardReader
from runtime.workers import Crew

LIST_SECONDS = 5.0
"""Between two looks at the list of shards, so at most from the end of one to the start of its children."""


class StreamReader:
    """Reads all shards of one table's stream, each in a thread of its own."""

    def __init__(self, service: str, source: StreamSource, crew: Crew, *, drain: bool = False) -> None:
        self._source = source
        self._crew = crew
        self._drain = drain
        self._checkpoints = Checkpoints(f"{service}.{source.name}")
        self._started: set[str] = set()

    def run(self) -> None:
        """Find the shards and have them read, until the crew stops."""
        loaded = False
        while not self._crew.stopping.is_set():
            pause = LIST_SECONDS
            try:
                if not loaded:
                    self._checkpoints.load()
                    loaded = True
                self._start_readers()
            except UNREACHED as failure:
                error = aws.error_code(failure) or type(failure).__name__
                observe.warn("runtime", "stream out of reach", stream=self._source.name, error=error)
                pause = RETRY_SECONDS
            self._crew.stopping.wait(pause)

    def _start_readers(self) -> None:
        shards = _shards(self._source.table)
        listed = {shard.id for shard in shards}
        self._checkpoints.keep({shard.key for shard in shards})
        finished = {shard.id for shard in shards if self._checkpoints.is_finished(shard.key)}
        for shard in shards:
            # A parent has earlier changes of the same keys; one that is not listed any more is trimmed.
            waits = shard.parent in listed and shard.parent not in finished
            if waits or shard.key in self._started or shard.id in finished:
                continue
            self._started.add(shard.key)
            reader = ShardReader(self._source, shard, self._checkpoints, self._crew, drain=self._drain)
            self._crew.start(f"{self._source.name} {shard.id}", reader.run)


def _shards(table: str) -> list[Shard]:
    """The shards of the table's stream, as far back as it is kept."""
    described = aws.client("dynamodb").describe_table(TableName=table_name(table))["Table"]
    arn = described.get("LatestStreamArn")
    if arn is None:
        raise ConfigurationError(f"the table {table} has no stream")
    shards: list[Shard] = []
    start: dict[str, str] = {}
    while True:
        answer = aws.client("dynamodbstreams").describe_stream(StreamArn=arn, **start)["StreamDescription"]
        shards += [Shard(shard["ShardId"], shard.get("ParentShardId"), arn) for shard in answer["Shards"]]
        if "LastEvaluatedShardId" not in answer:
            return shards
        start = {"ExclusiveStartShardId": answer["LastEvaluatedShardId"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read until SIGTERM, and finish the batches under way. Returns the exit code."""
    parser = workers.parser("streams", "Tell the changes of tables to the consumers in these services.")
    parser.add_argument(
        "--drain-seconds",
        type=float,
        metavar="N",
        help="at SIGTERM read on until no more changes arrive, N seconds at most: for an engine that forgets "
        "unread changes when it stops, once nothing writes any more",
    )
    options = parser.parse_args(arguments)
    drain = options.drain_seconds is not None

    def staff(crew: Crew, services: Sequence[Service]) -> None:
        declared = [(service, source) for service in services for source in service.streams]
        for service, source in workers.chosen(declared, options.only):
            reader = StreamReader(service.name, source, crew, drain=drain)
            crew.start(source.name, reader.run)

    return workers.run(options.services, staff, options.drain_seconds if drain else workers.PATIENCE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
