"""How far a point's cost can lie above the optimum under a group lasso: proven bounds.

As in `composite` and `composite_softmax`, with groups in the place of coefficients: A holds the
groups that may move, s is the direction of each (of one at 0 that against its slopes), v = g + nu s
the slope of the cost, M the Hessian of its smooth part over A and the intercepts. The length of a
group is curved across s, so that the step is p = -(M + D)^-1 v, with the block nu (I - s s') / |b|
of D for a group b, and some number times I - s s' for one at 0. The tangents of the rows at the
probabilities that p leads to have the slopes -(nu s + D p) in a group, which is longer than nu, by
the factor root(1 + e^2), e = |D p| / nu. All of them times 1 / root(1 + e^2), of the largest e, are
slopes that the penalty allows, where those outside A are no longer than their nu. By convexity of
what is lost this costs

    cost - optimum <= delta^2 / (2 (1 - tau)) + e^2 cost / 2,    delta^2 = v' (M + D)^-1 v,

which is of second order, as e is of the order of p.

Of a softmax M + D has a direction without curvature where columns add up to the same in each row,
as those of a factor with all its levels do, and the directions s of their groups are parallel, as
those of two levels are. To say so exactly, directions that differ by next to nothing are taken to
be one. A group b whose direction is off by an angle t then costs nu |b| t^2 / 2.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..linalg.factors import FACTOR_NS
from ..linalg.resolved import EPS, ResolvedHessian
from ..objective.group_penalty import GroupL1, length_hessian
from ..objective.group_working_set import GroupWorkingSet
from ..objective.objective import Objective
from .binomial import MAX_GRAM, PenaltyCertificate, Place, Rounding
from .composite import FAR, NEARLY, ROUNDS, STRENGTH_ERRORS, LevelDirections, dual_gain
from .composite_softmax import CompositeSoftmaxCertificate

__all__ = ["GroupCertificate"]

# Directions of groups that differ by no more are one; and what is next to nothing of a direction.
PARALLEL, NO_SHARE = 1e-5, 1e-6


class GroupFace:
    """A point with the groups that may move: M + D, v, and what p does.

    Parameters
    ----------
    working : GroupWorkingSet
        That covers the groups, and has looked at the point.
    used : ndarray of bool, shape (working.size,)
        Their components, and the intercepts.
    point, slopes : ndarray of shape (working.size,)
        The point and the slopes of the smooth cost in the working set.
    moved : float
        The most that the logarithm of a curvature has changed by since M was made.
    rounding : Rounding
    """

    def __init__(
        self, working: GroupWorkingSet, used: Mask, point: Vector, slopes: Vector, moved: float,
        rounding: Rounding,
    ) -> None:  # fmt: skip
        self.working, self._used = working, used
        self._places = np.flatnonzero(used)
        self.growth, self._rounding = float(np.exp(moved)), rounding
        lengths = working.lengths(point)
        # Those at 0 have a direction, but no length: a curvature of the size of M's takes its part.
        stand_in = np.where(lengths[working.block_of] > 0.0, point, -slopes)
        size = working.lengths(stand_in)
        unit = np.divide(
            stand_in, size[working.block_of], out=np.zeros(point.shape),
            where=size[working.block_of] > 0.0,
        )  # fmt: skip
        diagonal = np.add.reduceat(np.diag(working.matrix), working.starts[:-1])
        means = diagonal / np.diff(working.starts)
        scale = np.divide(working.strengths, means, out=np.ones(size.shape), where=means > 0.0)
        self._scale = np.where(lengths > 0.0, lengths, scale)
        self._unit = self._aligned(unit)
        turned = working.lengths(self._unit - unit)
        self._turned = 0.5 * float((working.strengths * lengths) @ np.square(turned))
        unit = self._unit
        self.slopes = slopes + working.strengths[working.block_of] * unit
        self._across = length_hessian(
            unit * self._scale[working.block_of], working.starts, working.strengths
        )
        self._null = LevelDirections(working.part, self._slopes_of_l1())
        check = working.part.design.counter.check
        check(1e-9 * FACTOR_NS * self._places.size**3 / 3.0)
        own = np.ix_(self._places, self._places)
        self.resolved = ResolvedHessian(
            working.matrix[own] + self._across[own], self._product, self._is_null, None,
            working.part.design.shape[0],
        )  # fmt: skip
        self.half = self.resolved.half_solve(self.slopes[None, self._places])[0]
        self._swell = float(np.sqrt(self.resolved.excess()))

    @property
    def _width(self) -> int:
        """How many contrasts of the classes each coefficient has."""
        return max(1, self.working.n_coef // max(1, self.working.columns.size))

    def _aligned(self, unit: Vector) -> Vector:
        """Return the directions of groups of one column of a softmax, parallel ones as one.

        Sets: _line, _side: for each column of the working set the first one whose direction is the
        same or the opposite, and 1 or -1; 0 where its group has other columns, or no strength.
        """
        working, width = self.working, self._width
        n_columns = working.columns.size
        self._line, self._side = np.arange(n_columns), np.zeros(n_columns)
        found = unit.copy()
        if width == 1:
            return found
        own = found[: working.n_coef].reshape(n_columns, width)
        blocks = working.block_of[: working.n_coef : width]
        alone = (np.diff(working.starts)[blocks] == width) & (working.strengths[blocks] > 0.0)
        left = np.flatnonzero(alone & own.any(axis=1))
        while left.size:
            first = own[left[0]].copy()
            side = np.where(np.einsum("ja,a->j", own[left], first) < 0.0, -1.0, 1.0)
            apart = np.abs(own[left] - side[:, None] * first).max(axis=1)
            same = left[apart <= PARALLEL]
            self._line[same], self._side[same] = left[0], side[apart <= PARALLEL]
            own[same] = self._side[same, None] * first
            left = left[apart > PARALLEL]
        return found

    def _slopes_of_l1(self) -> Vector:
        """Return those of groups of one column, of two classes: of each column of the part."""
        working = self.working
        part, found = working.part, np.zeros(working.part.design.shape[1])
        if working.n_coef == working.columns.size:
            assert part.user_l1 is not None
            alone = np.diff(working.starts)[working.block_of[: working.n_coef]] == 1
            signs = np.sign(self._unit[: working.n_coef]) * alone
            found[working.part_columns] = part.user_l1.strengths[0, working.part_columns] * signs
        return found

    def _embedded(self, directions: Matrix) -> Matrix:
        everywhere = np.zeros((len(directions), self.working.size))
        everywhere[:, self._places] = directions
        return everywhere

    def _product(self, directions: Matrix) -> Matrix:
        every = self._embedded(directions)
        products = self.working.product(every) + np.einsum("ri,ij->rj", every, self._across)
        return np.ascontiguousarray(products[:, self._places])

    def _is_null(self, direction: Vector) -> bool:
        """Say whether a direction changes no prediction, nor L1: free columns, or groups of one.

        Of two classes the length of such a group is its coefficient times a sign; and so it is of a
        softmax along the direction of the group.
        """
        return self._is_null_across(direction) or self._is_null_along(direction)

    def _is_null_along(self, direction: Vector) -> bool:
        """Say whether one direction of the classes, that of all groups that change, is null."""
        working, width = self.working, self._width
        every = self._embedded(direction[None])[0]
        rows = every[: working.n_coef].reshape(-1, width)
        used = np.flatnonzero(np.abs(rows).max(axis=1) > NO_SHARE * np.abs(every).max())
        if width == 1 or not used.size or (self._side[used] == 0.0).any():
            return False
        line = self._line[used[0]]
        if (self._line[used] != line).any():
            return False
        unit = self._unit[: working.n_coef].reshape(-1, width)[line]
        levels = every[working.n_coef :]
        along = np.append(np.einsum("ja,a->j", rows, unit), levels @ unit if levels.size else 0.0)
        beside = rows - along[:-1, None] * unit
        if levels.size:
            beside = np.vstack([beside, levels - along[-1] * unit])
        if np.abs(beside).max() > NO_SHARE * np.abs(every).max():
            return False
        part, places = working.part, working.part_columns
        assert part.user_l1 is not None
        one, slopes = np.zeros((2, part.design.shape[1] + 1))
        one[places], one[-1] = along[:-1], along[-1]
        slopes[places] = part.user_l1.strengths[0, places] * self._side
        return LevelDirections(part, slopes[:-1]).contains(0, one)

    def _is_null_across(self, direction: Vector) -> bool:
        """Say whether no group changes that has a length, nor any prediction."""
        every = self._embedded(direction[None])[0]
        working = self.working
        curved = working.strengths > 0.0
        if working.n_coef == working.columns.size:
            curved &= np.diff(working.starts) > 1
        inside = curved[working.block_of]
        if (np.abs(every[inside]) > NO_SHARE * np.abs(every).max()).any():
            return False
        return self._null.contains(0, working.of_part(every))

    def unresolved(self) -> Indices:
        """Return the columns of X along which rounding errors may hide a gain."""
        found = self._places[self.resolved.unresolved]
        return np.unique(self.working.columns[found[found < self.working.n_coef] // self._width])

    def look(self, noise: float) -> None:
        """Solve for p. Sets: step, error (how far it is from p), delta, reach and excess.

        The error is in the norm of M + D; the excess is e.
        """
        self.delta = (float(np.sqrt(self.half @ self.half)) + noise) * self._swell
        own = self.slopes[None, self._places]
        solved = -self.resolved.solve(own)
        self.step = self._embedded(solved)[0]
        left = self.resolved.half_solve(own + self._product(solved))[0]
        size = float(np.sqrt(self.resolved.inverse_size()))
        of_product = self._rounding.of_product(self.delta) * size
        self.error = (float(np.sqrt(left @ left)) + noise + of_product) * self._swell
        beside = self.error * size * self._swell
        working = self.working
        along = np.add.reduceat(self.step * self._unit, working.starts[:-1])
        across = working.lengths(self.step - along[working.block_of] * self._unit) + beside
        counts = (working.strengths > 0.0) & self._used[working.starts[:-1]]
        counts &= np.diff(working.starts) > 1
        self.excess = float((across / self._scale).max(initial=0.0, where=counts))
        largest = self._largest_row()
        reach = working.reach(self.step)
        reach += 2.0 * self._rounding.of_prediction(float(np.linalg.norm(self.step)) * largest)
        self.reach = reach + np.sqrt(2.0) * largest * beside

    def _largest_row(self) -> float:
        part = self.working.part
        ones = np.ones(part.design.shape[1])
        return float(np.sqrt(part.design.largest_row(ones, 0.0 * ones) + part.fit_intercept))

    def gain(self, cost: float) -> float:
        """Return the bound."""
        gain = dual_gain(self.delta, self.reach, self.growth)
        gain += 0.5 * self.excess * self.excess * cost
        if self._turned == 0.0:
            return gain
        # D p is orthogonal to the direction that was taken, not to the group: |b| t nu e besides.
        return gain + 2.0 * self._turned + 0.5 * self.excess * self.excess * cost


def _shared_by_classes(one: Objective, place: Place) -> float:
    """Return what the penalty loses by what all classes share, which is 0 at the optimum.

    With what rounding may take of it: it is the difference of two larger numbers.
    """
    if not one.loss.is_coupled:
        return 0.0
    coef, _ = one.split(place.theta[None])
    centred, _ = one.split(one.loss.centred(place.theta[None]))
    found, size = 0.0, 0.0
    assert one.l1 is not None
    for penalty in (one.l1, one.penalty):
        here, there = float(penalty.value(coef).sum()), float(penalty.value(centred).sum())
        found, size = found + here - there, size + here + there
    return max(0.0, found) + EPS * size


class GroupCertificate(CompositeSoftmaxCertificate):
    """Bounds the suboptimality of points of an objective with a group lasso.

    Parameters
    ----------
    objective : Objective
        Binomial or multinomial, with a `GroupL1`.
    is_pooled : bool, default False
        Its columns were standardised by other weights than those of the models.
    """

    _known: dict[int, GroupWorkingSet]  # type: ignore[assignment]

    def __init__(self, objective: Objective, is_pooled: bool = False) -> None:
        super().__init__(objective, is_pooled)
        self._smooth = PenaltyCertificate(objective)

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        See `CompositeSoftmaxCertificate.bound`.
        """
        one, there = self.objective.only(np.array([model])), Place(theta, gradient, cost)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if one.loss.is_coupled:
                gain = self._by_penalty(one, there)
            else:
                least = one.least_slopes(theta[None], gradient[None])[0]
                gain = self._smooth.bound(model, theta, least, wanted, cost=cost)
            if gain <= wanted or at_once:
                return gain
            found = self._by_groups(model, one, there) + _shared_by_classes(one, there)
        return gain if np.isnan(found) else min(gain, found)

    def _by_groups(self, model: int, one: Objective, there: Place) -> float:
        """Return the bound by the groups that may move, which are found on the way."""
        l1 = one.l1
        assert isinstance(l1, GroupL1)
        (coef, _), (slopes, _) = one.split(there.theta[None]), one.split(there.gradient[None])
        varies = one.design.columns.inverse_scale > 0.0
        slopes = slopes * varies
        sums = self.rounding.of_sums(there.cost)
        of_rows = 2.0 * self.rounding.of_rows(there.theta, there.cost)
        sizes = self._of_groups(l1, np.square(self._sizes(one)) * varies)
        width = np.sqrt(one.n_classes * self._of_groups(l1, varies.astype(np.float64)) ** 2)
        strengths = l1.of_groups[0]
        # Of its own strength alone, as under L1.
        of_l1 = STRENGTH_ERRORS * EPS * strengths
        slack = strengths - of_l1 - l1.lengths(slopes)[0] - width * sums - sizes * of_rows
        inside = (sizes > 0.0) & ((l1.lengths(coef)[0] > 0.0) | (strengths == 0.0) | (slack <= 0.0))
        if not (inside.any() or one.fit_intercept):
            return 0.0  # all groups are 0, and no slopes are as long as L1
        share = np.sqrt(0.5) if one.loss.is_coupled else 0.5
        for _ in range(ROUNDS):
            if self._n_coordinates(one, l1, inside, varies) > MAX_GRAM:
                return math.inf
            face = self._face_of(model, one, there, inside)
            each = sums + float(of_l1.max(initial=0.0, where=inside))
            noise = each * float(np.sqrt(face.resolved.inverse_size()))
            noise += of_rows * float(np.sqrt(face.growth))
            self._noise[model] = noise
            face.look(noise)
            gain = face.gain(there.cost)
            if not gain < math.inf:
                return math.inf
            # What the step may do to the slopes of a group.
            more = (sizes > 0.0) & ~inside & (slack < share * NEARLY * face.delta * sizes)
            if more.any():
                product = one.hessian_product(
                    face.working.curvature, face.working.put(face.step)[None]
                )
                changes, _ = one.split(product)
                moved = l1.lengths(slopes + changes * varies)[0] - l1.lengths(slopes)[0]
                moved += share * NEARLY * face.error * sizes
                moved += width * self.rounding.of_product(face.delta)
                more &= slack - moved <= 0.0
            if more.any():
                inside = inside | more
                continue
            is_resolved = not face.resolved.unresolved.size
            return self._resolved(model, face.unresolved(), is_resolved, gain)
        return math.inf

    def _of_groups(self, l1: GroupL1, squares: Vector) -> Vector:
        """Return the root of the sum over the columns of each group."""
        sums = np.zeros(l1.names.size)
        np.add.at(sums, l1.places, squares)
        return np.asarray(np.sqrt(sums))

    def _n_coordinates(self, one: Objective, l1: GroupL1, inside: Mask, varies: Mask) -> int:
        return max(1, one.n_classes - 1) * int(np.count_nonzero(inside[l1.places] & varies))

    def _face_of(self, model: int, one: Objective, there: Place, inside: Mask) -> GroupFace:
        """Return the face of a point; a Hessian is made where no known one serves."""
        groups = np.flatnonzero(inside)
        working, moved = self._known.get(model), math.inf
        if working is not None and working.covers(groups):
            moved = working.moved(working.take(there.theta))
        if working is None or not moved <= FAR:
            moved = 0.0
            _, levels = one.split(there.theta[None])
            working = GroupWorkingSet(one, groups, levels)
            point = working.take(there.theta)
            working.look(point, working.at(point)[2])
            self._known[model] = working
        point, slopes = working.take(there.theta), working.take_slopes(there.gradient)
        assert isinstance(one.l1, GroupL1)
        width = max(1, working.n_coef // max(1, working.columns.size))
        used = np.ones(working.size, dtype=bool)
        used[: working.n_coef] = np.repeat(inside[one.l1.places[working.columns]], width)
        return GroupFace(working, used, point, slopes, moved, self.rounding)
