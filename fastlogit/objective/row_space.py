"""The same cost in the space of the rows, where these are fewer than the columns.

With an L2 penalty on each column the optimum is a combination of the rows: what is orthogonal to
all of them, in the norm of the penalty, changes no prediction and costs. With the centred rows over
the roots of the strengths, Z (n_samples, n_features), and Z Z' = L L', L lower triangular, the rows
of Q = L^-1 Z are orthonormal, coefficients times the roots of the strengths are Q' u, the raw
predictions are Z Q' u = L u, and the penalty is that of u. So the cost is that of the rows of L, of
n_samples columns in the place of n_features, with the same classes, weights, offsets, intercept: a
problem as any other (Hastie and Tibshirani, 2004, Biostatistics 5). X is read for Z Z', and for the
coefficients Z' a with L' a = u, which is stable, since L' is solved by substitution. Q is never
formed, nor are products of L with itself: Hessians are inverted by way of Z Z' (Woodbury, 1950).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.base import Columns, CounterElsewhere, Design, as_they_are
from ..design.dense import DenseDesign
from ..kernels.few_rows import fit_few_rows
from ..kernels.passes import BINOMIAL
from ..linalg.factors import FACTOR_NS, Factor
from .objective import Objective
from .penalties import L2
from .row_state import RowCurvature

__all__ = [
    "RowProducts",
    "RowSpaceHessian",
    "RowSpaceObjective",
    "products_of_rows",
    "row_space_of",
]

# Share of the largest diagonal element of Z Z' that is added to all of them: a multiple of its
# rounding errors, above which each pivot of its factor stays.
RIDGE = 2.0**-48
# What this adds to the Hessian may be so small a share of the penalty; else the penalty is too weak
# for Z Z' to hold what matters.
WEAK = 1e-3
# Strengths of several models are the same but for a factor: up to this share.
ALIKE = 1e-12


class RowProducts:
    """Z Z' of an objective: all that one compiled fit from 0 asks for.

    Parameters
    ----------
    whole : Objective
    roots : ndarray of shape (n_features,)
        1 over the root of each column's strength, in the units of X; 0 for one that does not vary.
    factors : ndarray of shape (n_sets,)
        What the strengths of each set are multiplied by.
    gram : ndarray of shape (n_samples, n_samples)
        Z Z'.
    """

    def __init__(self, whole: Objective, roots: Vector, factors: Vector, gram: Matrix) -> None:
        self.whole, self.roots, self.factors, self.gram = whole, roots, factors, gram
        self.largest_rows: Vector = float(gram.diagonal().max()) / factors

    def space(self) -> RowSpaceObjective:
        """Return the objective in the space of the rows; it changes Z Z' in place."""
        return RowSpaceObjective(self.whole, self.roots, self.factors, self.gram)

    def compiled(self, level: float, tol: float, max_iter: int) -> tuple[Matrix, Vector] | None:
        """Minimise the cost of one binomial model from coefficients of 0, without a proof.

        Takes the intercept of the start. Returns theta of the whole objective and the costs, of the
        start and of each iteration; None for other losses, and where `tol` is out of reach.
        """
        if not _is_plain(self.whole):
            return None
        shares, costs = np.zeros(len(self.gram)), np.empty(max_iter + 1)
        n_iter, level, met = fit_few_rows.serial(
            self.gram, self.whole.rows.table(), float(self.factors[0]), level,
            self.whole.fit_intercept, tol, shares, costs,
        )  # fmt: skip
        if not met:
            return None
        coef = _of_shares(self.whole, self.roots, shares[None])
        return self.whole.join(coef, np.array([level])), costs[: n_iter + 1]


def _is_plain(objective: Objective) -> bool:
    return objective.n_models == 1 and objective.loss.kernel == BINOMIAL


def _of_shares(whole: Objective, roots: Vector, shares: Matrix) -> Matrix:
    """Return the standardised coefficients Z' a, one over the roots of the strengths: one pass."""
    center, own = whole.design.columns
    sums, _ = whole.design.standardized(Columns(center, roots)).transposed_product(shares)
    return sums * np.divide(roots, own, out=np.zeros_like(own), where=own > 0.0)


class RowSpaceObjective(Objective):
    """The cost of another objective as that of as many columns as there are rows.

    Its rows hold numbers of each row of X, as any design does, and nobody outside sees them.

    Parameters
    ----------
    whole : Objective
    roots : ndarray of shape (n_features,)
        1 over the root of each column's strength, in the units of X; 0 for one that does not vary.
    factors : ndarray of shape (n_sets,)
        What the strengths of each set are multiplied by.
    gram : ndarray of shape (n_samples, n_samples)
        Z Z'.
    """

    def __init__(self, whole: Objective, roots: Vector, factors: Vector, gram: Matrix) -> None:
        n_samples = len(gram)
        gram.flat[:: n_samples + 1] += RIDGE * gram.diagonal().max()
        whole.design.counter.check(1e-9 * FACTOR_NS * n_samples**3 / 3.0)
        self._whole, self._gram = whole, gram
        self._factor = Factor(gram, 0.0, whole.design.n_threads)
        self._roots = roots
        counter = CounterElsewhere(whole.design.counter)
        lower = DenseDesign(self._factor.lower, n_threads=whole.design.n_threads, counter=counter)
        super().__init__(whole.rows.over(lower), np.repeat(factors[:, None], n_samples, axis=1))
        self.standardize()

    def only(self, models: Indices | Sequence[int]) -> Self:
        """Return the cost of some of the models alone (an index array)."""
        part = super().only(models)
        part._whole = self._whole.only(models)
        return part

    def inverse_at(self, curvature: RowCurvature, model: int) -> RowSpaceHessian:
        """Return the Hessian of a model of one output, factored, from its row curvatures."""
        self.design.counter.check(1e-9 * FACTOR_NS * len(self._gram) ** 3 / 3.0)
        roots = np.sqrt(curvature.values[0] / self.rows.total_weight[model])
        strengths = self.user_penalty.diagonal()
        strength = float(strengths[min(model, len(strengths) - 1), 0])
        return RowSpaceHessian(self.design, self._gram, roots, strength, self.fit_intercept)

    def to_user(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts in the units of X: one pass over X."""
        return self._whole.to_user(*self._lifted(coef, intercept))

    def compiled(
        self, theta: Matrix, tol: float, max_iter: int
    ) -> tuple[Matrix, Vector, bool] | None:
        """Minimise the cost of one binomial model from theta in one call, without a proof.

        Returns where that came to, the costs of the start and of each iteration, and whether the
        gradient is as small as `tol` asks; None for other losses.
        """
        if not _is_plain(self):
            return None
        coordinates, levels = super().to_user(*self.split(theta))
        strength = float(self.user_penalty.diagonal()[0, 0])
        shares, costs = self._factor.solve_transposed(coordinates)[0], np.empty(max_iter + 1)
        n_iter, level, met = fit_few_rows.serial(
            self._gram, self.rows.table(), strength, float(levels[0]), self.fit_intercept, tol,
            shares, costs,
        )  # fmt: skip
        plain = self.design.standardized(as_they_are(len(shares)))
        reached, _ = plain.transposed_product(shares[None])
        found = self.join(*self.from_user(reached, np.array([level])))
        return found, costs[: n_iter + 1], met

    def lift(self, theta: Matrix) -> Matrix:
        """Return theta of the objective that this stands for: one pass over X."""
        return self._whole.join(*self._lifted(*self.split(theta)))

    def _lifted(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        coordinates, levels = super().to_user(coef, intercept)
        shares = self._factor.solve_transposed(coordinates)
        return _of_shares(self._whole, self._roots, shares), levels

    def project(self, theta: Matrix) -> Matrix:
        """Return the nearest theta, from one of the objective that this stands for: one pass.

        It predicts the same for each row, and has no larger a penalty.
        """
        coef, levels = self._whole.split(theta)
        coordinates = np.zeros((len(coef), self.design.shape[0]))
        if coef.any():
            raw = self._whole.design.raw_prediction(np.ascontiguousarray(coef), np.zeros(len(coef)))
            coordinates = self._factor.half_solve(raw)
        return self.join(*self.from_user(coordinates, levels))


class RowSpaceHessian:
    """The Hessian of one model in the space of the rows, which solves equations.

    With C the diagonal matrix of the row curvatures over the weight of all rows, and the strength f
    of the penalty, that of the coordinates is f I + L' C L, and its inverse needs a factor of
    M = I + C^1/2 Z Z' C^1/2 / f alone. So no product of L with itself is made, which takes three
    times as long as a factor. The intercept has no penalty and is eliminated.

    Parameters
    ----------
    design : Design
        The rows of L, standardised.
    gram : ndarray of shape (n_samples, n_samples)
        Z Z'.
    roots : ndarray of shape (n_samples,)
        The diagonal of C^1/2.
    strength : float
    fit_intercept : bool
    """

    def __init__(
        self, design: Design, gram: Matrix, roots: Vector, strength: float, fit_intercept: bool
    ) -> None:
        self._columns, self._roots, self._strength = design.columns, roots, strength
        self._design = design.standardized(as_they_are(len(gram)))
        inner = gram * (roots / strength)
        inner *= roots[:, None]
        inner.flat[:: len(inner) + 1] += 1.0
        self._factor = Factor(inner, 0.0, design.n_threads, inner)
        # M^-1 C^1/2 1, and the curvature that is left of the intercept.
        self._level = self._factor.solve(roots[None]) if fit_intercept else np.zeros((1, len(gram)))
        left = float(self._level[0] @ roots)
        self._inverse_left = 1.0 / left if left > 0.0 else 0.0

    def solve(self, vector: Vector) -> Vector:
        """Return the inverse times a vector in the parameters of theta."""
        center, inverse_scale = self._columns
        varies = inverse_scale > 0.0
        slopes = np.divide(vector[:-1], inverse_scale, out=np.zeros_like(center), where=varies)
        slopes += center * vector[-1]
        raw = self._design.raw_prediction(slopes[None], np.zeros(1)) * self._roots
        shares = self._factor.solve(raw / self._strength)
        level = self._inverse_left * (vector[-1] - float(self._roots @ shares[0]))
        shares += level * self._level
        sums, _ = self._design.transposed_product(shares * self._roots)
        coordinates = (slopes - sums[0]) / self._strength
        coef = np.divide(coordinates, inverse_scale, out=np.zeros_like(center), where=varies)
        return np.append(coef, level + float(center @ coordinates))


def row_space_of(objective: Objective) -> RowSpaceObjective | None:
    """Return the same cost in the space of the rows, by a pass; None where that is no good."""
    products = products_of_rows(objective)
    return None if products is None else products.space()


def products_of_rows(objective: Objective) -> RowProducts | None:
    """Return Z Z' of an objective, by a pass; None where that is no good.

    As where columns have no penalty, or so weak a one that the squares in Z Z' lose it, where
    models differ in more than a factor of their penalty, or where X is not in memory.
    """
    penalty, varies = objective.user_penalty, objective.design.columns.inverse_scale > 0.0
    if not isinstance(penalty, L2) or not varies.any():
        return None
    strengths = penalty.strengths[:, varies]
    if not (strengths > 0.0).all():
        return None
    factors = strengths.max(axis=1) / strengths[0].max()
    if (np.abs(strengths - factors[:, None] * strengths[0]) > ALIKE * strengths).any():
        return None
    roots = np.zeros(varies.size)
    with np.errstate(over="ignore", invalid="ignore"):
        roots[varies] = 1.0 / np.sqrt(strengths[0])
        scaled = objective.design.standardized(Columns(objective.design.columns.center, roots))
        gram = scaled.gram_of_rows()
        if gram is None:
            return None
        largest = float(gram.diagonal().max())
        curvature = objective.loss.most_curvature * largest * _largest_weight_share(objective)
        if not RIDGE * curvature <= WEAK * factors.min():
            return None
    return RowProducts(objective, roots, factors, gram) if largest > 0.0 else None


def _largest_weight_share(objective: Objective) -> float:
    """Return the largest share of a row in the weight of all, of any model."""
    weights = objective.rows.common_weights()
    largest = float(weights.max()) if weights.size else 1.0
    return largest / float(objective.rows.total_weight.min())
