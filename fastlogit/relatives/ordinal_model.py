"""The proportional-odds likelihood over a design, its Newton method, and what is proven of it.

Parameters are the thresholds, then the coefficients on standardised columns. A point costs a pass
for raw predictions, one for products of X' with slopes, and a Gram matrix for the exact Hessian;
nothing has as many columns as there are classes times features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Integers, Matrix, Vector
from ..certificates.binomial import gain_bound
from ..design.base import Design
from .ordinal_losses import OrdinalLink, OrdinalParts

__all__ = ["OrdinalPoint", "OrdinalRows", "Unfinished", "maximum", "proven_gain"]

# A step that changes raw predictions by less, as a root mean square, is the last one.
EXACT = 1e-10
# One that is longer in a parameter on standardised columns leads to infinity, as where a level has
# rows of the highest class alone: others' curvature hides it.
LONG = 1e-3
MOST_STEPS, MOST_HALVES = 60, 50
SUFFICIENT, ROUNDING = 1e-4, 1e-13
# The proof holds where the gaps between thresholds stay above this share of what they are.
GAP_LEFT = 0.5


class OrdinalPoint(NamedTuple):
    """Mean loss, its gradient (n_parameters,), and a root W of the inverse Hessian, W W' = H^-1."""

    cost: float
    gradient: Vector
    root: Matrix
    curvature: float

    @property
    def half_step(self) -> Vector:
        """W' times the gradient: its length is Newton's decrement."""
        return self.root.T @ self.gradient


class Unfinished(Exception):  # no error of its own: its reason is looked for
    """Newton's method found no optimum: where it was."""

    def __init__(self, theta: Vector) -> None:
        self.theta = theta


class OrdinalRows:
    """Rows of ordered classes.

    Parameters
    ----------
    design : Design or None
        Standardised; None for thresholds alone.
    codes : ndarray of shape (n_samples,)
    n_classes : int
    weights, offset : ndarray of shape (n_samples,), or empty
    link : OrdinalLink
    """

    def __init__(
        self, design: Design | None, codes: Integers, n_classes: int, weights: Vector,
        offset: Vector, link: OrdinalLink,
    ) -> None:  # fmt: skip
        self.design, self.codes, self.link = design, codes.astype(np.intp), link
        self.weights = weights if weights.size else np.ones(codes.size)
        self.offset, self.n_classes = offset, n_classes
        self.total = float(self.weights.sum())
        self.n_features = 0 if design is None else design.shape[1]

    @property
    def n_cuts(self) -> int:
        """Thresholds: one between each two classes."""
        return self.n_classes - 1

    def without_slopes(self) -> OrdinalRows:
        """Return the same rows with thresholds alone."""
        return self._like(None, self.codes, self.n_classes)

    def above(self, cut: int) -> OrdinalRows:
        """Return the same with two classes: above a threshold, or not."""
        return self._like(self.design, (self.codes > cut).astype(np.intp), 2)

    def _like(self, design: Design | None, codes: Integers, n_classes: int) -> OrdinalRows:
        return OrdinalRows(design, codes, n_classes, self.weights, self.offset, self.link)

    def start(self) -> Vector:
        """Return the thresholds of the classes' shares, and coefficients 0."""
        counts = np.bincount(self.codes, self.weights, self.n_classes)
        theta = np.zeros(self.n_cuts + self.n_features)
        theta[: self.n_cuts] = self.link.quantile(np.cumsum(counts)[:-1] / self.total)
        if self.offset.size:
            theta[: self.n_cuts] += float(self.offset @ self.weights) / self.total
        return theta

    def raw(self, theta: Vector) -> Vector:
        """Return raw predictions with their offset: a pass."""
        raw = np.zeros(self.codes.size)
        if self.design is not None:
            slopes = np.ascontiguousarray(theta[None, self.n_cuts :])
            raw = self.design.raw_prediction(slopes, np.zeros(1))[0]
        return raw + self.offset if self.offset.size else raw

    def ends(self, theta: Vector) -> tuple[Vector, Vector]:
        """Return a and b of each row: thresholds above and below it, less its raw prediction."""
        cuts = np.concatenate([[-np.inf], theta[: self.n_cuts], [np.inf]])
        raw = self.raw(theta)
        return cuts[self.codes + 1] - raw, cuts[self.codes] - raw

    def parts(self, theta: Vector) -> OrdinalParts:
        """Return what rows cost, times their weights."""
        found = self.link.parts(*self.ends(theta))
        with np.errstate(invalid="ignore"):
            return OrdinalParts(
                *(np.where(self.weights > 0.0, self.weights * part, 0.0) for part in found)
            )

    def cost(self, theta: Vector) -> float:
        """Return the mean loss; infinite where thresholds are not in order."""
        if (np.diff(theta[: self.n_cuts]) <= 0.0).any():
            return np.inf
        with np.errstate(over="ignore"):
            return float(self.parts(theta).loss.sum() / self.total)

    def at(self, theta: Vector) -> OrdinalPoint:
        """Return the derivatives at a point whose thresholds are in order.

        Raises
        ------
        Unfinished
            If the Hessian has a direction without curvature.
        """
        parts = self.parts(theta)
        if not all(np.isfinite(part).all() for part in parts):
            raise Unfinished(theta)
        gradient, hessian = self._moments(parts)
        diagonal = np.diag(hessian)
        if not (diagonal > 0.0).all() or not np.isfinite(hessian).all():
            raise Unfinished(theta)
        size = np.sqrt(diagonal)
        try:
            factor = np.linalg.cholesky(hessian / np.outer(size, size))
        except np.linalg.LinAlgError:
            raise Unfinished(theta) from None
        root = np.linalg.inv(factor).T / size[:, None]
        total = parts.curvature_aa + 2.0 * parts.curvature_ab + parts.curvature_bb
        cost = float(parts.loss.sum() / self.total)
        return OrdinalPoint(cost, gradient, root, float(total.sum()) / self.total)

    def second_moments(self, parts: OrdinalParts) -> Matrix:
        """Return the mean over the rows of ``aa A A' + ab (A B' + B A') + bb B B'``.

        A and B are how a and b of a row change with the parameters; aa, ab and bb stand in `parts`
        in the place of curvatures. Of these it is the Hessian.
        """
        return self._moments(parts)[1]

    def _moments(self, parts: OrdinalParts) -> tuple[Vector, Matrix]:
        gradient, hessian = self._of_cuts(parts)
        if self.design is None:
            return gradient, hessian
        return self._with_slopes(parts, gradient, hessian)

    def _of_cuts(self, parts: OrdinalParts) -> tuple[Vector, Matrix]:
        """Return gradient and Hessian in the thresholds: sums by class."""
        sums = [np.bincount(self.codes, part, self.n_classes) / self.total for part in parts[1:]]
        slope_a, slope_b, aa, ab, bb = sums
        gradient = slope_a[:-1] + slope_b[1:]
        hessian = np.diag(aa[:-1] + bb[1:])
        inner = np.arange(self.n_cuts - 1)
        hessian[inner, inner + 1] = hessian[inner + 1, inner] = ab[1:-1]
        return gradient, hessian

    def _with_slopes(
        self, parts: OrdinalParts, gradient: Vector, hessian: Matrix
    ) -> tuple[Vector, Matrix]:
        """Return the same with the coefficients."""
        assert self.design is not None
        upper = parts.curvature_aa + parts.curvature_ab
        lower = parts.curvature_bb + parts.curvature_ab
        sides = np.empty((self.n_classes, self.codes.size))
        for cut in range(self.n_cuts):
            sides[cut] = np.where(self.codes == cut, upper, 0.0)
            sides[cut] += np.where(self.codes == cut + 1, lower, 0.0)
        sides[-1] = parts.slope_a + parts.slope_b
        products = -self.design.transposed_product(sides)[0] / self.total
        n_cuts, size = self.n_cuts, self.n_cuts + self.n_features
        whole = np.empty((size, size))
        whole[:n_cuts, :n_cuts] = hessian
        whole[:n_cuts, n_cuts:] = products[:-1]
        whole[n_cuts:, :n_cuts] = products[:-1].T
        curvature = np.maximum(upper + lower, 0.0)
        whole[n_cuts:, n_cuts:] = self.design.gram(curvature)[:-1, :-1] / self.total
        return np.concatenate([gradient, products[-1]]), whole


def maximum(rows: OrdinalRows) -> tuple[Vector, OrdinalPoint, int]:
    """Return the parameters of least mean loss, derivatives just before them, and steps taken.

    Newton's method; steps are halved until thresholds stay in order and the cost falls.

    Raises
    ------
    Unfinished
        If there is no optimum, or it is not found.
    """
    theta = rows.start()
    for n_iter in range(MOST_STEPS):
        point = rows.at(theta)
        half = point.half_step
        square, move = float(half @ half), -(point.root @ half)
        if square <= EXACT * EXACT * point.curvature:
            if float(np.abs(move).max()) > LONG:
                raise Unfinished(theta)
            return theta + move, point, n_iter
        size = 1.0
        for _ in range(MOST_HALVES):
            cost = rows.cost(theta + size * move)
            if cost <= point.cost - SUFFICIENT * size * square + ROUNDING * abs(point.cost):
                break
            size *= 0.5
        else:
            raise Unfinished(theta)
        theta = theta + size * move
    raise Unfinished(theta)


def proven_gain(rows: OrdinalRows, theta: Vector, point: OrdinalPoint) -> float:
    """Return a bound on what the mean loss of a logistic F lacks: passes as of a Gram matrix.

    The loss is a sum of functions of linear forms of the parameters: of a and b, whose logarithm of
    the second derivative changes by at most 1 a unit, and of the gaps g between thresholds, where
    that is coth(g / 2), falling in g. With M its largest value for gaps that keep a share of
    `GAP_LEFT`, delta the decrement and R the largest length of a form in the norm of the inverse
    Hessian, `certificates.binomial` has the bound; its minimum is within -log(1 - delta R M) / M of
    each form, which must not take more of a gap than that share.
    """
    gaps = np.diff(theta[: rows.n_cuts])
    least = float(gaps.min(initial=np.inf))
    concordance = max(1.0, float(1.0 / np.tanh(0.5 * GAP_LEFT * least)))
    delta, radius = float(np.linalg.norm(point.half_step)), _largest_form(rows, point.root)
    tau = delta * radius * concordance
    if not tau < 1.0 or -np.log1p(-tau) / concordance > (1.0 - GAP_LEFT) * least:
        return np.inf
    return gain_bound(delta, radius * concordance)


def _largest_form(rows: OrdinalRows, root: Matrix) -> float:
    """Return the largest length of a, b and gaps in the norm of the inverse Hessian."""
    cuts, slopes = root[: rows.n_cuts], root[rows.n_cuts :]
    squares = np.zeros((2, rows.codes.size))
    last, first = rows.codes == rows.n_cuts, rows.codes == 0
    for direction in range(root.shape[1]):
        raw = np.zeros(rows.codes.size)
        if rows.design is not None:
            along = np.ascontiguousarray(slopes[None, :, direction])
            raw = rows.design.raw_prediction(along, np.zeros(1))[0]
        own = np.concatenate([[0.0], cuts[:, direction], [0.0]])
        squares[0] += np.square(own[rows.codes + 1] - raw)
        squares[1] += np.square(own[rows.codes] - raw)
    # The first class has no b, the last no a.
    used = rows.weights > 0.0
    rows_a, rows_b = squares[0, used & ~last], squares[1, used & ~first]
    gaps = np.square(np.diff(cuts, axis=0)).sum(axis=1)
    return float(np.sqrt(max(part.max(initial=0.0) for part in (rows_a, rows_b, gaps))))
