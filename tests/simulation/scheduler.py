"""Owns time in the simulation: tasks that take turns at each outside call, as the seed decides."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from greenlet import greenlet  # its types come with it

FOREVER: Final = float("inf")


class Killed(BaseException):
    """The process of this task ends here; nothing of ours may catch it."""


class Stuck(Exception):
    """The simulation goes on for longer than anything in it may take: a defect of it, or of ours."""


@dataclass(eq=False, slots=True)
class Task:
    """Something that runs by itself until it waits: a caller, or a function that handles one event."""

    name: str
    skew: float = 0.0
    """By how much the clock of its machine is wrong, in seconds."""
    dies_at: float = FOREVER
    """When its machine ends it, wherever it is: a function's timeout."""
    done: bool = False
    failure: BaseException | None = None
    result: Any = None
    thread: greenlet | None = None
    waiters: list["Task"] = field(default_factory=list)
    turn: int = 0
    """Of several times at which it was to go on, only the latest counts."""


class Scheduler:
    """A world of tasks on one thread: only one runs, and time passes only while all wait.

    The next one is whose time comes first; how long each call takes is drawn from the seed by whoever makes
    it, and so is the order in which tasks get on.
    """

    def __init__(self, now: float, limit: int = 400_000) -> None:
        self.now = now
        """Seconds since 1970."""
        self.current: Task | None = None
        self._hub = greenlet(self._run)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._steps = 0
        self._limit = limit
        self._until: Callable[[], bool] = lambda: False

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Have something happen at that time, outside all tasks."""
        heapq.heappush(self._events, (when, next(self._numbers), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen so much later."""
        self.at(self.now + seconds, act)

    def spawn(self, name: str, work: Callable[[], Any], *, skew: float = 0.0, lives: float = FOREVER) -> Task:
        """Begin a task, at once; it is killed after so many seconds."""
        task = Task(name, skew, self.now + lives)

        def run() -> None:
            try:
                task.result = work()
            except (Exception, Killed) as failure:  # noqa: BLE001 - kept for whoever waits for it
                task.failure = failure
            task.done = True
            for waiter in task.waiters:
                self._resume_at(waiter, self.now)

        task.thread = greenlet(run, parent=self._hub)
        self._resume_at(task, self.now)
        return task

    def sleep(self, seconds: float) -> None:
        """Have the task that calls this wait; its machine may end it meanwhile."""
        task = self._mine()
        until = self.now + seconds
        if until >= task.dies_at:
            self._resume_at(task, max(self.now, task.dies_at))
            self._hub.switch()
            raise Killed(task.name)
        self._resume_at(task, until)
        self._hub.switch()

    def wait_for(self, task: Task, seconds: float) -> bool:
        """Wait until another task has ended, or so long; returns whether it has."""
        mine = self._mine()
        if not task.done:
            task.waiters.append(mine)
            self._resume_at(mine, self.now + seconds)
            self._hub.switch()
            if mine in task.waiters:
                task.waiters.remove(mine)
        return task.done

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen until that holds, or nothing more is to happen. Raises Stuck."""
        self._until = until
        if self._hub.dead:
            self._hub = greenlet(self._run)
        self._hub.switch()

    def run_to_end(self, tasks: Sequence[Task]) -> None:
        """Let everything happen until these have ended. Raises Stuck."""
        self.run(lambda: all(task.done for task in tasks))

    def run_for(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        self.at(end, lambda: None)
        self.run(lambda: self.now >= end)

    def pass_time(self, seconds: float) -> None:
        """Let that much time pass in which nothing happens: what was due meanwhile is late."""
        self.now += seconds

    def _mine(self) -> Task:
        if self.current is None:
            raise RuntimeError("nothing outside a task can wait")
        return self.current

    def _resume_at(self, task: Task, when: float) -> None:
        task.turn += 1
        turn = task.turn

        def resume() -> None:
            if task.turn == turn and not task.done:
                self._switch_to(task)

        self.at(when, resume)

    def _switch_to(self, task: Task) -> None:
        assert task.thread is not None
        # A task that has ended hands over to its parent, whoever ran first.
        task.thread.parent = self._hub
        before, self.current = self.current, task
        task.thread.switch()
        self.current = before

    def _run(self) -> None:
        while True:
            while self._events and not self._until():
                when, _, act = heapq.heappop(self._events)
                self.now = max(self.now, when)
                self._steps += 1
                if self._steps > self._limit:
                    raise Stuck(f"after {self._limit} steps")
                act()
            parent = self._hub.parent
            assert parent is not None
            parent.switch()
