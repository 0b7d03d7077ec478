"""Many fits to the same rows: folds that weigh the rows, times strengths of the penalty.

They are columns of the same passes over X. First the penalties on the rows of all folds together,
whose optima and Hessians then serve every fold: leaving out a part of the rows changes them little.
That is not so of a softmax that tells its classes apart almost surely, where the rows in doubt are
others without a fold: there each fold begins with the strongest penalty, and goes on to the next.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeAlias

import numpy as np

from ..arrays import (
    ArrayLike,
    Floats,
    Indices,
    Integers,
    Matrix,
    Vector,
)
from ..clock import Clock, TimeUp
from ..design.fold_weights import FoldWeights
from ..design.streamed import SourceDesign
from ..inputs import validation
from ..inputs.given import Data, Given
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from ..options import check_number, check_option, check_whole
from ..result import Callback, Progress
from ..solvers.choice import approach
from ..solvers.gradient_descent import Options
from ..solvers.gradient_descent import gradient_descent as descend
from ..solvers.start import begin, default_start
from ..solvers.trace import Interrupted, Limits, Reason, Trace
from ..solvers.warm_starts import goes_alone, solve_warm
from ..threads import thread_count
from .column_groups import scale_groups
from .fit import SOLVERS
from .grid_result import Fits, GridResult, Heard, conclude_fits
from .problem import (
    MULTI_CLASS,
    CheckedProblem,
    Strengths,
    began_of,
    check_callback,
    check_problem,
    check_time_limit,
    elastic_net,
    moderate_weights,
    refuse_bad_columns,
    refuse_groups_alone,
    set_clock,
    standardize_by,
    stop_clock,
    stride_of,
)
from .small_grid import SmallGrid, suits_grid

__all__ = [
    "AS_USUAL",
    "AnyFolds",
    "FoldSets",
    "Grid",
    "GridOptions",
    "check_cs",
    "check_grid",
    "conclude",
    "fit_grid",
    "solve_grid",
]

# Multiply-adds of a prediction by all folds of a penalty from which on penalties of a softmax are
# solved one after the other: below, iterations cost more than passes (178 x 13, three classes, five
# folds, ten C: 62 ms all at once, 75 in turn).
IN_TURN = 1e6

# How near the optimum over all folds together is worth going, beside what leaving out a fold
# changes: the number of parameters over that of the rows.
ROUGH = 0.1
# Row curvatures of a softmax may take that share of X at once, but some megabytes always.
CURVATURE_SHARE = 0.05
FEW_NUMBERS = 10_000_000


@dataclass(frozen=True)
class GridOptions:
    """How the fits of a grid are done.

    Attributes
    ----------
    multi_class : {"multinomial", "ovr"}, default "multinomial"
    fit_intercept : bool, default True
    solver : str, default "auto"
    tol : float >= 0, default 1e-12
        Bound on (cost - optimum) / optimum that each fit must be proven to have.
    max_iter : int >= 0, default 1000
        Most iterations of each fit.
    n_threads : int, optional
    callback : callable, optional
        Called with a `Progress`; returning True ends the fit that is running.
    time_limit : float > 0, optional
        Seconds for the whole grid.
    l1_ratio : float from 0 to 1, default 0
        The share of L1 in the penalty: above 0, and with bounds of coefficients, it is
        `l1_grid.fit_l1_grid` that fits.
    penalty_groups : "features" or array-like of shape (n_features,), optional
        Groups of columns that L1 holds together.
    group_weights : float or array-like of shape (n_groups,), optional
    """

    multi_class: str = "multinomial"
    fit_intercept: bool = True
    solver: str = "auto"
    tol: float = 1e-12
    max_iter: int = 1000
    n_threads: int | None = None
    callback: Callback | None = None
    time_limit: float | None = None
    l1_ratio: float = 0.0
    penalty_groups: ArrayLike = None
    group_weights: ArrayLike = None

    @property
    def strengths(self) -> Strengths:
        """What L1 holds together; how strong it is changes along the grid."""
        return Strengths(groups=self.penalty_groups, group_weights=self.group_weights)

    def limits(self) -> Limits:
        """Return what ends a fit, checked."""
        tol = check_number("tol", self.tol, low=0.0)
        max_iter = check_whole("max_iter", self.max_iter, low=0)
        tell = check_callback(self.callback)
        return Limits(
            tol=tol,
            max_iter=max_iter,
            callback=None if tell is None else Heard(tell),
            time_limit=check_time_limit(self.time_limit),
        )


AS_USUAL = GridOptions()


def fit_grid(
    given: Given | Data,
    Cs: ArrayLike,
    *,
    fold_weights: ArrayLike = None,
    options: GridOptions = AS_USUAL,
) -> GridResult:
    """Fit logistic regression for each fold and each strength of the penalty.

    Parameters
    ----------
    given : Given or Data
        What the user gave, as it is or looked at; its start is where each fold begins.
    Cs : array-like of shape (n_Cs,)
        Inverse strengths as in scikit-learn, > 0; infinity is no penalty.
    fold_weights : array-like of shape (n_folds, n_samples), optional
        Numbers >= 0 that multiply the sample weights, 0 for the rows that a fold leaves out. None
        is one fold of all rows. Every class must be in every fold.
    options : GridOptions, optional

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
    values = check_cs(Cs)
    solver = check_option("solver", options.solver, SOLVERS)
    problem, folds, limits = check_grid(given, fold_weights, options, began)
    if isinstance(folds, np.ndarray) and suits_grid(problem, folds, solver, limits):
        found = _solve_small(problem, values, folds, limits, began)
        if found is not None:
            return found
    return solve_grid(problem, values, folds, solver, limits, began)


def _solve_small(
    problem: CheckedProblem, Cs: Vector, folds: Matrix, limits: Limits, began: float
) -> GridResult | None:
    """Fit a grid of few rows; None where it is odd enough for the general way.

    Raises KeyboardInterrupt as `fit_grid` does.
    """
    grid, design = SmallGrid(problem, Cs, folds, limits, began), problem.objective.design
    interrupted = False
    try:
        grid.run(thread_count(design.n_threads))
    except KeyboardInterrupt:
        interrupted = True
    if grid.is_odd and not interrupted:
        return None
    late = grid.is_ended and not (isinstance(limits.callback, Heard) and limits.callback.is_ended)
    stop_clock(problem.objective)
    fits = Fits(grid.coef, grid.intercept, grid.bound, grid.steps, float(grid.n_sums))
    found = conclude_fits(problem, Cs, fits, limits, began, interrupted, late)
    if interrupted:
        interrupt = KeyboardInterrupt(found.message)
        interrupt.result = found  # type: ignore[attr-defined]
        raise interrupt from None
    return found


def solve_grid(
    problem: CheckedProblem, Cs: Vector, folds: AnyFolds, solver: str, limits: Limits,
    began: float,
) -> GridResult:  # fmt: skip
    """Fit a checked problem for each fold and each strength, wherever its rows lie.

    Parameters
    ----------
    problem : CheckedProblem
    Cs : ndarray of shape (n_Cs,)
    folds : ndarray of shape (n_folds, n_samples), FoldWeights or FoldSets
    solver : str
    limits : Limits
    began : float

    Raises
    ------
    KeyboardInterrupt
        See `fit_grid`.
    """
    grid = Grid(problem, Cs, folds)
    try:
        grid.solve(solver, limits, began)
    except KeyboardInterrupt:
        found = conclude(grid, limits, began, interrupted=True)
        interrupt = KeyboardInterrupt(found.message)
        interrupt.result = found  # type: ignore[attr-defined]
        raise interrupt from None
    return conclude(grid, limits, began)


def check_grid(
    given: Given | Data, fold_weights: ArrayLike, options: GridOptions, began: float
) -> tuple[CheckedProblem, Matrix | FoldWeights, Limits]:
    """Return what a grid is asked, checked: the problem, the factors of the weights, the limits."""
    multi_class = check_option("multi_class", options.multi_class, MULTI_CLASS)
    limits = options.limits()
    if isinstance(given, Given):
        given = given._replace(clock=Clock(began, limits.time_limit))
    refuse_groups_alone(options.strengths, options.l1_ratio > 0.0)
    problem = check_problem(
        given, options.strengths, multi_class, "fit" if options.fit_intercept else None,
        options.n_threads, every_class=bool(options.fit_intercept),
    )  # fmt: skip
    set_clock(problem.objective, began, limits.time_limit)
    return problem, _check_folds(fold_weights, problem), limits


def conclude(grid: Grid, limits: Limits, began: float, interrupted: bool = False) -> GridResult:
    """Put the models in the user's units and order; warn where one did not converge."""
    pooled = grid.pooled
    clock = pooled.design.counter.clock
    late = clock is not None and clock.is_late()
    stop_clock(pooled)
    coef, intercept = pooled.to_user(*grid.settled(grid.theta))
    shape = (grid.Cs.size, grid.n_folds, -1)
    coefs = coef.reshape(*shape, coef.shape[1])
    fits = Fits(
        coefs, intercept.reshape(*shape), grid.bound.reshape(*shape),
        np.broadcast_to(grid.steps.reshape(*shape), coefs.shape[:3]), pooled.design.n_passes,
    )  # fmt: skip
    return conclude_fits(
        grid.problem, grid.Cs, fits, limits, began, interrupted, late, grid.l1_ratio
    )


class FoldSets(Protocol):
    """Weights of rows that lie elsewhere, in the folds of a cross-validation.

    Sets of weights, those of each fold one after the other, which `LabelledRows.weighted` takes.
    """

    n_folds: int

    def __len__(self) -> int: ...

    def sum(self, axis: int) -> Vector:
        """Return the weight of each set."""

    def together(self) -> Self:
        """Return the mean of each row's weights over the folds."""


AnyFolds: TypeAlias = Matrix | FoldWeights | FoldSets


class Grid:
    """The problems of a grid: models in the order of penalties, folds, outputs.

    `pooled` has the penalties over the rows of all folds together, each row with its mean weight.
    `theta`, `bound` (proven relative suboptimality) and `steps` say where the models are, at any
    time: what is known of them after Ctrl-C.
    """

    def __init__(
        self, problem: CheckedProblem, Cs: Vector, folds: AnyFolds, l1_ratio: float = 0.0
    ) -> None:
        base = problem.objective
        n_samples, n_features = base.design.shape
        self.problem, self.Cs = problem, Cs
        self.n_folds = len(folds) if isinstance(folds, np.ndarray) else folds.n_folds
        self.l1_ratio = l1_ratio
        self._has_corners = l1_ratio > 0.0 or problem.data.coef_bounds is not None
        factor = problem.data.penalty_factor
        self._factor = np.broadcast_to(1.0 if factor is None else factor, n_features)
        # Sets of weights: of each fold one, or one for each class.
        self._folds: AnyFolds
        together: AnyFolds
        if isinstance(folds, np.ndarray | FoldWeights):
            given = problem.data.weights.reshape(-1, n_samples)
            sets = moderate_weights(given)[0] if given.size else np.ones((1, n_samples))
        if isinstance(folds, FoldWeights):
            self._folds = folds.times(sets if given.size else np.empty((0, n_samples)))
            together = self._folds.together()
        elif isinstance(folds, np.ndarray):
            self._folds = (folds[:, None, :] * sets).reshape(-1, n_samples)
            together = self._folds.reshape(self.n_folds, -1, n_samples).mean(axis=0)
        else:
            self._folds, together = folds, folds.together()
        # Under L1 the proof asks for the columns' sizes over all rows.
        pooled_cs = np.array([np.inf]) if self._has_corners else Cs
        self.pooled = self._objective(base.rows, together, 1, pooled_cs)
        stride = 1 if self._has_corners else stride_of(self.pooled)
        if standardize_by(self.pooled, stride):
            refuse_bad_columns(replace(problem, objective=self.pooled))
            scale_groups(self.pooled)
        else:  # no fit may come to look at the values
            clock = base.design.counter.clock
            with contextlib.nullcontext() if clock is None else clock.stopped():
                validation.refuse_not_finite(base.design, problem.names)
        self._stride = stride
        self.take_cs(Cs)

    def take_cs(self, Cs: Vector) -> None:
        """Take the inverse strengths; nothing is known of their models then."""
        self.Cs = Cs
        n_models = Cs.size * self.n_folds * self.problem.objective.n_models
        size = self.pooled.n_classes * (self.pooled.design.shape[1] + 1)
        self.theta = np.zeros((n_models, size))
        self.bound, self.steps = np.full(n_models, np.inf), np.zeros(n_models, dtype=np.int64)
        self._per_penalty = n_models // Cs.size
        self._is_ended = False  # by a callback

    def settled(self, theta: Matrix) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts that stand for all that predict as the models do."""
        return self.pooled.settled(theta)

    def _objective(
        self, rows: LabelledRows, weights: AnyFolds, n_folds: int, Cs: Vector
    ) -> Objective:
        """Return the objective of penalties over folds, whose weights are given."""
        base = self.problem.objective
        shape = (len(Cs), n_folds, base.n_outputs)
        totals = weights.sum(axis=1).reshape(n_folds, -1)
        totals = np.ldexp(totals, self.problem.weight_power)
        strengths = np.broadcast_to(l2_of_each(Cs, totals), shape).ravel()
        weight_set = np.arange(len(weights)).reshape(n_folds, -1)
        positive = np.tile(base.rows.positive, len(Cs) * n_folds)
        sets: Any = weights
        models = rows.weighted(positive, sets, np.broadcast_to(weight_set, shape).ravel())
        penalty = strengths[:, None] * self._factor
        if not self._has_corners:
            return Objective(models, penalty)
        shares = self.l1_ratio * penalty, (1.0 - self.l1_ratio) * penalty
        data, groups = self.problem.data, self.problem.groups
        n_features = penalty.shape[1]
        return Objective(
            models, elastic_net(*shares, data, n_features, models.loss.n_classes, groups)
        )

    def solve(self, solver: str, limits: Limits, began: float) -> None:
        """Bring all models to their optima, as far as limits allow; raises KeyboardInterrupt.

        1. the penalties on all folds' rows together, roughly; 2. from there all folds, with
        Hessians that those of a penalty share, as many models at once as memory allows. Softmax
        models go penalty by penalty in place of that, and models of many columns one after the
        other, from the strongest penalty on.
        """
        theta, is_warm = self._first_theta(limits, began)
        self._spread(theta)
        if limits.max_iter == 0:
            return  # as asked, the start; nothing is proven about it
        is_alone = is_warm or goes_alone(self.pooled)
        if not is_alone and self._goes_in_turn(solver):
            self._solve_in_turn(solver, limits, began)
            return
        if self.n_folds > 1 and not is_alone:
            within = Limits(0.0, limits.max_iter, None, limits.time_limit)
            trace = Trace(within, began, self.pooled)
            size = theta.shape[1] / self.pooled.design.shape[0]
            rough = min(max(ROUGH * size, limits.tol), ROUGH)
            self.pooled.design.counter.phase = "all folds together"
            try:
                with contextlib.suppress(TimeUp):
                    theta = approach(self.pooled, theta, rough, self._stride, trace)
            except Interrupted as interrupt:
                self._spread(interrupt.theta)
                raise
            self._spread(theta)
        for part in np.array_split(np.arange(self.Cs.size), self._n_parts()):
            self._solve_part(part, int(part[0]), solver, limits, began)

    def _goes_in_turn(self, solver: str) -> bool:
        """Say whether penalties are solved one after the other, all folds of each together."""
        if not self.pooled.loss.is_coupled or solver == "gradient_descent" or self.Cs.size == 1:
            return False
        n_samples, n_features = self.pooled.design.shape
        return n_samples * n_features * self._per_penalty * self.pooled.n_classes >= IN_TURN

    def _solve_in_turn(self, solver: str, limits: Limits, began: float) -> None:
        """Solve penalty after penalty, the strongest first: each fold from its last optimum.

        Where classes are told apart the optimum moves in proportion to the logarithm of C: the step
        between the last two, as long as that was, goes before (Allgower and Georg, 1990, predictor
        and corrector). Scikit-learn's digits, ten C by five folds, take 4 iterations for each C so,
        7 without the step, and 18 from the optima of all folds together.
        """
        before = 0.0
        order = np.argsort(self.Cs, kind="stable")
        points = self.theta.reshape(self.Cs.size, self._per_penalty, -1)
        step = np.zeros_like(points[0])
        for done, number in enumerate(order):
            C, last = float(self.Cs[number]), points[order[max(done - 1, 0)]].copy()
            length = math.log(C / float(self.Cs[order[done - 1]])) if done > 0 else 0.0
            points[order[done:]] = last  # better than none where a limit ends it
            if 0.0 < length < np.inf and before > 0.0:
                points[number] += min(1.0, length / before) * step
            if self._is_ended:
                continue
            self._solve_part(np.array([number]), done, solver, limits, began)
            step, before = points[number] - last, length

    def _spread(self, theta: Matrix) -> None:
        """Put the models of every fold where the pooled ones are."""
        per_penalty = self.pooled.n_models // self.Cs.size
        points = np.repeat(theta.reshape(self.Cs.size, 1, -1), self.n_folds, axis=1)
        self.theta[...] = points.reshape(self.Cs.size * self.n_folds * per_penalty, -1)

    def _told(self, limits: Limits, n_before: int) -> Limits:
        """Return limits whose callback hears of all fits, `n_before` of which ended before."""
        tell, n_fits = limits.callback, len(self.theta)
        if tell is None:
            return limits

        def callback(progress: Progress) -> object:
            asked = tell(replace(progress, n_done=n_before + progress.n_done, n_fits=n_fits))
            self._is_ended = asked is True
            return asked

        return replace(limits, callback=callback)

    def _first_theta(self, limits: Limits, began: float) -> tuple[Matrix, bool]:
        """Return theta of the pooled models, and whether it is near their optima."""
        pooled, problem = self.pooled, self.problem
        default = np.zeros((pooled.n_models, pooled.n_classes * (pooled.design.shape[1] + 1)))
        if pooled.fit_intercept:
            default = default_start(pooled)
        given = None
        if problem.start is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                coef, intercept = pooled.loss.settle(*problem.start, pooled.fit_intercept)
            level = np.tile(intercept * pooled.fit_intercept, self.Cs.size)
            given = pooled.join(*pooled.from_user(np.tile(coef, (self.Cs.size, 1)), level))
        return begin(pooled, given, default, self._stride, limits, began)

    def _n_parts(self) -> int:
        """Return in how many parts the penalties are solved: row curvatures take memory."""
        n_samples, n_features = self.pooled.design.shape
        if not self.pooled.loss.is_coupled or goes_alone(self.pooled):
            return 1
        numbers = self.n_folds * self.pooled.n_outputs * n_samples
        room = max(FEW_NUMBERS, CURVATURE_SHARE * n_samples * n_features)
        return int(min(self.Cs.size, np.ceil(numbers / room)))

    def _solve_part(
        self, part: Indices, n_before: int, solver: str, limits: Limits, began: float
    ) -> None:
        """Solve the folds of some penalties from where their models are.

        `n_before` penalties have been solved before. Raises `Interrupted`.
        """
        models = slice(part[0] * self._per_penalty, (part[-1] + 1) * self._per_penalty)
        try:
            found = self._solved(part, self.theta[models].copy(), n_before, solver, limits, began)
        except Interrupted as interrupt:
            self.theta[models], self.bound[models] = interrupt.theta, interrupt.bound
            raise
        self.theta[models], self.bound[models], self.steps[models] = found

    def _solved(
        self, part: Indices, start: Matrix, n_before: int, solver: str, limits: Limits, began: float
    ) -> tuple[Matrix, Vector, Integers]:
        """Return where the models of some penalties end, their bounds and iterations."""
        pooled, n_folds = self.pooled, self.n_folds
        objective = self._objective(pooled.rows, self._folds, n_folds, self.Cs[part])
        if solver == "gradient_descent":
            options = Options(**vars(limits), step_size=None, accelerate=True)
            split = [np.ascontiguousarray(values) for values in objective.split(start)]
            outcome = descend(
                objective, (split[0], split[1]), options, began, self._stride, certified=True
            )
            ended = objective.join(outcome.coef, outcome.intercept)
            if outcome.reason == Reason.INTERRUPTED:
                raise Interrupted(ended, outcome.bound)
            return ended, outcome.bound, np.full(objective.n_models, outcome.n_iter)
        per_penalty = pooled.n_models // self.Cs.size
        pooled_model = np.arange(pooled.n_models).reshape(-1, 1, per_penalty)[part]
        pooled_model = np.broadcast_to(pooled_model, (len(part), n_folds, per_penalty)).ravel()
        trace = Trace(self._told(limits, n_before * self._per_penalty), began, objective)
        point, bound = solve_warm(
            objective, start, pooled, pooled_model, self._stride, limits, trace
        )
        return point.theta, bound, np.broadcast_to(trace.steps, objective.n_models)


def l2_of_each(Cs: Vector, totals: Matrix) -> Floats:
    """Return the penalties (n_Cs, n_folds, n_sets) on the scale of the mean loss."""
    with np.errstate(divide="ignore", over="ignore"):
        strengths = 1.0 / (Cs[:, None, None] * totals)
    if not np.isfinite(strengths).all():
        raise ValueError(
            f"Cs has {Cs.min():g}, so small that the penalty overflows; a larger one is needed"
        )
    return strengths


def _check_folds(fold_weights: ArrayLike, problem: CheckedProblem) -> Matrix | FoldWeights:
    """Return the factors of the weights, (n_folds, n_samples)."""
    objective = problem.objective
    n_samples = objective.design.shape[0]
    if fold_weights is None:
        return np.ones((1, n_samples))
    folds: Matrix | FoldWeights
    if isinstance(fold_weights, FoldWeights) and isinstance(objective.design, SourceDesign):
        folds = fold_weights
        _refuse_classes_left_out(folds, problem)
        return folds
    folds = np.asarray(fold_weights, dtype=np.float64)
    if folds.ndim != 2 or folds.shape[1] != n_samples or not len(folds):
        raise ValueError(
            f"fold_weights has shape {folds.shape}, but X has {n_samples} rows: it must be "
            f"(n_folds, {n_samples})"
        )
    if not (np.isfinite(folds).all() and (folds >= 0.0).all()):
        raise ValueError("fold_weights must be finite and >= 0")
    _refuse_classes_left_out(folds, problem)
    return folds


def _refuse_classes_left_out(folds: Matrix | FoldWeights, problem: CheckedProblem) -> None:
    n_samples = problem.objective.design.shape[0]
    given = problem.data.weights.reshape(-1, n_samples)
    used = given.max(axis=0) if given.size else np.ones(n_samples)
    for fold in range(len(folds)):
        weights: Vector = folds[fold]
        left = np.unique(problem.data.codes[(weights * used) > 0.0])
        if left.size < problem.classes.size:
            missing = np.setdiff1d(np.arange(problem.classes.size), left)[0]
            raise ValueError(
                f"class {problem.classes[missing]!s} has no rows in the training part of fold "
                f"{fold}; use stratified folds, or fewer"
            )


def check_cs(Cs: ArrayLike) -> Vector:
    """Return the inverse strengths as float64; raise unless they are numbers > 0, at least one."""
    values = np.asarray(Cs, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"Cs must have shape (n_Cs,) with n_Cs >= 1, found {values.shape}")
    if not (values > 0.0).all():
        raise ValueError(
            f"Cs must be > 0, found {values[~(values > 0.0)][0]}; infinity is no penalty"
        )
    return values
