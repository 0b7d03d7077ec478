"""When a solver may stop: an estimate first, since it is free, then the proof."""

from __future__ import annotations

import contextlib
from typing import TypeAlias

import numpy as np

from ..arrays import Floats, Indices, Mask, Masks, Matrix, Vector
from ..certificates.binomial import Certificate
from ..certificates.composite import CompositeCertificate
from ..certificates.composite_groups import GroupCertificate
from ..certificates.composite_softmax import CompositeSoftmaxCertificate
from ..certificates.separation import Separated, Separation, SoftmaxSeparation
from ..certificates.shared import SharedCertificate
from ..certificates.softmax import SoftmaxCertificate
from ..clock import Clock, TimeUp
from ..objective.group_penalty import GroupL1
from ..objective.objective import Objective
from .trace import Point, Reason, of_models

__all__ = [
    "AnyCertificate",
    "StoppingRule",
    "bound_in_units",
    "certificate_of",
    "meets",
    "relative",
    "separation_of",
    "stated",
]

# What proves the points of an objective.
AnyCertificate: TypeAlias = (
    Certificate | CompositeCertificate | CompositeSoftmaxCertificate | SoftmaxCertificate
)

# Half a unit in the last place of a cost.
ROUNDED = 2.0**-53
# A tolerance below this is none of the cost as a float64 number: that has not the digits.
FINEST = 2.0**-50


class StoppingRule:
    """Relative suboptimality of each model, wanted and proven.

    Parameters
    ----------
    tol : float
        Wanted bound on (cost - optimum) / optimum: see `meets`.
    n_models : int
    certificate : Certificate, optional
        Without one an estimate decides, as for the subsamples that only serve as a start.
    separation : Separation, optional
        Looks whether there is an optimum at all.
    steps_on : bool, default False
        A model that meets the rule takes one step more, which nobody looks at.

    Attributes
    ----------
    bound : ndarray of shape (n_models,)
        Proven relative suboptimality of the exact cost; `stated` adds the rounding of the number.
    met, hidden : ndarray of bool, shape (n_models,)
        Models that lack no more than is wanted; and those of which that is so but for what rounding
        errors hide: along some directions, or in the units of X.
    """

    def __init__(
        self,
        tol: float,
        n_models: int,
        certificate: AnyCertificate | None = None,
        separation: Separation | None = None,
        steps_on: bool = False,
    ) -> None:
        self.tol, self.steps_on = tol, steps_on
        self.certificate = certificate
        self.separation = separation
        self.bound = np.full(n_models, np.inf)
        self.met = np.zeros(n_models, dtype=bool)
        self.hidden = np.zeros(n_models, dtype=bool)
        self._behind: dict[int, Indices] = {}

    def look(
        self, models: Indices, theta: Matrix, cost: Vector, gradient: Matrix, estimate: Vector
    ) -> None:
        """Take the evaluated points of some models and what they are thought to lack."""
        wanted = self.tol * np.abs(cost)
        near = np.flatnonzero(~self.met[models] & (estimate <= wanted))
        if self.certificate is None or not near.size:
            self.met[models[near]] = True
            return
        with _quietly():
            at = of_models(theta, near), of_models(gradient, near)
            gains = self.certificate.bounds(models[near], *at, wanted[near], cost[near])
        each = zip(models[near], *at, cost[near], gains, strict=True)
        for model, place, slope, value, gain in each:
            self._take(int(model), place, slope, float(value), float(gain))

    def look_between(
        self, models: Indices, theta: Matrix, cost: Vector, gradient: Matrix, share: Vector,
        step: Matrix, bend: Vector,
    ) -> None:  # fmt: skip
        """Take points of models between others: see `solvers.between`.

        `share` is t (1 - t) / 2, `step` the way from one end to the other, and `bend` its product
        with the change of the loss's gradient.
        """
        assert isinstance(self.certificate, SharedCertificate)
        with _quietly():
            spread = share * self.certificate.spread(step, bend, cost)
            gains = self.certificate.bounds(models, theta, gradient, self.tol * cost, cost, spread)
        for model, place, slope, value, gain in zip(
            models, theta, gradient, cost, gains, strict=True
        ):
            self._take(int(model), place, slope, float(value), float(gain))

    def forget(self) -> None:
        """Nothing is proven of where the models are: they are not where they were looked at."""
        self.bound[:], self.met[:], self.hidden[:] = np.inf, False, False
        self._behind.clear()

    def leave(self) -> None:
        """Row curvatures are overwritten from now on: no proof may take those of the last point."""
        if self.certificate is not None:
            self.certificate.forget()

    def _take(self, model: int, theta: Vector, gradient: Vector, cost: float, gain: float) -> None:
        """Take a bound on the gain from a model's point; what is returned adds its rounding."""
        assert self.certificate is not None
        self.bound[model] = bound_in_units(self.certificate.objective, theta, gradient, cost, gain)
        self.met[model] = meets(self.bound[model], self.tol)
        beside = relative(min(gain, self.certificate.beside.get(model, np.inf)), cost)
        self.hidden[model] = not self.met[model] and meets(beside, self.tol)
        if self.hidden[model]:
            columns = self.certificate.unresolved(model)
            n_features = self.certificate.objective.design.shape[1]
            self._behind[model] = columns[columns < n_features]

    def step_lowers(self, model: int, gradient: Vector) -> bool:
        """Say whether one step more from where the model is cannot raise the cost."""
        return self.certificate is None or self.certificate.step_lowers(model, gradient)

    def hides(self) -> dict[int, Indices]:
        """Return the columns along which rounding errors hide a gain, of each such model."""
        found = {
            int(m): self._behind.get(int(m), np.empty(0, int)) for m in np.flatnonzero(self.hidden)
        }
        return {model: columns for model, columns in found.items() if columns.size}

    def take_over(self, models: Indices, other: StoppingRule) -> None:
        """Take what another rule, of these models alone, has proven and seen."""
        self.bound[models], self.met[models] = other.bound, other.met
        self.hidden[models] = other.hidden
        for place, columns in other._behind.items():
            self._behind[int(models[place])] = columns
        if self.separation is not None and other.separation is not None:
            for place, direction in other.separation.found.items():
                self.separation.found[int(models[place])] = direction

    def level_of_rounding(self, point: Point, models: Indices) -> Vector:
        """Return the gains of some models that rounding errors of the gradient look like."""
        levels = np.zeros(len(models))
        if self.certificate is not None:
            for place, model in enumerate(models):
                there = point.theta[model], float(point.cost[model])
                levels[place] = self.certificate.level_of_rounding(int(model), *there)
        return levels

    def prove(self, point: Point, at_once: bool = False) -> Vector:
        """Return the best bounds that can be proven at a point where a solver ended.

        `at_once`: by what is there already, for a user who waits after Ctrl-C.
        """
        if self.certificate is None:
            return self.bound
        for model in np.flatnonzero(~self.met):
            cost = float(point.cost[model])
            where = int(model), point.theta[model], point.gradient[model]
            with _quietly():
                gain = self.certificate.bound(*where, self.tol * abs(cost), at_once, cost)
                self._take(*where, cost, gain)
                if not meets(relative(gain, cost), self.tol):
                    gain = min(gain, self.certificate.bound(*where, 0.0, at_once, cost))
                    self._take(*where, cost, gain)
        return self.bound

    def prove_at_once(self, point: Point) -> None:
        """Prove what is known already, after Ctrl-C: another one ends that, not the result."""
        with contextlib.suppress(KeyboardInterrupt):
            self.prove(point, at_once=True)

    def hopeless(self, theta: Matrix, n_iter: int) -> Mask | bool:
        """Return which models have no optimum, as far as the iterates show."""
        if self.separation is None:
            return False
        return self.separation.look(theta, n_iter)

    def glance(self, theta: Matrix) -> bool:
        """Say whether the classes are separable, as far as one look at a point shows."""
        if self.separation is None:
            return False
        self.separation.glance(theta)
        return bool(self.separation.found)

    def separated(self) -> dict[int, Separated]:
        """Return what separates the classes, of each model whose classes are."""
        if self.separation is None:
            return {}
        return {model: self.separation.describe(model) for model in self.separation.found}

    def conclude(self, point: Point, reason: Reason) -> Reason:
        """Return why a fit ended, once `reason` made it end: the proof may say otherwise.

        After the time limit it ends soon, with what is proven and found by then.
        """
        clock = self._clock()
        with clock.conclusion():
            self.prove(point)
            if self.separation is not None:
                self.separation.inspect(point.theta)
                if reason.may_go_on:
                    self.separation.decide(np.flatnonzero(~self.met), point.theta)
        if self.separation is not None and self.separation.found:
            return Reason.SEPARABLE
        if reason.may_go_on and (self.met | self.hidden).all():
            return self.conclude_by_rounding()
        if self.met.all():
            return Reason.CONVERGED
        return Reason.TIME_LIMIT if reason.may_go_on and clock.is_late() else reason

    def _clock(self) -> Clock:
        """Return what says when the fit has to end."""
        if self.certificate is None:
            return Clock(0.0, None)
        counter = self.certificate.objective.design.counter
        counter.phase = "proof"
        return counter.clock or Clock(0.0, None)

    def conclude_by_rounding(self) -> Reason:
        """Return why a fit ended where nothing is missing but what rounding errors hide."""
        if self.met.all():
            return Reason.CONVERGED
        return Reason.COLLINEAR if self.hides() else Reason.ROUNDING


def certificate_of(objective: Objective, stride: int) -> AnyCertificate:
    """Return what proves the objective's points, with the subsample of every `stride`-th row.

    All rows where there is L1.
    """
    if isinstance(objective.l1, GroupL1):
        return GroupCertificate(objective)
    if objective.l1 is not None and objective.loss.is_coupled:
        return CompositeSoftmaxCertificate(objective)
    if objective.l1 is not None:
        return CompositeCertificate(objective)
    made = SoftmaxCertificate if objective.loss.is_coupled else Certificate
    try:
        return made(objective, stride)
    except TimeUp:  # while the subsample was read
        return made(objective, 1)


def separation_of(objective: Objective) -> Separation:
    """Return what looks whether the objective has an optimum at all."""
    return (SoftmaxSeparation if objective.loss.is_coupled else Separation)(objective)


def bound_in_units(
    objective: Objective, theta: Vector, gradient: Vector, cost: float, gain: float
) -> float:
    """Return the suboptimality of a point as it is rounded in the units of X, from its gain."""
    return relative(gain + _lost_in_units(objective, theta, gradient, cost), cost)


def _lost_in_units(objective: Objective, theta: Vector, gradient: Vector, cost: float) -> float:
    """Return how much the cost may rise where a point is rounded in the units of X."""
    lost = float(objective.lost_in_units(theta[None])[0])
    with _quietly():
        slope, curvature = (
            float(np.abs(gradient).max()),
            objective.loss.curvature_within(cost, lost),
        )
        return lost * slope + 0.5 * curvature * float(np.square(lost))


def _quietly() -> np.errstate:
    """Let numbers overflow: what is said of a point is infinite then."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def relative(gain: float, cost: float) -> float:
    """Return the suboptimality relative to the optimum, from its bound and the cost."""
    lowest = cost - gain
    return float(gain / lowest) if lowest > 0.0 else np.inf


def stated_of_one(bound: float) -> float:
    """Return what `stated` does for one number, without NumPy: a fifth of its time."""
    gain = bound / (1.0 + bound) + ROUNDED
    return gain / (1.0 - gain) if 0.0 <= gain < 1.0 else np.inf


def stated(bound: float | Floats) -> Floats:
    """Return bounds on what costs lack as float64 numbers, from those of the exact costs."""
    with _quietly():
        gain = np.asarray(bound / (1.0 + bound)) + ROUNDED
        return np.where((gain >= 0.0) & (gain < 1.0), gain / (1.0 - gain), np.inf)


def meets(bound: float | Floats, tol: float) -> Masks:
    """Say which bounds keep a tolerance: as stated, or of the exact cost where `tol` is finer.

    Coefficients can be nearer to the optimum than the cost can show, by half its digits: at a cost
    of 1e-16 above it the predictions are off by 1e-8.
    """
    if isinstance(bound, float) and bound > 2.0 * tol:
        return np.array(False)  # as most are that are looked at
    return (stated(bound) if tol >= FINEST else np.asarray(bound)) <= tol
