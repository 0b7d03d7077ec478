"""Folds times strengths of a penalty with corners: a path for each fold, the strongest one first.

Corners are those of L1, of a group lasso and of bounds.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Indices, Matrix, Vector
from ..clock import Clock, TimeUp
from ..design.base import Design
from ..inputs.given import Data, Given
from ..objective.objective import Objective
from ..options import check_option
from ..solvers.carried import Carried
from ..solvers.choice import METHODS_OF_L1
from ..solvers.l1_path import null_model, null_strengths, solve_next
from ..solvers.path_follower import may_follow
from ..solvers.start import begin, default_start, level_costs
from ..solvers.trace import Limits, Point, Reason, Trace
from .chunks import Crew
from .grid import AnyFolds, Grid, GridOptions, check_cs, check_grid, conclude
from .grid_result import GridResult
from .problem import CheckedProblem, began_of

__all__ = [
    "NEVER",
    "FromNull",
    "L1Grid",
    "Stop",
    "fit_l1_grid",
    "has_corners",
    "refuse_free_softmax",
    "solve_l1_grid",
]

SOLVERS_OF_L1 = ("auto", *METHODS_OF_L1)


class FromNull(NamedTuple):
    """Inverse strengths from the largest one that leaves all coefficients at 0 on.

    `size` of them, the last `times` the first, evenly spaced on a logarithmic scale.
    """

    size: int
    times: float | None


class Stop(NamedTuple):
    """When a path ends early: with so much of the deviance explained, or so little more of it.

    The gain is relative to what is explained, from one strength to the next.
    """

    explained: float = math.inf
    gain: float = -math.inf


NEVER = Stop()
# Bytes that copies of columns of folds that go together may take, at most half of X for each model.
ROOM = 1e9
# Strengths that are fitted whatever they gain, as in glmnet.
LEAST = 5


def has_corners(data: Data, options: GridOptions) -> bool:
    """Say whether it is `fit_l1_grid` that fits a grid, and not `fit_grid`."""
    return options.l1_ratio > 0.0 or data.coef_bounds is not None


def fit_l1_grid(
    given: Given | Data,
    Cs: ArrayLike | FromNull,
    *,
    options: GridOptions,
    fold_weights: ArrayLike = None,
    stop: Stop = NEVER,
) -> GridResult:
    """Fit logistic regression with L1 or bounds for each fold and each strength of the penalty.

    Parameters
    ----------
    given : Given or Data
        What the user gave, as it is or looked at; its start is where each fold begins.
    Cs : array-like of shape (n_Cs,), or FromNull
        Inverse strengths as in scikit-learn, > 0; infinity is no penalty.
    options : GridOptions
        Its `l1_ratio` is above 0, or coefficients have bounds.
    fold_weights : array-like of shape (n_folds, n_samples), optional
        As for `fit_grid`.
    stop : Stop, optional
        Strengths that it leaves out are not in the result.

    Returns
    -------
    GridResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `GridResult` with the best points so far.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, if any fit ended above `tol`.
    """
    began = began_of(given)
    values = np.ones(1) if isinstance(Cs, FromNull) else check_cs(Cs)
    _check_solver(options)
    problem, folds, limits = check_grid(given, fold_weights, options, began)
    if options.l1_ratio > 0.0:
        refuse_free_softmax(problem.classes.size, options.multi_class, values)
    return solve_l1_grid(
        problem,
        Cs if isinstance(Cs, FromNull) else values,
        folds,
        options.l1_ratio,
        limits,
        began,
        stop,
    )


def solve_l1_grid(
    problem: CheckedProblem, Cs: Vector | FromNull, folds: AnyFolds, l1_ratio: float,
    limits: Limits, began: float, stop: Stop = NEVER,
) -> GridResult:  # fmt: skip
    """Fit a checked problem for each fold and each strength, wherever its rows lie.

    Parameters
    ----------
    problem : CheckedProblem
    Cs : ndarray of shape (n_Cs,), or FromNull
    folds : ndarray of shape (n_folds, n_samples), FoldWeights or FoldSets
    l1_ratio : float
    limits : Limits
    began : float
    stop : Stop, optional

    Raises
    ------
    KeyboardInterrupt
        See `fit_l1_grid`.
    """
    values = np.ones(1) if isinstance(Cs, FromNull) else Cs
    grid = L1Grid(problem, values, folds, l1_ratio)
    try:
        if isinstance(Cs, FromNull):
            grid.begin_at_null(Cs, limits, began)
        grid.solve_path(limits, began, stop)
    except KeyboardInterrupt:
        found = _with_deviance(conclude(grid, limits, began, interrupted=True), grid)
        interrupt = KeyboardInterrupt(found.message)
        interrupt.result = found  # type: ignore[attr-defined]
        raise interrupt from None
    return _with_deviance(conclude(grid, limits, began), grid)


def _check_solver(options: GridOptions) -> None:
    check_option("solver", options.solver, SOLVERS_OF_L1)


def refuse_free_softmax(n_classes: int, multi_class: str, Cs: Vector) -> None:
    """Raise for a softmax without any penalty among those with L1: it has other proofs."""
    if n_classes > 2 and multi_class == "multinomial" and np.isinf(Cs).any():
        raise ValueError(
            "Cs has infinity, no penalty, which a softmax does not take beside L1: leave it out, "
            "or give l1_ratio=0, or multi_class='ovr'"
        )


def _with_deviance(found: GridResult, grid: L1Grid) -> GridResult:
    message = f"{found.message}; {grid.said}" if grid.said else found.message
    return dataclasses.replace(
        found, deviance_explained=grid.explained.T.copy(), C_null=grid.C_null, message=message
    )


class L1Grid(Grid):
    """The problems of a grid with L1: models in the order of penalties, folds, outputs.

    Attributes
    ----------
    explained : ndarray of shape (n_Cs, n_folds)
        The share of the deviance that is explained; NaN where nothing was fitted.
    C_null : float or None
    said : str
        Why the path ended early; empty where it did not.
    """

    C_null: float | None = None
    said: str = ""
    # After Ctrl-C, for folds that are on their way in other threads.
    _is_over = False

    def take_cs(self, Cs: Vector) -> None:
        """Take the inverse strengths; nothing is known of their models then."""
        super().take_cs(Cs)
        self.explained = np.full((Cs.size, self.n_folds), np.nan)

    def settled(self, theta: Matrix) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts that stand for all that predict as the models do.

        Of a softmax those that L1 has zeros in: which they are depends on the share of L1 alone.
        """
        coef, intercept = self._at(1.0).settled(theta)
        free = np.repeat(np.isinf(self.Cs), len(coef) // self.Cs.size)
        if free.any():
            coef[free] = self.pooled.settled(theta)[0][free]
        return coef, intercept

    def _at(self, C: float) -> Objective:
        """Return the problems of all folds at a strength."""
        return self._objective(self.pooled.rows, self._folds, self.n_folds, np.array([C]))

    def begin_at_null(self, wanted: FromNull, limits: Limits, began: float) -> None:
        """Find C_null, and take the strengths from there on.

        The slopes at the optimum of the intercepts, and of the columns without penalty, say it.
        """
        objective = self._at(1.0)
        self._refuse_without_null(objective)
        try:
            null = null_model(objective, self._default(objective), limits, began)
        except TimeUp:
            self.take_cs(np.ones(1))
            return
        most = float(null_strengths(objective, null).max())
        if not most > 0.0:
            raise ValueError(
                "no column with a penalty has a slope where all coefficients are 0, so that there "
                "is no C to begin a path at; give Cs"
            )
        assert wanted.times is not None
        self.C_null = 1.0 / most
        self.take_cs(np.geomspace(self.C_null, self.C_null * wanted.times, wanted.size))
        self.Cs[0] = self.C_null
        self._null = null.theta

    def _refuse_without_null(self, objective: Objective) -> None:
        """Raise for bounds that leave 0 out: no penalty takes coefficients there."""
        bounds = self.problem.data.coef_bounds
        if bounds is None:
            return
        away = objective.penalized().any(axis=0) & ((bounds[0] > 0.0) | (bounds[1] < 0.0))
        if away.any():
            raise ValueError(
                f"coef_bounds leave 0 out for column {int(np.argmax(away))}, so that there is no C "
                "at which all coefficients are 0 to begin a path at; give Cs"
            )

    def _default(self, objective: Objective) -> Matrix:
        if objective.fit_intercept:
            return default_start(objective)
        size = objective.n_classes * (objective.design.shape[1] + 1)
        return np.zeros((objective.n_models, size))

    def _first(self, objective: Objective, limits: Limits, began: float) -> Matrix:
        """Return where the first fits begin."""
        default = self._default(objective)
        if self.problem.start is None:
            return default
        with np.errstate(over="ignore", invalid="ignore"):
            coef, intercept = objective.loss.settle(*self.problem.start, objective.fit_intercept)
        level = np.tile(intercept * objective.fit_intercept, self.n_folds)
        given = objective.join(*objective.from_user(np.tile(coef, (self.n_folds, 1)), level))
        return begin(objective, given, default, 1, limits, began)[0]

    def solve_path(self, limits: Limits, began: float, stop: Stop) -> None:
        """Bring all models to their optima, the strongest penalty first.

        Each begins where the one before ended, with its working set. Where the copies of their
        columns would take much memory, one fold goes after the other. Raises KeyboardInterrupt.
        """
        order = np.argsort(self.Cs, kind="stable")
        first = self._at(self.Cs[order[0]])
        theta = self._null if hasattr(self, "_null") else self._first(first, limits, began)
        null = self._weights_of(first) * level_costs(first, self._default(first))
        self._null_deviance = null.reshape(self.n_folds, -1).sum(axis=1)
        self.theta[...] = np.tile(theta, (self.Cs.size, 1))
        if limits.max_iter == 0:
            return  # as asked, the start; nothing is proven about it
        if self._goes_side_by_side(first, limits, stop):
            self._solve_side_by_side(order, theta, limits, began)
            return
        for folds in self._groups():
            goes_on = self._solve_folds(folds, order, theta, limits, began, stop)
            if not goes_on:
                return

    def _goes_side_by_side(self, first: Objective, limits: Limits, stop: Stop) -> bool:
        """Say whether folds go along paths of their own in threads of Python.

        That is so for any number of threads, so that the bits are the same. Whoever watches, or
        ends the paths of all together, hears of them together.
        """
        is_watched = limits.callback is not None or limits.time_limit is not None or stop != NEVER
        can = self.pooled.design.side_by_side() is not None and may_follow(first, limits)
        return can and self.n_folds > 1 and not is_watched

    def _solve_side_by_side(
        self, order: Indices, start: Matrix, limits: Limits, began: float
    ) -> None:
        designs: dict[int, Design] = {}
        self._is_over = False

        def solve(fold: int, _: None) -> None:
            design = self.pooled.design.side_by_side()
            assert design is not None
            designs[fold] = design
            with threads.alone():
                self._solve_folds(
                    np.array([fold]), order, start, limits, began, NEVER, design
                )  # fmt: skip

        crew = Crew(range(self.n_folds), solve, lambda: None, Clock(began, None))
        try:
            crew.run(threads.thread_count(self.pooled.design.n_threads))
        finally:
            counter = self.pooled.design.counter
            counter.rows += sum(design.counter.rows for design in designs.values())

    def _groups(self) -> list[Indices]:
        """Return which folds go along their paths together: copies of columns take memory."""
        n_samples, n_features = self.pooled.design.shape
        copies = 4.0 * n_samples * n_features * self.problem.objective.n_models
        size = int(max(1.0, min(self.n_folds, ROOM / max(copies, 1.0))))
        return np.array_split(np.arange(self.n_folds), -(-self.n_folds // size))

    def _solve_folds(
        self, folds: Indices, order: Indices, start: Matrix, limits: Limits, began: float,
        stop: Stop, design: Design | None = None,
    ) -> bool:  # fmt: skip
        """Bring the models of some folds along the path; say whether others may follow.

        `design` reads X in place of the one of all folds.
        """
        n_models = len(start) // self.n_folds
        own = (folds[:, None] * n_models + np.arange(n_models)).ravel()
        theta, carried = start[own], Carried(self.n_folds > 1, self.Cs.size > 1)
        for number, place in enumerate(order):
            if self._is_over:
                return False
            objective = self._at(self.Cs[place]).only(own)
            if design is not None:
                objective.rows = objective.rows.over(design)
            before = int(np.isfinite(self.explained).sum()) * n_models
            trace = Trace(self._told(limits, before), began, objective)
            point, bound, reason = solve_next(objective, theta, limits, trace, carried)
            models = place * len(start) + own
            theta = self.theta[models] = point.theta
            self.bound[models], self.steps[models] = bound, trace.steps
            loss = self._weights_of(objective) * _losses_at(objective, point)
            share = loss.reshape(folds.size, -1).sum(axis=1) / self._null_deviance[folds]
            self.explained[place, folds] = 1.0 - share
            if reason == Reason.INTERRUPTED:
                self._is_over = True
                raise KeyboardInterrupt
            if reason in (Reason.CALLBACK, Reason.TIME_LIMIT):
                left = order[number + 1 :, None] * len(start) + own
                self.theta[left.ravel()] = np.tile(theta, (len(left), 1))
                return False
            if self._is_enough(order[: number + 1], stop):
                self._keep(np.sort(order[: number + 1]))
                return False
        return True

    def _weights_of(self, objective: Objective) -> Vector:
        return objective.rows.total_weight.reshape(objective.n_models, -1)[:, 0]

    def _models_of(self, places: Indices) -> Indices:
        per_penalty = len(self.theta) // self.Cs.size
        return (places[:, None] * per_penalty + np.arange(per_penalty)).ravel()

    def _is_enough(self, done: Indices, stop: Stop) -> bool:
        """Say whether the path may end early; sets what is said of it."""
        if len(done) == self.Cs.size or stop == NEVER:
            return False
        now = float(self.explained[done[-1]].min())
        ended = f"ended after {len(done)} of {self.Cs.size} C:"
        if now >= stop.explained:
            self.said = f"{ended} {now:.4f} of the deviance is explained"
        elif len(done) >= LEAST:
            gain = now - float(self.explained[done[-2]].min())
            if gain < stop.gain * now:
                self.said = f"{ended} the last explains {gain:.1e} of the deviance more"
        return bool(self.said)

    def _keep(self, places: Indices) -> None:
        """Keep some of the penalties.

        Sets: Cs, theta, bound, steps, explained.
        """
        models = self._models_of(places)
        self.theta, self.bound = self.theta[models], self.bound[models]
        self.steps, self.explained = self.steps[models], self.explained[places]
        self.Cs = self.Cs[places]


def _losses_at(objective: Objective, point: Point) -> Vector:
    """Return the mean loss of each model, without the penalty, (n_models,)."""
    assert objective.l1 is not None
    coef = objective.split(point.theta)[0]
    penalty = objective.cost_of_models(objective.l1.value(coef) + objective.penalty.value(coef))
    return np.asarray(point.cost - penalty)
