"""Between a fit and those who listen: scikit-learn's callbacks, and lines that say how it goes.

scikit-learn 1.9 has a callback protocol (`sklearn.callback`): an estimator opens a context for its
fit, and below it one for each iteration. Earlier versions lack it; `CallbackSupport` is then empty,
and nothing here is used but `print_progress`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..clock import Activity, activity
from ..result import Progress

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""


__all__ = [
    "CallbackSupport",
    "IterationTasks",
    "ProgressLines",
    "is_listened_to",
    "line_of",
    "print_line",
]

# Seconds of silence after which a line tells what is being done; later this share of the time that
# has passed, so that a fit of ten minutes does not print 600 lines.
SILENCE = 0.9
SHARE = 0.1


def is_listened_to(estimator: object) -> bool:
    """Say whether callbacks are set, or a meta-estimator follows the fit of `estimator`."""
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def print_line(text: str) -> None:
    """Print a line at once."""
    print(f"[fastlogit] {text}", flush=True)


def line_of(progress: Progress) -> str:
    """Return what there is to say of an iteration."""
    done = f"{progress.n_done} of {progress.n_fits} fits done, " if progress.n_fits > 1 else ""
    return f"{done}iteration {progress.n_iter}: cost {progress.cost:.12g}, {progress.seconds:.2f} s"


class ProgressLines:
    """Lines about a fit while it runs in the block of a `with`: none is silent for long.

    An instance is what `fit` takes as its callback: each iteration gives a line. Where there is
    none for a second, a thread of its own says what is being done, also while kernels are being
    compiled. The fit must run in the thread that entered the block.

    Parameters
    ----------
    show : callable
        Takes a line; called from the thread of the fit and from another one, never from both at
        once.
    each : bool, default True
        Whether every iteration gives a line; otherwise after some silence only.
    """

    def __init__(self, show: Callable[[str], object] = print_line, each: bool = True) -> None:
        self._show, self._each = show, each
        self._lock, self._over = threading.Lock(), threading.Event()
        self._began = self._last = 0.0
        self._activity: Activity | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ProgressLines:
        self._began = self._last = time.perf_counter()
        self._activity = activity()
        self._activity.end()
        self._over.clear()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="fastlogit-progress")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def __call__(self, progress: Progress) -> None:
        """Tell of an iteration."""
        if self._each or self._is_due():
            self.say(line_of(progress))

    def say(self, text: str) -> None:
        """Show a line now."""
        with self._lock:
            self._last = time.perf_counter()
            self._show(text)

    def _is_due(self) -> bool:
        now = time.perf_counter()
        return now - self._last >= max(SILENCE, SHARE * (now - self._began))

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            if self._is_due():
                self.say(self._now())

    def _now(self) -> str:
        """Return what the watched thread is doing."""
        here, seconds = self._activity, time.perf_counter() - self._began
        compiling = list(here.compiling) if here is not None else []
        if here is not None and compiling:
            return (
                f"{seconds:.1f} s: compiling kernels, once: {compiling[0]} "
                f"({here.n_compiled} compiled before)"
            )
        work = None if here is None else here.work()
        if work is None:
            return f"{seconds:.1f} s: looking at X and y"
        return f"{seconds:.1f} s: {work.phase}, {work.n_passes:.1f} passes over X so far"


class IterationTasks:
    """The tasks of a fit in scikit-learn's callback protocol: the fit, and an iteration each.

    An instance is what `fit` takes as its callback. The protocol wants the beginning of each
    iteration too, which a solver does not tell: it is taken to be the end of the one before. So
    one task is open when the fit ends. `close` ends it: empty, as scikit-learn's own solvers do,
    unless the fit went on after what it told last, as gradient descent does.

    Parameters
    ----------
    estimator : estimator with `CallbackSupport`
    max_iter : int
        Most iterations there can be.
    attributes : callable
        Takes a `Progress`; returns the fitted attributes of the estimator as if the fit had ended
        there. It is asked only where a callback wants them.
    data : dict
        `X`, `y` and `metadata`, which the callbacks may ask for.
    """

    def __init__(
        self,
        estimator: Any,
        max_iter: int,
        attributes: Callable[[Progress], dict[str, object]],
        data: Mapping[str, object],
    ) -> None:
        self._estimator = estimator
        self._attributes = attributes
        self._data = data
        # One more than iterations: the empty task at the end.
        self._fit = estimator._init_callback_context(max_subtasks=max_iter + 1)
        self._fit.call_on_fit_task_begin(estimator=estimator, **data)
        self._iteration = self._begin(None)
        self._n_iter = 0

    def __call__(self, progress: Progress) -> bool:
        """End the iteration's task and begin the next; return True if a callback wants an end."""
        attributes = self._attributes_at(progress)
        stop = self._iteration.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._data
        )
        self._iteration = self._begin(attributes)
        self._n_iter = progress.n_iter
        return bool(stop)

    def close(self, n_iter: int) -> None:
        """End the tasks of a fit of `n_iter` iterations, whose attributes the estimator has."""
        fitted = {"estimator": self._estimator, "reconstruction_attributes": {}, **self._data}
        if n_iter > self._n_iter:
            self._iteration.call_on_fit_task_end(**fitted)
        else:
            self._iteration.call_on_fit_task_end(estimator=self._estimator)
        self._fit.call_on_fit_task_end(**fitted)

    def _begin(self, attributes: Callable[[], dict[str, object]] | None) -> Any:
        task = self._fit.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._data
        )
        return task

    def _attributes_at(self, progress: Progress) -> Callable[[], dict[str, object]]:
        """Return what computes the attributes, once, when it is first called."""
        known: list[dict[str, object]] = []

        def attributes() -> dict[str, object]:
            if not known:
                known.append(self._attributes(progress))
            return known[0]

        return attributes
