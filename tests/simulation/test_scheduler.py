"""Tests of the scheduler: whose turn it is, who waits for whom, and who dies."""

import pytest

from tests.simulation.scheduler import Killed, Scheduler, Stuck


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(0.0)


def test_tasks_take_turns_in_the_order_of_time(scheduler: Scheduler) -> None:
    seen: list[tuple[float, str]] = []

    def work(name: str, pause: float) -> None:
        for _ in range(2):
            scheduler.sleep(pause)
            seen.append((scheduler.now, name))

    scheduler.spawn("slow", lambda: work("slow", 3.0))
    scheduler.spawn("fast", lambda: work("fast", 2.0))
    scheduler.run()
    assert seen == [(2.0, "fast"), (3.0, "slow"), (4.0, "fast"), (6.0, "slow")]


def test_whoever_waits_for_a_task_goes_on_when_that_ends(scheduler: Scheduler) -> None:
    def wait() -> tuple[bool, float]:
        quick = scheduler.spawn("quick", lambda: scheduler.sleep(1.0))
        return scheduler.wait_for(quick, 10.0), scheduler.now

    waiting = scheduler.spawn("waiting", wait)
    scheduler.run()
    assert waiting.result == (True, 1.0)


def test_nobody_waits_for_longer_than_he_wants(scheduler: Scheduler) -> None:
    def wait() -> tuple[bool, float]:
        slow = scheduler.spawn("slow", lambda: scheduler.sleep(10.0))
        return scheduler.wait_for(slow, 4.0), scheduler.now

    waiting = scheduler.spawn("waiting", wait)
    scheduler.run()
    assert waiting.result == (False, 4.0)
    assert scheduler.now == 10.0


def test_a_machine_ends_what_takes_too_long_in_the_middle_of_it(scheduler: Scheduler) -> None:
    done: list[float] = []

    def work() -> None:
        for _ in range(3):
            scheduler.sleep(2.0)
            done.append(scheduler.now)

    task = scheduler.spawn("long", work, lives=5.0)
    scheduler.run()
    assert done == [2.0, 4.0]
    assert isinstance(task.failure, Killed)
    assert scheduler.now == 5.0


def test_a_failure_is_kept_and_stops_nobody_else(scheduler: Scheduler) -> None:
    failing = scheduler.spawn("failing", lambda: 1 // 0)
    working = scheduler.spawn("working", lambda: scheduler.sleep(1.0))
    scheduler.run()
    assert isinstance(failing.failure, ZeroDivisionError)
    assert working.done


def test_time_passes_with_nothing_happening(scheduler: Scheduler) -> None:
    late: list[float] = []
    scheduler.after(5.0, lambda: late.append(scheduler.now))
    scheduler.pass_time(100.0)
    assert not late
    scheduler.run()
    assert late == [100.0]


def test_a_run_ends_when_it_is_told_to(scheduler: Scheduler) -> None:
    scheduler.spawn("for long", lambda: scheduler.sleep(100.0))
    scheduler.run_for(10.0)
    assert scheduler.now == 10.0


def test_an_endless_run_is_found_out() -> None:
    scheduler = Scheduler(0.0, limit=1000)

    def never_ending() -> None:
        while True:
            scheduler.sleep(1.0)

    scheduler.spawn("never ending", never_ending)
    with pytest.raises(Stuck, match="1000 steps"):
        scheduler.run()


def test_only_tasks_can_wait(scheduler: Scheduler) -> None:
    with pytest.raises(RuntimeError, match="outside a task"):
        scheduler.sleep(1.0)
