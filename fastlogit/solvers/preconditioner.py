"""Approximate inverse Hessians, one for each output, from a few rows of largest curvature.

The Hessian of an output is a sum over the rows, weighted by their curvature, and where classes are
told apart well a small part of the rows has most of it. So rows are drawn in proportion to their
curvature, in equal steps along its running sum. For the softmax of 5,000 digits of 784 columns 400
rows an output need 6 products with the Hessian for two decimals of a Newton step where all rows
need 5, the mean Hessian of all outputs 18, and the diagonal 31.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from .. import threads
from ..arrays import Cube, Indices, Matrix, Vector
from ..kernels.lowrank import UNROLL, apply_inverse
from ..linalg.factors import FACTOR_NS, Factors
from ..objective.leading_rows import LeadingInverse
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature

__all__ = [
    "DENSE_COLUMNS",
    "LeadingHessians",
    "SampledHessians",
    "SharedHessians",
    "bases_of",
    "leaders_of",
    "leading_price",
    "may_have_own",
    "may_lead",
    "sample_size",
]

# With so few columns the drawn rows' whole Hessian is factored, with more a matrix of their number.
DENSE_COLUMNS = 150
ROWS_PER_COLUMN = 30
LEAST_ROWS, MOST_ROWS = 200, 1000
# Numbers that the rows may take at most: a share of X, but some megabytes are always there.
SHARE, FEW_NUMBERS = 0.08, 2_000_000
# The same for the Hessians of many models, beside the row curvatures that they are made from.
MANY_NUMBERS = 5_000_000
# Models share a Hessian whose row curvatures differ by this share in the mean.
ALIKE = 0.02
# And of which a few rows say how they differ.
NEAR = 0.2
# Share of the diagonal that is kept beside the rows: directions that none of them has.
DIAGONAL_SHARE = 0.1
# Rows whose curvature is below this share of the mean one are left out: together
# they have less than that share of it.
TINY = 1e-3
# Of the rows beside the leading ones that share of the diagonal, and at least this of all rows'.
REST_SHARE, LEAST_SHARE = 0.3, 1e-4
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


def may_have_own(objective: Objective, n_models: int) -> bool:
    """Say whether memory allows whole Hessians of all outputs of so many models."""
    n_samples, size = objective.design.shape[0], objective.design.shape[1] + 1
    room = max(MANY_NUMBERS, SHARE * n_samples * size)
    return bool(size <= DENSE_COLUMNS and n_models * objective.n_classes * size**2 <= room)


class SampledHessians:
    """Inverses of approximate Hessians of all outputs of some models, at a point.

    Parameters
    ----------
    objective : Objective
        Whose rows are drawn: all of them, or a subsample in memory.
    curvature : RowCurvature
        Row curvatures of the models, as `Objective.curvature` returns them.
    models : ndarray of int, optional
        The models of `objective`, in rising order; all of them by default.
    """

    def __init__(
        self, objective: Objective, curvature: RowCurvature, models: Indices | None = None
    ) -> None:
        self._models = np.arange(objective.n_models) if models is None else models
        if self._models.size < objective.n_models:
            objective = objective.only(self._models)
        self._objective = objective
        weights = objective.rows.output_curvature(curvature)
        mean_curvature = weights.totals() / objective.rows.total_weight
        self._is_dense = objective.design.shape[1] + 1 <= DENSE_COLUMNS
        count = sample_size(objective)
        objective.design.counter.phase = "preconditioner, from the rows of largest curvature"
        if self._is_dense:
            matrices = self._matrices(weights, mean_curvature, count)
            self._factors = penalized_factors(objective, matrices, mean_curvature)
        else:
            self._draw(weights, mean_curvature, count)

    def solve(self, models: Indices, vectors: Matrix) -> Matrix:
        """Return the inverses times vectors (n_models, n_parameters), one for each of `models`."""
        outputs = self._objective.rows.outputs_of(np.searchsorted(self._models, models))
        sides = vectors.reshape(len(outputs), -1)
        if self._is_dense:
            solved = self._factors.solve(outputs, sides)
        else:
            solved = np.empty_like(sides)
            work = NS * len(outputs) * 2.0 * self._sampled[0].size
            with threads.team(self._objective.design.n_threads, work) as parallel:
                apply_inverse.choose(parallel)(
                    self._sampled, self._inverse, self._lower, outputs,
                    np.ascontiguousarray(sides), solved,
                )  # fmt: skip
        return self._objective.loss.centred(solved.reshape(vectors.shape))

    def _matrices(self, weights: RowCurvature, mean_curvature: Vector, count: int) -> Cube:
        """Return the Hessians of the losses, from `count` rows drawn for each, or from all."""
        objective = self._objective
        if count == objective.design.shape[0]:
            matrices = objective.rows.output_grams(weights, TINY)
        else:
            design, drawn = objective.rows.draw(weights, count)
            matrices = np.array([
                design.take(rows).gram(np.full(count, of_each / count))
                for rows, of_each in zip(drawn, mean_curvature, strict=True)
            ])  # fmt: skip
        if not objective.fit_intercept:
            matrices[:, -1], matrices[:, :, -1] = 0.0, 0.0
        return matrices

    def _draw(self, weights: RowCurvature, mean_curvature: Vector, count: int) -> None:
        objective, penalty = self._objective, self._objective.parameter_penalty.diagonals()
        base = penalty + DIAGONAL_SHARE * (
            independent_diagonals(objective, mean_curvature) - penalty
        )
        self._inverse = np.divide(1.0, base, out=np.zeros_like(base), where=base > 0.0)
        sizes = np.sqrt((1.0 - DIAGONAL_SHARE) * mean_curvature / count)
        design, drawn = objective.rows.draw(weights, count)
        self._sampled, self._lower = design.sample(
            drawn, sizes, float(objective.fit_intercept), self._inverse
        )


class LeadingHessians:
    """Inverses of approximate Hessians of binomial models: their leading rows whole, a diagonal.

    Where classes are told apart a part of the rows has most of the curvature, and any part of them
    most of the leading directions of columns that are correlated: both weigh on conjugate
    gradients. The rows of largest curvature are taken as they are, and of all others a share of the
    diagonal. Of 4,000 rows of 3,000 columns whose singular values fall as k^-0.7, 1,000 rows need
    13 products for a Newton step where the diagonal needs 60; rows drawn in proportion to their
    curvature need 18, and the 400 leading directions of a Nystroem sketch (Frangella, Tropp and
    Udell, 2023), which takes as long as 100 products, 20.

    Parameters
    ----------
    objective : Objective
        Of models of one output.
    curvature : RowCurvature
        Row curvatures of `models`.
    models : ndarray of int
        The models of `objective`, in rising order.
    """

    def __init__(self, objective: Objective, curvature: RowCurvature, models: Indices) -> None:
        objective.design.counter.phase = "preconditioner, from the rows of largest curvature"
        self._models = models
        self._inverses = [
            _inverse_of_leading(objective.only([int(model)]), curvature[place])
            for place, model in enumerate(models)
        ]

    def solve(self, models: Indices, vectors: Matrix) -> Matrix:
        """Return the inverses times vectors (n_models, n_parameters), one for each of `models`."""
        places = np.searchsorted(self._models, models)
        each = zip(places, vectors, strict=True)
        return np.array([self._inverses[place].solve(vector) for place, vector in each])


def _inverse_of_leading(part: Objective, curvature: RowCurvature) -> LeadingInverse:
    """Return the inverse of the leading rows' products, plus penalty and a share of the rest."""
    leading = part.rows.leading(curvature, n_leading(part))
    mean_curvature = curvature.totals() / part.rows.total_weight
    penalty = part.parameter_penalty.diagonals()[0]
    share = LEAST_SHARE
    if mean_curvature[0] > 0.0:
        share = max(share, REST_SHARE * (1.0 - leading.weight / float(mean_curvature[0])))
    base = penalty + share * (independent_diagonals(part, mean_curvature)[0] - penalty)
    _check_time_to_factor(part, 1, leading.n_rows)
    return leading.inverse_beside(base)


def may_lead(objective: Objective) -> bool:
    """Say whether the leading rows may be copied: of one model, a quarter of X in memory."""
    return objective.n_models == 1 and objective.design.gives_rows_freely


def n_leading(objective: Objective) -> int:
    """Return how many rows of largest curvature are taken whole."""
    return int(min(MOST_ROWS, max(1, objective.design.shape[0] // 4)))


def leading_price(objective: Objective) -> float:
    """Return how many passes the Hessians of the leading rows cost, roughly."""
    count = n_leading(objective)
    return max(5.0, count**2 / (25.0 * objective.design.shape[0]))


class SharedHessians:
    """Inverses of whole Hessians of binomial models, several of which may share one.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (n_models, n_features + 1)
    leaders : ndarray of shape (n_models,), int
        One of the models for each, whose row curvatures are nearly its own: as `leaders_of` found.
    few : Objective, optional
        The same over fewer rows: of a leader whose row curvatures are `NEAR` those of another
        these alone say what its Hessian is beside the other's. With a tenth of the curvature
        changed, and 2,128 rows for 50 columns, that errs by 1.5 %.
    """

    def __init__(
        self, objective: Objective, theta: Matrix, leaders: Indices, few: Objective | None = None
    ) -> None:
        leading, place = np.unique(leaders, return_inverse=True)
        # Before the matrices, which are gigabytes where columns are thousands.
        _check_time_to_factor(objective, len(place), theta.shape[1])
        bases = leading if few is None else bases_of(few, theta, leading)
        made, base = np.unique(bases, return_inverse=True)
        matrices, mean_curvature = _hessians_at(objective, theta, made)
        matrices, mean_curvature = matrices[base], mean_curvature[base]
        if few is not None and made.size < leading.size:
            theirs, their_mean = _hessians_at(few, theta, leading)
            base = np.searchsorted(leading, bases)
            matrices += theirs - theirs[base]
            mean_curvature += their_mean - their_mean[base]
        self._factors = penalized_factors(objective, matrices[place], mean_curvature[place])

    def solve(self, models: Indices, vectors: Matrix) -> Matrix:
        """Return the inverses times vectors (n_models, n_parameters), one for each of `models`."""
        return self._factors.solve(models, vectors)


def bases_of(few: Objective, theta: Matrix, models: Indices) -> Indices:
    """Return for each of some binomial models one that is `NEAR` it, or itself.

    From the weakest penalty on: its neighbours are the nearest.
    """
    order = models[np.argsort(few.parameter_penalty.diagonals().sum(axis=1)[models], kind="stable")]
    found = order[leaders_of(few.only(order), theta[order], NEAR)]
    bases = np.empty_like(models)
    bases[np.searchsorted(models, order)] = found
    return bases


def _hessians_at(objective: Objective, theta: Matrix, models: Indices) -> tuple[Cube, Vector]:
    """Return the Hessians of the losses of some binomial models, and their mean curvatures."""
    part = objective.only(models)
    curvature = part.curvature(theta[models])
    each = range(part.n_models)
    matrices = np.array([part.rows.hessian(curvature[model], model) for model in each])
    return matrices, curvature.totals() / part.rows.total_weight


def leaders_of(objective: Objective, theta: Matrix, alike: float = ALIKE) -> Indices:
    """Return for each binomial model the first whose row curvatures are nearly its own.

    Models are compared that weigh the rows alike and stand for the same class: those of strengths
    of the penalty that hardly matter. Of ten from 1e-4 to 1e4 on 100,000 rows seven share one.
    """
    leaders, weights = np.arange(objective.n_models), objective.curvature(theta)
    last: dict[Hashable, int] = {}
    for model in range(objective.n_models):
        family = objective.rows.family(model)
        leader = last.setdefault(family, model)
        if not weights.is_like(model, leader, alike):
            last[family] = leader = model
        leaders[model] = leader
    return leaders


def independent_diagonals(objective: Objective, mean_curvature: Vector) -> Matrix:
    """Return the Hessians' diagonals as if curvature and columns were independent.

    `mean_curvature` is that of the mean row, for each output (n_outputs,).
    """
    l2, mean_curvature = (
        objective.parameter_penalty.diagonals()[:, :-1],
        np.maximum(mean_curvature, 1e-300)[:, None],
    )
    moving = objective.design.columns.inverse_scale > 0.0
    slopes = np.where(moving, mean_curvature * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, 0.0)
    return np.column_stack([slopes, mean_curvature * objective.fit_intercept])


def penalized_factors(objective: Objective, matrices: Cube, mean_curvature: Vector) -> Factors:
    """Add each output's penalty to the Hessian of its loss, in place, and factor them."""
    base, n_outputs = independent_diagonals(objective, mean_curvature), len(matrices)
    _check_time_to_factor(objective, n_outputs, matrices.shape[1])
    diagonal = matrices.reshape(n_outputs, -1)[:, :: matrices.shape[1] + 1]
    diagonal *= 1.0 + RIDGE
    diagonal += objective.parameter_penalty.diagonals()
    # A column that none of the drawn rows has may matter to others.
    np.maximum(diagonal, DIAGONAL_SHARE * base, out=diagonal)
    for output, matrix in enumerate(matrices):
        objective.penalty.couple(matrix, output)
    return Factors(matrices, DEPENDENT, objective.design.n_threads)


def _check_time_to_factor(objective: Objective, n_matrices: int, size: int) -> None:
    """Raise `TimeUp` where factors of so many matrices would end too late."""
    objective.design.counter.check(1e-9 * FACTOR_NS * n_matrices * size**3 / 3.0)
