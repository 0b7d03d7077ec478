"""Many fits to the same rows: folds that weigh the rows, times strengths of the penalty."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import validation
from .fitting import fit
from .result import Callback, FitResult

__all__ = ["GridResult", "fit_grid"]

# What is left of a time limit that has passed: each fit still gives the point it starts from.
NO_TIME = 1e-9


@dataclass(frozen=True, eq=False)
class GridResult:
    """Fits of a grid of folds and penalties.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted labels.
    Cs : ndarray of shape (n_Cs,)
        Inverse strengths in the order in which they were given.
    coef : ndarray of shape (n_folds, n_Cs, n_models, n_features)
        Coefficients in the units of X; n_models is 1 for two classes, else n_classes.
    intercept : ndarray of shape (n_folds, n_Cs, n_models)
    n_iter : ndarray of shape (n_folds, n_Cs, n_models), int
    converged : ndarray of shape (n_folds, n_Cs), bool
    suboptimality : ndarray of shape (n_folds, n_Cs)
        Proven bound on (cost - optimum) / optimum, of the worst model.
    n_passes : float
        Passes over X, all of them.
    seconds : float
    message : str
        How many fits of the grid converged.
    """

    classes: np.ndarray[Any, Any]
    Cs: np.ndarray[Any, np.dtype[np.float64]]
    coef: np.ndarray[Any, np.dtype[np.float64]]
    intercept: np.ndarray[Any, np.dtype[np.float64]]
    n_iter: np.ndarray[Any, np.dtype[np.int64]]
    converged: np.ndarray[Any, np.dtype[np.bool_]]
    suboptimality: np.ndarray[Any, np.dtype[np.float64]]
    n_passes: float
    seconds: float
    message: str


def fit_grid(
    X: Any,
    y: Any,
    Cs: Any,
    *,
    fold_weights: Any = None,
    sample_weight: Any = None,
    multi_class: str = "multinomial",
    fit_intercept: bool = True,
    solver: str = "auto",
    tol: float = 1e-12,
    max_iter: int = 1000,
    offset: Any = None,
    penalty_factor: Any = None,
    start: Any = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> GridResult:
    """Fit logistic regression for each fold and each strength of the penalty.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place, never copied.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings.
    Cs : array-like of shape (n_Cs,)
        Inverse strengths as in scikit-learn, > 0; infinity is no penalty.
    fold_weights : array-like of shape (n_folds, n_samples), optional
        Numbers >= 0 that multiply the sample weights, 0 for the rows that a fold leaves out. None
        is one fold of all rows. Every class must be in every fold.
    sample_weight : array-like of shape (n_samples,), optional
        One-vs-all: (n_samples, n_classes) too, a column for each class.
    multi_class : {"multinomial", "ovr"}, default "multinomial"
    fit_intercept : bool, default True
    solver : str, default "auto"
    tol : float >= 0, default 1e-12
        Bound on (cost - optimum) / optimum that each fit must be proven to have.
    max_iter : int >= 1, default 1000
        Most iterations of each fit.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    penalty_factor : array-like of shape (n_features,), optional
        Multiplies the penalty of each column.
    start : FitResult or (coef, intercept), optional
        Where each fold begins.
    n_threads : int, optional
    callback : callable, optional
        Called with a `Progress`; returning True ends the fit that is running.
    time_limit : float > 0, optional
        Seconds for the whole grid.

    Returns
    -------
    GridResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, if any fit ended above `tol`.
    """
    began = time.perf_counter()
    strengths = _check_cs(Cs)
    n_samples = np.shape(X)[0]
    classes, _ = validation.encode_labels(y, n_samples)
    folds = _weights_of_folds(fold_weights, sample_weight, n_samples)
    options: dict[str, Any] = {
        "intercept": "fit" if fit_intercept else None,
        "solver": solver, "tol": tol, "max_iter": max_iter, "offset": offset,
        "n_threads": n_threads, "callback": callback,
    }  # fmt: skip
    if penalty_factor is not None:
        options["penalty_factor"] = penalty_factor
    if classes.size > 2:
        options["multi_class"] = multi_class
    rows = []
    for weights in folds:
        end = math.inf if time_limit is None else began + time_limit
        rows.append(_fit_path(X, y, strengths, weights, start, end, options))
    return _collect(rows, classes, strengths, time.perf_counter() - began)


def _fit_path(
    X: Any, y: Any, Cs: Any, weights: Any, start: Any, end: float, options: dict[str, Any]
) -> list[FitResult]:
    """Fit one fold from the strongest penalty to the weakest, each from the one before."""
    from sklearn.exceptions import ConvergenceWarning

    results: list[Any] = [None] * len(Cs)
    for index in np.argsort(Cs, kind="stable"):
        left = None if end == math.inf else max(end - time.perf_counter(), NO_TIME)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = results[index] = fit(
                X, y, C=float(Cs[index]), sample_weight=weights, start=start, time_limit=left,
                **options,
            )  # fmt: skip
    return results


def _collect(rows: list[list[FitResult]], classes: Any, Cs: Any, seconds: float) -> GridResult:
    from sklearn.exceptions import ConvergenceWarning

    def table(read: Any) -> Any:
        return np.array([[read(result) for result in row] for row in rows])

    intercept = table(lambda result: np.atleast_1d(result.intercept))
    converged = table(lambda result: result.converged)
    message = f"{int(converged.sum())} of {converged.size} fits converged"
    if not converged.all():
        message += "; raise max_iter, time_limit or tol"
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    n_iter = table(lambda result: result.n_iter)
    return GridResult(
        classes=classes,
        Cs=Cs,
        coef=table(lambda result: np.atleast_2d(result.coef.T)),
        intercept=intercept,
        n_iter=np.repeat(n_iter[:, :, None], intercept.shape[2], axis=2),
        converged=converged,
        suboptimality=table(lambda result: np.max(result.suboptimality)),
        n_passes=sum(result.n_passes for row in rows for result in row),
        seconds=seconds,
        message=message,
    )


def _check_cs(Cs: Any) -> Any:
    values = np.asarray(Cs, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"Cs must have shape (n_Cs,) with n_Cs >= 1, found {values.shape}")
    if not (values > 0.0).all():
        raise ValueError(f"Cs must be > 0, found {values[~(values > 0.0)][0]}")
    return values


def _weights_of_folds(fold_weights: Any, sample_weight: Any, n_samples: int) -> list[Any]:
    if fold_weights is None:
        return [sample_weight]
    folds = np.asarray(fold_weights)
    if folds.ndim != 2 or folds.shape[1] != n_samples:
        raise ValueError(
            f"fold_weights has shape {folds.shape}, but X has {n_samples} rows: it must be "
            f"(n_folds, {n_samples})"
        )
    own = 1.0 if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shape = (-1, 1) if np.ndim(own) == 2 else (-1,)
    return [fold.reshape(shape) * own for fold in folds]
