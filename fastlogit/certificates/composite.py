"""How far a point's cost can lie above the optimum where the penalty has corners: proven bounds.

The cost is F = f + sum(l1 |coef|), f the mean logistic loss and L2. Let A hold the columns that
may move: all with a coefficient, all without L1, and some more; s their signs, of those at 0
against the slope; v = g + l1 s the slope of F there. With the Hessian M of f over A and the
intercept, and M p = -v, every row has its tangent at the raw prediction that the step p promises,
p_i + c_i (x_i' p) in the place of the probability p_i. These tangents add up to a function whose
slope is -l1 s on A and 0 for the intercept, exactly. Where it is within l1 for all other columns,

    |g_j + h_j' p| <= l1_j,

the tangents and L1 together are least at the point itself, and so F is nowhere less than they are
there. What F is above them there is a Kullback-Leibler divergence for each row, in all at most

    delta^2 / (2 (1 - largest |x_i' p|)),    delta^2 = v' M^-1 v,

and one look at the rows, for the one direction p, says what the largest |x_i' p| is. Before that it
is bounded by R delta, with R^2 the largest x_i' M^-1 x_i. An M that was made elsewhere serves as
well: where raw predictions have changed by m at most, tau = largest |x_i' p| and the bound grow by
e^m.

This is a duality gap, at the dual point that a Newton step leads to: of second order, as the bound
in `binomial`. With L2 on all columns the bounds there hold as well, with v in the place of the
gradient.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ..arrays import Indices, Masks, Matrix, Vector
from ..linalg.factors import FACTOR_NS
from ..linalg.resolved import EPS, ResolvedHessian
from ..objective.null_directions import NO_SHARE, NullDirections, whole_multiples
from ..objective.objective import Objective
from ..objective.working_set import WorkingSet
from .binomial import MAX_GRAM, PenaltyCertificate, Place, Rounding
from .by_faces import ByFaces
from .dual_gap import KnownStep, dual_gap

__all__ = ["CompositeCertificate", "dual_gain"]

# The columns that may move are looked for so often, those at the edge being added.
ROUNDS = 6
# From this share of the columns on none of them is copied.
MOST = 0.5
# Change of a raw prediction above which a Hessian is made anew.
FAR = 0.5
# What is next to nothing of the bound of |h_j' p|, for rounding errors in the columns' scale.
NEARLY = 1.0 + 1e-6
# Where a duality gap is no more than so many times what is wanted, and as much of the last one, the
# next step is waited for.
PROMISING, FALLS = 1e3, 0.1
# Roundings of a strength on the standardised scale, and of its sum with a slope.
STRENGTH_ERRORS = 4.0


def dual_gain(delta: float, tau: float, growth: float = 1.0) -> float:
    """Return the bound, from delta and tau; infinite where tau is 1 or more.

    `growth` is the most that a row's curvature has fallen by since their M was made, as a factor.
    """
    tau = float(growth) * float(tau)
    if not (tau < 1.0 and delta < math.inf):
        return math.inf
    return 0.5 * float(growth) * float(delta) * float(delta) / (1.0 - tau)


class LevelDirections(NullDirections):
    """Tells directions along which neither a prediction nor L2 nor L1 changes.

    Parameters
    ----------
    objective : Objective
        Of one model.
    slopes : ndarray of shape (n_features,)
        Those of L1 in the units of X.
    """

    def __init__(self, objective: Objective, slopes: Vector) -> None:
        super().__init__(objective)
        self._slopes = slopes

    def _is_free(self, model: int, columns: Indices, factors: Vector) -> bool:
        each = zip(self._slopes[columns], factors, strict=True)
        change = sum((Fraction(float(s)) * Fraction(float(f)) for s, f in each), Fraction(0))
        return change == 0 and super()._is_free(model, columns, factors)


class SharedDirections(NullDirections):
    """Directions of several classes along which no probability changes, nor L1 by its slopes.

    The predictions of all classes may change by the same number in each row.

    Parameters
    ----------
    objective : Objective
        Of one model.
    slopes : ndarray of shape (n_classes, n_features)
        Those of L1 in the units of X.
    """

    def __init__(self, objective: Objective, slopes: Matrix) -> None:
        super().__init__(objective)
        self._slopes = slopes

    def holds(self, directions: Matrix) -> bool:
        """Say whether a direction near this one is such: (n_classes, n_features + 1)."""
        inverse_scale = self._objective.design.columns.inverse_scale
        coef = np.where(inverse_scale > 0.0, directions[:, :-1], 0.0)
        used = np.abs(coef) > NO_SHARE * np.abs(directions).max()
        if not used.any() or not self._is_free_of_l2(np.flatnonzero(used.any(axis=0))):
            return False
        levels = directions[:, -1] / np.abs(directions).max()
        own = (coef * inverse_scale)[used]
        for factors in whole_multiples(own):
            every = np.zeros_like(coef)
            every[used] = factors
            if self._is_flat(factors, used) and self._is_shared(every, levels):
                return True
        return False

    def _is_free_of_l2(self, columns: Indices) -> bool:
        """Say whether no column has L2, of which nothing else is a penalty with L1."""
        return not self._objective.penalty.diagonal()[0, columns].any()

    def _is_flat(self, factors: Vector, used: Masks) -> bool:
        each = zip(self._slopes[used], factors, strict=True)
        return sum((Fraction(float(s)) * Fraction(float(f)) for s, f in each), Fraction(0)) == 0

    def _is_shared(self, factors: Matrix, levels: Vector) -> bool:
        for beside, level in zip(factors[1:] - factors[0], levels[1:] - levels[0], strict=True):
            columns = np.flatnonzero(beside)
            if columns.size and not self._is_level(0, columns, beside[columns]):
                return False
            if not columns.size and abs(level) > NO_SHARE:
                return False  # the intercept alone
        return True


class Face:
    """A point with the columns that may move: M, v and what bounds the rows' predictions.

    Parameters
    ----------
    working : WorkingSet
        That covers the columns, and has looked at the point.
    columns : ndarray of int
    signs : ndarray of shape (n_columns,)
        Those that L1 is taken to have, 0 for free columns.
    slopes : ndarray of shape (n_columns + 1,)
        v, the intercept's last.
    moved : float
        The most that a raw prediction has changed since M was made.
    rounding : Rounding
    """

    def __init__(
        self, working: WorkingSet, columns: Indices, signs: Vector, slopes: Vector, moved: float,
        rounding: Rounding,
    ) -> None:  # fmt: skip
        self._working, self._places = working, working.places(columns)
        part = working.part
        part.design.counter.check(1e-9 * FACTOR_NS * len(self._places) ** 3 / 3.0)
        assert part.user_l1 is not None
        of_l1 = np.zeros(working.columns.size)
        of_l1[self._places[:-1]] = part.user_l1.strengths[0, self._places[:-1]] * signs
        self._null = LevelDirections(part, of_l1)
        self.resolved = ResolvedHessian(
            working.matrix[np.ix_(self._places, self._places)], self._product, self._is_null,
            ~part.fitted()[self._places], part.design.shape[0],
        )  # fmt: skip
        self._slopes, self._rounding = slopes, rounding
        self.half = self.resolved.half_solve(slopes[None])[0]
        self._swell = float(np.sqrt(self.resolved.excess()))
        self.growth = float(np.exp(moved))

    def _embedded(self, directions: Matrix) -> Matrix:
        everywhere = np.zeros((len(directions), self._working.columns.size + 1))
        everywhere[:, self._places] = directions
        return everywhere

    def _product(self, directions: Matrix) -> Matrix:
        return self._working.product(self._embedded(directions))[:, self._places]

    def _is_null(self, direction: Vector) -> bool:
        return self._null.contains(0, self._embedded(direction[None])[0])

    def unresolved(self) -> Indices:
        """Return the columns of X along which rounding errors may hide a gain."""
        found = self._places[self.resolved.unresolved]
        return self._working.columns[found[found < self._working.columns.size]]

    def gain(self, noise: float, wanted: float) -> tuple[float, float]:
        """Return the bound and the delta in it; `noise` is what rounding errors add to delta.

        tau is bounded by the rows' curvatures, and by a look at the rows where that is too much.
        """
        delta = (float(np.sqrt(self.half @ self.half)) + noise) * self._swell
        gain = dual_gain(delta, delta * self._radius_by_curvature() * self._swell, self.growth)
        enough = gain < math.inf if wanted == 0.0 else gain <= wanted
        if not (enough or 0.5 * delta * delta * self.growth > wanted > 0.0):
            gain = min(gain, dual_gain(delta, self._reach(noise), self.growth))
        return gain, delta

    def largest_curvature(self) -> float:
        """Return the root of the largest curvature of a row in M, no more than a half."""
        rows = self._working.part.rows
        return min(0.5, math.sqrt(rows.largest_curvature(self._working.curvature, 0)))

    def _radius_by_curvature(self) -> float:
        """Bound x' M^-1 x by one over the share that the row's own term has in M.

        A row whose curvature is 0 in M has its own tangent among those that make the bound: how
        far its prediction moves is all the same.
        """
        least = self._working.curvature.least_positive()
        return float(np.sqrt(self._working.part.rows.total_weight[0] / least))

    def _reach(self, noise: float) -> float:
        """Bound the raw predictions of p: those of the step as it is solved, and what p has beside.

        That is M^-1 of what the step leaves of the slopes, which its product with the rows tells,
        and of rounding errors. Of both only the size in the norm of M^-1 is known, so that R is
        asked for here, but they are small.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # it is infinite then
            return self._look_at_rows(noise)

    def _look_at_rows(self, noise: float) -> float:
        part = self._working.part
        step = self.resolved.solve(self._slopes[None])
        left = self.resolved.half_solve(self._slopes[None] - self._product(step))[0]
        size = float(np.sqrt(self.resolved.inverse_size()))
        beside = float(np.sqrt(left @ left)) + noise
        beside += self._rounding.of_product(float(np.sqrt(self.half @ self.half))) * size
        ones = np.ones(self._working.columns.size)
        largest = np.sqrt(part.design.largest_row(ones, 0.0 * ones) + part.fit_intercept)
        radius = min(self._radius_by_curvature(), largest * size) * self._swell
        found = part.rows.predictions(self._embedded(step))
        reach = float(found.largest(self._working.curvature)[0])
        reach += self._rounding.of_prediction(float(np.linalg.norm(step)) * largest)
        return reach + radius * beside * self._swell


class CompositeCertificate(ByFaces):
    """Bounds the suboptimality of points of an objective with L1.

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
        self._smooth = PenaltyCertificate(objective)
        self.hessians = self._smooth.hessians
        self._known: dict[int, WorkingSet] = {}
        self._steps: dict[int, KnownStep] = {}
        self._gaps: dict[int, float] = {}
        self._sizes: dict[int, Vector | float] = {}

    def under(self, objective: Objective) -> CompositeCertificate:
        """Return what proves points of an objective that differs in its penalty alone."""
        other = CompositeCertificate(objective, self._is_pooled)
        other._sizes = self._sizes
        return other

    def take_working_set(self, model: int, working: WorkingSet) -> None:
        """Take a working set of a model, whose Hessian may serve the next proof."""
        self._known[model] = working

    def take_step(self, model: int, known: KnownStep) -> None:
        """Take the step from a point to the minimum of a model's quadratic model there."""
        self._steps[model] = known

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        `gradient` is that of what is smooth. `at_once`: without a matrix. `cost` is that of theta,
        by which rounding errors are judged.
        """
        one = self.objective.only(np.array([model]))
        there = Place(theta, gradient, cost)
        gain = self._by_smooth(model, one, there, wanted)
        gain = min(gain, self._by_step(model, one, there))
        if gain <= wanted or at_once or self._waits_for_step(model, gain, wanted):
            return gain
        return min(gain, self._by_face(model, one, there, wanted))

    def _by_smooth(self, model: int, one: Objective, there: Place, wanted: float) -> float:
        """Return what the bound of a smooth cost says of the least slopes."""
        least = one.least_slopes(there.theta[None], there.gradient[None])[0]
        return self._smooth.bound(model, there.theta, least, wanted, cost=there.cost)

    def _by_step(self, model: int, one: Objective, there: Place) -> float:
        """Return the duality gap to which a known step leads; infinite without one from there."""
        known = self._steps.get(model)
        if known is None or not np.array_equal(known.theta, there.theta):
            return math.inf
        return dual_gap(one, there, known, self.rounding, self.sizes_of_columns(model))

    def _waits_for_step(self, model: int, gain: float, wanted: float) -> bool:
        """Say whether another step may prove what this one did not, before a matrix is made."""
        before, self._gaps[model] = self._gaps.get(model, math.inf), gain
        return wanted > 0.0 and gain <= min(PROMISING * wanted, FALLS * before)

    def _by_face(self, model: int, one: Objective, there: Place, wanted: float) -> float:
        """Return the bound by the columns that may move, which are found on the way."""
        assert one.l1 is not None
        l1, coef, slopes = one.l1.strengths[0], there.theta[None, :-1], there.gradient[:-1]
        varies = one.design.columns.inverse_scale > 0.0
        sums = self.rounding.of_sums(there.cost)
        # Of its own strength alone: that of another column may be as large as you like.
        of_l1 = STRENGTH_ERRORS * EPS * l1
        of_rows = self.rounding.of_rows(there.theta, there.cost)
        low, high = one.l1.allowed(coef)
        slack = np.minimum(slopes - low[0], high[0] - slopes) - of_l1 - sums - 0.5 * of_rows
        inside = varies & (~one.l1.corners(coef)[0] | (slack <= 0.0))
        for _ in range(ROUNDS):
            if inside.sum() > MAX_GRAM:
                return math.inf
            face = self._face(model, one, there, np.flatnonzero(inside))
            each = sums + float(of_l1.max(initial=0.0, where=inside))
            noise = each * float(np.sqrt(face.resolved.inverse_size()))
            noise += of_rows * float(np.sqrt(face.growth))
            self._noise[model] = noise
            gain, delta = face.gain(noise, wanted)
            if not gain < math.inf:
                return math.inf
            # The size of h_j' p: at most those of the column and of p in the rows' curvatures.
            reach = NEARLY * delta * self.sizes_of_columns(model)
            more = varies & ~inside & (slack < 0.5 * reach)
            if more.any():
                more &= slack < face.largest_curvature() * reach
            if more.any():
                inside |= more
                continue
            is_resolved = not face.resolved.unresolved.size
            return self._resolved(model, face.unresolved(), is_resolved, gain)
        return math.inf

    def _face(self, model: int, one: Objective, there: Place, columns: Indices) -> Face:
        """Return the face of a point; a Gram matrix is made where no known one serves."""
        assert one.l1 is not None
        working, moved = self._known.get(model), math.inf
        # A working set holds all others at 0: those at a bound belong to it, though they rest.
        needed = np.union1d(columns, np.flatnonzero(there.theta[:-1]))
        if working is not None and working.covers(needed):
            moved = working.moved(working.take(there.theta))
        if working is None or not moved <= FAR:
            moved = 0.0
            whole = needed.size >= MOST * one.design.shape[1]
            # A design has a column at the least.
            some = needed if needed.size else np.zeros(1, dtype=np.int64)
            working = WorkingSet(one, None if whole else some)
            theta = working.take(there.theta)
            working.look(theta, working.part.curvature(theta[None]))
            self._known[model] = working
        slopes = there.gradient[:-1]
        low, high = (end[0] for end in one.l1.allowed(there.theta[None, :-1]))
        # The nearer end; at a coefficient that is at no corner both are the same.
        near_low = np.abs(slopes - low) < np.abs(high - slopes)
        held = np.where(near_low, low, high)[columns]
        l1 = one.l1.strengths[0, columns]
        signs = np.divide(-held, l1, out=np.zeros(held.shape), where=l1 > 0.0)
        least = np.append(slopes[columns] - held, there.gradient[-1])
        return Face(working, columns, signs, least, moved, self.rounding)

    def sizes_of_columns(self, model: int) -> Vector | float:
        """Return the root mean square of each standardised column, or a bound of all."""
        rows = self.objective.rows
        if len({int(k) for k in rows.weight_set}) == 1 and not self._is_pooled:
            return 1.0
        if model not in self._sizes:
            self._sizes[model] = rows.root_mean_squares(model)
        return self._sizes[model]
