"""Measures what a function's module takes to import, beside boto3 with its DynamoDB and SQS clients.

Each is imported by a fresh process whose modules were compiled before, as the image's are: what counts is the
time of the processor, from before the first import to after the last client, and the memory that is resident
then. A function makes its two clients too, so that both end ready to serve.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.declaration import CAPABILITIES

RATIO_AT_MOST = 1.25
BOTO3 = "boto3"
MEASURE = """
import json, resource, sys, time
began = time.process_time()
{imports}
took = time.process_time() - began
print(json.dumps([took * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / {kibibytes}]))
"""
# Kibibytes everywhere but on macOS, where it is bytes.
KIBIBYTES = 1024 * (1024 if sys.platform == "darwin" else 1)
BARE = """
import boto3
from botocore.config import Config
for service in ("dynamodb", "sqs"):
    boto3.client(service, region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))
"""
FUNCTION = """
import functions.{name}.app
from chassis import aws
for service in ("dynamodb", "sqs"):
    aws.client(service)
"""
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    # What the clients want to have; nothing is called.
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Result:
    """Medians of one module's rounds, and of the ratios to boto3 in the same round."""

    name: str
    milliseconds: float
    mebibytes: float
    time_ratio: float
    memory_ratio: float


def _run(imports: str) -> tuple[float, float]:
    script = MEASURE.format(imports=imports, kibibytes=KIBIBYTES)
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    milliseconds, mebibytes = json.loads(done.stdout)
    return milliseconds, mebibytes


def measured(rounds: int) -> list[Result]:
    """Every function's module, in turn with boto3's; a first round compiles what is not compiled yet."""
    scripts = {BOTO3: BARE} | {name: FUNCTION.format(name=name) for name in CAPABILITIES}
    taken = [{name: _run(script) for name, script in scripts.items()} for _ in range(rounds + 1)][1:]
    return [
        Result(
            name,
            milliseconds=statistics.median(each[name][0] for each in taken),
            mebibytes=statistics.median(each[name][1] for each in taken),
            time_ratio=statistics.median(each[name][0] / each[BOTO3][0] for each in taken),
            memory_ratio=statistics.median(each[name][1] / each[BOTO3][1] for each in taken),
        )
        for name in scripts
    ]


def main() -> int:
    """Print the table; the exit code says whether the bar was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.imports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of all modules, in turn (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    results = measured(options.rounds)
    _show(Console(width=110), results, options.rounds)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0 if all(result.time_ratio <= RATIO_AT_MOST for result in results) else 1


def _show(console: Console, results: list[Result], rounds: int) -> None:
    shown = Table(title="Import of each function's module, and its clients of DynamoDB and SQS")
    shown.add_column("module")
    for name in ("CPU, ms", "x boto3", "resident, MiB", "x boto3"):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(
            result.name,
            f"{result.milliseconds:.0f}",
            f"{result.time_ratio:.2f}",
            f"{result.mebibytes:.0f}",
            f"{result.memory_ratio:.2f}",
        )
    console.print(shown)
    console.print(
        f"Bar: {RATIO_AT_MOST:g} of boto3's processor time. Medians of {rounds} rounds, each in a fresh "
        "process, after one that compiles. Not Lambda: its processor, its disk and its sandbox are others. "
        "Again: "
        f"python -m tests.benchmarks.imports --rounds {rounds}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
