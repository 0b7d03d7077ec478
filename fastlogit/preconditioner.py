"""Approximate inverse Hessians, one for each output, from a few rows that bend it most.

The Hessian of an output is a sum over the rows, weighted by their curvature, and where classes are
told apart well a small part of the rows has most of it. So rows are drawn in proportion to their
curvature, in equal steps along its running sum. For the softmax of 5,000 digits of 784 columns 400
rows an output need 6 products with the Hessian for two decimals of a Newton step where all rows
need 5, the mean Hessian of all outputs 18, and the diagonal 31.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import threads
from .design.dense import DenseDesign, readonly
from .hessian import Factor
from .kernels.lowrank import UNROLL, apply_inverse
from .kernels.simd import LANES
from .objective import Objective

__all__ = ["DENSE_COLUMNS", "SampledHessians", "SharedHessians", "leaders_of", "sample_size"]

# With so few columns the drawn rows' whole Hessian is factored, with more a matrix of their number.
DENSE_COLUMNS = 150
ROWS_PER_COLUMN = 30
LEAST_ROWS, MOST_ROWS = 200, 1000
# Numbers that the rows may take at most: a share of X, but some megabytes are always there.
SHARE, FEW_NUMBERS = 0.08, 2_000_000
# Models share a Hessian whose row curvatures differ by this share in the mean.
ALIKE = 0.02
# Share of the diagonal that is kept beside the rows: directions that none of them has.
DIAGONAL_SHARE = 0.1
RIDGE = 1e-10
DEPENDENT = 1e-11
# Nanoseconds of a multiply-add of an application.
NS = 0.15


def sample_size(objective: Objective) -> int:
    """Return how many rows are drawn for each output."""
    n_samples, n_features = objective.design.shape
    if n_features + 1 <= DENSE_COLUMNS:
        wanted = max(LEAST_ROWS, ROWS_PER_COLUMN * (n_features + 1))
        return int(min(wanted, n_samples))
    room = max(FEW_NUMBERS, SHARE * n_samples * n_features)
    fit = int(room / (objective.n_outputs * n_features))
    wanted = min(max(LEAST_ROWS, n_features // 4), MOST_ROWS, fit, n_samples)
    return int(max(UNROLL, wanted // UNROLL * UNROLL))


class SampledHessians:
    """Inverses of approximate Hessians of all outputs, at a point.

    Parameters
    ----------
    rows : Objective
        Whose rows are drawn: all of them, or a subsample in memory.
    curvature : ndarray
        Row curvatures of all its models, as `Objective.curvature` returns them.
    """

    def __init__(self, rows: Objective, curvature: Any) -> None:
        self._rows = rows
        weights = rows.class_weights(curvature).reshape(rows.n_outputs, -1)
        self._bend = weights.sum(axis=1) / rows.targets.total_weight
        count = sample_size(rows)
        self._is_dense = rows.design.shape[1] + 1 <= DENSE_COLUMNS
        if self._is_dense:
            self._factors = [self._whole(weights[o], o, count) for o in range(rows.n_outputs)]
        else:
            self._draw(weights, count)

    def solve(self, models: Any, vectors: Any) -> Any:
        """Return the inverses times vectors (n_models, n_parameters), one for each of `models`."""
        outputs = self._rows.outputs_of(models)
        sides = vectors.reshape(len(outputs), -1)
        solved = np.empty_like(sides)
        if self._is_dense:
            solve_each(self._factors, outputs, sides, solved)
        else:
            work = NS * len(outputs) * 2.0 * self._sampled[0].size
            with threads.team(self._rows.design.n_threads, work) as parallel:
                apply_inverse.choose(parallel)(
                    self._sampled, self._inverse, self._lower, outputs,
                    np.ascontiguousarray(sides), solved,
                )  # fmt: skip
        return self._rows.centred(solved.reshape(vectors.shape))

    def _whole(self, weights: Any, output: int, count: int) -> Factor:
        """Factor the Hessian of the drawn rows, or of all."""
        if count == weights.size:
            part, share = self._rows.design, weights / self._rows.targets.total_weight[output]
        else:
            part = self._rows.design.take(draw(weights, count))
            share = np.full(count, self._bend[output] / count)
        matrix = part.gram(share)
        if not self._rows.fit_intercept:
            matrix[-1], matrix[:, -1] = 0.0, 0.0
        return penalized_factor(self._rows, output, matrix, self._bend[output])

    def _draw(self, weights: Any, count: int) -> None:
        rows, n_columns = self._rows, self._rows.design.shape[1] + 1
        width = (n_columns + LANES - 1) // LANES * LANES
        self._sampled = np.zeros((rows.n_outputs, count, width), dtype=np.float32)
        self._inverse = np.empty((rows.n_outputs, n_columns))
        self._lower = np.empty((rows.n_outputs, count, count))
        for output in range(rows.n_outputs):
            penalty = rows.output_penalty(output)
            base = independent_diagonal(rows, output, self._bend[output])
            base = penalty + DIAGONAL_SHARE * (base - penalty)
            inverse = np.divide(1.0, base, out=np.zeros_like(base), where=base > 0.0)
            size = np.sqrt((1.0 - DIAGONAL_SHARE) * self._bend[output] / count)
            part = self._sampled[output]
            part[:, : n_columns - 1] = rows.design.take(draw(weights[output], count)).standard()
            part[:, n_columns - 1] = rows.fit_intercept
            part *= size
            columns = np.ascontiguousarray(part[:, :n_columns].T, dtype=np.float64)
            matrix = DenseDesign(columns, n_threads=rows.design.n_threads).gram(readonly(inverse))
            matrix = matrix[:-1, :-1].copy()
            matrix.flat[:: count + 1] += 1.0
            self._inverse[output] = inverse
            self._lower[output] = Factor(matrix, 0.0).lower


class SharedHessians:
    """Inverses of whole Hessians of binomial models, several of which may share one.

    Parameters
    ----------
    rows : Objective
    theta : ndarray of shape (n_models, n_features + 1)
    leaders : ndarray of shape (n_models,), int
        The loss of each model bends as that of its leader does, which is one of the models: as
        `leaders_of` found.
    """

    def __init__(self, rows: Objective, theta: Any, leaders: Any) -> None:
        leading, place = np.unique(leaders, return_inverse=True)
        part = rows.only(leading)
        curvature = part.curvature(theta[leading])
        bend = curvature.sum(axis=1) / part.targets.total_weight
        matrices = [part.loss_hessian(own, model) for model, own in enumerate(curvature)]
        self._factors = [
            penalized_factor(rows, model, matrices[own].copy(), bend[own])
            for model, own in enumerate(place)
        ]

    def solve(self, models: Any, vectors: Any) -> Any:
        """Return the inverses times vectors (n_models, n_parameters), one for each of `models`."""
        solved = np.empty_like(vectors)
        solve_each(self._factors, models, vectors, solved)
        return solved


def leaders_of(rows: Objective, theta: Any) -> Any:
    """Return for each binomial model the first whose loss bends the rows nearly as its own does.

    Models are compared that weigh the rows alike and stand for the same class: those of strengths
    of the penalty that hardly matter. Of ten from 1e-4 to 1e4 on 100,000 rows seven share one.
    """
    targets, leaders = rows.targets, np.arange(rows.n_models)
    weights = rows.curvature(theta)
    last: dict[tuple[int, int], int] = {}
    for model in range(rows.n_models):
        family = int(targets.weight_set[model]), int(targets.positive[model])
        leader = last.setdefault(family, model)
        apart = np.abs(weights[model] - weights[leader]).sum()
        if apart > ALIKE * weights[leader].sum():
            last[family] = leader = model
        leaders[model] = leader
    return leaders


def independent_diagonal(rows: Objective, output: int, bend: float) -> Any:
    """Return the Hessian's diagonal as if curvature, `bend` a row, and columns were independent."""
    l2 = rows.output_penalty(output)[:-1]
    bend = max(float(bend), 1e-300)
    moving = rows.design.columns.inverse_scale > 0.0
    slopes = np.where(moving, bend * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, 0.0)
    return np.append(slopes, bend * rows.fit_intercept)


def penalized_factor(rows: Objective, output: int, matrix: Any, bend: float) -> Factor:
    """Add an output's penalty to the Hessian of its loss, in place, and factor it."""
    base = independent_diagonal(rows, output, bend)
    diagonal = matrix.diagonal() * (1.0 + RIDGE) + rows.output_penalty(output)
    # A column that none of the drawn rows has may bend the loss of others.
    diagonal = np.maximum(diagonal, DIAGONAL_SHARE * base * (base > 0.0))
    matrix.flat[:: len(matrix) + 1] = diagonal
    return Factor(matrix, DEPENDENT)


def solve_each(factors: list[Factor], which: Any, sides: Any, solved_out: Any) -> None:
    """Solve for each right side with the factor it asks for."""
    for place, index in enumerate(which):
        solved_out[place] = factors[index].solve(sides[place : place + 1])[0]


def draw(weights: Any, count: int) -> Any:
    """Return `count` indices, in equal steps along the running sum of the weights."""
    total = np.cumsum(weights)
    if not total[-1] > 0.0:
        return np.linspace(0, weights.size - 1, count).astype(np.int64)
    steps = (np.arange(count) + 0.5) / count * total[-1]
    return np.minimum(np.searchsorted(total, steps), weights.size - 1)
