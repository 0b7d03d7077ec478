"""Cost and gradient of given coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..arrays import Array, ArrayLike, Codes, Floats, Vector
from ..design.base import readonly
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.given import look_at_cost
from ..inputs.validation import NO_NUMBERS
from ..kernels.small import pieces
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from .coding import Coding, with_coding
from .evaluation import is_small
from .problem import Strengths, moderate_weights

__all__ = ["cost", "cost_gradient"]

FLOAT64 = np.dtype(np.float64)
# Number types of targets, by NumPy's letters.
PLAIN = "?bhilqBHILQfd"
# Weights that need no scaling: see `moderate_weights`.
MODERATE = 2.0**-8, 2.0**8


def cost(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
    categories: Coding = "auto",
    interactions: Sequence[Sequence[str]] | None = None,
) -> float | Vector:
    """Return the cost of given coefficients: mean binomial loss plus L2 penalty.

    With z = X @ coef + intercept the loss of a row is log(1 + e^z) - y z, computed without
    log(h) or e^z ever being formed.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place. Columns of a data frame may be categorical.
    y : array-like of shape (n_samples,) or (n_samples, n_models)
        0 and 1 (numbers or booleans); for all models, or for each its own.
    coef : array-like of shape (n_features,) or (n_features, n_models)
        Several models are evaluated in one pass over X.
    intercept : float or array-like of shape (n_models,), default 0.0
    l2_reg : float >= 0 or array-like of shape (n_features,), default 0.0
        Adds ``1/2 * sum(l2_reg * coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_models), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    offset : array-like of shape (n_samples,), optional
        Fixed part of z.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    categories : {"auto", "full", "reference"} or fastlogit.inputs.categories.Categories
        How categorical columns of a data frame are coded, by default as in `fit` ("auto": "full"
        where `l2_reg` is given). `coef` has a number for each level that occurs in X; or, with the
        `categories` of a fit, for each of that.
    interactions : sequence of pairs of str, optional
        Names of two categorical columns, as in `fit`.

    Returns
    -------
    float, or ndarray of shape (n_models,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    return cost_gradient(
        X, y, coef, intercept, l2_reg=l2_reg, sample_weight=sample_weight, offset=offset,
        n_threads=n_threads, categories=categories, interactions=interactions,
    )[0]  # fmt: skip


def cost_gradient(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
    categories: Coding = "auto",
    interactions: Sequence[Sequence[str]] | None = None,
) -> tuple[float | Vector, Floats, float | Vector]:
    """Return cost and gradient of given coefficients, in one pass over X.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place. Columns of a data frame may be categorical.
    y : array-like of shape (n_samples,) or (n_samples, n_models)
        0 and 1 (numbers or booleans); for all models, or for each its own.
    coef : array-like of shape (n_features,) or (n_features, n_models)
        Several models are evaluated in one pass over X.
    intercept : float or array-like of shape (n_models,), default 0.0
    l2_reg : float >= 0 or array-like of shape (n_features,), default 0.0
        Adds ``1/2 * sum(l2_reg * coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_models), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    offset : array-like of shape (n_samples,), optional
        Fixed part of z.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    categories : {"auto", "full", "reference"} or fastlogit.inputs.categories.Categories
        How categorical columns of a data frame are coded, by default as in `fit` ("auto": "full"
        where `l2_reg` is given). `coef` has a number for each level that occurs in X; or, with the
        `categories` of a fit, for each of that.
    interactions : sequence of pairs of str, optional
        Names of two categorical columns, as in `fit`.

    Returns
    -------
    cost : float, or ndarray of shape (n_models,)
    coef_gradient : ndarray of the shape of `coef`, float64
    intercept_gradient : float, or ndarray of shape (n_models,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    is_plain = n_threads is None and categories == "auto" and interactions is None
    if is_plain and type(X) is np.ndarray and type(coef) is np.ndarray:
        found = _of_small(X, y, coef, intercept, l2_reg, sample_weight, offset)
        if found is not None:
            return found
    has_penalty = Strengths().exist(l2_reg, None)
    X, coding = with_coding(X, categories, interactions, has_penalty=has_penalty)
    model, codes, weights, strengths = look_at_cost(
        X, y, coef, intercept, l2_reg, sample_weight, offset, coding
    )
    design = open_rows(model.rows.X, n_threads)
    moderate, _ = moderate_weights(weights)  # sums of losses times 1e300 would overflow
    values = model.rows.X
    if model.single and type(values) is np.ndarray and is_small(*values.shape):
        # As plain arrays go: all carriers, layouts and numbers of threads give the same bits.
        found = _by_kernel(
            np.require(values, np.float64, ["C", "A", "W"]), codes[0], readonly(moderate.ravel()),
            model.offset, np.zeros(values.shape[1]) + strengths, model.coef[0],
            float(model.intercept[0]),
        )  # fmt: skip
        if found is not None:
            return found
    rows = LabelledRows(design, Binomial(), codes, [1] * len(model.coef), moderate, model.offset)
    objective = Objective(rows, strengths)
    value, gradient, slope = objective.value_gradient(model.coef, model.intercept)
    if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
        validation.refuse_not_finite(design, model.rows.names)
    if model.single:
        return float(value[0]), gradient[0], float(slope[0])
    return value, np.ascontiguousarray(gradient.T), slope


def _of_small(
    X: Array, y: ArrayLike, coef: Array, intercept: object, l2_reg: ArrayLike,
    sample_weight: ArrayLike, offset: ArrayLike,
) -> tuple[float, Vector, float] | None:  # fmt: skip
    """Return cost and gradient by the small kernel; None where anything is out of the plain.

    That, errors included, is for the general way, which takes 20 times as long. What is not finite
    in X, coefficients, intercept or offset ends in a gradient that is not.
    """
    if not (
        X.ndim == 2
        and coef.dtype == FLOAT64
        and X.dtype == FLOAT64
        and X.flags.carray
        and 0 < X.size
        and is_small(*X.shape)
        and coef.shape == X.shape[1:]
        and coef.flags.carray
        and (type(intercept) is float or type(intercept) is np.float64)
    ):
        return None
    n_samples, n_features = X.shape
    codes = _codes01(y, n_samples)
    strengths = _strengths(l2_reg, n_features)
    weights = NO_NUMBERS if sample_weight is None else _plain_vector(sample_weight, n_samples)
    fixed = NO_NUMBERS if offset is None else _plain_vector(offset, n_samples)
    if codes is None or strengths is None or weights is None or fixed is None:
        return None
    if weights.size and not (weights.min() >= MODERATE[0] and weights.max() <= MODERATE[1]):
        return None
    return _by_kernel(X, codes, weights, fixed, strengths, coef, float(intercept))


def _by_kernel(
    X: Array, codes: Codes, weights: Vector, offset: Vector, l2_reg: Vector, coef: Array,
    intercept: float,
) -> tuple[float, Vector, float] | None:  # fmt: skip
    """Return cost and gradient of checked arrays by the small kernel; None if not all is finite."""
    n_samples, n_features = X.shape
    gradient = np.empty(n_features + 1)
    value = pieces.cost_gradient_small.serial(
        X, codes, 1, weights, offset, l2_reg, coef, intercept, np.empty(2 * n_samples), gradient
    )
    # A sum of them is not finite where one is not. So few that a list is the faster.
    if not (-math.inf < value < math.inf and -math.inf < sum(gradient.tolist()) < math.inf):
        return None
    return float(value), gradient[:n_features], float(gradient[n_features])


def _codes01(y: ArrayLike, n_samples: int) -> Codes | None:
    """Return labels that are 0 and 1 as such, or None."""
    if not (type(y) is np.ndarray and y.shape == (n_samples,) and y.dtype.char in PLAIN):
        return None
    if y.dtype.char == "?":
        is_one = np.ascontiguousarray(y)
    else:
        is_one = y == 1
        # What is not 0 is 1: so nothing is NaN, or another number.
        if np.count_nonzero(is_one) != np.count_nonzero(y):
            return None
    codes: Codes = is_one.view(np.uint8)
    codes.flags.writeable = False
    return codes


def _strengths(l2_reg: ArrayLike, n_features: int) -> Vector | None:
    """Return the strength of each column, >= 0 and finite, or None."""
    if type(l2_reg) is float:
        if not 0.0 <= l2_reg < math.inf:
            return None
        strengths = np.empty(n_features)
        strengths.fill(l2_reg)
        return strengths
    given = _plain_vector(l2_reg, n_features)
    return None if given is None or not (given.min() >= 0.0) else given.copy()


def _plain_vector(given: ArrayLike, size: int) -> Vector | None:
    """Return finite float64 numbers, so many, as read-only ones, or None."""
    if not (
        type(given) is np.ndarray
        and given.shape == (size,)
        and given.dtype == FLOAT64
        and given.flags.c_contiguous
        and given.flags.aligned
        and validation.all_finite(given)
    ):
        return None
    view = given.view()
    view.flags.writeable = False
    return view
