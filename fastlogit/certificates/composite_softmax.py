"""How far a softmax's cost under L1 can lie above the optimum: proven bounds.

As for two classes (see `composite`): A holds the pairs of class and column that may move, v is the
slope of the cost there, M the Hessian of its smooth part over A and all intercepts but one, and
M p = -v. With p the probabilities of a row and u = its raw predictions of the step, every row has
its tangent at the probabilities q = p + (diag(p) - p p') u. These tangents add up to a function
whose slope cancels L1 on A; where it is within L1 for all other pairs, the cost is nowhere less
than they and L1 are at the point, and what it is above them is KL(q || p) for each row. Where no
raw predictions of the step differ by more than tau < 1 in a row, that is at most the variance of u
under p over 2 (1 - tau), in all

    delta^2 / (2 (1 - tau)),    delta^2 = v' M^-1 v.

One look at the rows says what tau is. Before that it is bounded by R delta, R the largest range of
a row's raw predictions over directions of length 1 in the norm of M.

What all classes of a column share changes no row. Where A has all classes of a column without L2
M has a direction without curvature, so that one class is left out, at 0 where there is such a one.
The slopes of the tangents add up to 0 over the classes, so that its own is what those of the others
leave: minus L1 times the sum of their signs. That has to be its own sign, or at 0 no more than 1.
Else the bound is infinite: a shift of all classes may lower the cost.

With L2 on all columns the bound of `softmax` holds as well, with v in the place of the gradient.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Indices, Mask, Masks, Matrix, Vector
from ..linalg.factors import FACTOR_NS
from ..linalg.resolved import EPS, ResolvedHessian
from ..objective.class_working_set import ClassWorkingSet
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from .binomial import MAX_GRAM, Place, Rounding, gain_bound
from .by_faces import ByFaces
from .composite import (
    FAR,
    NEARLY,
    ROUNDS,
    STRENGTH_ERRORS,
    LevelDirections,
    SharedDirections,
    dual_gain,
)
from .softmax import Reduced

__all__ = ["CompositeSoftmaxCertificate"]

# The share of L1 by which slopes may exceed it where nothing is proven else: with a pair of next to
# no curvature among those that may move, tau is 1 or more.
EDGE = 1e-6


class ClassFace:
    """A point with the pairs that may move: M, v and what bounds the rows' ranges.

    Parameters
    ----------
    working : ClassWorkingSet
        That covers the pairs, and has looked at the point.
    inside : ndarray of bool, shape (n_classes, n_features)
        The pairs.
    signs : ndarray of shape (working.size,)
        Those that L1 is taken to have in the working set, 0 for what is free of it.
    ends : pair of ndarray of shape (working.size,)
        The least and the largest sign that each might have: -1 and 1 at 0, infinite at a bound.
    slopes : ndarray of shape (working.size,)
        v in the working set.
    moved : float
        The most that the logarithm of a curvature has changed by since M was made.
    rounding : Rounding
    """

    def __init__(
        self, working: ClassWorkingSet, inside: Masks, signs: Vector, ends: tuple[Vector, Vector],
        slopes: Vector, moved: float, rounding: Rounding,
    ) -> None:  # fmt: skip
        self.working = working
        used = working.places(inside)
        self.is_level = self._leave_one_out(inside, signs, ends, used)
        self._places = np.flatnonzero(used)
        part = working.part
        part.design.counter.check(1e-9 * FACTOR_NS * self._places.size**3 / 3.0)
        self._signs, self._slopes, self._rounding = signs, slopes, rounding
        self.resolved = ResolvedHessian(
            working.matrix[np.ix_(self._places, self._places)], self._product, self._is_null,
            None, part.design.shape[0],
        )  # fmt: skip
        self.half = self.resolved.half_solve(slopes[None, self._places])[0]
        self._swell = float(np.sqrt(self.resolved.excess()))
        self.growth = float(np.exp(moved))

    def _leave_one_out(
        self, inside: Masks, signs: Vector, ends: tuple[Vector, Vector], used: Mask
    ) -> bool:
        """Leave a class of each column out that all classes of it may shift along freely.

        One at 0 or at a bound where there is one. Returns whether the slopes of the others let it.
        Sets: used.
        """
        working, (least, most) = self.working, ends
        free: Mask = working.part.penalty.diagonal()[0][working.part_columns] == 0.0
        complete: Mask = np.count_nonzero(inside, axis=0) == len(inside)
        pairs = np.flatnonzero(complete[working.columns] & free)
        sums = np.bincount(working.columns, signs[: working.n_pairs], inside.shape[1])
        # Of each column the first pair in this order: at corners before others, later classes
        # before.
        rest_nowhere = least[pairs] == most[pairs]
        order = pairs[np.lexsort((-working.classes[pairs], rest_nowhere))]
        columns, first = np.unique(working.columns[order], return_index=True)
        left = order[first]
        used[left] = False
        own = signs[left] - sums[columns]
        return bool(((least[left] <= own) & (own <= most[left])).all())

    def _embedded(self, directions: Matrix) -> Matrix:
        everywhere = np.zeros((len(directions), self.working.size))
        everywhere[:, self._places] = directions
        return everywhere

    def _product(self, directions: Matrix) -> Matrix:
        return self.working.product(self._embedded(directions))[:, self._places]

    def _is_null(self, direction: Vector) -> bool:
        """Say whether no class changes its prediction along a direction, nor L1."""
        part = self.working.part
        n_columns = part.design.shape[1]
        assert part.user_l1 is not None
        each = self.working.of_part(self._embedded(direction[None]))[0]
        if part.fit_intercept:
            # That of the last class is held: centred intercepts are as good as these.
            levels = each.reshape(-1, n_columns + 1)[:, -1]
            levels -= levels[-1]
        of_l1 = np.zeros((part.n_classes, n_columns))
        n_pairs, places = self.working.n_pairs, self.working.part_columns
        of_l1[self.working.classes, places] = self._signs[:n_pairs]
        of_l1 *= part.user_l1.strengths[0]
        largest = np.abs(each).max()
        alone = all(
            LevelDirections(part, slopes).contains(0, own)
            for slopes, own in zip(of_l1, each.reshape(part.n_classes, -1), strict=True)
            if np.abs(own).max() > 1e-6 * largest
        )
        # Or all classes are shifted alike by some columns, as levels of a factor, beside that.
        return alone or SharedDirections(part, of_l1).holds(each.reshape(part.n_classes, -1))

    def unresolved(self) -> Indices:
        """Return the columns of X along which rounding errors may hide a gain."""
        found = self._places[self.resolved.unresolved]
        return np.unique(self.working.columns[found[found < self.working.n_pairs]])

    def step(self) -> Vector:
        """Return p, up to rounding errors, in the working set."""
        half = self.resolved.solve(self._slopes[None, self._places])
        return -self._embedded(half)[0]

    def error(self, slopes: Vector, noise: float) -> float:
        """Return how far `step` is from p in the norm of M.

        `slopes` are the Hessian times it, in the working set.
        """
        left = self.resolved.half_solve((self._slopes + slopes)[None, self._places])[0]
        of_product = self._rounding.of_product(float(np.sqrt(self.half @ self.half)))
        of_product *= float(np.sqrt(self.resolved.inverse_size()))
        return (float(np.sqrt(left @ left)) + noise + of_product) * self._swell

    def gain(self, noise: float, wanted: float) -> tuple[float, float]:
        """Return the bound and the delta in it; `noise` is what rounding errors add to delta.

        tau is bounded by the largest row, and by a look at the rows where that is too much.
        """
        delta = (float(np.sqrt(self.half @ self.half)) + noise) * self._swell
        gain = dual_gain(delta, delta * self._radius(), self.growth)
        enough = gain < math.inf if wanted == 0.0 else gain <= wanted
        if not (enough or 0.5 * delta * delta * self.growth > wanted > 0.0):
            gain = min(gain, dual_gain(delta, self._reach(noise), self.growth))
        return gain, delta

    def _largest_row(self) -> float:
        part = self.working.part
        ones = np.ones(part.design.shape[1])
        return float(np.sqrt(part.design.largest_row(ones, 0.0 * ones) + part.fit_intercept))

    def _radius(self) -> float:
        """Bound R by the largest row and the size of M^-1."""
        size = self.resolved.inverse_size() * self.resolved.excess()
        return self._largest_row() * float(np.sqrt(2.0 * size))

    def _reach(self, noise: float) -> float:
        """Bound the ranges of p: those of the step as it is solved, and what p has beside.

        Of the latter only the size in the norm of M is known, so that R is asked for, but it is
        small.
        """
        step = self.step()
        beside = self.error(self.working.product(step[None])[0], noise)
        reach = self.working.part.rows.largest_range(self.working.of_part(step[None])[0])
        size = float(np.linalg.norm(step)) * self._largest_row()
        return reach + 2.0 * self._rounding.of_prediction(size) + self._radius() * beside


class CompositeSoftmaxCertificate(ByFaces):
    """Bounds the suboptimality of points of a multinomial objective with L1.

    Parameters
    ----------
    objective : Objective
    is_pooled : bool, default False
        Its columns were standardised by other weights than those of the models.
    """

    def __init__(self, objective: Objective, is_pooled: bool = False) -> None:
        super().__init__()
        self.objective = self.sampled = objective
        self._is_pooled = is_pooled
        self.rounding = Rounding(objective)
        self.hessians = Hessians(objective)
        self._known: dict[int, ClassWorkingSet] = {}
        self._largest: float | None = None
        self._known_sizes: dict[int, float | Vector] = {}

    def take_working_set(self, model: int, working: ClassWorkingSet) -> None:
        """Take a working set of a model, whose Hessian may serve the next proof."""
        self._known[model] = working

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        `gradient` is that of what is smooth. `at_once`: without a matrix. `cost` is that of theta,
        by which rounding errors are judged.
        """
        one, there = self.objective.only(np.array([model])), Place(theta, gradient, cost)
        with np.errstate(over="ignore", invalid="ignore"):
            gain = self._by_penalty(one, there)
            if gain <= wanted or at_once:
                return gain
            found = self._by_face(model, one, there, wanted)
            if not found < math.inf:
                found = self._by_face(model, one, there, wanted, EDGE)
            return min(gain, found)

    def _by_penalty(self, one: Objective, there: Place) -> float:
        """Return the bound by L2 on all columns and the intercepts' curvature."""
        varies = one.design.columns.inverse_scale > 0.0
        with np.errstate(divide="ignore"):
            scale = np.where(varies, 1.0 / np.sqrt(one.penalty.floor()[0]), 0.0)
        if not np.isfinite(scale).all():
            return math.inf
        if self._largest is None:
            self._largest = float(np.sqrt(one.design.largest_row(scale, np.zeros_like(scale))))
        least = one.least_slopes(there.theta[None], there.gradient[None])
        reduced = Reduced(one, there.theta, None)
        noise = self._sums(one, there) + self.rounding.of_rows(there.theta, there.cost)
        noise *= reduced.noise(self._largest, scale)
        decrement = float(np.sqrt(reduced.squared_norm(least, scale))) + noise
        return gain_bound(decrement, reduced.radius(self._largest))

    def _sums(self, one: Objective, there: Place) -> float:
        """Return the rounding errors of each slope, its L1 included."""
        assert one.l1 is not None
        strengths = float(one.l1.strengths.max(initial=0.0))
        return self.rounding.of_sums(there.cost) + STRENGTH_ERRORS * EPS * strengths

    def _by_face(
        self, model: int, one: Objective, there: Place, wanted: float, edge: float = 0.0
    ) -> float:
        """Return the bound by the pairs that may move, which are found on the way.

        Pairs at corners whose slopes exceed what is allowed by no more than the share `edge` of L1,
        for all that is known, stay outside: all slopes are less by that share, which costs as much
        of the cost.
        """
        assert one.l1 is not None
        l1 = one.l1.strengths[0]
        (coef, _), (slopes, _) = one.split(there.theta[None]), one.split(there.gradient[None])
        varies = one.design.columns.inverse_scale > 0.0
        sums = self.rounding.of_sums(there.cost)
        # Of its own strength alone: that of another column may be as large as you like.
        of_l1 = np.broadcast_to(STRENGTH_ERRORS * EPS * l1, coef.shape)
        of_rows = 2.0 * self.rounding.of_rows(there.theta, there.cost)
        low, high = one.l1.allowed(coef)
        slack = np.minimum(slopes - low, high - slopes) - of_l1 - sums - 0.5 * of_rows
        most = edge * l1
        inside = varies & (~one.l1.corners(coef) | (slack <= -most))
        if not (inside.any() or one.fit_intercept or edge):
            return 0.0  # all coefficients rest where they are
        for _ in range(ROUNDS):
            if inside.sum() > MAX_GRAM:
                return math.inf
            face = self._face(model, one, there, inside)
            if not face.is_level:
                return math.inf
            each = sums + float(of_l1.max(initial=0.0, where=inside))
            noise = each * float(np.sqrt(face.resolved.inverse_size()))
            noise += of_rows * float(np.sqrt(face.growth))
            self._noise[model] = noise
            gain, delta = face.gain(noise, wanted)
            if not gain < math.inf:
                return math.inf
            # What the step may do to a slope: half of delta times the size of the column.
            near = varies & ~inside & (slack < 0.5 * NEARLY * delta * self._sizes(one))
            left = slack
            if near.any():
                left = slack - self._losses(one, there, face, noise, delta)
            more = near & (left <= -most)
            if more.any():
                inside = inside | more
                continue
            shares = np.divide(-left, l1, out=np.zeros(left.shape), where=near & (l1 > 0.0))
            gain += float(shares.max(initial=0.0)) * there.cost
            is_resolved = not face.resolved.unresolved.size
            return self._resolved(model, face.unresolved(), is_resolved, gain)
        return math.inf

    def _face(self, model: int, one: Objective, there: Place, inside: Masks) -> ClassFace:
        """Return the face of a point; a Hessian is made where no known one serves."""
        working, moved = self._known.get(model), math.inf
        coef, levels = one.split(there.theta[None])
        # A working set holds all others at 0: those at a bound belong to it, though they rest.
        needed = inside | (coef != 0.0)
        if working is not None and working.covers(needed):
            moved = working.moved(working.take(there.theta))
        if working is None or not moved <= FAR:
            moved = 0.0
            working = ClassWorkingSet(one, needed, levels)
            point = working.take(there.theta)
            working.look(point, working.at(point)[2])
            self._known[model] = working
        slopes, places = working.take_slopes(there.gradient), working.places(inside)
        signs, ends = self._signs(one, there, working)
        signs = np.where(places, signs, 0.0)
        least = slopes + working.l1 * signs
        return ClassFace(working, inside, signs, ends, least, moved, self.rounding)

    def _signs(
        self, one: Objective, there: Place, working: ClassWorkingSet
    ) -> tuple[Vector, tuple[Vector, Vector]]:
        """Return the sign that L1 has against each slope, and between which it might be.

        In the working set; 0 for intercepts, which have none.
        """
        assert one.l1 is not None
        every = (part.reshape(-1) for part in one.l1.allowed(one.split(there.theta[None])[0]))
        at = working.classes * one.design.shape[1] + working.columns
        signs, least, most = np.zeros((3, working.size))
        pairs, l1 = slice(working.n_pairs), working.l1[: working.n_pairs]
        low, high = (part[at] for part in every)
        for found, end in ((least, high), (most, low)):
            # Strengths of 0 leave the ends at bounds, which are infinite.
            found[pairs] = -np.divide(end, l1, out=np.where(np.isinf(end), end, 0.0), where=l1 > 0)
        slopes = working.take_slopes(there.gradient)[pairs]
        near_low = np.abs(slopes - low) < np.abs(high - slopes)
        signs[pairs] = np.where(near_low, most[pairs], least[pairs])
        return signs, (least, most)

    def _losses(
        self, one: Objective, there: Place, face: ClassFace, noise: float, delta: float
    ) -> Matrix:
        """Return by how much slopes come nearer to what is allowed along p, at the most: a pass."""
        assert one.l1 is not None
        step = face.step()
        product = one.hessian_product(face.working.curvature, face.working.put(step)[None])
        error = 0.5 * NEARLY * face.error(face.working.take_slopes(product[0]), noise)
        error += self.rounding.of_product(delta)
        (coef, _), (slopes, _) = one.split(there.theta[None]), one.split(there.gradient[None])
        changes, _ = one.split(product)
        low, high = one.l1.allowed(coef)
        before = np.minimum(slopes - low, high - slopes)
        after = np.minimum(slopes + changes - low, high - slopes - changes)
        lost: Matrix = before - after + error * self._sizes(one)
        return lost

    def _sizes(self, one: Objective) -> Vector | float:
        """Return the root mean square of each standardised column, or a bound of all."""
        rows = self.objective.rows
        if len({int(k) for k in rows.weight_set}) == 1 and not self._is_pooled:
            return 1.0
        own = int(one.rows.weight_set[0])
        if own not in self._known_sizes:
            self._known_sizes[own] = one.rows.root_mean_squares(0)
        return self._known_sizes[own]
