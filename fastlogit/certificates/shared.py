"""Proofs for many models over the same rows: one Gram matrix serves all that are near each other.

Models of the same weights and classes differ in their penalties alone, and a matrix M that was made
at one of their points bounds the others from where raw predictions differ little.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..objective.objective import Objective
from ..objective.row_state import RowPredictions
from .binomial import FAR, WORTH_PASSES, Certificate, Place, Reference

__all__ = ["SharedCertificate"]


class SharedCertificate(Certificate):
    """Bounds the suboptimality of points of many models that are near each other.

    Parameters
    ----------
    objective : Objective
    stride : int
        The rows S are every `stride`-th: all of them with 1.
    """

    def __init__(self, objective: Objective, stride: int = 1) -> None:
        super().__init__(objective, stride)
        self._families: dict[tuple[int, int], list[Reference]] = {}
        self._largest_row: float | None = None

    @property
    def largest_row(self) -> float:
        """The largest squared length of a row, its one for the intercept included: one pass."""
        if self._largest_row is None:
            design = self.objective.design
            ones = np.ones(design.shape[1])
            self._largest_row = design.largest_row(ones, 0.0 * ones) + self.objective.fit_intercept
        return self._largest_row

    def spread(self, step: Matrix, bend: Vector, cost: Vector) -> Vector:
        """Return bounds on weighted means of M e^(M |d|) d (change of a row's slope).

        For the changes d of raw predictions along steps; `bend` is each step's product with the
        change of the loss's gradient.
        """
        most = self.objective.loss.self_concordance
        length = np.sqrt(self.largest_row * np.square(step).sum(axis=1))
        errors = np.array([self.rounding.of_sums(float(value)) for value in cost])
        bend = np.abs(bend) + 2.0 * errors * np.abs(step).sum(axis=1)
        return np.asarray(most * np.exp(most * length) * bend)

    def bounds(
        self, models: Indices, theta: Matrix, gradient: Matrix, wanted: Vector, cost: Vector,
        spread: Vector | None = None,
    ) -> Vector:  # fmt: skip
        """Return bounds of several models, with a row of theta and gradient for each.

        The gradients may lack a sum of rows whose shares add up to `spread` at the most.
        """
        rows = self.sampled.rows
        gains = np.full(len(models), np.inf)
        families = np.array([rows.weight_set[models], rows.positive[models]])
        for family in np.unique(families, axis=1).T:
            own = np.flatnonzero((families == family[:, None]).all(axis=0))
            # One family at a time: raw predictions of all models would take memory.
            known = self._families.setdefault((int(family[0]), int(family[1])), [])
            found = self._nearest(known, models[own], theta[own])
            for place, (reference, moved) in zip(own, found, strict=True):
                if reference is not None:
                    relative = reference.relative(int(models[place]))
                    there = Place(theta[place], gradient[place], float(cost[place]))
                    if spread is not None:
                        lacking = float(spread[place]), self.largest_row
                        there = there._replace(lacking=lacking)
                    gains[place] = self._of_reference(
                        int(models[place]), relative, there, moved, float(wanted[place])
                    )
        return gains

    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`.

        `at_once`: without a new Gram matrix.
        """
        if not at_once:
            one = np.array([model])
            at = np.array([wanted]), np.array([cost])
            gain = float(self.bounds(one, theta[None], gradient[None], *at)[0])
            if gain <= wanted or wanted > 0.0:
                return gain
        return super().bound(model, theta, gradient, wanted, at_once, cost)

    def _nearest(
        self, known: list[Reference], models: Indices, theta: Matrix
    ) -> list[tuple[Reference | None, float]]:
        """Return for each model of a family the nearest reference, and how far it is.

        A new one is made for a model that is far from all.
        """
        raw = self.sampled.rows.predictions(theta)
        most = self.sampled.loss.self_concordance
        moved = [most * raw.largest_change(_raw_of(reference)) for reference in known]
        found: list[tuple[Reference | None, float]] = []
        for place, model in enumerate(models):
            best = min(range(len(known)), key=lambda index: moved[index][place], default=None)
            if best is None or not moved[best][place] <= FAR:
                if self.price() > WORTH_PASSES:
                    found.append((None, np.inf))
                    continue
                made = self._reference_at(int(model), theta[place])
                made.raw_there = raw[place]
                known.append(made)
                moved.append(most * raw.largest_change(raw[place]))
                best = len(known) - 1
            found.append((known[best], float(moved[best][place])))
        return found


def _raw_of(reference: Reference) -> RowPredictions:
    """Return what the rows are predicted where a reference was made."""
    assert reference.raw_there is not None
    return reference.raw_there
