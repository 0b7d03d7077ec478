"""The fit without each unit in turn, a row or a cluster of rows, by one Newton step for each.

At the optimum the gradients of all units add up to zero. Without a unit the gradient is minus its
own part, the Hessian that of the others, and the optimum about one Newton step away (Pregibon,
1981, Annals of Statistics 9; for clusters Preisser and Qaqish, 1996, Biometrika 83). What the step
leaves out is of second order in the leverage of the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import Codes, Floats, Integers, Matrix, Vector
from ..elementwise import sigmoid

__all__ = ["Jackknife", "Sampled"]

# Hessians of so many numbers are solved at once, 16 MB.
MOST_NUMBERS = 2_000_000
# A unit whose leverage comes nearer to 1 has a direction to itself.
NEAREST = 1e-9


class Sampled(NamedTuple):
    """The rows of a fit of two classes, each of positive weight, and what it found.

    Weights and offset may be empty; `of_row` is the unit of each row.
    """

    X: Matrix
    codes: Codes
    weights: Vector
    offset: Vector
    of_row: Integers
    n_units: int
    coef: Vector
    intercept: float


class Jackknife:
    """Coefficients and intercept without each unit; computed when they are first asked for.

    Parameters
    ----------
    models : sequence of Sampled
        The model of two classes, or each of one-vs-all.
    l2_reg : ndarray of shape (n_features,)
        The penalty on the scale of the mean loss.
    by_weight : bool
        Whether the penalty stays as it is on the scale of the sum of the losses (a fixed C), or on
        that of their mean.
    fit_intercept : bool
    """

    def __init__(
        self, models: Sequence[Sampled], l2_reg: Vector, by_weight: bool, fit_intercept: bool
    ) -> None:
        self._models, self._l2_reg = list(models), l2_reg
        self._by_weight, self._fit_intercept = by_weight, fit_intercept

    @cached_property
    def parameters(self) -> Floats:
        """Coefficients and, last, intercept without each unit.

        Of shape (n_units, n_features + 1), with several models (n_units, n_features + 1, n_models).
        """
        found = [self._of_model(model) for model in self._models]
        return found[0] if len(found) == 1 else np.stack(found, axis=2)

    def _of_model(self, rows: Sampled) -> Matrix:
        fitted_at, has_level = np.append(rows.coef, rows.intercept), self._fit_intercept
        weights = rows.weights if rows.weights.size else np.ones(len(rows.codes))
        total = weights.sum()
        share = weights / total
        center = share @ rows.X if has_level else np.zeros(rows.X.shape[1])
        # Columns of any size are squared.
        largest = np.abs(rows.X - center).max(axis=0)
        unit = np.where(largest > 0.0, largest, 1.0)
        spread = unit * np.sqrt(share @ ((rows.X - center) / unit) ** 2)
        used = spread > 1e-10 * np.abs(center)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=used)
        Z = (rows.X[:, used] - center[used]) * scale[used]
        penalty = total * self._l2_reg[used] * scale[used] ** 2
        pull = penalty * rows.coef[used] / scale[used]
        if has_level:
            Z = np.column_stack([Z, np.ones(len(Z))])
            penalty, pull = np.append(penalty, 0.0), np.append(pull, 0.0)
        raw = rows.X @ rows.coef + rows.intercept
        proba = sigmoid(raw + rows.offset if rows.offset.size else raw)
        share = np.zeros(len(pull)) if self._by_weight else pull / total
        parts = (weights * (proba - rows.codes))[:, None] * Z + np.multiply.outer(weights, share)
        curvature = weights * proba * sigmoid(-raw - (rows.offset if rows.offset.size else 0.0))
        hessian = (Z * curvature[:, None]).T @ Z + np.diag(penalty)
        if rows.n_units == len(Z):
            steps = _without_rows(Z, parts, curvature, hessian)
        else:
            steps = _without_clusters(Z, parts, curvature, hessian, rows)
        moved = np.zeros((len(steps), len(fitted_at)))
        slopes = int(used.sum())
        moved[:, :-1][:, used] = steps[:, :slopes] * scale[used]
        if has_level:
            moved[:, -1] = steps[:, -1] - moved[:, :-1] @ center
        return fitted_at + moved

    def __getstate__(self) -> dict[str, object]:
        """Return what is kept of it: the numbers, not the rows."""
        return {
            "parameters": self.parameters, "_models": [], "_l2_reg": self._l2_reg,
            "_by_weight": self._by_weight, "_fit_intercept": self._fit_intercept,
        }  # fmt: skip


def _without_rows(Z: Matrix, parts: Matrix, curvature: Vector, hessian: Matrix) -> Matrix:
    """Return the step without each row, (n_samples, n_parameters): a change of rank one."""
    solved = np.linalg.solve(hessian, np.hstack([parts.T, Z.T]))
    steps, directions = solved[:, : len(Z)].T, solved[:, len(Z) :].T
    left = 1.0 - curvature * np.einsum("ij,ij->i", Z, directions)
    along = curvature * np.einsum("ij,ij->i", Z, steps) / np.maximum(left, NEAREST)
    return steps + along[:, None] * directions


def _without_clusters(
    Z: Matrix, parts: Matrix, curvature: Vector, hessian: Matrix, rows: Sampled
) -> Matrix:
    """Return the step without each cluster, (n_units, n_parameters)."""
    size = Z.shape[1]
    order = np.argsort(rows.of_row, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows.of_row, minlength=rows.n_units))])
    found: Floats = np.add.reduceat(parts[order], starts[:-1], axis=0)
    at_once = max(1, MOST_NUMBERS // size**2)
    for first in range(0, rows.n_units, at_once):
        last = min(first + at_once, rows.n_units)
        left = np.repeat(hessian[None], last - first, axis=0)
        for unit in range(first, last):
            own = order[starts[unit] : starts[unit + 1]]
            left[unit - first] -= (Z[own] * curvature[own, None]).T @ Z[own]
        # A cluster without which columns depend on each other moves along the rest.
        least = np.linalg.eigvalsh(left)[:, 0]
        poor = least < NEAREST * np.trace(hessian) / size
        left[poor] = hessian
        found[first:last] = np.linalg.solve(left, found[first:last, :, None])[..., 0]
    return found
