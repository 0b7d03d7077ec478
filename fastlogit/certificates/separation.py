"""Whether a combination of columns separates the classes: then no unpenalised optimum exists.

With a direction v such that the margins (+1 or -1 for the class) * (x_i' v) are all >= 0 and some
are > 0, the cost falls for ever along v (Albert and Anderson, 1984, Biometrika 71). The classes are
separated *completely* where all margins are > 0, else *quasi-completely*. Columns with a penalty
have no part in v.

The cost may come as near to its infimum as anybody asks before a coefficient is large: five rows in
a million add little to it, however they are predicted. So the end of a fit is looked at as well.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from ..arrays import Floats, Indices, Mask, Matrix, Vector
from ..clock import TimeUp
from ..objective.objective import Objective

__all__ = ["Separated", "Separation", "SoftmaxSeparation"]

# Coefficients on the standardised scale, iterations and cost from which on a look is worth a pass.
LARGE = 8.0
ITERATIONS = 8
# A first linear programme after so many iterations, then whenever they have doubled.
PROGRAMME_FROM = 16
# Margins of rows that may be on their way to infinity; a row's loss is e^-margin there.
SURE = 6.0
# Rows per column that show that a direction is not level among the others.
ROWS_PER_COLUMN = 30
# Eigenvalues below this share of the largest one are those of level directions.
LEVEL = 1e-9
# Margins of a separating direction may be wrong by this share of the largest one.
SLACK = 1e-7
# Margins up to this share of the largest one are ties: linear programmes are right to 1e-7.
TIE = 1e-6
# Parameters of a softmax up to which its level directions are looked for.
INSPECTED = 700
# Columns named in a message: those with at least this share of the largest coefficient.
SHARE = 0.1
# A linear programme has at most this many numbers; it begins with the worst rows, at least 100.
LINEAR_PROGRAMME = 500_000
LEAST_ROWS, WORST_PER_COLUMN = 100, 4
ROUNDS = 20
# Nanoseconds of the eigenvectors of a symmetric matrix, for each of its rows cubed.
EIGH_NS = 2.0
# What scipy's linprog answers at its limit of iterations or time.
TIME_OVER = 1
# A sum of margins that is all rounding.
NO_MARGIN = 1e-9
# The sign of rows that are partly of the class and partly not.
BOTH = np.int8(0)


# 1 for rows of the class that counts as 1, -1 for others.
Signs: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int8]]


def _margins_of(raw: Floats, signs: Signs) -> Floats:
    """Return how far rows are on the side of their class; those of both are on neither."""
    margins, both = raw * signs, signs == BOTH
    if both.any():
        margins[both] = -np.abs(raw[both])
    return margins


class Programme(Protocol):
    """What SciPy returns of a linear programme."""

    x: Vector
    fun: float
    success: bool
    status: int


class Separated(NamedTuple):
    """How a model's classes are separated.

    `columns` do it, each `alone` or all together; `complete` says whether completely (True), only
    quasi-completely (False), or that it could not be told (None). `classes` are the codes of the
    softmax classes that are told apart from all others: without ties, else with ties, else those
    told apart from any other. None for two classes, or one against the others.
    """

    columns: list[int]
    alone: bool
    complete: bool | None
    classes: list[int] | None = None


class Separation:
    """Looks for separation while unpenalised models are being fitted."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.found: dict[int, Vector] = {}
        self._last: Matrix | None = None
        varying = objective.design.columns.inverse_scale > 0.0
        # A bound of a coefficient ends the way to infinity on its side.
        down, up = objective.reach()
        free = ~objective.penalized() & varying & ((down != 0.0) | (up != 0.0))
        free = np.column_stack([free, np.full(len(free), objective.fit_intercept)])
        outputs = np.broadcast_to(free, (objective.n_outputs, free.shape[1]))
        self._free = outputs.reshape(objective.n_models, -1)
        slopes = outputs[:, :-1].reshape(objective.n_models, -1)
        possible = slopes.any(axis=1) & objective.loss.is_separable
        self._possible: Mask = np.asarray(possible)
        self._next_programme = PROGRAMME_FROM

    @cached_property
    def _down(self) -> Matrix:
        """How far down each parameter may go: -1 or 0, (n_models, n_parameters)."""
        down, n_classes = self.objective.reach()[0], self.objective.n_classes
        return self._free * np.tile(np.append(down, -1.0), n_classes)

    @cached_property
    def _up(self) -> Matrix:
        """How far up: 1 or 0."""
        up, n_classes = self.objective.reach()[1], self.objective.n_classes
        return self._free * np.tile(np.append(up, 1.0), n_classes)

    def look(self, theta: Matrix, n_iter: int) -> Mask:
        """Return which models are separated, from the iterates; looks at the rows now and then."""
        separated = np.zeros(self.objective.n_models, dtype=bool)
        if not self._possible.any():
            return separated
        if n_iter % 4 == 0 and n_iter >= ITERATIONS:
            large = np.abs(theta).max(axis=1) > LARGE
            for model in np.flatnonzero(large & self._possible):
                if int(model) not in self.found:
                    self._look_at(int(model), theta)
            self._last = theta.copy()
            if n_iter >= self._next_programme:
                self._next_programme = 2 * n_iter
                self.decide(np.flatnonzero(large), theta)
        separated[list(self.found)] = True
        return separated

    def decide(self, models: Indices, theta: Matrix) -> None:
        """Ask linear programmes about models that did not converge."""
        for model in models:
            if self._possible[model] and int(model) not in self.found:
                self._programme(int(model), theta[model])

    def inspect(self, theta: Matrix) -> None:
        """Look whether the rows predicted best, at the end of a fit, are on their way to infinity.

        Then there is a direction that leaves the other rows as they are: theta's part in the
        directions that are level among those is tried.
        """
        for model in np.flatnonzero(self._possible):
            if int(model) not in self.found:
                self._inspect(int(model), theta[model])

    def columns(self, model: int) -> tuple[list[int], bool]:
        """Return the columns that separate a model's classes, and whether one alone does."""
        try:
            alone = self._alone(model)
        except TimeUp:  # a pass for each column, where they lie on disk
            alone = []
        if alone:
            return alone, True
        size = np.abs(self.found[model][:-1])
        return [int(column) for column in np.flatnonzero(size >= SHARE * size.max())], False

    def describe(self, model: int) -> Separated:
        """Return how a model's classes are separated."""
        columns, alone = self.columns(model)
        try:
            complete = (alone and self._gap_alone(model, columns)) or self._is_complete(model)
        except TimeUp:
            complete = None
        return Separated(columns, alone, complete)

    def glance(self, theta: Matrix) -> None:
        """Look whether a point itself separates the classes: one pass for each model."""
        for model in np.flatnonzero(self._possible):
            self._try(int(model), theta[model])

    def _look_at(self, model: int, theta: Matrix) -> None:
        if not self._try(model, theta[model]) and self._last is not None:
            self._try(model, theta[model] - self._last[model])

    def _try(self, model: int, direction: Vector) -> bool:
        """Keep a direction if it separates the classes."""
        direction = np.where(self._free[model], direction, 0.0)
        direction[(direction < 0.0) & (self._down[model] == 0.0)] = 0.0
        direction[(direction > 0.0) & (self._up[model] == 0.0)] = 0.0
        size = np.abs(direction).max()
        found = bool(size > 0.0) and self._separates(model, direction / size)
        if found:
            self.found[model] = direction / size
        return found

    def _inspect(self, model: int, theta: Vector) -> None:
        """Try theta's part in the directions that are level among the rows that are not sure.

        Some of these rows leave none as a rule: then no other row is looked at, which saved a
        fifth of a fit of 1,000,000 x 20.
        """
        n_samples, n_features = self.objective.design.shape
        stride = n_samples // (ROWS_PER_COLUMN * (n_features + 1))
        if stride > 1 and not self._level(model, theta, stride).any():
            return
        level = self._level(model, theta, 1)
        if level.any():
            self._try(model, level @ (level.T @ np.where(self._free[model], theta, 0.0)))

    def _level(self, model: int, theta: Vector, stride: int) -> Matrix:
        """Return a basis (n_features + 1, ...) of the free directions that are 0 at unsure rows.

        Of every `stride`-th row; it is empty where no row is sure.
        """
        design = self.objective.design
        part = design.subsample(stride) if stride > 1 else design
        raw = part.raw_prediction(theta[None, :-1].copy(), theta[-1:].copy())[0]
        signs, used = self._signs(model, stride)
        near = used & (_margins_of(raw, signs) <= SURE)
        if stride == 1 and near.sum() == used.sum():
            return np.zeros((theta.size, 0))
        gram = part.gram(near.astype(np.float64))
        free = np.flatnonzero(self._free[model])
        design.counter.check(EIGH_NS * 1e-9 * free.size**3)
        values, vectors = np.linalg.eigh(gram[np.ix_(free, free)])
        basis = np.zeros((len(gram), len(free)))
        basis[free] = vectors * (values <= LEVEL * max(values[-1], LEVEL * near.size))
        return basis

    def _signs(self, model: int, stride: int = 1) -> tuple[Signs, Mask]:
        """Return the side of every `stride`-th row, and whether it counts."""
        rows = self.objective.rows
        weights, shares = rows.weights_of(model), rows.shares_of(model)[::stride]
        weights = None if weights is None else weights[::stride]
        signs = np.where(shares, np.int8(1), np.int8(-1))
        if shares.dtype != bool:
            signs[(shares > 0.0) & (shares < 1.0)] = BOTH
        used = np.ones(signs.size, bool) if weights is None else weights > 0.0
        return signs, used

    def _separates(self, model: int, direction: Vector) -> bool:
        least, largest = self._range_of_margins(model, direction)
        # Nearly 0 everywhere is a direction that the data do not identify.
        return largest > 1e-3 and least >= -SLACK * largest

    def _range_of_margins(self, model: int, direction: Vector) -> tuple[float, float]:
        """Return the least margin along a direction, and the largest in size: one pass."""
        signs, used = self._signs(model)
        margins = _margins_of(self._raw(direction), signs)
        margins = margins if used.all() else margins[used]
        return float(margins.min()), max(float(margins.max()), -float(margins.min()))

    def _raw(self, direction: Vector) -> Floats:
        last = direction[-1:] * self.objective.fit_intercept
        return self.objective.design.raw_prediction(direction[None, :-1].copy(), last)[0]

    def _has_no_ties(self, model: int, direction: Vector) -> bool:
        """Say whether all margins along a direction are > 0, by more than rounding."""
        least, largest = self._range_of_margins(model, direction)
        return least > TIE * largest

    def _is_complete(self, model: int) -> bool | None:
        """Say whether some direction leaves no ties; None where that takes too large a programme.

        Linear programmes over the rows with the least margins, and more as needed: where a few rows
        leave no direction without ties, all rows leave none.
        """
        direction = self.found[model]
        if self._has_no_ties(model, direction):
            return True
        signs, used = self._signs(model)
        chosen = np.empty(0, dtype=np.int64)
        for _ in range(ROUNDS):
            margins = np.where(used, _margins_of(self._raw(direction), signs), np.inf)
            margins[chosen] = np.inf
            n_more = self._n_more(chosen, margins)
            if n_more == 0:
                return None
            worst = np.argpartition(margins, n_more - 1)[:n_more]
            chosen = np.concatenate([chosen, worst])
            wider = self._widest_gap(model, self._margins(chosen, signs))
            if wider is None:
                return False
            if self._has_no_ties(model, wider):
                return True
            direction = wider
        return None

    def _n_more(self, chosen: Indices, margins: Vector) -> int:
        """Return how many rows a linear programme takes more; 0 for none, or too many of them."""
        size = self.objective.design.shape[1] + 1
        wanted = max(LEAST_ROWS, WORST_PER_COLUMN * size)
        n_more = min(wanted, int(np.isfinite(margins).sum()))
        return n_more if (chosen.size + n_more) * size <= LINEAR_PROGRAMME else 0

    def _widest_gap(self, model: int, margins: Matrix) -> Vector | None:
        """Return the direction within a box whose least margin is largest; None where it is 0."""
        low, high = np.append(self._down[model], 0.0), np.append(self._up[model], 1.0)
        cost = np.zeros(high.size)
        cost[-1] = -1.0
        above = np.column_stack([-margins, np.ones(len(margins))])
        found = self._solve(cost, above, np.column_stack([low, high]))
        return found.x[:-1] if found.success and -found.fun > TIE else None

    def _gap_alone(self, model: int, columns: list[int]) -> bool:
        """Say whether one of the columns that separate the classes alone leaves no ties."""
        signs, used = self._signs(model)
        for column in columns:
            self.objective.design.counter.check()
            values = self.objective.design.column(column)
            high, low = values[used & (signs >= 0)], values[used & (signs <= 0)]
            ends = [(high.min(), low.max())] * bool(self._up[model, column])
            ends += [(low.min(), high.max())] * bool(self._down[model, column])
            between = self.objective.fit_intercept
            if any(up > down and (between or up > 0.0 > down) for up, down in ends):
                return True
        return False

    def _alone(self, model: int) -> list[int]:
        """Return the columns of which each alone separates the classes (ties allowed)."""
        signs, used = self._signs(model)
        found = []
        positive, negative = used & (signs >= 0), used & (signs <= 0)
        for column in np.flatnonzero(self._free[model][:-1]):
            self.objective.design.counter.check()
            values = self.objective.design.column(int(column))
            high, low = values[positive], values[negative]
            if self.objective.fit_intercept:
                rises, falls = high.min() >= low.max(), high.max() <= low.min()
            else:
                rises = high.min() >= 0.0 >= low.max()
                falls = high.max() <= 0.0 <= low.min()
            separates = (rises and self._up[model, column]) or (falls and self._down[model, column])
            if separates and values[used].any():
                found.append(int(column))
        return found

    def _programme(self, model: int, theta: Vector) -> None:
        """Decide by linear programmes over the rows that theta predicts worst, and more as needed.

        Each maximises the sum of margins, none negative, over a box (Konis, 2007, Oxford thesis).
        Where a few rows leave no direction at all, not even a level one, all rows leave none.
        """
        signs, used = self._signs(model)
        direction, chosen = theta, np.empty(0, dtype=np.int64)
        for _ in range(ROUNDS):
            raw = self.objective.design.raw_prediction(
                direction[None, :-1].copy(), direction[-1:].copy()
            )[0]
            margins = np.where(used, _margins_of(raw, signs), np.inf)
            margins[chosen] = np.inf
            n_more = self._n_more(chosen, margins)
            if n_more == 0:
                return
            worst = np.argpartition(margins, n_more - 1)[:n_more]
            chosen = np.concatenate([chosen, worst])
            margins = self._margins(chosen, signs)
            better = self._best_direction(model, margins)
            if better is None:
                # A level whose rows are all predicted well is none of the worst rows.
                better = self._level_among(model, margins, theta)
                self._possible[model] = better is not None
                if better is None:
                    return
            if self._try(model, better):
                return
            direction = better

    def _level_among(self, model: int, margins: Matrix, theta: Vector) -> Vector | None:
        """Return theta's part in the directions that are 0 at some rows; None where there are none.

        The part of least length, where it is none.
        """
        free = np.flatnonzero(self._free[model])
        own = margins[:, free]
        rank = int(np.linalg.matrix_rank(own))
        if rank == free.size:
            return None
        basis = np.linalg.svd(own)[2][rank:].T
        part = basis @ (basis.T @ theta[free])
        found = np.zeros_like(theta)
        found[free] = part if np.abs(part).max() > 0.0 else basis[:, 0]
        return found

    def _margins(self, rows: Indices, signs: Signs | Vector) -> Matrix:
        """Return the margins of some rows (n_rows, n_features + 1), as far as each column goes."""
        center, inverse_scale = self.objective.design.columns
        columns = [
            (np.asarray(self.objective.design.column(column)[rows], dtype=np.float64) - middle)
            for column, middle in enumerate(center)
        ]
        columns = [*(np.array(columns) * inverse_scale[:, None]), np.ones(rows.size)]
        table, own = np.column_stack(columns), signs[rows]
        if (own == BOTH).any():  # rows that are of both classes stand on both sides
            return np.concatenate(
                [table * np.where(own == BOTH, 1, own)[:, None], -table[own == BOTH]]
            )
        return table * own[:, None]

    def _best_direction(self, model: int, margins: Matrix) -> Vector | None:
        """Return the direction with the largest sum of margins; None where that is 0."""
        bounds = np.column_stack([self._down[model], self._up[model]])
        found = self._solve(-margins.mean(axis=0), -margins, bounds)
        return found.x if found.success and -found.fun > NO_MARGIN else None

    def _solve(self, cost: Vector, matrix: Matrix, bounds: Matrix) -> Programme:
        """Minimise ``cost @ x`` where ``matrix @ x <= 0``, within bounds and the time limit."""
        from scipy.optimize import linprog

        clock = self.objective.design.counter.clock
        left = None if clock is None else clock.left()
        found = linprog(
            cost, A_ub=matrix, b_ub=np.zeros(len(matrix)), bounds=bounds, method="highs",
            options=None if left is None else {"time_limit": left},
        )  # fmt: skip
        if left is not None and found.status == TIME_OVER:
            raise TimeUp
        return found


class SoftmaxSeparation(Separation):
    """Looks for separation of the classes of softmax models.

    A direction separates where no row's own class loses against another one along it, and some
    row's wins.
    """

    def inspect(self, theta: Matrix) -> None:
        """Look whether a point, or its part that is level where rows are not sure, separates."""
        self.glance(theta)
        super().inspect(theta)

    def _try(self, model: int, direction: Vector) -> bool:
        """Keep a direction if it separates the classes.

        What all classes share is moved to where the bounds leave the way free.
        """
        width = direction.size // self.objective.n_classes
        each = direction.reshape(-1, width).copy()
        down, up = (ends[model].reshape(-1, width)[0] for ends in (self._down, self._up))
        each -= np.where((down == 0.0) & (up > 0.0), each.min(axis=0), 0.0)
        each -= np.where((down < 0.0) & (up == 0.0), each.max(axis=0), 0.0)
        return super()._try(model, each.reshape(-1))

    def _inspect(self, model: int, theta: Vector) -> None:
        if theta.size > INSPECTED:
            return
        part = self.objective.only(np.array([model]))
        # Classes that are out of the question leave the directions among the others.
        likely = part.rows.likely_classes(part.curvature(theta[None]), float(np.exp(-SURE)))
        curved = part.rows.hessian(likely, 0)
        free = np.flatnonzero(self._free[model])
        values, vectors = np.linalg.eigh(curved[np.ix_(free, free)])
        level = vectors * (values <= LEVEL * values[-1])
        direction = np.zeros_like(theta)
        direction[free] = level @ (level.T @ theta[free])
        self._try(model, direction)

    def columns(self, model: int) -> tuple[list[int], bool]:
        """Return the columns that take part in separating a model's classes."""
        coef, _ = self.objective.split(self.found[model][None])
        size = np.ptp(coef, axis=0)
        return [int(column) for column in np.flatnonzero(size >= SHARE * size.max())], False

    def describe(self, model: int) -> Separated:
        """Return how a model's classes are separated."""
        columns, alone = self.columns(model)
        complete, classes = None, None
        with contextlib.suppress(TimeUp):
            classes = self._classes(model)
            complete = self._is_complete(model)
        return Separated(columns, alone, complete, classes)

    def _classes(self, model: int) -> list[int]:
        """Return the codes of the classes told apart from all others, or told apart at all."""
        raw = self._raw(self.found[model])
        codes, used = self._codes(model)
        n_classes = self.objective.n_classes
        least, most = np.full((2, n_classes, n_classes), np.inf)
        for own in range(n_classes):
            rows = raw[:, used & (codes == own)]
            if rows.size:
                least[own] = (rows[own] - rows).min(axis=1)
                most[own] = (rows[own] - rows).max(axis=1)
        tie = TIE * float(np.ptp(raw[:, used], axis=0).max())
        apart = np.minimum(least, least.T) > tie
        np.fill_diagonal(apart, True)
        found = apart.all(axis=1)
        if not found.any():
            wide = np.maximum(most, most.T) > tie
            found = (wide | np.eye(n_classes, dtype=bool)).all(axis=1)
            found = found if found.any() else wide.any(axis=1)
        output = model * n_classes
        return [
            int(code) for code in np.sort(self.objective.rows.positive[output:][:n_classes][found])
        ]

    def _codes(self, model: int) -> tuple[Indices, Mask]:
        rows, output = self.objective.rows, model * self.objective.n_classes
        order = np.argsort(rows.positive[output : output + self.objective.n_classes])
        codes, weights = order[rows.codes_of(model)], rows.weights_of(output)
        return codes, np.ones(codes.size, bool) if weights is None else weights > 0.0

    def _raw(self, direction: Vector) -> Floats:
        coef, intercept = self.objective.split(direction[None])
        return self.objective.design.raw_prediction(
            np.ascontiguousarray(coef), intercept * self.objective.fit_intercept
        )

    def _range_of_margins(self, model: int, direction: Vector) -> tuple[float, float]:
        raw = self._raw(direction)
        codes, used = self._codes(model)
        rows = np.arange(codes.size)
        largest = float(np.ptp(raw[:, used], axis=0).max())
        own = raw[codes, rows]
        raw[codes, rows] = -np.inf
        return float((own - raw.max(axis=0))[used].min()), largest

    def _is_complete(self, model: int) -> bool | None:
        if self._has_no_ties(model, self.found[model]):
            return True
        margins = self._all_margins(model)
        if margins is None:
            return None
        direction = self._widest_gap(model, margins)
        return direction is not None and self._has_no_ties(model, direction)

    def _programme(self, model: int, theta: Vector) -> None:
        """Decide by one linear programme, where it is small: the sum of all margins."""
        margins = self._all_margins(model)
        direction = None if margins is None else self._best_direction(model, margins)
        if direction is not None:
            self._try(model, direction)

    def _all_margins(self, model: int) -> Matrix | None:
        """Return each row's margins over the other classes, as far as each parameter goes.

        None where they would be too many for a linear programme.
        """
        n_classes, width = self.objective.n_classes, self.objective.design.shape[1] + 1
        codes, used = self._codes(model)
        rows = np.flatnonzero(used)
        if rows.size * (n_classes - 1) * n_classes * width > LINEAR_PROGRAMME:
            return None
        values = self._margins(rows, np.ones(codes.size))
        margins = []
        for other in range(n_classes):
            against = codes[rows] != other
            block = np.zeros((int(against.sum()), n_classes, width))
            block[np.arange(len(block)), codes[rows][against]] = values[against]
            block[:, other] -= values[against]
            margins.append(block.reshape(len(block), -1))
        return np.concatenate(margins)
