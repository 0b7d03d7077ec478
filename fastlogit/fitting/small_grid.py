"""Small grids: each fold goes from penalty to penalty, and each fit is one compiled call.

Between two passes of the general way lies Python, whatever the size of X, and products with the
Hessians of some thousand rows do not keep two threads busy. Here threads take folds, each of which
goes on where its last fit ended; no fit waits for another.
"""

from __future__ import annotations

import math
import threading
import time
from typing import NamedTuple

import numpy as np

from ..arrays import Codes, Floats, Matrix, Vector
from ..clock import Clock
from ..design.base import readonly
from ..inputs.given import Data
from ..inputs.validation import NO_NUMBERS
from ..kernels.small import binomial, endings
from ..result import Progress
from ..solvers.trace import Limits
from .chunks import Crew
from .problem import CheckedProblem
from .small import (
    BESIDE,
    MOST_ITERATIONS,
    NO_TABLE,
    of_model,
    plain_rows,
    softmax_kind,
    softmax_method,
    suits,
    targets_of,
)

__all__ = ["SmallGrid", "suits_grid"]

# Numbers of X up to which models of two classes are fitted so: those of five folds and ten C then
# take a fifth of the processor time of the general way at 400 x 8, a third at 2,000 x 20, 1.2 times
# as much at 5,000 x 50 and 20,000 x 15, where many models share each read of X. For softmax models,
# whose passes are all arithmetic, what is small for a fit is so for folds: a seventh at 400 x 8 and
# three classes, half at 20,000 x 10 and five, four fifths at 1,797 x 64 and ten.
MOST_NUMBERS = 200_000


def suits_grid(problem: CheckedProblem, folds: object, solver: str, limits: Limits) -> bool:
    """Say whether the rows of a problem are few enough, and folds are weights of them."""
    is_plain = isinstance(folds, np.ndarray) and problem.objective.rows.shares is None
    # With tol=0 fits go on until rounding ends them, which proves nothing.
    if not is_plain or limits.tol == 0.0:
        return False
    n_samples, n_features = problem.objective.design.shape
    is_softmax = problem.classes.size > 2 and problem.multi_class == "multinomial"
    if not is_softmax and n_samples * (n_features + BESIDE) > MOST_NUMBERS:
        return False
    return suits(problem.data, problem.multi_class, solver, limits)


class _Found(NamedTuple):
    """A fit: how it ended, coefficients (n_features, n_models), intercepts and sums over rows."""

    status: int
    n_iter: int
    cost: float
    bound: float
    coef: Matrix
    intercept: Vector
    n_sums: int


class _Room(NamedTuple):
    """What a thread works with."""

    work: Vector
    history: Vector


class _Chain:
    """The fits of one model to one fold, one penalty after the other.

    `models` are those of the grid that it fits, `points` has coefficients and intercepts,
    (n_features + 1, n_models), of the fits that are done.
    """

    def __init__(
        self, fold: int, models: slice, codes: Codes, weights: Vector, offset: Floats,
        start: Matrix | None,
    ) -> None:  # fmt: skip
        self.fold, self.models, self.codes, self.weights = fold, models, codes, weights
        self.offset, self._start, self.total = offset, start, float(weights.sum())
        self.lock, self.points = threading.Lock(), list[Matrix]()

    def start(self, Cs: Vector) -> Matrix | None:
        """Return where the next fit begins: as `Grid` does, a step ahead of the last optimum.

        Of scikit-learn's digits the fits of a fold take 330 sums over the rows so, 470 without the
        step.
        """
        done = len(self.points)
        if done == 0:
            return self._start
        last = self.points[-1]
        if done == 1:
            return last
        length, before = math.log(Cs[done] / Cs[done - 1]), math.log(Cs[done - 1] / Cs[done - 2])
        if not (length < math.inf and before > 0.0):
            return last
        return last + min(1.0, length / before) * (last - self.points[-2])


class SmallGrid:
    """Fits of all folds and penalties.

    Attributes
    ----------
    coef : ndarray of shape (n_Cs, n_folds, n_models, n_features)
        In the units of X; those of a stronger penalty, or 0, for fits that were not made.
    intercept, bound, steps : ndarray of shape (n_Cs, n_folds, n_models)
        Intercepts, proven relative suboptimality (infinite for fits that were not made) and
        iterations.
    n_sums : int
        Sums over the rows of a fit, those of all fits together.
    is_odd : bool
        Whether a fit ended without a proof, so that the general way has to find more.
    is_ended : bool
        Whether time limit or callback left fits undone.
    """

    def __init__(
        self, problem: CheckedProblem, Cs: Vector, folds: Matrix, limits: Limits, began: float
    ) -> None:
        self._problem, self._limits, self._began = problem, limits, began
        data, self._order = problem.data, np.argsort(Cs, kind="stable")
        self._Cs, self._X = Cs[self._order], plain_rows(data)
        n_features, n_classes = self._X.shape[1], data.classes.size
        is_softmax = n_classes > 2 and problem.multi_class == "multinomial"
        n_models = 1 if n_classes == 2 else n_classes
        shape = (Cs.size, len(folds), n_models)
        self.coef, self.intercept = np.zeros((*shape, n_features)), np.zeros(shape)
        self.bound, self.steps = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
        self.n_sums, self.is_odd, self.is_ended = 0, False, False
        self._n_done, self._cost, self._counting = 0, math.nan, threading.Lock()
        factor = data.penalty_factor
        self._factor = np.broadcast_to(1.0 if factor is None else factor, n_features)
        self._most = min(limits.max_iter, MOST_ITERATIONS)
        if is_softmax:
            kind = softmax_kind(*self._X.shape, n_classes, "auto")
            self._fit_softmax, size = softmax_method(kind)
            self._fit, self._size = self._softmax, size.serial(*self._X.shape, n_classes)
        else:
            self._fit, self._size = self._binomial, binomial.small_work_size.serial(*self._X.shape)
        each = [slice(None)] if is_softmax else [slice(k, k + 1) for k in range(n_models)]
        self._chains = [
            self._chain(data, fold, weights, models, is_softmax or n_models == 1)
            for fold, weights in enumerate(folds)
            for models in each
        ]

    def _chain(self, data: Data, fold: int, weights: Vector, models: slice, is_one: bool) -> _Chain:
        number = models.start or 0
        own = of_model(data.weights, number)
        start = self._problem.start
        return _Chain(
            fold, models, targets_of(data.codes, None if is_one else number),
            readonly(weights * own if own.size else np.array(weights)),
            _offset_of(data, models),
            None if start is None else np.vstack([start[0][models].T, start[1][models]]),
        )  # fmt: skip

    @property
    def n_fits(self) -> int:
        """All fits, those that are not done included."""
        return len(self._chains) * self._Cs.size

    def run(self, n_threads: int) -> None:
        """Do all fits, as far as limits allow; raises KeyboardInterrupt after Ctrl-C.

        Sets: all attributes.
        """
        clock = self._problem.objective.design.counter.clock or Clock(self._began, None)
        # The first fits of all folds before the second: none waits for the one before it.
        turns = [chain for _ in self._Cs for chain in self._chains]
        tell = None if self._limits.callback is None else self._tell
        # A callback hears of each fit of this thread, as it hears of iterations else.
        crew = Crew(turns, self._go_on, self._room, clock, tell, 0.0)
        try:
            crew.run(min(n_threads, len(self._chains)))
        finally:
            for chain in self._chains:
                for number in self._order[len(chain.points) :]:
                    if chain.points:  # of a stronger penalty: better than none
                        self._put(chain, number, chain.points[-1])
        self.is_ended = bool(crew.ended_by)

    def _room(self) -> _Room:
        return _Room(np.empty(self._size), np.empty(self._most + 1))

    def _go_on(self, chain: _Chain, room: _Room) -> None:
        """Do the next fit of a chain."""
        with chain.lock:
            if self.is_odd:
                return
            C = float(self._Cs[len(chain.points)])
            with np.errstate(over="ignore", divide="ignore"):
                l2_reg = np.array(self._factor / (C * chain.total))
            found = self._fit(chain, room, l2_reg, chain.start(self._Cs))
            if found.status != endings.CONVERGED:
                self.is_odd = True
                return
            number = self._order[len(chain.points)]
            point = np.vstack([found.coef, found.intercept])
            self._put(chain, number, point)
            self.bound[number, chain.fold, chain.models] = found.bound
            self.steps[number, chain.fold, chain.models] = found.n_iter
            chain.points.append(point)
        with self._counting:
            self._n_done += 1
            self._cost = found.cost
            self.n_sums += found.n_sums

    def _put(self, chain: _Chain, number: int, point: Matrix) -> None:
        self.coef[number, chain.fold, chain.models] = point[:-1].T
        self.intercept[number, chain.fold, chain.models] = point[-1]

    def _softmax(self, chain: _Chain, room: _Room, l2_reg: Vector, start: Matrix | None) -> _Found:
        coef = np.empty((self._X.shape[1], self.coef.shape[2]))
        intercept, fit_intercept = np.zeros(coef.shape[1]), self._problem.fixed_intercept is None
        end = self._fit_softmax.serial(
            self._X, chain.codes, chain.weights, chain.offset, l2_reg, fit_intercept,
            NO_TABLE if start is None else readonly(np.ascontiguousarray(start)),
            self._limits.tol, self._most, room.work, room.history, coef, intercept,
        )  # fmt: skip
        n_sums = end.n_evaluations + end.n_grams
        return _Found(end.status, end.n_iter, end.cost, end.bound, coef, intercept, n_sums)

    def _binomial(self, chain: _Chain, room: _Room, l2_reg: Vector, start: Matrix | None) -> _Found:
        coef, fixed = np.empty(self._X.shape[1]), self._problem.fixed_intercept
        end = binomial.fit_small.serial(
            self._X, chain.codes, 1, chain.weights, chain.offset, l2_reg,
            0.0 if fixed is None else fixed, fixed is None,
            NO_NUMBERS if start is None else readonly(np.array(start[:, 0])),
            self._limits.tol, self._most, room.work, room.history, coef,
        )  # fmt: skip
        n_sums, level = end.n_evaluations + end.n_hessians, np.array([end.intercept])
        return _Found(end.status, end.n_iter, end.cost, end.bound, coef[:, None], level, n_sums)

    def _tell(self) -> bool:
        assert self._limits.callback is not None
        done = [chain.points[-1] for chain in self._chains if chain.points]

        def coefficients() -> tuple[Floats, float | Vector]:
            coef, intercept = done[0][:-1], done[0][-1]
            if coef.shape[1] == 1:
                return coef[:, 0].copy(), float(intercept[0])
            return coef.copy(), intercept.copy()

        progress = Progress(
            self._n_done, self._cost, time.perf_counter() - self._began, coefficients,
            self._n_done, self.n_fits,
        )  # fmt: skip
        return self._limits.callback(progress) is True


def _offset_of(data: Data, models: slice) -> Floats:
    """Return the offset of the rows as the kernel of some models takes it; empty for none."""
    if models.start is not None:
        return of_model(data.offset, models.start)
    return readonly(np.ascontiguousarray(data.offset.T)) if data.offset.size else NO_TABLE
