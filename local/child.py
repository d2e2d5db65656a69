"""The entry point of every child process: runs a module, and leaves when the parent is gone.

`python -m local.child <parent pid> <module> [argument ...]`

A `tael` killed outright cannot stop its children, so each child watches its parent and sends itself
SIGTERM: it then drains, or saves its state, as it would have done when asked.
"""

import os
import runpy
import signal
import sys
import threading
import time

POLL_SECONDS = 0.2


def main() -> None:
    """Become the module named on the command line."""
    parent_pid = int(sys.argv[1])
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    threading.Thread(target=_leave_with, args=(parent_pid,), daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _leave_with(parent_pid: int) -> None:
    # The pid is given, not read here: a parent that died before this line must count as gone too.
    while os.getppid() == parent_pid:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
