"""All of the way to infinity: which rows and coefficients go there where classes are separable.

A likelihood that has no maximum rises along directions of recession (Geyer, 2009, Electronic
Journal of Statistics 3). One of them that separates as many rows as any does is built face by face:
a linear programme maximises the sum of the margins over a box, none of them negative (Konis, 2007,
Oxford thesis); the rows whose margins are positive are taken out, since a large enough multiple of
that direction keeps theirs positive; and the rest is asked again. Rows that are left overlap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.objective import Objective

__all__ = ["Recession", "find_recession"]

# Margins may be wrong by this share of the largest one; up to the other they are ties.
SLACK, TIE = 1e-7, 1e-6
# The largest margin of a direction within the box that is more than rounding.
LEAST_MARGIN = 1e-3
# What the linear programmes' constraints may be violated by.
FEASIBLE = 1e-9
# Components of a direction below this share of the largest are 0.
NO_PART = 1e-7
# A linear programme has at most this many numbers (160 MB); it begins with the worst rows.
MOST_NUMBERS = 20_000_000
LEAST_ROWS, ROWS_PER_PARAMETER = 100, 4
# The Gram matrix that tells columns which depend on others has at most so many.
MOST_COLUMNS = 4000


class Recession(NamedTuple):
    """A direction to infinity that separates as many rows as any.

    Attributes
    ----------
    direction : ndarray of shape (n_classes - 1, n_features + 1)
        In the units of X, the intercept last, of each class less the reference; the largest
        component is 1 or -1. 0 where the classes overlap.
    separated : ndarray of bool, shape (n_samples,)
        Rows for which some other class loses along it for ever.
    is_complete : bool
        Whether each row's class wins against all others.
    is_decided : bool
        False where the linear programmes were too large: the rest then tells nothing.
    dependent : ndarray of int
        Columns that are constant or combinations of others; they have no part in the direction.
    """

    direction: Matrix
    separated: Mask
    is_complete: bool
    is_decided: bool
    dependent: Indices


def find_recession(objective: Objective, reference: int = 0) -> Recession:
    """Return how far the classes of one standardised model are separable.

    Parameters
    ----------
    objective : Objective
        Of one model without a penalty, of two classes or a softmax.
    reference : int, default 0
        The class whose coefficients stay 0, of a softmax.
    """
    return _Faces(objective, reference).search()


class _TooLarge(Exception):
    """A linear programme would not fit in memory."""


class _Faces:
    def __init__(self, objective: Objective, reference: int) -> None:
        self.design, rows = objective.design, objective.rows
        self.n_classes = max(2, objective.n_classes)
        if objective.n_classes == 1:
            self.codes = (rows.codes_of(0) == rows.positive[0]).astype(np.int64)
        else:
            self.codes = np.argsort(rows.positive)[rows.codes_of(0)]
        weights = rows.weights_of(0)
        self.used = np.ones(self.codes.size, bool) if weights is None else weights > 0.0
        self.others = np.delete(np.arange(self.n_classes), reference)
        self.fit_intercept = objective.fit_intercept
        self.free = self._free()

    def _free(self) -> Mask:
        """Return which columns, and the intercept, are no combination of those before them."""
        varies = self.design.columns.inverse_scale > 0.0
        free = np.append(varies, self.fit_intercept)
        if free.size > MOST_COLUMNS:
            return free
        gram = self.design.gram(self.used.astype(np.float64))
        order = np.append(free.size - 1, np.arange(free.size - 1))
        order = order[free[order]]
        block = np.ascontiguousarray(gram[np.ix_(order, order)])
        free[order[Factor(block, DEPENDENT).dependent]] = False
        return free

    def search(self) -> Recession:
        codes, each = self.codes, np.arange(self.codes.size)
        open_ = np.broadcast_to(self.used, (self.n_classes, codes.size)).copy()
        open_[codes, each] = False
        total = np.zeros((self.n_classes - 1, self.free.size))
        margins = np.zeros(open_.shape)
        n_pairs = int(open_.sum())
        decided = True
        while open_.any():
            try:
                found = self._largest(open_)
            except _TooLarge:
                decided = False
                break
            if found is None:
                break
            more = self._margins(found)
            closed = ~open_ & self.used
            closed[codes, each] = False
            own = np.where(closed, margins, 1.0)
            large = 2.0 * float(np.max(-more / own, where=closed, initial=0.5))
            margins = large * margins + more
            total = large * total + self._in_units(found)
            size = np.abs(total).max()
            margins, total = margins / size, total / size
            open_ &= more <= TIE * float(np.max(more, where=open_, initial=0.0))
        is_separated = open_.sum(axis=0) < self.n_classes - 1
        return Recession(
            total, is_separated & self.used, decided and n_pairs > 0 and not open_.any(), decided,
            np.flatnonzero(~self.free[:-1]),
        )  # fmt: skip

    def _largest(self, open_: Mask) -> Matrix | None:
        """Return the direction in the box with the largest sum of open margins, none negative.

        None where that is 0. Linear programmes over the rows that are worst, and more as needed.
        """
        pulls = -open_.astype(np.float64)
        pulls[self.codes, np.arange(self.codes.size)] = open_.sum(axis=0)
        slopes, last = self.design.transposed_product(pulls[self.others] / open_.sum())
        cost = np.column_stack([slopes, last]) * self.free
        direction, chosen, first = cost, np.empty(0, dtype=np.int64), True
        while True:
            margins = np.where(open_, self._margins(direction), np.inf)
            least = margins.min(axis=0)
            largest = float(np.max(margins, where=open_, initial=0.0))
            if not first and largest <= LEAST_MARGIN:
                return None
            bad = least < -SLACK * largest
            if not first and not bad.any():
                return direction
            least[chosen] = np.inf
            worst = self._worst(least, chosen.size)
            if not worst.size or (not first and not bad[worst].any()):
                return None  # what violates is in the programme: nothing but rounding is left
            chosen, first = np.concatenate([chosen, worst]), False
            better = self._solve(cost, chosen, open_)
            if better is None:
                return None
            direction = better

    def _worst(self, least: Vector, n_chosen: int) -> Indices:
        """Return the rows that a programme takes more: as many again, and not too few."""
        size = self.free.size * (self.n_classes - 1)
        wanted = max(LEAST_ROWS, ROWS_PER_PARAMETER * size, n_chosen)
        n_more = min(wanted, int(np.isfinite(least).sum()))
        if (n_chosen + n_more) * size * (self.n_classes - 1) > MOST_NUMBERS:
            raise _TooLarge
        if n_more == 0:
            return np.empty(0, dtype=np.int64)
        return np.argpartition(least, n_more - 1)[:n_more]

    def _solve(self, cost: Matrix, chosen: Indices, open_: Mask) -> Matrix | None:
        from scipy.optimize import linprog

        free = np.tile(self.free, self.n_classes - 1)
        matrix = self._constraints(chosen, open_)[:, free]
        found = linprog(
            -cost.reshape(-1)[free], A_ub=-matrix, b_ub=np.zeros(len(matrix)), bounds=(-1.0, 1.0),
            method="highs", options={"primal_feasibility_tolerance": FEASIBLE},
        )  # fmt: skip
        if not found.success or not np.abs(found.x).max(initial=0.0) > NO_PART:
            return None
        direction = np.zeros(free.size)
        direction[free] = np.where(np.abs(found.x) > NO_PART, found.x, 0.0)
        return direction.reshape(cost.shape)

    def _constraints(self, chosen: Indices, open_: Mask) -> Matrix:
        """Return the margins of rows over the other classes, (n_pairs, n_parameters)."""
        center, inverse_scale = self.design.columns
        values = (np.asarray(self.design.rows(chosen), dtype=np.float64) - center) * inverse_scale
        values = np.column_stack([values, np.full(chosen.size, float(self.fit_intercept))])
        blocks = []
        for other in range(self.n_classes):
            against = np.flatnonzero(open_[other, chosen])
            block = np.zeros((against.size, self.n_classes, self.free.size))
            block[np.arange(against.size), self.codes[chosen[against]]] = values[against]
            block[:, other] -= values[against]
            blocks.append(
                block[:, self.others].reshape(against.size, self.others.size * self.free.size)
            )
        return np.concatenate(blocks)

    def _margins(self, direction: Matrix) -> Matrix:
        """Return what each row's class wins over each other along a direction: one pass."""
        raw = np.zeros((self.n_classes, self.codes.size))
        raw[self.others] = self.design.raw_prediction(
            np.ascontiguousarray(direction[:, :-1]), np.ascontiguousarray(direction[:, -1])
        )
        return raw[self.codes, np.arange(self.codes.size)] - raw

    def _in_units(self, direction: Matrix) -> Matrix:
        """Return a standardised direction in the units of X; what is rounding there is 0."""
        center, inverse_scale = self.design.columns
        slopes = direction[:, :-1] * inverse_scale
        shifts = np.column_stack([direction[:, -1], -slopes * center])
        last = shifts.sum(axis=1)
        last[np.abs(last) <= NO_PART * np.abs(shifts).sum(axis=1)] = 0.0
        if not self.fit_intercept:
            last[:] = 0.0
        return np.column_stack([slopes, last])
