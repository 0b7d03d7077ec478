"""Coefficients along a grid of penalties: the regularisation path."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import ArrayLike, Floats, Integers, Labels, Mask, Matrix, Vector
from ..clock import Clock
from ..inputs.categories import Categories
from ..inputs.given import Data, Given, look
from ..inputs.values import n_dimensions
from ..objective.group_penalty import GroupL1
from ..options import check_category_options, check_number, check_option, check_whole
from ..result import Callback
from .grid import GridOptions, fit_grid
from .grid_result import GridResult
from .l1_grid import NEVER, FromNull, Stop, fit_l1_grid, has_corners
from .problem import check_time_limit

__all__ = ["PathResult", "grid_of_cs", "logistic_path"]

MULTI_CLASS = ("multinomial", "ovr")
# As many C as a path has unless the user says otherwise, without L1 and with it.
N_CS, N_CS_OF_L1 = 10, 100
# How many times the first C the last one of a path with L1 is: with more rows than columns, and
# else; and what ends it before. All as in glmnet (Friedman, Hastie and Tibshirani, 2010, Journal of
# Statistical Software 33).
C_RANGE, C_RANGE_WIDE = 1e4, 1e2
EXPLAINED, GAIN = 0.999, 1e-5


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
        Column names of a data frame, of categorical columns those of their levels.
    n_passes : float
        Passes over X, for all of the fits together.
    seconds : float
        Wall time, validation included.
    message : str
    l1_ratio : float
        The share of L1 in the penalty.
    deviance_explained : ndarray of shape (n_Cs,), or None
        Where there is L1: the share of the deviance of the intercept alone that a fit does away
        with, of its models together.
    C_null : float or None
        Where the path begins at it: the largest C at which all penalised coefficients are 0.
    penalty_groups : ndarray of shape (n_features,), or None
        Of a group lasso: the label of each column's group.
    categories : fastlogit.inputs.categories.Categories or None
        Of a frame with categorical columns: what the coefficients are of.
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
    l1_ratio: float = 0.0
    deviance_explained: Vector | None = None
    C_null: float | None = None
    penalty_groups: Labels | None = None
    categories: Categories | None = None

    @property
    def n_nonzero(self) -> Integers:
        """How many coefficients of each model are not 0, (n_Cs, n_models)."""
        return np.count_nonzero(self.coefs, axis=2)

    @property
    def group_lengths(self) -> Floats | None:
        """The length of each group's coefficients, (n_Cs, n_models, n_groups); 0 where left out.

        In the order of the sorted labels. A softmax is one model, whose lengths are over all
        classes. None without a group lasso.
        """
        if self.penalty_groups is None:
            return None
        n_outputs = self.coefs.shape[1]
        n_classes = n_outputs if self.multi_class == "multinomial" else 1
        each = GroupL1(0.0, self.penalty_groups, n_classes)
        found = each.lengths(self.coefs.reshape(-1, self.coefs.shape[2]))
        return found.reshape(len(self.coefs), -1, found.shape[1])


def logistic_path(
    X: ArrayLike,
    y: ArrayLike,
    Cs: ArrayLike = None,
    *,
    l1_ratio: float = 0.0,
    C_range: float | None = None,
    stop_explained: float | None = None,
    stop_gain: float | None = None,
    sample_weight: ArrayLike = None,
    multi_class: str = "multinomial",
    fit_intercept: bool = True,
    solver: str = "auto",
    tol: float = 1e-12,
    max_iter: int = 1000,
    offset: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
    penalty_groups: ArrayLike = None,
    group_weights: ArrayLike = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
    categories: str = "auto",
    handle_unknown: str = "error",
    interactions: Sequence[Sequence[str]] | None = None,
) -> PathResult:
    """Fit logistic regression for a grid of penalties in one computation.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place, never copied or changed. Categorical columns of a data
        frame are read as codes.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings.
    Cs : int or array-like of shape (n_Cs,), optional
        Inverse strengths of the penalty as in scikit-learn, infinity for none. Without L1 a whole
        number (10 by default) is that many of them between 1e-4 and 1e4, evenly spaced on a
        logarithmic scale. With L1 it is that many (100 by default) from the largest C on at which
        all penalised coefficients are 0, up to `C_range` times that.
    l1_ratio : float from 0 to 1, default 0
        The share of L1 in the penalty, as for `fastlogit.fit`: 1 is the lasso.
    C_range : float > 1, optional
        How many times the first C the last one is, where `Cs` is not given one by one: by default,
        as in glmnet, 10,000 with more rows than columns, else 100.
    stop_explained, stop_gain : float from 0 to 1, optional
        With L1 the path ends early once this share of the deviance is explained, or once a C
        explains less than this share more than the one before. By default 0.999 and 1e-5, as in
        glmnet, but never where `Cs` are given one by one. 1 and 0 are never.
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
    coef_bounds : pair (lower, upper), optional
        The least and the largest value of each coefficient, as for `fastlogit.fit`.
    penalty_groups, group_weights : optional
        Groups of columns that L1 holds together, and their weights, as for `fastlogit.fit`.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    callback : callable, optional
        Called with a `Progress`; returning True ends the computation.
    time_limit : float > 0, optional
        Seconds for the whole path.
    categories, handle_unknown, interactions
        As for `fastlogit.fit`; "auto" is "reference" where all `Cs` are infinite.

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
    l1_ratio = check_number("l1_ratio", l1_ratio, low=0.0, high=1.0)
    asked = {"C_range": C_range, "stop_explained": stop_explained, "stop_gain": stop_gain}
    if l1_ratio == 0.0:
        _refuse_without_l1(asked)
        values: Vector | FromNull = grid_of_cs(N_CS if Cs is None else Cs)
        stop = NEVER
    else:
        values, stop = _check_l1(Cs, **asked)
    clock = Clock(began, check_time_limit(time_limit))
    has_penalty = isinstance(values, FromNull) or bool(np.isfinite(values).any())
    coding = check_category_options(
        categories, handle_unknown, interactions, has_penalty=has_penalty
    )
    given = Given(
        X, y, sample_weight, offset, penalty_factor=penalty_factor, clock=clock,
        categories=coding, coef_bounds=coef_bounds,
    )  # fmt: skip
    data = look(given, multi_class, every_class=bool(fit_intercept))
    try:
        options = GridOptions(
            multi_class=multi_class, fit_intercept=fit_intercept, solver=solver, tol=tol,
            max_iter=max_iter, n_threads=n_threads, callback=callback, time_limit=time_limit,
            l1_ratio=l1_ratio, penalty_groups=penalty_groups, group_weights=group_weights,
        )  # fmt: skip
        if isinstance(values, FromNull):
            n_samples, n_features = data.rows.X.shape
            times = C_RANGE if n_samples > n_features else C_RANGE_WIDE
            values = FromNull(values.size, values.times or times)
        if has_corners(data, options):
            grid = fit_l1_grid(data, values, options=options, stop=stop)
        else:
            assert not isinstance(values, FromNull)
            grid = fit_grid(data, values, options=options)
    except KeyboardInterrupt as interrupt:
        best = getattr(interrupt, "result", None)
        if isinstance(best, GridResult):
            interrupt.result = _path_of(best, multi_class, data)  # type: ignore[attr-defined]
        raise
    return _path_of(grid, multi_class, data)


def _path_of(grid: GridResult, multi_class: str, data: Data) -> PathResult:
    """Return the one fold of a grid."""
    explained = grid.deviance_explained
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
        l1_ratio=grid.l1_ratio,
        deviance_explained=explained if explained is None else explained[0],
        C_null=grid.C_null,
        penalty_groups=grid.penalty_groups,
        categories=data.rows.categories,
    )


def _refuse_without_l1(asked: dict[str, float | None]) -> None:
    """Raise for what only a path with L1 has."""
    for name, value in asked.items():
        if value is not None:
            raise ValueError(f"{name}={value!r} is for paths with L1: give l1_ratio > 0 too")


def _check_l1(
    Cs: ArrayLike, C_range: object, stop_explained: object, stop_gain: object
) -> tuple[Vector | FromNull, Stop]:
    """Return the inverse strengths of a path with L1, or how many from where on, and its end."""
    is_whole = Cs is None or n_dimensions("Cs", Cs) == 0
    if C_range is not None and not is_whole:
        raise ValueError("give Cs one by one, or C_range with a whole number of Cs, not both")
    values: Vector | FromNull
    if is_whole:
        size = N_CS_OF_L1 if Cs is None else check_whole("Cs", Cs, low=1)
        values = FromNull(size, None if C_range is None else _check_range(C_range))
    else:
        values = grid_of_cs(Cs)
    explained, gain = (EXPLAINED, GAIN) if is_whole else (1.0, 0.0)
    if stop_explained is not None:
        explained = check_number("stop_explained", stop_explained, low=0.0, high=1.0)
    if stop_gain is not None:
        gain = check_number("stop_gain", stop_gain, low=0.0, high=1.0)
    return values, Stop(explained, gain) if (explained, gain) != (1.0, 0.0) else NEVER


def _check_range(C_range: object) -> float:
    return check_number("C_range", C_range, low=1.0, open_low=True)


def grid_of_cs(Cs: ArrayLike) -> Vector:
    """Return the inverse strengths as float64: those given, or so many between 1e-4 and 1e4.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers > 0 in one dimension.
    """
    if n_dimensions("Cs", Cs) == 0:
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
