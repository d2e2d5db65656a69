"""Dead letters as an operator sees them: counted, shown and sent back by commands of their own processes."""

import os
import subprocess
import sys

import pytest

from local import dead_letters
from local.errors import LocalError
from local.system import System
from tests.layers.runtime.workshop import new_queue, new_stream, receive, send, waiting


def tael(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment that says no more than these variables do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAEL_")}
    command = [sys.executable, "-m", "local.main", *arguments]
    return subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)


def test_an_operator_lists_and_redrives(engine: System) -> None:
    queue = new_queue()
    send(queue.dead_letter, *(f"letter {number}" for number in range(12)))
    state = ("--state", str(engine.state.path))

    for _ in range(2):  # looking at them leaves them where they are
        assert len(dead_letters.letters(queue.name)) == 12
    listed = tael("dlq", "list", queue.name, *state)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert len(listed.stdout.splitlines()) == 12
    assert "letter 11" in listed.stdout
    assert isinstance(dead_letters.counts(), dict)

    where = {"TAEL_URL": engine.url, "TAEL_PLATFORM_KEY": engine.platform_key}
    driven = tael("dlq", "redrive", queue.name, **where)
    assert driven.stderr == ""
    assert driven.stdout == f"12 sent back to {queue.name}\n"
    assert (waiting(queue.name), waiting(queue.dead_letter)) == (12, 0)
    assert {message["Body"] for message in receive(queue.name)} <= {f"letter {n}" for n in range(12)}


def test_what_cannot_be_done_is_said_in_a_sentence(engine: System) -> None:
    refused = tael("dlq", "list", "--state", "/no/such/folder")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("tael: No system runs on the state folder /no/such/folder")
    with pytest.raises(LocalError, match="There is no queue nowhere"):
        dead_letters.letters("nowhere")
    with pytest.raises(LocalError, match="what a stream gave up"):
        dead_letters.redrive(new_stream().failures)
