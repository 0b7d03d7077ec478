"""Between the callback of a fit and those who listen: scikit-learn's callbacks, and printed lines.

scikit-learn 1.9 has a callback protocol (`sklearn.callback`): an estimator opens a context for its
fit, and below it one for each iteration. Earlier versions lack it; `CallbackSupport` is then empty,
and nothing here is used but `print_progress`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .result import Progress

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""


__all__ = ["CallbackSupport", "IterationTasks", "is_listened_to", "print_progress"]


def is_listened_to(estimator: Any) -> bool:
    """Say whether callbacks are set, or a meta-estimator follows the fit of `estimator`."""
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def print_progress(progress: Progress) -> None:
    """Print one line for an iteration."""
    print(
        f"[fastlogit] iteration {progress.n_iter}: cost {progress.cost:.12g}, "
        f"{progress.seconds:.2f} s",
        flush=True,
    )


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
        attributes: Callable[[Progress], dict[str, Any]],
        data: dict[str, Any],
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

    def _begin(self, attributes: Callable[[], dict[str, Any]] | None) -> Any:
        task = self._fit.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._data
        )
        return task

    def _attributes_at(self, progress: Progress) -> Callable[[], dict[str, Any]]:
        """Return what computes the attributes, once, when it is first called."""
        known: list[dict[str, Any]] = []

        def attributes() -> dict[str, Any]:
            if not known:
                known.append(self._attributes(progress))
            return known[0]

        return attributes
