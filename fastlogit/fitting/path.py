"""Coefficients along a grid of penalties: the regularisation path."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..arrays import ArrayLike, Floats, Integers, Labels, Mask, Matrix, Vector
from ..clock import Clock
from ..inputs.given import Data, Given, look
from ..options import check_option, check_whole
from ..result import Callback
from .grid import GridOptions, GridResult, fit_grid
from .problem import check_time_limit

__all__ = ["PathResult", "grid_of_cs", "logistic_path"]

MULTI_CLASS = ("multinomial", "ovr")


@dataclass(frozen=True, eq=False)
class PathResult:
    """Fits of the same rows under penalties of different strength.

    Attributes
    ----------
    Cs : ndarray of shape (n_Cs,)
        Inverse strengths in the order in which they were given.
    coefs : ndarray of shape (n_Cs, n_models, n_features)
        Coefficients in the units of X; n_models is 1 for two classes, else n_classes.
    intercepts : ndarray of shape (n_Cs, n_models)
    n_iter : ndarray of shape (n_Cs, n_models), int
    converged : ndarray of shape (n_Cs,), bool
    suboptimality : ndarray of shape (n_Cs,)
        Proven bound on (cost - optimum) / optimum of each fit, of its worst model.
    classes : ndarray of shape (n_classes,)
        The sorted labels. With two classes the probability is that of the second.
    multi_class : {"multinomial", "ovr"}
    feature_names : list of str or None
        Column names of a data frame.
    n_passes : float
        Passes over X, for all of the fits together.
    seconds : float
        Wall time, validation included.
    message : str
    """

    Cs: Vector
    coefs: Floats
    intercepts: Matrix
    n_iter: Integers
    converged: Mask
    suboptimality: Vector
    classes: Labels
    multi_class: str
    feature_names: list[str] | None
    n_passes: float
    seconds: float
    message: str


def logistic_path(
    X: ArrayLike,
    y: ArrayLike,
    Cs: ArrayLike = 10,
    *,
    sample_weight: ArrayLike = None,
    multi_class: str = "multinomial",
    fit_intercept: bool = True,
    solver: str = "auto",
    tol: float = 1e-12,
    max_iter: int = 1000,
    offset: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> PathResult:
    """Fit logistic regression for a grid of penalties in one computation.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place, never copied or changed.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings.
    Cs : int or array-like of shape (n_Cs,), default 10
        Inverse strengths of the L2 penalty as in scikit-learn, infinity for none; a whole number is
        that many of them between 1e-4 and 1e4, evenly spaced on a logarithmic scale.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows.
    multi_class : {"multinomial", "ovr"}, default "multinomial"
        For more than two classes: softmax, or each class against the others.
    fit_intercept : bool, default True
    solver : str, default "auto"
        As for `fastlogit.fit`.
    tol : float >= 0, default 1e-12
        Bound on (cost - optimum) / optimum that each fit must be proven to have.
    max_iter : int >= 0, default 1000
        Most iterations for each C.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    penalty_factor : array-like of shape (n_features,), optional
        Multiplies the penalty of each column; 0 is a column without one.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    callback : callable, optional
        Called with a `Progress`; returning True ends the computation.
    time_limit : float > 0, optional
        Seconds for the whole path.

    Returns
    -------
    PathResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `PathResult` with the best points so far.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If any of the fits ended above `tol`.
    """
    began = time.perf_counter()
    multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
    values = grid_of_cs(Cs)
    clock = Clock(began, check_time_limit(time_limit))
    given = Given(X, y, sample_weight, offset, penalty_factor=penalty_factor, clock=clock)
    data = look(given, multi_class, every_class=bool(fit_intercept))
    try:
        options = GridOptions(
            multi_class=multi_class, fit_intercept=fit_intercept, solver=solver, tol=tol,
            max_iter=max_iter, n_threads=n_threads, callback=callback, time_limit=time_limit,
        )  # fmt: skip
        grid = fit_grid(data, values, options=options)
    except KeyboardInterrupt as interrupt:
        best = getattr(interrupt, "result", None)
        if isinstance(best, GridResult):
            interrupt.result = _path_of(best, multi_class, data)  # type: ignore[attr-defined]
        raise
    return _path_of(grid, multi_class, data)


def _path_of(grid: GridResult, multi_class: str, data: Data) -> PathResult:
    """Return the one fold of a grid."""
    return PathResult(
        Cs=grid.Cs,
        coefs=grid.coef[0],
        intercepts=grid.intercept[0],
        n_iter=grid.n_iter[0],
        converged=grid.converged[0],
        suboptimality=grid.suboptimality[0],
        classes=grid.classes,
        multi_class=multi_class,
        feature_names=data.rows.names,
        n_passes=grid.n_passes,
        seconds=grid.seconds,
        message=grid.message,
    )


def grid_of_cs(Cs: ArrayLike) -> Vector:
    """Return the inverse strengths as float64: those given, or so many between 1e-4 and 1e4.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers > 0 in one dimension.
    """
    if np.ndim(Cs) == 0:  # type: ignore[arg-type]  # of anything
        return np.logspace(-4, 4, check_whole("Cs", Cs, low=1))
    values = np.asarray(Cs)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"Cs must hold numbers, got dtype {values.dtype}")
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"Cs must have shape (n_Cs,) with n_Cs >= 1, found {values.shape}")
    if not (values > 0).all():
        raise ValueError(
            f"Cs must be > 0, found {values[~(values > 0)][0]!s}; infinity is no penalty"
        )
    return values.astype(np.float64)
