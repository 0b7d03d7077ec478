"""What the command line shows while it works: a line that moves, or lines one after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fastlogit.cli.errors import say

if TYPE_CHECKING:
    from fastlogit.result import Progress as FitProgress

__all__ = ["Watcher", "watching"]

#: Seconds between two lines of the verbose form.
SECONDS = 1.0
#: Seconds without a line after which one says that the work goes on.
QUIET_SECONDS = 5.0


class Watcher:
    """Tells what goes on; an instance is what `fastlogit.fit` takes as its callback.

    On a terminal one line on stderr moves, from the first moment on, and is gone at the end. The
    verbose form prints a line for each stage, for iterations one every second, and one where
    nothing else came for some seconds. Otherwise nothing is shown.
    """

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._bar: Progress | None = None
        self._stage = ""
        self._began = self._last = time.perf_counter()
        self._compiled = 0
        self._ended = threading.Event()
        console = Console(stderr=True)
        if console.is_terminal and not verbose:
            self._bar = Progress(
                SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                console=console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("")

    def start(self) -> None:
        """Begin to show."""
        if self._bar is not None:
            self._bar.start()
        elif self._verbose:
            threading.Thread(target=self._say_that_it_goes_on, daemon=True).start()

    def stop(self) -> None:
        """Remove the line that moves."""
        self._ended.set()
        if self._bar is not None:
            self._bar.stop()

    def stage(self, text: str) -> None:
        """Say what begins now."""
        self._stage = text
        self._show(text)

    def __call__(self, progress: FitProgress) -> None:
        """Say where a fit stands."""
        text = f"{self._stage}: iteration {progress.n_iter:,}, cost {progress.cost:.6g}"
        if self._bar is not None or time.perf_counter() - self._last >= SECONDS:
            self._show(text)

    def compiling(self, name: str) -> None:
        """Say that a kernel is being compiled."""
        self._compiled += 1
        text = f"compiling kernels, once: {name} ({self._compiled})"
        if (
            self._bar is not None
            or self._compiled == 1
            or (time.perf_counter() - self._last >= SECONDS)
        ):
            self._show(text)

    def compiled(self) -> None:
        """Say that the work goes on after a compilation."""
        if self._bar is not None:
            self._bar.update(self._task, description=self._stage)

    def _say_that_it_goes_on(self) -> None:
        while not self._ended.wait(SECONDS):
            if time.perf_counter() - self._last >= QUIET_SECONDS:
                self._show(f"{self._stage}: goes on")

    def _show(self, text: str) -> None:
        self._last = time.perf_counter()
        if self._bar is not None:
            self._bar.update(self._task, description=text, refresh=text == self._stage)
        elif self._verbose:
            say(f"[{self._last - self._began:7.2f} s] {text}")


@contextmanager
def watching(verbose: bool = False) -> Iterator[Watcher]:
    """Show what goes on while the block runs, compilations included."""
    watcher = Watcher(verbose)
    watcher.start()
    try:
        with _compilations(watcher):
            yield watcher
    finally:
        watcher.stop()


@contextmanager
def _compilations(watcher: Watcher) -> Iterator[None]:
    """Let a watcher know of every kernel that numba compiles; what the cache holds is none."""
    try:
        from numba.core import event
    except ImportError:  # a numba that tells nothing
        yield
        return
    outermost = threading.local()

    class Listener(event.Listener):  # type: ignore[misc]
        """Sees the outermost compilations: a kernel's callees are compiled inside its own."""

        def on_start(self, occurrence: event.Event) -> None:
            outermost.depth = getattr(outermost, "depth", 0) + 1
            if outermost.depth == 1:
                function = getattr(occurrence.data.get("dispatcher"), "py_func", None)
                watcher.compiling(getattr(function, "__name__", "a kernel").strip("_"))

        def on_end(self, occurrence: event.Event) -> None:
            outermost.depth = getattr(outermost, "depth", 1) - 1
            if outermost.depth == 0:
                watcher.compiled()

    with event.install_listener("numba:compile", Listener()):
        yield
