"""What a running computation knows of time: its limit, its phase, and what was compiled meanwhile.

A time limit ends a computation as Ctrl-C does: a pass over the rows that would begin too late
raises `TimeUp`, and whoever holds a point that is worth keeping catches it. So no part of a fit has
to count its seconds, a proof as little as a Gram matrix.

Seconds that numba compiles are not those of the limit: a first fit compiles for longer than a short
limit lasts. They are counted for each thread through numba's own events.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from numba.core import event

__all__ = ["GRACE", "Activity", "Clock", "TimeUp", "Work", "activity", "part_of"]

# Seconds after the limit in which a fit may conclude: prove its last point, look for separation.
# A pass over the rows that is thought to end later than that does not begin.
GRACE = 0.15


class TimeUp(Exception):
    """The time limit has passed; never seen outside the package."""


class Work(Protocol):
    """What others may ask of a computation while it runs: the counter of its designs answers."""

    @property
    def n_passes(self) -> float:
        """Passes over the rows so far."""

    @property
    def phase(self) -> str:
        """What is being done, in words."""


class Activity:
    """What one thread is doing. It writes, any thread may read.

    Attributes
    ----------
    compiling : list of str
        The function that is being compiled, and those inside it that are compiled for it.
    n_compiled : int
        Functions compiled so far, without those inside others.
    """

    def __init__(self) -> None:
        self.compiling: list[str] = []
        self.n_compiled = 0
        # Of each stay in numba's compiler: when it ended, and how long it was.
        self._stays: list[tuple[float, float]] = []
        self._depth, self._entered = 0, 0.0
        self._work: weakref.ref[Work] | None = None
        self.outer: tuple[float, float] | None = None

    def work(self) -> Work | None:
        """Return the computation that runs in the thread, if there is one."""
        return None if self._work is None else self._work()

    def begin(self, work: Work) -> None:
        """Let others see a computation; it is not kept alive for that."""
        self._work = weakref.ref(work)

    def end(self) -> None:
        """Say that nothing runs."""
        self._work = None

    def enter_compiler(self) -> None:
        """Count the time from here on as that of compiling; may be nested."""
        if self._depth == 0:
            self._entered = time.perf_counter()
        self._depth += 1

    def leave_compiler(self) -> None:
        """End what `enter_compiler` began."""
        self._depth = max(0, self._depth - 1)
        if self._depth == 0:
            now = time.perf_counter()
            self._stays.append((now, now - self._entered))

    def compile_seconds(self, since: float) -> float:
        """Return how long this thread was in the compiler after a time of `time.perf_counter`."""
        total = time.perf_counter() - max(self._entered, since) if self._depth else 0.0
        for ended, seconds in reversed(self._stays):
            if ended <= since:
                break
            total += min(seconds, ended - since)
        return total


class _Thread(threading.local):
    def __init__(self) -> None:
        self.activity = Activity()


_thread = _Thread()


def activity() -> Activity:
    """Return the record of the calling thread."""
    return _thread.activity


class Clock:
    """Says when a computation has to end.

    Parameters
    ----------
    began : float
        When it began, by `time.perf_counter`.
    time_limit : float or None
        Seconds that it may take, those of compiling not counted.
    """

    def __init__(self, began: float, time_limit: float | None) -> None:
        self.began, self._activity = began, activity()
        if self._activity.outer is not None:
            self.began, share = self._activity.outer
            time_limit = None if time_limit is None else share * time_limit
        self.limit = time_limit

    def is_late(self, ahead: float = 0.0) -> bool:
        """Say whether the limit has passed, or will have in `ahead` seconds."""
        if self.limit is None:
            return False
        spent = time.perf_counter() - self.began + ahead
        # The seconds of compiling are asked for where they matter only.
        return spent >= self.limit and (
            spent - self._activity.compile_seconds(self.began) >= self.limit
        )

    def left(self) -> float | None:
        """Return the seconds that are left, at least a hundredth; None for no limit."""
        if self.limit is None:
            return None
        spent = time.perf_counter() - self.began - self._activity.compile_seconds(self.began)
        return max(self.limit - spent, 0.01)

    def check(self, seconds: float = 0.0) -> None:
        """Raise `TimeUp` where work of so many seconds, as far as known, would end too late."""
        if self.limit is not None and self.is_late(max(0.0, seconds - GRACE)):
            raise TimeUp

    @contextmanager
    def conclusion(self) -> Iterator[None]:
        """Give the block some time after the limit; `TimeUp` ends it quietly."""
        before = self.limit
        if before is not None:
            self.limit = before + GRACE
        try:
            yield
        except TimeUp:
            pass
        finally:
            self.limit = before

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the block, without which there is no answer at all, take what time it needs."""
        before, self.limit = self.limit, None
        try:
            yield
        finally:
            self.limit = before


@contextmanager
def part_of(began: float, share: float = 1.0) -> Iterator[None]:
    """Let the limits of computations in the block count from `began`, as parts of a larger one.

    They have a `share` of their time limit: the rest is for what comes after them.
    """
    here = activity()
    before, here.outer = here.outer, (began, share)
    try:
        yield
    finally:
        here.outer = before


class _Listener(event.Listener):  # type: ignore[misc]
    """Hears of numba's compiler: of the lock that it holds, and of each function."""

    def on_start(self, occurrence: event.Event) -> None:
        here = activity()
        if occurrence.kind == "numba:compile":
            here.compiling.append(_name_of(occurrence.data))
        else:
            here.enter_compiler()

    def on_end(self, occurrence: event.Event) -> None:
        here = activity()
        if occurrence.kind != "numba:compile":
            here.leave_compiler()
        elif here.compiling:
            here.compiling.pop()
            here.n_compiled += not here.compiling


def _name_of(data: Mapping[str, object] | None) -> str:
    """Return module and name of the function that an event tells of."""
    func = getattr((data or {}).get("dispatcher"), "py_func", None)
    # Code that was made by `exec` may have no module.
    module = (getattr(func, "__module__", None) or "").rpartition(".")[2]
    return f"{module}.{getattr(func, '__name__', 'a function')}"


_LISTENER = _Listener()
for _kind in ("numba:compile", "numba:compiler_lock"):
    event.register(_kind, _LISTENER)
