"""The front end that fits: `fit` with its solvers, and `gradient_descent` with the textbook's."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..arrays import ArrayLike
from ..clock import Clock
from ..errors import DivergenceError
from ..inputs.given import Data, look
from ..objective.links import LinkLoss
from ..objective.losses import Loss
from ..objective.penalties import Penalty
from ..options import check_category_options, check_number, check_option, check_whole
from ..result import Callback, FitResult
from ..solvers.abilities import refusal
from ..solvers.choice import METHODS, METHODS_OF_L1
from ..solvers.gradient_descent import ABILITIES as gradient_descent_abilities
from ..solvers.gradient_descent import Options
from ..solvers.gradient_descent import gradient_descent as descend
from ..solvers.trace import Limits
from ..sources.opening import SourceOptions, opened
from .bias_reduced import FIRTH, fit_bias_reduced, kind_of, refuse_beside
from .custom import check_penalty
from .links import check_flag, check_link, refuse_batches, refuse_beside_shares
from .messages import stack_level
from .minimise import conclude, look_at_columns, minimise, start_of, stay
from .problem import (
    MULTI_CLASS,
    CheckedProblem,
    StartLike,
    Strengths,
    began_of,
    check_callback,
    check_problem,
    check_time_limit,
    given_of,
    refuse_groups_alone,
    set_clock,
    stride_of,
)
from .small import fit_small, suits
from .weightless import Others, without_weight

__all__ = [
    "SOLVERS",
    "SOLVERS_OF_L1",
    "check_ratio",
    "fit",
    "gradient_descent",
    "refuse_beside_corners",
]

# What each solver takes.
ABLE = {**METHODS, "gradient_descent": gradient_descent_abilities}
SOLVERS = ("auto", *ABLE)
# Those that take L1, and nothing else.
SOLVERS_OF_L1 = tuple(METHODS_OF_L1)
MOMENTA = ("none", "nesterov")
# With it coefficients are right to about six digits of their standard deviation's worth.
TOLERANCE = 1e-12
# Unless the user says otherwise.
MAX_ITER = {"gradient_descent": 10_000}
OTHER_MAX_ITER = 1_000


def fit(
    X: ArrayLike,
    y: ArrayLike = None,
    *,
    C: float | None = None,
    l2_reg: ArrayLike = None,
    l1_reg: ArrayLike = None,
    l1_ratio: float | None = None,
    coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
    penalty_groups: ArrayLike = None,
    group_weights: ArrayLike = None,
    penalty: Penalty | str | None = None,
    bias_reduction: str | None = None,
    loss: Loss | None = None,
    link: str = "logit",
    fractional: bool = False,
    solver: str = "auto",
    tol: float = TOLERANCE,
    max_iter: int | None = None,
    multi_class: str = "ovr",
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    intercept: Literal["fit"] | float | None = "fit",
    start: StartLike = None,
    categories: str = "auto",
    handle_unknown: str = "error",
    interactions: Sequence[Sequence[str]] | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
    step_size: float | Literal["auto"] | None = None,
    momentum: Literal["none", "nesterov"] | None = None,
    standardize: bool | None = None,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
    filter: object = None,
    nulls: str | None = None,
    spool: str | None = None,
    memory_limit: float | str | None = None,
    **unknown: object,
) -> FitResult:
    """Fit logistic regression to a certified optimum.

    Two classes give one model. More give a column of coefficients for each class: one-vs-all, all
    fitted in the same passes over X, or softmax. Neither `C` nor `l2_reg`: no penalty.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place and never changed, nor copied above 8 MB. A
        `numpy.memmap` that does not fit in memory, or anything else that has a shape, a dtype and
        slices of rows (h5py, zarr), is streamed block by block; so are the batches of a
        `BatchSource`. Categorical columns of a data frame (pandas, polars, pyarrow) are read as
        codes, see `categories`. With `target`, or as a `ParquetSource` or `ArrowSource`, it is a
        table that need not fit in memory: a path or pattern of Parquet or Arrow files, a data set,
        table or reader of pyarrow, a LazyFrame, a relation of DuckDB.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings. Left out with a source.
    C : float > 0, optional
        Inverse strength of the L2 penalty as in scikit-learn: the fit minimises
        ``C * sum(loss) + sum(coef**2) / 2``. Infinity is no penalty.
    l2_reg : float >= 0 or array-like of shape (n_features,), optional
        The strength on the scale of the mean loss: adds ``sum(l2_reg * coef**2) / 2`` to it, in
        the units of X; ``l2_reg = 1 / (C * sum of weights)`` is the same penalty. One for all
        columns or one for each. The intercept is never penalised.
    l1_reg : float >= 0 or array-like of shape (n_features,), optional
        The strength of L1 on the same scale: adds ``sum(l1_reg * |coef|)``, in the units of X, and
        makes coefficients exactly 0; with `l2_reg` an elastic net. Two classes, softmax, or
        each class against all others; a column of strength 0 is free. What the fit works on besides
        X is a copy of the columns that may have coefficients.
    l1_ratio : float from 0 to 1, optional
        The share of L1 in the penalty that `C` gives, as in scikit-learn: ``C * sum(loss) +
        l1_ratio * sum(|coef|) + (1 - l1_ratio) * sum(coef**2) / 2``.
    coef_bounds : pair (lower, upper), optional
        The least and the largest value of each coefficient, in the units of X: a number, an array
        of shape (n_features,) or None each; ``(0, None)`` is no negative coefficient. With any
        strength of L1 and L2, also none. Of several classes they are those of each class. The
        intercept has no bounds.
    penalty_groups : "features" or array-like of shape (n_features,), optional
        Groups of columns that L1 holds together (group lasso): a label for each column, or each
        column a group of its own, over all classes of a softmax. The penalty is then ``l1_reg *
        weight * length`` of each group's coefficients, in the units of X, in the place of
        ``sum(l1_reg * |coef|)``: groups are 0 as a whole. It needs L1, by `l1_reg` or `l1_ratio`.
    group_weights : float or array-like of shape (n_groups,), optional
        The weight of each group, in the order of the sorted labels, as ``numpy.unique`` gives them;
        0 leaves a group without L1. By default the root of the number of its columns.
    penalty : Penalty or "firth", optional
        A penalty of your own in place of L2, on the scale of the mean loss and in the units of X:
        a `fastlogit.objective.penalties.Quadratic`, see docs/extending.md, or an
        `fastlogit.objective.penalties.ElasticNet`. Then no other strength is given. Or "firth",
        which is ``bias_reduction="mean"``.
    bias_reduction : {"mean", "median", "flic", "flac"}, optional
        An estimate of less bias than maximum likelihood, which exists for separable classes too;
        two classes, rows in any form, and no other penalty. "mean" is Firth's (1993) penalised
        likelihood with Jeffreys' prior, intercept included. "median" is as likely too small as too
        large (Kenne Pagui, Salvan and Sartori, 2017). "flic" is "mean" with the intercept of
        maximum likelihood, and "flac" another fit to the rows and their leverages: predicted
        probabilities are then right on average (Puhr et al., 2017). Weights count rows. `tol` is
        then the step that may be left, in standard errors, and at least 1e-10; nothing is proven.
    loss : Loss, optional
        A loss of your own for two classes, or for each class against all others, in place of the
        logistic one: a `fastlogit.objective.losses.RowLoss`, see docs/extending.md. Predictions
        remain those of the logistic function.
    link : {"logit", "probit", "cloglog"}, default "logit"
        How a probability depends on the raw prediction z, for two classes: the logistic function,
        the normal distribution's Phi(z), or ``1 - exp(-exp(z))``. Predictions are those of the
        link. Not with L1, bounds or a `BatchSource`.
    fractional : bool, default False
        Whether y holds shares from 0 to 1 in the place of labels (Papke and Wooldridge, 1996):
        a row costs the mean of what both classes would, as a row of each with weights y and 1 - y.
        Of counts y is successes / trials, and `sample_weight` the trials.
    solver : {"auto", "lbfgs", "newton", "newton-cg", "gradient_descent"}, default "auto"
        "auto" takes what suits the shape of the data, and says why in `message`. "lbfgs" is
        preconditioned by the Hessian of a subsample of the rows. With L1 it is
        "proximal-newton", whose name is taken too.
    tol : float >= 0, default 1e-12
        Bound on (cost - optimum) / optimum that the result must be proven to have; with 0 the fit
        goes on until rounding ends it. Below 1e-15, which is finer than a cost in float64, it
        bounds what the exact cost of the coefficients lacks.
    max_iter : int >= 0, optional
        1,000 by default, 10,000 for "gradient_descent". 0 gives the start back, with what can be
        proven about it.
    multi_class : {"ovr", "multinomial"}, default "ovr"
        For more than two classes: each class against all others, or softmax, whose coefficients
        sum to zero over the classes (the symmetric solution, of the lowest penalty); with L1 that
        of the lowest penalty has a median of 0, and with bounds it is the lowest within them.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows: 2 is the row twice, 0 the row absent. One-vs-all also takes shape
        (n_samples, n_classes): weights for each class's own problem.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions, as the logarithm of prior odds. With more than two
        classes also of shape (n_samples, n_classes), and for softmax only so.
    penalty_factor : array-like of shape (n_features,), optional
        Factors >= 0 of the penalty of each column, of L1 and L2 alike; 0 leaves a column without
        penalty. They are taken as they are, whatever their sum.
    intercept : "fit", float or None, default "fit"
        A number holds the intercept there; None or 0 is none.
    start : FitResult or (coef, intercept), optional
        Where to begin, where it costs no more than the default: a warm start.
    categories : {"auto", "full", "reference"}, default "auto"
        Which levels of a categorical column have a coefficient: all that occur ("full"), or all but
        the first ("reference"), whose coefficient is 0, so that those of the others are differences
        from it. "auto" is "full" with a penalty, as of scikit-learn's OneHotEncoder, and
        "reference" without, where coefficients of all levels would not be determined. The levels
        are those of pandas, polars' Enum or Arrow in their order, or sorted (polars' Categorical).
    handle_unknown : {"error", "zero"}, default "error"
        What a level is at prediction that did not occur in the fit, or is missing: an error, or of
        no level, so that none of the column's coefficients is added.
    interactions : sequence of pairs of str, optional
        Names of two categorical columns: each pair of levels that occurs has a coefficient too,
        with "reference" those without a first level. Other pairs count as 0 at prediction.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called after each iteration (gradient descent: about every 50 ms) with a `Progress`;
        returning True ends the fit.
    time_limit : float > 0, optional
        Seconds after which the fit ends with the best point so far.
    step_size, momentum, standardize : optional
        Those of `gradient_descent`, for that solver alone; None is "auto", "nesterov", True.
    target, features, categorical, filter, nulls, spool, memory_limit : optional
        Of a table with its target: those of `ParquetSource`. `sample_weight` and `offset` are
        names of columns then.
    **unknown
        There are no other options: any raises an error that names the nearest one.

    Returns
    -------
    FitResult
        Its `suboptimality` is the proven bound.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    DivergenceError
        If gradient descent is given a step size that is too large.
    TimeoutError
        If the time limit passes while a source is read for the first time, which finds labels and
        number of rows: there is no result then.
    OSError
        If a file of a source is not there, or the disk has no room for its spool.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute holds the best point so far (None in that first
        reading).

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter`, `time_limit` or rounding ends the fit above `tol`.
    SeparationWarning
        If there is no penalty and the classes are separable: then there is no optimum.
    """
    began = began_of(X)
    X, y, sample_weight, offset = opened(
        X, y, sample_weight, offset,
        SourceOptions(target, features, categorical, filter, nulls, spool, memory_limit),
    )  # fmt: skip
    solver = check_option("solver", solver, (*SOLVERS, *SOLVERS_OF_L1))
    if max_iter is None:
        max_iter = MAX_ITER.get(solver, OTHER_MAX_ITER)
    limits = Limits(
        tol=check_number("tol", tol, low=0.0),
        max_iter=check_whole("max_iter", max_iter, low=0),
        callback=check_callback(callback),
        time_limit=check_time_limit(time_limit),
    )
    _refuse_unknown(unknown)
    options = {"step_size": step_size, "momentum": momentum, "standardize": standardize}
    given = {name: value for name, value in options.items() if value is not None}
    descent = descent_options(solver, limits, given)
    multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
    reduction = kind_of(penalty, bias_reduction)
    penalty = None if isinstance(penalty, str) and penalty == FIRTH else penalty
    strengths = Strengths(
        C, check_penalty(penalty), check_ratio(l1_ratio), penalty_groups, group_weights
    )
    loss = check_link(link, loss, multi_class, solver)
    fractional = check_flag("fractional", fractional)
    if fractional:
        refuse_beside_shares(loss, multi_class)
    if link != "logit" or fractional:
        refuse_batches(X, "link" if link != "logit" else "fractional")
    if said := refusal({**ABLE, **METHODS_OF_L1}, solver, strengths.penalty, loss):
        raise ValueError(said)
    clock = Clock(began, limits.time_limit)
    coding = check_category_options(
        categories, handle_unknown, interactions, has_penalty=strengths.exist(l2_reg, l1_reg)
    )
    what = given_of(
        X, y, sample_weight, offset, l2_reg, penalty_factor, start, clock, l1_reg, coef_bounds
    )
    if isinstance(what, Data):
        data = what
    else:
        data = look(what._replace(categories=coding, fractional=fractional), multi_class)
    if reduction is not None:
        beside: dict[str, object] = {
            "C": None if C == np.inf else C, "l2_reg": data.l2_reg, "l1_reg": data.l1_reg,
            "l1_ratio": l1_ratio or None, "coef_bounds": data.coef_bounds,
            "penalty_groups": penalty_groups, "penalty": penalty,
            "link": None if link == "logit" else link, "loss": loss if link == "logit" else None,
            "penalty_factor": data.penalty_factor, "solver": None if solver == "auto" else solver,
        }  # fmt: skip
        refuse_beside(reduction, data, beside, intercept)
        return fit_bias_reduced(data, reduction, intercept, n_threads, limits, began)
    has_corners = strengths.have_corners(data)
    refuse_beside_corners(has_corners, data, solver, loss)
    if isinstance(loss, LinkLoss) and data.classes.size > 2:
        raise ValueError(
            f"link={link!r} is for two classes, y has {data.classes.size}; of ordered classes "
            "fastlogit.ordinal_logit takes it"
        )
    refuse_groups_alone(strengths, strengths.have_l1(data))
    is_plain = loss is None and penalty is None and penalty_groups is None and not fractional
    if is_plain and suits(data, multi_class, solver, limits, has_corners):
        result = fit_small(data, strengths, multi_class, intercept, n_threads, limits, began)
        if result is not None:
            return result
    problem = check_problem(data, strengths, multi_class, intercept, n_threads, loss=loss)
    others = _others(problem)
    if others is not None:
        if has_corners:
            raise ValueError(
                f"no row of {others.names()} has positive weight; softmax with L1 or bounds needs "
                "rows of each class: leave those rows out"
            )
        return _fit_others(
            others, problem, C=C, penalty=penalty, solver=solver, tol=tol, max_iter=max_iter,
            multi_class=multi_class, n_threads=n_threads, callback=limits.callback,
            time_limit=limits.time_limit, **given,
        )  # fmt: skip
    return minimise(problem, solver, descent, limits, began, has_corners)


def _others(problem: CheckedProblem) -> Others | None:
    """Return the classes of a softmax that have weight, where some have none."""
    objective = problem.objective
    if not objective.loss.is_coupled or not objective.fit_intercept:
        return None
    weights = objective.rows.weights_of(0)
    if weights is None:
        return None
    absent = without_weight(problem.data.codes, weights, objective.n_classes)
    return Others(problem.classes, absent) if absent.any() else None


def _fit_others(others: Others, problem: CheckedProblem, **options: Any) -> FitResult:
    """Fit the classes that have weight, and give the others probability 0."""
    offset = problem.data.offset
    options |= others.strength(options["C"], options["penalty"])
    options["callback"] = others.callback(options["callback"], offset)
    warnings.warn(
        f"no row of {others.names()} has positive weight, so that the intercept has no optimum: "
        "probability 0 is what it gets; leave such rows out, or give them weight",
        stacklevel=stack_level(),
    )
    try:
        result = fit(others.data(problem.data), **options)
    except (KeyboardInterrupt, DivergenceError) as end:
        if isinstance(best := getattr(end, "result", None), FitResult):
            end.result = others.of_all(best, offset)  # type: ignore[union-attr]
        raise
    return others.of_all(result, offset)


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    *,
    step_size: float | Literal["auto"] = "auto",
    momentum: Literal["none", "nesterov"] = "none",
    tol: float = 1e-6,
    max_iter: int = 10_000,
    standardize: bool = True,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    intercept: Literal["fit"] | float | None = "fit",
    start: StartLike = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> FitResult:
    """Fit logistic regression by gradient descent, one compiled pass over X per step.

    Two classes give one model, more give one-vs-all: a column of coefficients for each class,
    all fitted in the same pass over X.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place, never copied or changed.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings.
    step_size : float > 0 or "auto", default "auto"
        The textbook's alpha, used as it is, on the scale that `standardize` sets; "auto" takes
        1 / L from a bound L on the curvature of the cost.
    momentum : {"none", "nesterov"}, default "none"
        Nesterov's acceleration with adaptive restart (O'Donoghue and Candes, 2015).
    tol : float >= 0, default 1e-6
        Stop when a step changes no parameter by more than this, on the scale that
        `standardize` sets; 0 means until none changes at all.
    max_iter : int >= 0, default 10_000
    standardize : bool, default True
        Centre and scale the columns inside the pass; the result is in the units of X.
    l2_reg : float >= 0 or array-like of shape (n_features,), default 0.0
        Adds ``sum(l2_reg * coef**2) / 2``, in the units of X; the intercept is left out.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    intercept : "fit", float or None, default "fit"
        A number holds the intercept there; None or 0 is none.
    start : FitResult or (coef, intercept), optional
        Where to begin; zeros by default.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called about every 50 ms with a `Progress`; returning True ends the fit.
    time_limit : float > 0, optional
        Seconds after which the fit ends with the best point so far.

    Returns
    -------
    FitResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    DivergenceError
        If the cost grows: the text names a step size that is stable, and ``.result`` holds the
        best point.
    TimeoutError
        If the time limit passes while the batches of a `BatchSource` are read for the first time,
        which finds labels and number of rows: there is no result then.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute holds the best point so far (None in that first
        reading).

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `time_limit` ends the fit.
    SeparationWarning
        If they end it and the classes are separable: without a penalty there is no optimum.
    """
    began = time.perf_counter()
    options = Options(
        step_size=_check_step_size(step_size),
        accelerate=check_option("momentum", momentum, MOMENTA) == "nesterov",
        tol=check_number("tol", tol, low=0.0),
        max_iter=check_whole("max_iter", max_iter, low=0),
        callback=check_callback(callback),
        time_limit=check_time_limit(time_limit),
    )
    standardize = check_flag("standardize", standardize)
    clock = Clock(began, options.time_limit)
    given = given_of(X, y, sample_weight, offset, l2_reg, None, start, clock)
    problem = check_problem(given, Strengths(), "ovr", intercept, n_threads)
    set_clock(problem.objective, began, options.time_limit)
    look_at_columns(problem, standardize)
    if options.max_iter == 0:
        return stay(problem, "gradient_descent", options, began)
    stride = stride_of(problem.objective)
    outcome = descend(problem.objective, start_of(problem), options, began, stride)
    return conclude(problem, outcome, options, "gradient_descent", began)


def descent_options(
    solver: str, limits: Limits, options: Mapping[str, object]
) -> tuple[Options, bool] | None:
    """Return the options of gradient descent and whether to standardise; None for other solvers."""
    for name in options:
        if solver == "auto" or name not in ABLE[solver].options:
            raise ValueError(
                f"{name} is an option of gradient descent; solver={solver!r} does not need it: "
                "leave it out, or set solver='gradient_descent'"
            )
    if solver != "gradient_descent":
        return None
    momentum = check_option("momentum", options.get("momentum", "nesterov"), MOMENTA)
    chosen = Options(
        tol=limits.tol,
        max_iter=limits.max_iter,
        callback=limits.callback,
        time_limit=limits.time_limit,
        step_size=_check_step_size(options.get("step_size", "auto")),
        accelerate=momentum == "nesterov",
    )
    return chosen, check_flag("standardize", options.get("standardize", True))


def _refuse_unknown(options: Mapping[str, object]) -> None:
    """Raise for an option that there is not, and say what to use in place of scikit-learn's."""
    for name in options:
        check_option("the option name", name, fit.__kwdefaults__ or ())


def check_ratio(l1_ratio: object) -> float:
    """Return the share of L1 in the penalty."""
    return 0.0 if l1_ratio is None else check_number("l1_ratio", l1_ratio, low=0.0, high=1.0)


def refuse_beside_corners(has_corners: bool, data: Data, solver: str, loss: Loss | None) -> None:
    """Raise for what L1 and bounds do not go with, and for their solver where there are none."""
    takes = " or ".join(map(repr, ("auto", *SOLVERS_OF_L1)))
    if not has_corners and solver in SOLVERS_OF_L1:
        raise ValueError(
            f"solver={solver!r} is for L1 and bounds: give l1_reg, C with l1_ratio, or "
            "coef_bounds; or another solver"
        )
    if not has_corners:
        return
    what, goes, names = "L1", "L1 goes", ["l1_reg", "l1_ratio"]
    if data.coef_bounds is not None:
        what, goes, names = "bounds", "bounds go", ["coef_bounds"]
    if solver not in ("auto", *SOLVERS_OF_L1):
        raise ValueError(
            f"solver={solver!r} does not take {what} ({', '.join(names)}); {takes} would"
        )
    if loss is not None or data.shares is not None:
        other = "fractional" if loss is None else "link" if isinstance(loss, LinkLoss) else "loss"
        raise ValueError(
            f"{goes} with the logistic loss of labels only: leave out {', '.join(names)} or {other}"
        )


def _check_step_size(step_size: object) -> float | None:
    if isinstance(step_size, str):
        check_option("step_size", step_size, ["auto"])
        return None
    return check_number("step_size", step_size, low=0.0, open_low=True)
