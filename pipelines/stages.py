"""How long the stages of a process take, kept as plain numbers: a dozen are passed for each picture, and what is read once in
fifteen seconds must not cost as much as what it measures. `pipelines.metrics` makes a page of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock
from time import perf_counter, thread_time
from typing import Final

#: A stage takes from half a millisecond (tracking) to seconds (a stuck publisher).
BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Spent:
    """What one stage took so far. Whoever adds does it from one thread, or under a lock; anybody may read."""

    __slots__ = ("counts", "cpu_s", "wall_s")

    def __init__(self) -> None:
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.counts = [0] * (len(BUCKETS_S) + 1)
        """Passes by the first of `BUCKETS_S` that they did not exceed; the last: longer than all."""

    def add(self, other: Spent) -> None:
        """All that the other took as well."""
        self.wall_s += other.wall_s
        self.cpu_s += other.cpu_s
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]


class Laps:
    """One thread's stages that follow on each other: where one ends the next begins, so each boundary reads the clocks once.
    The thread's processor time is a call into the kernel, and half of what measuring costs.

    One thread calls `begin` and `end`; the numbers may be read by others.
    """

    __slots__ = ("_at_s", "_cpu_s", "spent")

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._at_s = 0.0
        self._cpu_s = 0.0

    def begin(self) -> None:
        """What was done since the last `end` was no stage."""
        self._at_s, self._cpu_s = perf_counter(), thread_time()

    def end(self, stage: str, passes: int = 1) -> None:
        """All since the last `begin` or `end` was this stage, in this thread: so many passes (1 or more), of which each took its
        part.
        """
        at_s, cpu_s = perf_counter(), thread_time()
        spent = self.spent.get(stage)
        if spent is None:
            spent = self.spent[stage] = Spent()
        passed_s = at_s - self._at_s
        spent.wall_s += passed_s
        spent.cpu_s += cpu_s - self._cpu_s
        spent.counts[bisect_left(BUCKETS_S, passed_s / passes)] += passes
        self._at_s, self._cpu_s = at_s, cpu_s

    def note(self, stage: str, seconds: float) -> None:
        """A duration that is known already."""
        spent = self.spent.get(stage)
        if spent is None:
            spent = self.spent[stage] = Spent()
        spent.wall_s += seconds
        spent.counts[bisect_left(BUCKETS_S, seconds)] += 1


class Stages:
    """The stages of all threads of a process."""

    def __init__(self) -> None:
        self._laps: list[Laps] = []
        self._any = Laps()
        """Of whoever has no laps of its own."""
        self._lock = Lock()

    def laps(self) -> Laps:
        """For one thread that goes through many stages; to be asked for once."""
        laps = Laps()
        self._laps.append(laps)
        return laps

    def stage(self, name: str) -> Stage:
        """For a `with`, in any thread: measures the block, also when it raised."""
        return Stage(name, self._add)

    def cpu(self, stage: str) -> Callable[[float], None]:
        """What adds to a stage's processor seconds alone, from any thread."""
        with self._lock:
            spent = self._any.spent.setdefault(stage, Spent())

        def add(seconds: float) -> None:
            with self._lock:
                spent.cpu_s += seconds

        return add

    def _add(self, name: str, wall_s: float, cpu_s: float) -> None:
        with self._lock:
            self._any.note(name, wall_s)
            self._any.spent[name].cpu_s += cpu_s

    def total(self) -> dict[str, Spent]:
        """By stage. A pass that ends in this very moment may be in one of its numbers and not yet in the others."""
        total: dict[str, Spent] = {}
        for laps in (self._any, *self._laps):
            for stage, spent in laps.spent.copy().items():
                total.setdefault(stage, Spent()).add(spent)
        return total


class Stage:
    """One pass through a stage."""

    __slots__ = ("_add", "_begin_cpu_s", "_begin_s", "_name")

    def __init__(self, name: str, add: Callable[[str, float, float], None]) -> None:
        """`add` gets the name, the seconds that passed and those of the thread's processor time."""
        self._name = name
        self._add = add

    def __enter__(self) -> None:
        self._begin_s, self._begin_cpu_s = perf_counter(), thread_time()

    def __exit__(self, *_: object) -> None:
        cpu_s = thread_time() - self._begin_cpu_s
        self._add(self._name, perf_counter() - self._begin_s, cpu_s)
