"""How far a softmax model's cost can lie above the optimum: proven bounds.

The multinomial loss of one row, along a line of raw predictions z + t h, has as second derivative
the variance of h under the probabilities, and as third their third central moment, which is at most
the range of h (largest less smallest) times that variance. So the argument of `certificate` holds
with the range of the classes' raw predictions in the place of their size: with delta^2 = g' M^-1 g
and R the largest range over all rows and directions of length 1 in the norm of M, a Hessian at the
point or a part of it, every direction gains at most `gain_bound(delta, R)`. Three choices of M:

- the penalty, and of the rows nothing but the curvature of the intercepts: with
  A_i = diag(p) - p p'
  of row i, sum (U x_i + b)' A_i (U x_i + b) is at least the same form of the one mean A^-1 sum A_i
  (U x_i + b), A = sum A_i. What it takes of the gradient is one product with the Hessian.
- the whole Hessian, where it is small.
- the whole Hessian without its matrix: conjugate gradients give a step d with a residual r, and
  delta <= sqrt(d' H d) + sqrt(r' H^-1 r), where the last is bounded by the first choice of M.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..linalg.conjugate_gradients import ConjugateGradients
from ..linalg.resolved import EPS
from ..objective.hessians import ContrastHessian, Hessians, LocalHessian, contrasts
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .binomial import FAR, HOPELESS, Place, Rounding, gain_bound
from .by_faces import KnowsRows

__all__ = ["SMALL", "Reduced", "SoftmaxCertificate"]

# Parameters up to which the whole Hessian is formed for a proof.
SMALL = 700
# Products with the Hessian that a proof may take.
MAX_PRODUCTS = 200
# Share of what is wanted that the residual of conjugate gradients may have.
RESIDUAL = 0.02
# Eigenvalues of the intercepts' curvature err by this share of the largest, for each class.
LEVEL = 4.0 * EPS
# Where delta R is above this, the bound gains much by a smaller R.
LOOSE = 0.1
_ONE = np.zeros(1, dtype=np.int64)


class Reduced:
    """The first choice of M at a point: penalty, and the intercepts' part of row curvatures."""

    def __init__(self, part: Objective, theta: Vector, curvature: RowCurvature | None) -> None:
        self.part = part
        self.theta = theta
        self.curvature = part.curvature(theta[None]) if curvature is None else curvature
        intercepts = part.rows.intercept_hessian(self.curvature)
        self.trace = float(np.trace(intercepts))
        self.inverse = _inverse_of_contrasts(intercepts)

    def squared_norm(self, gradient: Matrix, scale: Vector) -> float:
        """Return g' M^-1 g for M of the penalty and the intercepts' curvature."""
        slopes, levels = self.part.split(gradient)
        if not self.part.fit_intercept:
            return float(np.square(slopes * scale).sum())
        shift = self.inverse @ levels
        direction = self.part.join(np.zeros_like(slopes), shift)
        moved, _ = self.part.split(self.part.hessian_product(self.curvature, direction))
        return float(np.square((slopes - moved) * scale).sum() + levels @ shift)

    def radius(self, largest_row: float) -> float:
        """Return R for the same M, from the largest row's size over the root of the penalty."""
        if not self.part.fit_intercept:
            return float(np.sqrt(2.0) * largest_row)
        diagonal = np.diag(self.inverse)
        apart = float((diagonal[:, None] + diagonal - 2.0 * self.inverse).max())
        reach = largest_row * (np.sqrt(2.0) + np.sqrt(self.trace * apart))
        return float(np.sqrt(reach * reach + apart))

    def noise(self, largest_row: float, scale: Vector) -> float:
        """Return what errors of 1 in each component of a gradient may add to `squared_norm`."""
        size = float(np.linalg.norm(scale))
        if self.part.fit_intercept:
            size += largest_row + float(np.sqrt(np.trace(self.inverse)))
        return float(np.sqrt(self.part.n_classes)) * size


def _inverse_of_contrasts(intercepts: Matrix) -> Matrix:
    """Return an upper bound of the inverse on what sets classes apart; infinite where none is."""
    basis = contrasts(len(intercepts))
    values, vectors = np.linalg.eigh(basis.T @ intercepts @ basis)
    values -= LEVEL * len(intercepts) * values[-1]
    if not values[0] > LEVEL * len(intercepts) * values[-1]:
        return np.full_like(intercepts, np.inf)
    directions = basis @ vectors
    return (directions / values) @ directions.T


class _Reference:
    """The whole Hessian of a model at a point, and what bounds it at points nearby."""

    def __init__(self, hessian: LocalHessian) -> None:
        assert isinstance(hessian, ContrastHessian)
        self.hessian, self.part, self.theta = hessian, hessian.sampled, hessian.theta
        self._exact: float | None = None

    def squared_level(self, theta: Vector) -> float:
        """Return the part of g' M^-1 g along which all classes change alike.

        It is the penalty's alone, whose gradient there is the sum of the classes' coefficients.
        """
        level = theta.reshape(self.part.n_classes, -1).sum(axis=0)
        slope = self.part.penalty.product(level[None, :-1])[0]
        return float(slope @ level[:-1]) / self.part.n_classes

    def radius(self, largest_row: float) -> float:
        """Return R, from the largest standardised row and the size of M^-1."""
        if self._exact is not None:
            return self._exact
        return float(
            np.sqrt(2.0 * (largest_row * largest_row + 1.0) * self.hessian.resolved.inverse_size())
        )

    def exact_radius(self) -> float:
        """Return R from each row's own raw predictions, as costly as the Hessian."""
        if self._exact is None:
            part = self.part
            roots = self.hessian.to_classes(self.hessian.resolved.inverse_root().T)
            # The range of numbers that add up to 0 is at most the root of twice their squares.
            self._exact = float(np.sqrt(2.0 * part.rows.largest_square(roots, 1)))
        return self._exact


class SoftmaxCertificate(KnowsRows):
    """Bounds the suboptimality of points of a multinomial objective.

    Parameters
    ----------
    objective : Multinomial
    stride : int
        The rows whose Hessian preconditions are every `stride`-th; proofs take all rows.
    """

    def __init__(self, objective: Objective, stride: int = 1) -> None:
        self.objective = objective
        self.sampled = objective.subsample(stride) if stride > 1 else objective
        self.hessians = Hessians(objective, self.sampled)
        self._references: dict[int, _Reference] = {}
        self._parts: dict[int, Objective] = {}
        self._largest: dict[bytes, float] = {}
        self.rounding = Rounding(objective)
        # Bounds of models that count all directions but the unresolved ones.
        self.beside: dict[int, float] = {}

    def _reference(self, model: int) -> _Reference | None:
        """Return what is known of the Hessian that anybody asked for last; None if nobody did."""
        hessian, known = self.hessians.last(model), self._references.get(model)
        if hessian is None:
            return None
        if known is None or known.hessian is not hessian:
            known = self._references[model] = _Reference(hessian)
        return known

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        `at_once`: with what is there already. `cost` is that of theta, by which rounding errors are
        judged.
        """
        there = Place(theta, gradient, cost)
        # Of columns of a huge size the penalty is next to nothing: then it says nothing.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._bound(model, there, wanted, at_once)

    def _bound(self, model: int, there: Place, wanted: float, at_once: bool) -> float:
        theta, gradient = there.theta, there.gradient
        part, scale, gain = self._part(model), self._scale(self._part(model)), np.inf
        is_small, is_penalized = theta.size <= SMALL, bool(np.isfinite(scale).all())
        if is_small and self.hessians.last(model) is not None:
            gain = self._dense_bound(model, there, True)
        if gain <= wanted or at_once:
            return gain
        if is_penalized:
            reduced = Reduced(part, theta, self._known_curvature(model, theta))
            largest_row = self._largest_row(part, scale)
            radius = reduced.radius(largest_row)
            noise = self._noise(there) * reduced.noise(largest_row, scale)
            decrement = np.sqrt(reduced.squared_norm(gradient[None], scale)) + noise
            gain = min(gain, gain_bound(decrement, radius))
        if is_small and gain > wanted and (wanted == 0.0 or not is_penalized):
            gain = min(gain, self._dense_bound(model, there, False))
        elif is_penalized and wanted == 0.0:
            # Only at the end of a fit: an iteration more brings the first bound down as well.
            decrement = _decrement(reduced, gradient, scale, wanted)
            gain = min(gain, gain_bound(decrement + noise, radius))
        return gain

    def _noise(self, there: Place) -> float:
        """Return what rounding errors may add to each component of the gradient."""
        of_rows = self.rounding.of_rows(there.theta, there.cost)
        of_penalty = self.rounding.of_penalty(self.objective, there.theta)
        return self.rounding.of_sums(there.cost) + of_penalty + of_rows

    def _dense_bound(self, model: int, there: Place, at_once: bool) -> float:
        part, theta = self._part(model), there.theta
        reference = self._reference(model)
        moved = np.inf
        if reference is not None:
            moved = self._moved(part, theta, reference.theta)
        if reference is None or moved > FAR:
            if at_once:
                return np.inf
            self.hessians.at(model, theta)
            reference, moved = self._reference(model), 0.0
            assert reference is not None
        half = reference.hessian.half_solve(there.gradient)
        level = reference.squared_level(there.theta)
        swell = float(np.exp(0.5 * moved)) * float(np.sqrt(reference.hessian.resolved.excess()))
        noise = self._dense_noise(reference, theta, there.cost)
        decrement = swell * (float(np.sqrt(half @ half + level)) + noise)
        ones = np.ones(part.design.shape[1])
        radius = swell * reference.radius(self._largest_row(part, ones))
        scale = self._scale(part)
        if decrement * radius >= LOOSE and np.isfinite(scale).all() and not at_once:
            reduced = Reduced(part, theta, self._known_curvature(model, theta))
            radius = min(radius, swell * reduced.radius(self._largest_row(part, scale)))
        if decrement * radius >= LOOSE and not at_once:
            radius = min(radius, swell * reference.exact_radius())
        gain = gain_bound(decrement, radius)
        if reference.hessian.resolved.unresolved.size:
            self.beside[model] = gain
            return np.inf
        self.beside.pop(model, None)
        return gain

    def step_lowers(self, model: int, gradient: Vector) -> bool:
        """Say whether Newton's step from the point looked at last lowers the cost for sure."""
        reference = self._reference(model)
        if reference is None:
            return False
        part = self._part(model)
        half = reference.hessian.half_solve(gradient)
        ones = np.ones(part.design.shape[1])
        return float(np.linalg.norm(half)) * reference.radius(self._largest_row(part, ones)) < 1.0

    def level_of_rounding(self, model: int, theta: Vector, cost: float) -> float:
        """Return the gain that rounding errors of the gradient look like, as far as is known."""
        reference = self._reference(model)
        noise = 0.0 if reference is None else self._dense_noise(reference, theta, cost)
        return 0.5 * noise * noise  # a power of Python's would raise where it overflows

    def _dense_noise(self, reference: _Reference, theta: Vector, cost: float) -> float:
        sums = self.rounding.of_sums(cost) + self.rounding.of_penalty(self.objective, theta)
        sums = sums * np.sqrt(reference.hessian.resolved.inverse_size())
        return float(sums) + 2.0 * self.rounding.of_rows(theta, cost)

    def unresolved(self, model: int) -> Indices:
        """Return the columns along which rounding errors may hide a gain, as last seen."""
        reference = self._reference(model)
        if reference is None:
            return np.empty(0, dtype=np.int64)
        size = self.objective.design.shape[1] + 1
        return np.unique(reference.hessian.resolved.unresolved % size)

    def _moved(self, part: Objective, theta: Vector, there: Vector) -> float:
        """Return the largest change of a range of raw predictions: of logarithms of curvatures."""
        if np.array_equal(theta, there):
            return 0.0
        return part.rows.largest_range(theta - there)

    def _part(self, model: int) -> Objective:
        if model not in self._parts:
            self._parts[model] = self.objective.only(np.array([model]))
        return self._parts[model]

    def _scale(self, part: Objective) -> Vector:
        """Return 1 over the root of each column's penalty; infinite where there is none."""
        moving = part.design.columns.inverse_scale > 0.0
        with np.errstate(divide="ignore"):
            return np.where(moving, 1.0 / np.sqrt(part.penalty.floor().min(axis=0)), 0.0)

    def _largest_row(self, part: Objective, scale: Vector) -> float:
        key = scale.tobytes()
        if key not in self._largest:
            square = part.design.largest_row(scale, np.zeros_like(scale))
            self._largest[key] = float(np.sqrt(square))
        return self._largest[key]


def _decrement(reduced: Reduced, gradient: Vector, scale: Vector, wanted: float) -> float:
    """Return a bound on the root of g' H^-1 g from conjugate gradients with the whole Hessian."""
    part = reduced.part
    diagonal = part.diagonal(reduced.curvature)
    found = ConjugateGradients(
        -gradient[None], lambda _, vectors: part.loss.centred(vectors / diagonal)
    )
    bound = np.inf
    for _ in range(MAX_PRODUCTS):
        slopes, _ = part.split(found.residual)
        gained = max(0.0, -float(np.vdot(found.solution, gradient[None] + found.residual)))
        allowed = RESIDUAL**2 * (2.0 * wanted if wanted > 0.0 else gained)
        if gained > HOPELESS * 2.0 * wanted > 0.0:
            break  # d' H d grows to delta^2: it is already too large
        if np.square(slopes * scale).sum() <= allowed:
            rest = reduced.squared_norm(found.residual, scale)
            bound = min(bound, float(np.sqrt(gained) + np.sqrt(rest)))
            if rest <= 4.0 * allowed:
                break
        if not found.size[0] > 0.0:
            break
        found.step(_ONE, part.hessian_product(reduced.curvature, found.direction))
    return bound
