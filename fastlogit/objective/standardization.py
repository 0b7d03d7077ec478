"""Centre and scale of the columns, as their curvature and their rounding errors ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Indices, Vector
from ..design.base import Columns

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows
    from .objective import Objective

__all__ = ["standardize"]

# Columns whose standard deviation is below this share of their mean, or so small or large that its
# square is near the ends of float64, are looked at value by value.
FINE = 1e-10
SMALLEST, LARGEST = 1e-140, 1e140
# Beyond these coefficients, or sums over the rows, would leave float64.
TOO_SMALL, TOO_LARGE = 1e-304, 1e302
LEAST_PRODUCT = 1e-300


def standardize(objective: Objective, stride: int = 1) -> bool:
    """Centre the columns and scale them so that all have the same curvature: one or two passes.

    The scale is sqrt(variance + 4 l2), l2 the diagonal of the penalty's Hessian: the bound of
    each column's curvature, loss and penalty together, is then 1/4. Columns that do not vary
    get inverse scale 0, and those whose variance is not finite NaN. Where the intercept is not
    fitted the centre is 0, since a shift of the columns would be one of the intercept.

    What is centred by algebra is not where the mean is far from 0: `Design.most_centred`. Its scale
    is that of the mean square then.

    With a `stride` the rows looked at are every `stride`-th; nothing is done, and False
    returned, where a column does not vary among them.
    """
    rows = objective.rows.subsample(stride) if stride > 1 else objective.rows
    found = rows.first_look()
    if found is None:
        center, spread = _two_looks(rows)
    else:
        center, spread = found.shift + found.means, np.sqrt(found.variances)
        if not objective.fit_intercept:
            center, spread = np.zeros_like(center), np.hypot(center, spread)
    with np.errstate(over="ignore", invalid="ignore"):
        usual = (spread > FINE * np.abs(center)) & (spread > SMALLEST) & (spread < LARGEST)
    if not usual.all():
        if stride > 1:
            return False
        _look_again(objective, np.flatnonzero(~usual), center, spread)
        share = objective.rows.least_weight_share()
        if share is not None:
            # Rows of tiny weight times columns of tiny size: their products vanish.
            spread[(spread > 0.0) & (spread < LEAST_PRODUCT / np.sqrt(share))] = np.nan
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        far = (np.abs(center) > objective.design.most_centred * spread) & (spread > 0.0)
        spread[far], center[far] = np.hypot(spread[far], center[far]), 0.0
        scales = np.hypot(spread, 2.0 * np.sqrt(objective.user_penalty.diagonal().min(axis=0)))
        inverse_scale = np.where(spread > 0.0, 1.0 / scales, 0.0)
    inverse_scale[~((spread < TOO_LARGE) & ((spread == 0.0) | (spread > TOO_SMALL)))] = np.nan
    objective.take_columns(Columns(center, inverse_scale))
    if found is not None and stride == 1:
        objective.design.known_products = found.known_products(center, inverse_scale)
    return True


def _two_looks(rows: LabelledRows) -> tuple[Vector, Vector]:
    """Return centres and standard deviations by a pass for each."""
    means = rows.column_means()
    center = means if rows.fit_intercept else np.zeros_like(means)
    with np.errstate(over="ignore", invalid="ignore"):
        around = rows.standardized(Columns(center, np.ones_like(means)))
        return center, np.sqrt(around.column_variances())


def _look_again(objective: Objective, columns: Indices, center: Vector, spread: Vector) -> None:
    """Set centre and standard deviation of columns of odd size, or nearly constant ones.

    The values themselves say whether a column varies, and a power of two is taken out before
    they are squared. A column of weight 0 counts as one that does not vary.
    """
    weights = objective.rows.common_weights()
    zeros = columns[(center[columns] == 0.0) & (spread[columns] == 0.0)]
    if zeros.size and _are_zero(objective, zeros):
        columns = np.setdiff1d(columns, zeros)
    used = weights > 0.0 if weights.size else slice(None)
    for column in columns:
        values = np.asarray(objective.design.column(int(column)), dtype=np.float64)
        # Of rows without weight too: zero times NaN is NaN in every sum.
        if not np.isfinite(values).all():
            spread[column] = np.nan
            continue
        values = values[used]
        low, high = float(values.min()), float(values.max())
        if objective.fit_intercept and low == high:
            center[column], spread[column] = low, 0.0
            continue
        # Half of each: their difference may overflow.
        reach = 0.5 * high - 0.5 * low if objective.fit_intercept else max(abs(low), abs(high))
        if reach == 0.0:
            center[column], spread[column] = low, 0.0
            continue
        _, power = np.frexp(reach)
        first = float(values[0]) if objective.fit_intercept else 0.0
        # Subnormal numbers need two steps.
        half = -int(power) // 2
        parts = np.ldexp(np.ldexp(0.5 * values - 0.5 * first, half), -int(power) - half)
        shares = weights[used] if weights.size else None
        mean = float(np.average(parts, weights=shares)) if objective.fit_intercept else 0.0
        center[column] = first + 2.0 * float(np.ldexp(mean, power))
        square = float(np.average(np.square(parts - mean), weights=shares))
        with np.errstate(over="ignore"):
            spread[column] = 2.0 * float(np.ldexp(np.sqrt(square), power))


def _are_zero(objective: Objective, columns: Indices) -> bool:
    """Say whether columns hold nothing but 0, also where their squares would underflow."""
    n_features = objective.design.shape[1]
    inverse_scale, coef = np.zeros(n_features), np.zeros((1, n_features))
    inverse_scale[columns] = 2.0**600
    coef[0, columns] = np.random.default_rng(0).uniform(1.0, 2.0, columns.size)
    plain = objective.design.standardized(Columns(np.zeros(n_features), inverse_scale))
    return not plain.raw_prediction(coef, np.zeros(1)).any()
