"""Owns simulated time: processes that say how long they wait, in the order in which their waits end."""

import heapq
from collections.abc import Generator
from itertools import count

Process = Generator[float, None, None]
"""Yields how many seconds pass before it goes on."""


class Simulation:
    """A clock, and what happens next; equal times keep the order in which they were set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._turn = count()
        self._waiting: list[tuple[float, int, Process]] = []

    def start(self, process: Process, after: float = 0.0) -> None:
        """Have a process begin so many seconds from now."""
        heapq.heappush(self._waiting, (self.now + after, next(self._turn), process))

    def run(self, until: float) -> None:
        """Let time pass to that moment; what would come later stays undone."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= until:
            self.now, _, process = heapq.heappop(waiting)
            self.steps += 1
            try:
                wait = next(process)
            except StopIteration:
                continue
            heapq.heappush(waiting, (self.now + wait, next(self._turn), process))
        self.now = until
