"""Directions along which a likelihood never falls: what decides that an interval has no end.

With the margins of the rows as in `certificates.separation` (of a softmax one for each other class
of a row), the likelihood never falls along a direction whose margins are all >= 0. These directions
are a cone, and a linear function is unbounded where the likelihood is near its supremum if, and
only if, it grows along one of them (Rockafellar, 1970, Convex Analysis, theorem 8.7): so infinity
is decided by linear programmes, and no large number stands for it. Along a direction within the
cone margins that are positive grow for ever, and their losses go to 0: what is left is a likelihood
that has a maximum (Albert and Anderson, 1984, Biometrika 71; Geyer, 2009, Electronic Journal of
Statistics 3).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..certificates.separation import SLACK, TIE, Separation, SoftmaxSeparation
from ..objective.labelled_rows import LabelledRows
from ..objective.levels import offsets_of
from ..objective.objective import Objective

__all__ = ["BinaryMargins", "ClassMargins", "Margins", "Recession"]

# Margins up to which a linear programme takes all of them at once, and how many it begins with and
# adds for each parameter otherwise.
ALL_AT_ONCE, MORE = 2_000, 20
ROUNDS = 60
# Numbers of all margins of a softmax that are held at once.
MOST_NUMBERS = 20_000_000
# What a dropped class of a row has as offset: its probability is 0 in float64.
DROPPED = -1e5
# A linear function that changes by less, for its size, is level along a direction.
LEVEL = 1e-7


class BinaryMargins(Separation):
    """Margins of the rows of two classes: (class is the second or not) * raw prediction."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        signs, self.used = self._signs(0)
        self._each = signs.astype(np.float64)
        self.size = objective.design.shape[1] + 1
        self.fitted = self._free[0]

    def along(self, direction: Vector) -> Vector:
        """Return all margins along a direction, (n_margins,): one pass."""
        return self._raw(direction) * self._each

    def some(self, places: Indices) -> Matrix:
        """Return rows of numbers whose products with a direction are its margins."""
        return self._margins(places, self._each)

    def total(self, active: Mask) -> Vector:
        """Return the sum of the active rows of numbers, (size,): one pass."""
        slopes, last = self.objective.design.transposed_product((self._each * active)[None])
        return np.append(slopes[0], last[0] * self.objective.fit_intercept)

    def left(self, active: Mask) -> Objective | None:
        """Return the loss without the rows whose margins grow for ever; None where all do."""
        if not active.any():
            return None
        rows = self.objective.rows
        own = rows.weights_of(0)
        weights = active.astype(np.float64) if own is None else active * own
        return Objective(rows.weighted(rows.positive, weights, rows.weight_set), 0.0)


class ClassMargins(SoftmaxSeparation):
    """Margins of the rows of a softmax: raw prediction of the own class less that of another."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        self._n_classes, self._width = objective.n_classes, objective.design.shape[1] + 1
        self.size = self._n_classes * self._width
        codes, used = self._codes(0)
        n_margins = codes.size * (self._n_classes - 1)
        if n_margins * self.size > MOST_NUMBERS:
            raise ValueError(
                f"the classes are separable, and {n_margins * self.size:,} numbers of all margins "
                f"are more than the {MOST_NUMBERS:,} that decide which ends of intervals are "
                "infinite; join rows that are equal (weights='frequency'), or fit one class "
                "against another at a time"
            )
        rows = np.arange(codes.size)
        self._own = np.repeat(codes, self._n_classes - 1)
        self._row = np.repeat(rows, self._n_classes - 1)
        others = np.tile(np.arange(self._n_classes), (codes.size, 1))
        self._other = others[others != codes[:, None]]
        self.used = used[self._row]
        self.fitted = self._free[0]

    def along(self, direction: Vector) -> Vector:
        """Return all margins along a direction, (n_margins,): one pass."""
        raw = self._raw(direction)
        return raw[self._own, self._row] - raw[self._other, self._row]

    def some(self, places: Indices) -> Matrix:
        """Return rows of numbers whose products with a direction are its margins."""
        values = self._margins(self._row[places], np.ones(self._row.size))
        found = np.zeros((places.size, self._n_classes, self._width))
        each = np.arange(places.size)
        found[each, self._own[places]] = values
        found[each, self._other[places]] = -values
        return found.reshape(places.size, -1)

    def total(self, active: Mask) -> Vector:
        """Return the sum of the active rows of numbers, (size,): one pass."""
        sides = np.zeros((self._n_classes, self.objective.design.shape[0]))
        np.add.at(sides, (self._own[active], self._row[active]), 1.0)
        np.add.at(sides, (self._other[active], self._row[active]), -1.0)
        slopes, last = self.objective.design.transposed_product(sides)
        return np.column_stack([slopes, last * self.objective.fit_intercept]).reshape(-1)

    def left(self, active: Mask) -> Objective | None:
        """Return the loss without the classes of rows that are out of the question."""
        if not active.any():
            return None
        rows, design = self.objective.rows, self.objective.design
        offset = np.zeros((self._n_classes, design.shape[0]))
        gone = self.used & ~active
        offset[self._other[gone], self._row[gone]] = DROPPED
        own = rows.weights_of(0)
        offset += offsets_of(rows, 0, 1)[0]
        return Objective(
            LabelledRows(
                design, rows.loss, rows.codes_of(0), rows.positive,
                np.empty(0) if own is None else own, offset, rows.fit_intercept,
            ),
            0.0,
        )  # fmt: skip


Margins: TypeAlias = BinaryMargins | ClassMargins


class Recession:
    """The cone of directions along which the likelihood of one model never falls.

    Parameters
    ----------
    margins : BinaryMargins or ClassMargins

    Attributes
    ----------
    overlap : ndarray of bool, shape (n_margins,)
        Margins that are 0 along every direction of the cone: what keeps the likelihood finite.
    """

    def __init__(self, margins: Margins) -> None:
        self._margins = margins
        self._box = np.where(margins.fitted, 1.0, 0.0)
        self.overlap = self.ties(None)

    def grows(self, slopes: Vector) -> bool:
        """Say whether a linear function grows along some direction of the cone."""
        scaled = slopes / np.abs(slopes).max()
        direction = self._best(scaled, self._margins.used, None)
        return direction is not None and float(scaled @ direction) > LEVEL

    def ties(self, level: Vector | None) -> Mask:
        """Return which margins are 0 along all directions of the cone.

        Of those alone along which a linear function, `level`, does not change, if it is given.
        """
        active = self._margins.used.copy()
        while active.any():
            direction = self._best(self._margins.total(active), active, level)
            if direction is None:
                break
            margins = self._margins.along(direction)
            grown = active & (margins > TIE * float(np.abs(margins[active]).max()))
            if not grown.any():
                break
            active &= ~grown
        return active

    def _best(self, aim: Vector, active: Mask, level: Vector | None) -> Vector | None:
        """Return the direction along which a linear function grows most, active margins >= 0.

        Within a box; None where it does not grow. The programme takes the margins that the last
        direction breaks, until there are none.
        """
        size = float(np.abs(aim).max())
        if size == 0.0:
            return None
        aim = aim / size
        places = np.flatnonzero(active)
        more = MORE * self._margins.size
        if places.size > max(ALL_AT_ONCE, more):
            places = places[np.argsort(self._margins.along(aim)[places], kind="stable")[:more]]
        for _ in range(ROUNDS):
            direction = self._programme(aim, places, level)
            if float(aim @ direction) <= LEVEL:
                return None
            margins = np.where(active, self._margins.along(direction), np.inf)
            largest = float(margins[active].max(initial=0.0))
            broken = np.flatnonzero(margins < -SLACK * max(largest, 1.0))
            broken = np.setdiff1d(broken, places)
            if not broken.size:
                return direction
            worst = broken[np.argsort(margins[broken], kind="stable")[:more]]
            places = np.concatenate([places, worst])
        raise ValueError(
            f"linear programmes of {ROUNDS} rounds did not decide which ends are infinite; leave "
            "out the columns that separate the classes"
        )

    def _programme(self, aim: Vector, places: Indices, level: Vector | None) -> Vector:
        from scipy.optimize import linprog

        rows = self._margins.some(places)
        equal = {}
        if level is not None:
            equal = {"A_eq": level[None] / np.abs(level).max(), "b_eq": np.zeros(1)}
        found = linprog(
            -aim, A_ub=-rows, b_ub=np.zeros(len(rows)),
            bounds=np.column_stack([-self._box, self._box]), method="highs", **equal,
        )  # fmt: skip
        if not found.success:
            raise ValueError(
                f"a linear programme did not decide which ends are infinite: {found.message}"
            )
        return np.asarray(found.x)
