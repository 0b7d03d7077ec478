"""The functional front end: cost, gradient, gradient descent and `fit`."""

from __future__ import annotations

import sys
import time
import warnings
from types import FrameType
from typing import Any, Literal

import numpy as np

from . import threads, validation
from .design.dense import DenseDesign
from .errors import DivergenceError
from .objective import Objective
from .result import Callback, FitResult
from .solvers.gradient_descent import Options, Outcome
from .solvers.gradient_descent import gradient_descent as solve_by_descent

__all__ = ["cost", "cost_gradient", "fit", "gradient_descent"]

SOLVERS = ("auto", "gradient_descent")
MOMENTA = ("none", "nesterov")


def cost(
    X: Any,
    y: Any,
    coef: Any,
    intercept: float = 0.0,
    *,
    l2_reg: float = 0.0,
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> float:
    """Return the cost of given coefficients: mean binomial loss plus L2 penalty.

    With z = X @ coef + intercept the loss of a row is log(1 + e^z) - y z, computed without
    log(h) or e^z ever being formed.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place.
    y : array-like of shape (n_samples,)
        0 and 1 (numbers or booleans).
    coef : array-like of shape (n_features,)
    intercept : float, default 0.0
    l2_reg : float >= 0, default 0.0
        Adds ``l2_reg / 2 * sum(coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    return cost_gradient(
        X, y, coef, intercept, l2_reg=l2_reg, sample_weight=sample_weight, n_threads=n_threads
    )[0]


def cost_gradient(
    X: Any,
    y: Any,
    coef: Any,
    intercept: float = 0.0,
    *,
    l2_reg: float = 0.0,
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> tuple[float, np.ndarray[Any, np.dtype[np.float64]], float]:
    """Return cost and gradient of given coefficients, in one pass over X.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place.
    y : array-like of shape (n_samples,)
        0 and 1 (numbers or booleans).
    coef : array-like of shape (n_features,)
    intercept : float, default 0.0
    l2_reg : float >= 0, default 0.0
        Adds ``l2_reg / 2 * sum(coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.

    Returns
    -------
    cost : float
    coef_gradient : ndarray of shape (n_features,), float64
    intercept_gradient : float

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    array = validation.check_features(X)
    codes = validation.check_targets01(y, array.shape[0])
    weights = validation.check_weights(sample_weight, array.shape[0])
    coefs, intercepts, single = validation.check_coef(coef, intercept, array.shape[1])
    if not single:
        raise ValueError(f"coef must have 1 dimension here, found shape {np.shape(coef)}")
    l2_reg = validation.check_number("l2_reg", l2_reg, low=0.0)
    design = DenseDesign(array, n_threads=n_threads)
    objective = Objective(design, codes, [1], weights, l2_reg)
    value, gradient, intercept_gradient = objective.value_gradient(coefs, intercepts)
    if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
        validation.check_finite(array, validation.feature_names(X))
    return float(value[0]), gradient[0], float(intercept_gradient[0])


def gradient_descent(
    X: Any,
    y: Any,
    *,
    step_size: float | Literal["auto"] = "auto",
    momentum: Literal["none", "nesterov"] = "none",
    tol: float = 1e-6,
    max_iter: int = 10_000,
    standardize: bool = True,
    l2_reg: float = 0.0,
    sample_weight: Any = None,
    start: Any = None,
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
    max_iter : int >= 1, default 10_000
    standardize : bool, default True
        Centre and scale the columns inside the pass; the result is in the units of X.
    l2_reg : float >= 0, default 0.0
        Adds ``l2_reg / 2 * sum(coef**2)``, in the units of X; the intercept is left out.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows.
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
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute holds the best point so far.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `time_limit` ends the fit.
    """
    began = time.perf_counter()
    options = Options(
        step_size=_check_step_size(step_size),
        accelerate=validation.check_option("momentum", momentum, MOMENTA) == "nesterov",
        tol=validation.check_number("tol", tol, low=0.0),
        max_iter=validation.check_whole("max_iter", max_iter, low=1),
        callback=_check_callback(callback),
        time_limit=_check_time_limit(time_limit),
    )
    l2_reg = validation.check_number("l2_reg", l2_reg, low=0.0)
    threads.thread_count(n_threads)
    array = validation.check_features(X)
    classes, codes = validation.encode_labels(y, array.shape[0])
    weights = validation.check_weights(sample_weight, array.shape[0], codes)
    positive = [1] if classes.size == 2 else range(classes.size)
    begin = _check_start(start, classes, array.shape[1])
    design = DenseDesign(array, n_threads=n_threads)
    objective = Objective(design, codes, positive, weights, l2_reg)
    _prepare(objective, standardize, validation.feature_names(X))
    outcome = solve_by_descent(objective, objective.from_user(*begin), options, began)
    return _conclude(objective, outcome, classes, options, began)


def fit(X: Any, y: Any, *, solver: str = "auto", **options: Any) -> FitResult:
    """Fit logistic regression.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place, never copied or changed.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings. More than two classes: one-vs-all.
    solver : {"auto", "gradient_descent"}, default "auto"
        "auto" is gradient descent with Nesterov's momentum; "gradient_descent" is plain unless
        ``momentum`` says otherwise.
    **options
        Those of `gradient_descent`.

    Returns
    -------
    FitResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    DivergenceError, KeyboardInterrupt
        As for `gradient_descent`.
    """
    if validation.check_option("solver", solver, SOLVERS) == "auto":
        options.setdefault("momentum", "nesterov")
    known = set(gradient_descent.__kwdefaults__ or ())
    for name in options:
        if name not in known:
            validation.check_option("the option name", name, sorted(known))
    return gradient_descent(X, y, **options)


def _prepare(objective: Objective, standardize: bool, names: list[str] | None) -> None:
    """Look at each value of X once, through its column means, and standardise if asked."""
    if not isinstance(standardize, bool | np.bool_):
        raise TypeError(f"standardize must be True or False, got {standardize!r}")
    if standardize:
        objective.standardize()
        fine = np.isfinite(objective.design.columns.center)
        fine &= np.isfinite(objective.design.columns.inverse_scale)
    else:
        fine = np.isfinite(objective.column_means())
    if fine.all():
        return
    validation.check_finite(objective.design.X, names)
    if standardize:
        column = int(np.argmin(fine))
        raise ValueError(
            f"X has values in column {column} so large that their mean or variance overflows; "
            "divide the column by its largest value first"
        )


def _conclude(
    objective: Objective, outcome: Outcome, classes: Any, options: Options, began: float
) -> FitResult:
    """Put the outcome in the user's units; warn or raise as the reason asks for."""
    if not np.isfinite(outcome.history[0]).all():
        raise ValueError(
            "the cost at the start is not finite; start from smaller coefficients, or from none"
        )
    stable = 1.0 / objective.curvature_bound() if outcome.reason == "diverged" else 0.0
    message = _message(outcome, options, stable)
    coef, intercept = objective.to_user(outcome.coef, outcome.intercept)
    binary = classes.size == 2
    result = FitResult(
        coef=coef[0] if binary else np.ascontiguousarray(coef.T),
        intercept=float(intercept[0]) if binary else intercept,
        classes=classes,
        n_iter=outcome.n_iter,
        n_passes=objective.design.n_passes,
        converged=outcome.reason == "converged",
        message=message,
        history=outcome.history[:, 0] if binary else outcome.history,
        gradient_norm=float(np.abs(outcome.gradient).max()),
        seconds=time.perf_counter() - began,
        solver="gradient_descent",
    )
    if outcome.reason == "diverged":
        raise DivergenceError(message, result)
    if outcome.reason == "interrupted":
        interrupt = KeyboardInterrupt(message)
        interrupt.result = result  # type: ignore[attr-defined]
        raise interrupt
    if outcome.reason in ("max_iter", "time_limit"):
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(message, ConvergenceWarning, stacklevel=_stack_level())
    return result


def _message(outcome: Outcome, options: Options, stable: float) -> str:
    if outcome.reason == "converged":
        return f"converged: no parameter moved by more than tol={options.tol:g}"
    if outcome.reason == "diverged":
        return (
            f"the cost grew at iteration {outcome.n_iter}: step_size={outcome.step_size:g} is too "
            f"large for these data; a step size of {stable:.3g} is stable (or step_size='auto')"
        )
    if outcome.reason == "max_iter":
        faster = "" if options.accelerate else ", or use momentum='nesterov'"
        return (
            f"gradient descent stopped at max_iter={options.max_iter} before it converged; raise "
            f"max_iter or tol{faster}"
        )
    if outcome.reason == "time_limit":
        return (
            f"gradient descent stopped after {outcome.n_iter} iterations at "
            f"time_limit={options.time_limit:g} s before it converged; raise time_limit or tol"
        )
    if outcome.reason == "callback":
        return f"stopped by the callback after {outcome.n_iter} iterations"
    return f"interrupted after {outcome.n_iter} iterations; the best point so far is in .result"


def _stack_level() -> int:
    """Return the stack level of the first frame outside the package, for the caller to warn."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _package(frame) == _package(sys._getframe(0)):
        level, frame = level + 1, frame.f_back
    return level


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _check_start(start: Any, classes: Any, n_features: int) -> tuple[Any, Any]:
    n_models = 1 if classes.size == 2 else classes.size
    if start is None:
        return np.zeros((n_models, n_features)), np.zeros(n_models)
    if isinstance(start, FitResult):
        if not np.array_equal(start.classes, classes):
            raise ValueError(f"start was fitted to other classes: {list(start.classes)}")
        coef, intercept = start.coef, start.intercept
    else:
        try:
            coef, intercept = start
        except (TypeError, ValueError):
            raise TypeError("start must be a FitResult or a pair (coef, intercept)") from None
    coefs, intercepts, _ = validation.check_coef(coef, intercept, n_features)
    if coefs.shape[0] != n_models:
        raise ValueError(f"start has {coefs.shape[0]} models, but y needs {n_models}")
    return coefs, intercepts


def _check_step_size(step_size: Any) -> float | None:
    if isinstance(step_size, str):
        validation.check_option("step_size", step_size, ["auto"])
        return None
    return validation.check_number("step_size", step_size, low=0.0, open_low=True)


def _check_time_limit(time_limit: Any) -> float | None:
    if time_limit is None:
        return None
    return validation.check_number("time_limit", time_limit, low=0.0, open_low=True)


def _check_callback(callback: Any) -> Callback | None:
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {type(callback).__name__}")
    return callback  # type: ignore[no-any-return]
