"""How far a point's cost can lie above the optimum: proven bounds.

The cost is f = loss + penalty, both convex, and the logistic loss of one row, as a function of its
raw prediction, is self-concordant in the sense that the logarithm of its second derivative changes
by at most 1 a unit (Bach, 2010, Electronic Journal of Statistics 4); of another loss by M a unit,
and R is M times as large in what follows; of probit and complementary log-log losses near the point
(`objective.links`), which is enough: where the bound below has its minimum within reach, the cost
rises from there on, as it is convex. Let S be any set of rows and
M the Hessian *at the point* of the losses of S plus the penalty; the other rows only help, since
their losses lie above their tangents. With delta^2 = g' M^-1 g for the gradient g of f, and R^2
the largest x_i' M^-1 x_i of the rows in S, every direction gains at most

    (tau + (1 - tau) log(1 - tau)) / R^2,   tau = delta R < 1,

which is delta^2 / 2 (1 + tau / 3 + ...): the Newton decrement, made a bound. Two choices of M:

- the rows of a subsample whole: a Gram matrix, for any penalty or none;
- of the rows nothing but the curvature of the intercept, and the penalty: no matrix at all. Without
  an intercept no rows are needed, and the bound is the duality gap |g|^2 / (2 l2_reg) that the
  dual point made of the residuals gives.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Vector
from ..linalg.factors import SOLVE_NS
from ..linalg.resolved import EPS, errors_of_sums
from ..objective.hessians import Hessians, LocalHessian
from ..objective.objective import Objective
from ..objective.penalties import L2
from ..objective.row_state import RowPredictions
from .by_faces import KnowsRows

__all__ = [
    "FAR",
    "GRAM_PRICE",
    "WORTH_PASSES",
    "Certificate",
    "PenaltyCertificate",
    "Reference",
    "gain_bound",
]

# Above this number of columns no Gram matrix is formed for a proof; one that a solver has made for
# its own use serves.
MAX_GRAM = 3000
# Passes that a Gram matrix of all rows costs, for each column; and passes that a better proof is
# worth where there is one already.
GRAM_PRICE = 0.25
WORTH_PASSES = 10.0
# Columns of which a pass says what the largest x' M^-1 x is: of so many directions at once.
RADIUS_COLUMNS = 8
# A bound that is this many times what is wanted by a first guess is not computed.
HOPELESS = 2.0
SERIES = 0.02
# Change of a raw prediction above which a Hessian is made anew: curvatures may have changed by e.
FAR = 1.0
# So often a subsample may say nothing near the end, before all rows are asked.
FAILURES = 2
# And so often the bound by the penalty may say less than is wanted, before a dear matrix is made.
WAITS = 4
# Roundings of each term of a penalty's gradient: by two scales, and by a product.
PENALTY_ERRORS = 4.0
# Rounding errors of a row's raw prediction, in units of EPS and of the sum of its parts' sizes.
RAW_ERRORS = 4.0
# Sizes of what is added up for a fractional response, as of labels: 2^(1/2) + 1 at the most.
PARTS_OF_SHARES = 2.5
# Of a loss that is self-concordant near each point only: raw predictions may change by so much from
# where its constant M is taken. A matrix is kept while they change by at most FAR / M <= 1, and the
# bound's minimum is within -log(1 - tau) / M <= 1 of there for tau up to LOCAL, since M >= 1.
REACH, LOCAL = 2.0, 0.63


def gain_bound(decrement: float, radius: float) -> float:
    """Return the largest possible gain, from delta = `decrement` and R = `radius`.

    Infinite where ``decrement * radius >= 1``.
    """
    delta = float(decrement)
    tau = delta * float(radius)
    if not tau < 1.0:
        return math.inf
    if tau < SERIES:
        # The sum of tau^k / (k (k - 1)), without the cancellation.
        share = 0.5 + tau * (1.0 / 6.0 + tau * (1.0 / 12.0 + tau * (0.05 + tau / 30.0)))
        return delta * delta * (share * (1.0 + 1e-8))
    return delta * delta * ((tau + (1.0 - tau) * math.log1p(-tau)) / (tau * tau))


def gain_near(decrement: float, radius: float, is_local: bool) -> float:
    """Return `gain_bound`; infinite where a constant that holds nearby alone does not serve."""
    if is_local and not float(decrement) * float(radius) <= LOCAL:
        return math.inf
    return gain_bound(decrement, radius)


class Place(NamedTuple):
    """A point of one model, its gradient and cost.

    `lacking`: the gradient may lack a sum of rows, with shares whose sizes add up to the first
    number at the most; the second is the largest squared length of a row.
    """

    theta: Vector
    gradient: Vector
    cost: float
    lacking: tuple[float, float] = (0.0, 0.0)


class Rounding:
    """How far rounding errors may move the gradient of an objective.

    Sums over the rows err by about `errors_of_sums` times EPS of the size of what they add up.
    Columns have mean square 1 at the most, so that this size is at most that of the residuals,
    which the loss bounds. A raw prediction errs in proportion to its parts' sizes, and what comes
    of that is a gradient X' C e of row errors e: in the norm of the inverse Hessian it is at most
    the root of e' C e. Columns that are centred by algebra add up larger numbers, see
    `Design.rounding`.
    """

    def __init__(self, objective: Objective) -> None:
        n_samples = objective.design.shape[0]
        size = EPS * objective.design.rounding
        self._sums = size * errors_of_sums(n_samples)
        self._raw = size * (RAW_ERRORS + float(np.sqrt(objective.design.longest_sum)))
        self._offset = objective.rows.largest_offset()
        self._loss = objective.loss
        # Of a fractional response the residuals and curvatures of its rows as of their codes, and
        # what shares are above these, are added up. A code's loss is at most twice the row's, and
        # the smaller share of a row at most its loss.
        self._parts = 1.0 if objective.rows.shares is None else PARTS_OF_SHARES
        # How many times the mean loss that of a row may be, where residuals have no bound.
        self._most_share = 1.0
        if objective.loss.is_local:
            self._most_share = n_samples / (objective.rows.least_weight_share() or 1.0)

    def of_sums(self, cost: float) -> float:
        """Return the error of each component of the gradient that adding up the rows leaves."""
        return self._sums * self._parts * self._loss.residual_size(cost, self._most_share)

    def of_penalty(self, objective: Objective, theta: Vector) -> float:
        """Return the error of the gradient of a penalty with a full Hessian, in its norm.

        Terms of each component, as rounded in its scaling and its sum, cancel.
        """
        if isinstance(objective.penalty, L2):
            return 0.0
        coef, _ = objective.split(theta)
        terms = objective.penalty.sizes(coef)
        return float(EPS * (PENALTY_ERRORS + coef.shape[1]) * np.linalg.norm(terms))

    def of_rows(self, theta: Vector, cost: float) -> float:
        """Return the size of the errors by raw predictions, in the inverse Hessian's norm."""
        size = float(np.abs(theta).sum()) + self._offset
        return self.of_prediction(size) * self._parts * self._loss.curvature_size(cost)

    def of_prediction(self, size: float) -> float:
        """Return the error of a raw prediction whose parts add up to `size`."""
        return self._raw * size

    def of_product(self, size: float) -> float:
        """Return the error of each component of the Hessian times a direction of that size.

        Its size in the norm of the Hessian: the root of what row curvatures and squares add up to.
        """
        return (self._sums + self._raw) * size


class Reference:
    """M of one model at some point, and what bounds it at points nearby."""

    def __init__(self, certificate: Certificate, model: int, hessian: LocalHessian) -> None:
        self.hessian, self.sampled = hessian, hessian.sampled
        self.share, self.theta = hessian.share, hessian.theta
        self.raw_there: RowPredictions | None = None
        self._rounding = certificate.rounding
        self._concordance = self.sampled.rows.concordance(self.theta, model, REACH)
        self._is_local = self.sampled.loss.is_local
        self._model = model
        # x_i' M^-1 x_i is at most 1 over the share that the row's own term has in M.
        weight = float(self.sampled.rows.total_weight[model]) / self.share
        least = hessian.least_curvature
        self._first_radius = float(np.sqrt(weight / least)) if np.isfinite(least) else np.inf
        self._forget_radius()

    def _forget_radius(self) -> None:
        self.radius, self.looks = self._first_radius, 0
        self._exact: float | None = None

    def relative(self, model: int) -> Reference:
        """Return the same for a model that differs in its penalty alone."""
        other = copy.copy(self)
        other.hessian, other._model = self.hessian.with_penalty_of(model), model
        other._forget_radius()
        return other

    def _tighten_cheaply(self) -> None:
        """Bound the largest x' M^-1 x by the largest row times the trace of M^-1."""
        if self.looks >= 1:
            return
        self.sampled.design.counter.check(1e-9 * SOLVE_NS * self.theta.size**3)
        ones = np.ones(self.theta.size - 1)
        largest = self.sampled.design.largest_row(ones, 0.0 * ones) + self.sampled.fit_intercept
        inverse = self.hessian.resolved.inverse_root()
        self.radius = min(self.radius, float(np.sqrt(largest * np.square(inverse).sum())))
        self.looks = 1

    def _tighten_by_scales(self) -> None:
        """Bound it by the largest row, each column at its size in M^-1: see `inverse_scales`.

        With many columns the trace says little: of 2,000 that are independent a radius 45 times the
        exact one, where this is three times it; of 1,000 that are correlated 170 and 14 times.
        """
        if self.looks >= 2:
            return
        design = self.sampled.design
        design.counter.check(3e-9 * SOLVE_NS * self.theta.size**3)
        scales, factor = self.hessian.resolved.inverse_scales(design.n_threads)
        largest = design.largest_row(scales[:-1], 0.0 * scales[:-1])
        largest += self.sampled.fit_intercept * scales[-1] * scales[-1]
        self.radius = min(self.radius, float(np.sqrt(factor * largest)))
        self.looks = 2

    def _tighten(self) -> None:
        """Take the exact largest x' M^-1 x, as costly as the Gram matrix itself."""
        if self.looks >= 3:
            return
        self.radius = min(self.radius, self._exact_radius())
        self.looks = 3

    def _exact_radius(self) -> float:
        """Return the root of the largest x' M^-1 x of all rows, as costly as the Gram matrix."""
        if self._exact is None:
            self.sampled.design.counter.check(1e-9 * SOLVE_NS * self.theta.size**3)
            directions = self.hessian.resolved.inverse_root().T
            self._exact = float(
                np.sqrt(self.sampled.rows.largest_square(directions, RADIUS_COLUMNS))
            )
        return self._exact

    def gain(self, there: Place, moved: float, wanted: float, at_once: bool = False) -> float:
        """Return a bound on the gain from a point where raw predictions have `moved` that much.

        It leaves out what the Hessian does not resolve. What makes the bound tighter is done for
        one that is `wanted`, or for any at all.
        """
        half = self.hessian.half_solve(there.gradient)
        # The logarithm of a row's curvature falls by the change of its raw prediction at the most.
        swell = float(np.exp(0.5 * moved))
        swell *= float(np.sqrt(self.hessian.resolved.excess()))
        delta = float(np.sqrt(half @ half)) + self.noise(there.theta, there.cost)
        spread, largest_row = there.lacking
        if spread > 0.0:
            delta += spread * math.sqrt(self._largest_inverse() * largest_row)
        delta *= swell
        swell *= self._concordance
        gain = gain_near(delta, self.radius * swell, self._is_local)
        for tighten in (self._tighten_cheaply, self._tighten_by_scales, self._tighten):
            enough = gain < np.inf if wanted == 0.0 else gain <= wanted
            if enough or at_once or 0.5 * delta * delta > 0.8 * wanted > 0.0:
                break
            tighten()
            gain = gain_near(delta, self.radius * swell, self._is_local)
        return gain

    def _largest_inverse(self) -> float:
        """Return a bound on x' M^-1 x of vectors of length 1: see `inverse_scales`."""
        design = self.sampled.design
        design.counter.check(3e-9 * SOLVE_NS * self.theta.size**3)
        scales, factor = self.hessian.resolved.inverse_scales(design.n_threads)
        return factor * float(np.square(scales).max())

    def noise(self, theta: Vector, cost: float) -> float:
        """Return what rounding errors may add to the decrement."""
        sums = self._rounding.of_sums(cost)
        if not isinstance(self.sampled.penalty, L2):
            sums += self._rounding.of_penalty(self.sampled.only([self._model]), theta)
        sums = sums * np.sqrt(self.hessian.resolved.inverse_size())
        return float(sums + self._rounding.of_rows(theta, cost) / np.sqrt(self.share))

    def step_lowers(self, model: int, gradient: Vector) -> bool:
        """Say whether the step -M^-1 g lowers the cost for sure: delta R < 1, over all rows."""
        delta = float(np.sqrt(2.0 * self.least(gradient))) * self._concordance
        # Of rows whose curvature is 0 in floating point the first bound of R says nothing.
        if self.hessian.n_curved == self.sampled.rows.n_of_weight(model):
            for tighten in (None, self._tighten_cheaply, self._tighten_by_scales):
                if tighten is not None:
                    tighten()
                if delta * self.radius < 1.0:
                    return True
        # With 500 columns the exact one takes longer than all the rest.
        if self._exact is None and self.theta.size > RADIUS_COLUMNS * WORTH_PASSES:
            return False
        return delta * self._exact_radius() < 1.0

    def least(self, gradient: Vector) -> float:
        """Return what the bound would be at the least: half the squared decrement."""
        half = self.hessian.half_solve(gradient)
        return float(0.5 * (half @ half))

    def moved(self, theta: Vector) -> float:
        """Return the most that the logarithm of a curvature changed since the matrix was made."""
        if np.array_equal(theta, self.theta):
            return 0.0
        if self.raw_there is None:
            self.raw_there = self.sampled.rows.predictions(self.theta[None])
        change = self.sampled.rows.predictions(theta[None]).largest_change(self.raw_there)
        return float(change[0]) * self._concordance


class Certificate(KnowsRows):
    """Bounds the suboptimality of points of an objective, by the rows of a subsample.

    Parameters
    ----------
    objective : Objective
    stride : int
        The rows S are every `stride`-th: all of them with 1.
    """

    def __init__(self, objective: Objective, stride: int = 1) -> None:
        self.objective = objective
        self.sampled = objective.subsample(stride) if stride > 1 else objective
        if not (self.sampled.rows.total_weight > 0.0).all():
            self.sampled = objective  # folds that are in step with the stride
        self.hessians, self.rounding = Hessians(objective, self.sampled), Rounding(objective)
        # Bounds of models that count all directions but the unresolved ones.
        self.beside: dict[int, float] = {}
        self._references: dict[int, Reference] = {}
        self._largest: dict[int, float] = {}
        self._intercept_curvatures: dict[int, tuple[Vector, float]] = {}
        self._failures = np.zeros(objective.n_models, dtype=int)
        self._waits = np.zeros(objective.n_models, dtype=int)
        self._whole: Certificate | None = None

    def _reference(self, model: int) -> Reference | None:
        """Return what is known of the Hessian that anybody asked for last; None if nobody did."""
        hessian, known = self.hessians.last(model), self._references.get(model)
        if hessian is None:
            return None
        if known is None or known.hessian is not hessian:
            known = self._references[model] = Reference(self, model, hessian)
        return known

    def _reference_at(self, model: int, theta: Vector) -> Reference:
        """Return a reference at a point, by a pass for the curvatures and one for the Hessian."""
        self.hessians.at(model, theta)
        reference = self._reference(model)
        assert reference is not None
        return reference

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        `at_once`: without a new Gram matrix. `cost` is that of theta, by which rounding errors are
        judged.
        """
        there = Place(theta, gradient, cost)
        gain = self._penalty_bound(model, there, wanted)
        if gain <= wanted:
            return gain
        reference = self._reference(model)
        may_make = not at_once and self.objective.design.shape[1] <= MAX_GRAM
        if reference is not None and reference.least(gradient) > HOPELESS * wanted > 0.0:
            return gain
        moved = np.inf if reference is None else reference.moved(theta)
        if reference is None or not moved <= FAR:
            if not may_make or self._waits_for_penalty(model, wanted):
                return gain
            reference, moved = self._reference_at(model, theta), 0.0
        gain = min(gain, self._of_reference(model, reference, there, moved, wanted, at_once))
        if gain == np.inf and self.sampled is not self.objective and may_make:
            return self._bound_by_all_rows(model, there, wanted)
        return gain

    def _of_reference(
        self, model: int, reference: Reference, there: Place, moved: float, wanted: float,
        at_once: bool = False,
    ) -> float:  # fmt: skip
        """Return the bound of a reference: infinite where it leaves a direction out."""
        gain = reference.gain(there, moved, wanted, at_once)
        if not reference.hessian.resolved.unresolved.size:
            self.beside.pop(model, None)
            return gain
        if self.sampled is self.objective:
            self.beside[model] = gain
        return np.inf

    def _waits_for_penalty(self, model: int, wanted: float) -> bool:
        """Say whether the bound by the penalty may still do, so that no dear matrix is made.

        Another iteration is cheaper and may bring the point near enough; but a weak penalty, or one
        that is weak on a column of a large size, never proves anything.
        """
        if not (self._is_penalized(model) and self.price() > WORTH_PASSES):
            return False
        self._waits[model] += 1
        return bool(self._waits[model] <= WAITS and wanted > 0.0)

    def step_lowers(self, model: int, gradient: Vector) -> bool:
        """Say whether Newton's step from the point looked at last lowers the cost for sure."""
        reference = self._reference(model)
        return reference is not None and reference.step_lowers(model, gradient)

    def level_of_rounding(self, model: int, theta: Vector, cost: float) -> float:
        """Return the gain that rounding errors of the gradient look like, as far as is known."""
        reference = self._reference(model)
        noise = 0.0 if reference is None else reference.noise(theta, cost)
        return 0.5 * noise * noise  # a power of Python's would raise where it overflows

    def unresolved(self, model: int) -> Indices:
        """Return the columns along which rounding errors may hide a gain, as last seen."""
        reference = self._reference(model)
        if self._whole is not None:
            reference = self._whole._reference(model) or reference
        nothing = np.empty(0, dtype=np.int64)
        return nothing if reference is None else reference.hessian.resolved.unresolved

    def _bound_by_all_rows(self, model: int, there: Place, wanted: float) -> float:
        """Serve where the subsample says nothing, as of a column that is 0 in all its rows.

        At first another iteration is cheaper: it may bring the point near enough.
        """
        self._failures[model] += 1
        if self._failures[model] <= FAILURES and wanted > 0.0:
            return np.inf
        if self._whole is None:
            self._whole = Certificate(self.objective)
            self._whole.beside = self.beside
        return self._whole.bound(model, there.theta, there.gradient, wanted, cost=there.cost)

    def price(self) -> float:
        """Return roughly how many passes over all rows a Gram matrix of the subsample costs."""
        share = self.sampled.design.shape[0] / self.objective.design.shape[0]
        return float(GRAM_PRICE * share * self.sampled.design.shape[1])

    def _penalty_bound(self, model: int, there: Place, wanted: float) -> float:
        # Of columns of a huge size the penalty is next to nothing: then this says nothing.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._by_penalty(model, there, wanted)

    def _by_penalty(self, model: int, there: Place, wanted: float) -> float:
        floor = self.objective.parameter_penalty.floor(model)[:-1]
        moving = self.objective.design.columns.inverse_scale > 0.0
        if not (floor[moving] > 0.0).all():
            return np.inf  # a coefficient that is fitted has no penalty
        scale = np.sqrt(floor)
        np.divide(1.0, scale, out=scale, where=moving)
        scale[~moving] = 0.0
        noise = self._noise_without_rows(model, there) * _length(scale)
        size = _length(there.gradient[:-1] * scale)
        if not self.objective.fit_intercept:
            size += noise
            return 0.5 * size * size  # a power of Python's floats would raise beyond their range
        if 0.5 * size * size > HOPELESS * wanted > 0.0:
            return np.inf
        if model in self._intercept_curvatures:
            # Where the last mean and curvature say that it is far off, new ones will say so too.
            guess = self._intercept_gain(model, there, scale, *self._intercept_curvatures[model])
            if guess > HOPELESS * wanted > 0.0:
                return np.inf
        self._intercept_curvatures[model] = self._intercept_curvature(model, there.theta)
        return self._intercept_gain(model, there, scale, *self._intercept_curvatures[model])

    def _noise_without_rows(self, model: int, there: Place) -> float:
        """Return what rounding errors may add to each component of the gradient."""
        of_rows = self.rounding.of_rows(there.theta, there.cost)
        noise = self.rounding.of_sums(there.cost) + 0.5 * of_rows
        if not isinstance(self.objective.penalty, L2):
            noise += self.rounding.of_penalty(self.objective.only([model]), there.theta)
        return noise

    def _is_penalized(self, model: int) -> bool:
        """Say whether every coefficient that is fitted has a penalty."""
        moving = self.objective.design.columns.inverse_scale > 0.0
        return bool((self.objective.parameter_penalty.floor(model)[:-1][moving] > 0.0).all())

    def know_largest_rows(self, squares: Vector) -> None:
        """Take the largest squared length of a row, each column over the root of its penalty.

        Of each set of strengths; rows are those that are standardised, without an intercept.
        """
        self._largest.update({k: float(square) for k, square in enumerate(squares)})

    def _intercept_curvature(self, model: int, theta: Vector) -> tuple[Vector, float]:
        """Return the rows' mean, weighted by their curvatures, and the sum of these per weight."""
        part = self.sampled.only([model])
        known = self._known_curvature(model, theta) if self.sampled is self.objective else None
        curvature = part.curvature(theta[None, :]) if known is None else known
        total = float(curvature.totals()[0])
        if not total > 0.0:
            return np.zeros(theta.size - 1), 0.0
        return part.rows.curvature_mean(curvature), total / float(
            self.objective.rows.total_weight[model]
        )

    def _intercept_gain(
        self, model: int, there: Place, scale: Vector, mean: Vector, curvature: float
    ) -> float:
        """Keep of the rows' Hessian the curvature of the intercept, at their weighted mean."""
        if curvature <= 0.0:
            return np.inf
        level = there.gradient[-1]
        slopes = _length((there.gradient[:-1] - level * mean) * scale)
        delta = math.hypot(slopes, level / math.sqrt(curvature))
        shift = _length(mean * scale)
        delta += self._noise_without_rows(model, there) * (
            _length(scale) + shift + 1.0 / math.sqrt(curvature)
        )
        key = model if self.objective.penalty.n_sets > 1 else 0
        if key not in self._largest:
            self._largest[key] = self.sampled.design.largest_row(scale, np.zeros_like(scale))
        reach = np.sqrt(self._largest[key]) + shift
        concordance = self.sampled.rows.concordance(there.theta, model, REACH)
        radius = concordance * np.sqrt(reach * reach + 1.0 / curvature)
        return gain_near(delta, radius, self.objective.loss.is_local)


def _length(vector: Vector) -> float:
    """Return the root of the sum of squares: not by BLAS, whose threads then keep cores busy."""
    return math.sqrt(np.einsum("i,i->", vector, vector))


class PenaltyCertificate(Certificate):
    """Bounds by the penalty and the curvature of the intercept alone, without a matrix.

    For points of fewer columns that have to be proven again in X, where nothing else may be known.
    """

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model."""
        return self._penalty_bound(model, Place(theta, gradient, cost), wanted)
