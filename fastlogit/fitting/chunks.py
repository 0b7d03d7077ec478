"""Many pieces of work that do not touch each other, in threads, until they are done or must end.

Each piece is a call of a serial kernel that releases the GIL. Threads take pieces from one queue,
so that none waits for another that has got the longer ones, or a busy core. The calling thread
works as they do, and between its pieces hears Ctrl-C, the clock and the callback: pieces take a few
milliseconds each.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..clock import Clock

__all__ = ["STEP_SECONDS", "Crew"]

# How often a callback is called, at the most.
STEP_SECONDS = 0.05

Piece = TypeVar("Piece")
Tools = TypeVar("Tools")


class Crew(Generic[Piece, Tools]):
    """Threads that work through a queue.

    Parameters
    ----------
    pieces : sequence
        What is to be done, in order.
    work : callable
        Does one piece with the tools of a thread.
    tools : callable
        Makes the tools of one thread.
    clock : Clock
        Its limit ends the work.
    tell : callable, optional
        Called about every 50 ms, and at the end; True ends the work.
    step_seconds : float, optional
        In place of those 50 ms.
    """

    def __init__(
        self, pieces: Sequence[Piece], work: Callable[[Piece, Tools], object],
        tools: Callable[[], Tools], clock: Clock, tell: Callable[[], object] | None = None,
        step_seconds: float | None = None,
    ) -> None:  # fmt: skip
        self._queue, self._work, self._tools = deque(pieces), work, tools
        self._clock, self._tell = clock, tell
        self._step_seconds = STEP_SECONDS if step_seconds is None else step_seconds
        self._failure: BaseException | None = None
        # Helpers that work; none begins once the call is over.
        self._state, self._working, self._is_over = threading.Condition(), 0, False
        # What ended the work: "time_limit" or "callback"; empty if nothing did.
        self.ended_by = ""

    def run(self, n_threads: int) -> None:
        """Work until the queue is empty, or something ends it.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, once all threads have ended the piece they are at.
        """
        if not self._queue:
            return
        tools = self._tools()
        # Alone: where the kernel has to be compiled first, the seconds of that are this thread's,
        # and do not count in the time limit.
        self._work(self._queue.popleft(), tools)
        helpers = [
            threading.Thread(target=self._help, daemon=True)
            for _ in range(min(n_threads - 1, len(self._queue)))
        ]
        try:
            for helper in helpers:
                helper.start()
            self._lead(tools)
        finally:
            self._wait(helpers)
        if self._failure is not None:
            raise self._failure
        if self._tell is not None and not self.ended_by and self._tell():
            self.ended_by = "callback"

    def _wait(self, helpers: list[threading.Thread]) -> None:
        """Return, or raise the Ctrl-C that comes meanwhile, once no helper works any more.

        What helpers write would change under the hands of those who read it; a NumPy mask that
        changes while it selects makes NumPy write beyond its arrays. Ctrl-C may come while a helper
        starts too, of which then nothing tells that it runs.
        """
        try:
            self._queue.clear()
            with self._state:
                self._is_over = True
                self._state.wait_for(lambda: not self._working)
            for helper in helpers:
                if helper.ident is not None:
                    helper.join()
        except KeyboardInterrupt:
            self._wait(helpers)
            raise

    def _lead(self, tools: Tools) -> None:
        told = time.perf_counter()
        while self._failure is None:
            if self._clock.is_late():
                self.ended_by = "time_limit" if self._queue else ""
                return
            now = time.perf_counter()
            if self._tell is not None and now - told >= self._step_seconds:
                told = now
                if self._tell():
                    self.ended_by = "callback" if self._queue else ""
                    return
            try:
                piece = self._queue.popleft()
            except IndexError:
                return
            self._work(piece, tools)

    def _help(self) -> None:
        with self._state:
            if self._is_over:
                return
            self._working += 1
        try:
            self._take_pieces()
        finally:
            with self._state:
                self._working -= 1
                self._state.notify_all()

    def _take_pieces(self) -> None:
        try:
            tools = self._tools()
            while True:
                try:
                    piece = self._queue.popleft()
                except IndexError:
                    return
                self._work(piece, tools)
        except BaseException as failure:  # the calling thread raises it
            self._failure = failure
            self._queue.clear()
