"""The maximum of the likelihood, refined to rounding, and the second derivative there.

A fit ends when its cost is near enough to the optimum; its coefficients may then be off by the
root of that, in the sixth digit. Newton's method from there takes a step or two to have all digits,
and says where there is no optimum to go to: separated classes, and columns that are combinations
of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ..arrays import Floats, Matrix, Vector
from ..certificates.separation import Separation, SoftmaxSeparation
from ..design.base import Design
from ..inputs import validation
from ..inputs.given import Data
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.hessians import ContrastHessian, Hessians, LocalHessian
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature, RowResiduals
from ..result import FitResult
from .fitted import coefficients_by_output, labelled_rows
from .refusals import not_at_optimum, not_identified, separated
from .row_weights import RowWeights
from .separation import report_of

__all__ = [
    "ENOUGH_ROWS",
    "Optimum",
    "PartOfOptimum",
    "Point",
    "evaluate",
    "find_optimum",
    "objective_of_fit",
    "root_of",
    "standardized",
]

# What is added up over rows: a number, an array, or a tuple of these.
Sum = TypeVar("Sum")

# Raw predictions have all their digits once a step changes them by less, as a root mean square.
EXACT = 1e-10
# Of so many numbers of X the second derivative is taken from a point where raw predictions differ
# by less than this: it is then right to as large a share, half of which standard errors err by.
LARGE, NEAR = 2**20, 1e-6
# A fit whose coefficients are farther from the optimum, in standard errors, did not converge.
FAR = 0.25
# One that no step improves further is its optimum to rounding (columns that are nearly combinations
# of others, offsets of 1e8) if it is no farther away than this.
ROUNDED = 1e-6
# A step of a standardised coefficient that is as large as this after two steps leads to infinity.
LONG, MOST_STEPS = 1e-3, 12
# Standard errors on standardised columns, times the root of the weights: near 1 where the rows tell
# a coefficient, and looked into beyond this.
HARDLY_TOLD = 1e4
# Rows beyond which centre and scale are those of a subsample of so many.
ENOUGH_ROWS = 16_384


class Point(NamedTuple):
    """Derivatives at a point: mean loss, its gradient (n_theta,), and what each row adds.

    `root` (n_theta, rank) is W with W W' the inverse of the mean loss's Hessian.
    """

    cost: float
    gradient: Vector
    root: Matrix
    curvature: RowCurvature
    residuals: RowResiduals

    @property
    def half_step(self) -> Vector:
        """W' times the gradient: its sum of squares is Newton's decrement, squared."""
        return self.root.T @ self.gradient


class PartOfOptimum(NamedTuple):
    """What is known of an optimum, for those who have a part of its rows."""

    cost: float
    gradient: Vector
    root: Matrix
    theta: Vector
    reference: int
    weights: RowWeights

    def of(self, rows: LabelledRows, curvature: RowCurvature, residuals: RowResiduals) -> Optimum:
        """Return the optimum as that part of the rows sees it."""
        own = rows.weights_of(0)
        weights = self.weights._replace(values=np.empty(0) if own is None else own)
        point = Point(self.cost, self.gradient, self.root, curvature, residuals)
        return Optimum(Objective(rows, 0.0), weights, self.theta, point, self.reference)


class Optimum(NamedTuple):
    """Where the mean loss of one model is least.

    `theta` are the parameters on standardised columns, classes one after the other, `point` what
    was found there, before a last step below `EXACT`.
    """

    objective: Objective
    weights: RowWeights
    theta: Vector
    point: Point
    reference: int

    def added_up(self, function: Callable[[Optimum], Sum]) -> Sum:
        """Return what a function says of an optimum, added up over the parts of its rows.

        The function, or what it is a partial of, is of a module: it goes to where the rows are.
        """
        rows, point = self.objective.rows, self.point
        if not rows.in_parts:
            return function(self)
        states = point.curvature, point.residuals
        found: Sum = rows.of_parts(_of_part, states, self.part, function)
        return found

    @property
    def part(self) -> PartOfOptimum:
        """What is known of it, for those who have a part of its rows."""
        weights, point = self.weights, self.point
        return PartOfOptimum(
            point.cost, point.gradient, point.root, self.theta, self.reference,
            RowWeights(weights.kind, np.empty(0), weights.n_samples, weights.is_quasi),
        )  # fmt: skip

    @property
    def total_weight(self) -> float:
        """The sum of the row weights."""
        return float(self.objective.rows.total_weight[0])

    @property
    def root(self) -> Matrix:
        """W, (n_theta, rank), with W W' the inverse of the sum's Hessian."""
        return self.point.root / np.sqrt(self.total_weight)

    @property
    def residuals(self) -> Matrix:
        """Weighted residuals, (n_outputs, n_samples)."""
        return self.point.residuals.values

    def parameters_of(self, vectors: Matrix) -> Matrix:
        """Return directions in rows of theta as those of the parameters that are reported.

        In the units of X, the intercept first, of each class less the reference.
        """
        center, inverse_scale = self.objective.design.columns
        outputs = vectors.reshape(len(vectors), self.objective.n_classes, -1)
        outputs = self._against_reference(outputs)
        slopes = outputs[:, :, :-1] * inverse_scale
        if not self.objective.fit_intercept:
            return slopes.reshape(len(vectors), -1)
        last = outputs[:, :, -1:] - slopes @ center[:, None]
        return np.concatenate([last, slopes], axis=2).reshape(len(vectors), -1)

    def values(self, theta: Vector) -> Vector:
        """Return the parameters that are reported at theta."""
        coef, intercept = self.objective.to_user(*self.objective.split(theta))
        parts = [intercept[:, None], coef] if self.objective.fit_intercept else [coef]
        return self._against_reference(np.concatenate(parts, axis=1)[None]).reshape(-1)

    @property
    def held_intercept(self) -> Vector:
        """The intercept of each output where it is not fitted: held at a number, or 0."""
        return self.objective.to_user(*self.objective.split(self.theta))[1]

    def _against_reference(self, outputs: Floats) -> Floats:
        if self.objective.n_classes == 1:
            return outputs
        others = np.arange(self.objective.n_classes) != self.reference
        return outputs[:, others] - outputs[:, [self.reference]]


def _of_part(
    rows: LabelledRows, curvature: RowCurvature, residuals: RowResiduals, part: PartOfOptimum,
    function: Callable[[Optimum], Sum],
) -> Sum:  # fmt: skip
    """Return what a function says of a part of the rows."""
    return function(part.of(rows, curvature, residuals))


def objective_of_fit(
    result: FitResult, design: Design, data: Data, weights: RowWeights
) -> Objective:
    """Return the mean loss of the rows of a fit, on standardised columns, without a penalty."""
    objective = Objective(labelled_rows(result, design, data, weights.values), 0.0)
    plain = not weights.values.size and design.gives_rows_freely
    standardized(objective, ENOUGH_ROWS if plain else design.shape[0], data.rows.names)
    return objective


def standardized(objective: Objective, n_rows: int, names: Sequence[str] | None) -> None:
    """Centre and scale the columns, by about so many rows where these will do.

    Raises
    ------
    ValueError
        If X holds a value that is not finite.
    """
    stride = max(1, objective.design.shape[0] // n_rows)
    if not (stride > 1 and objective.standardize(stride)):
        objective.standardize()
    if not np.isfinite(objective.design.columns.inverse_scale).all():
        validation.refuse_not_finite(objective.design, names)


def find_optimum(
    result: FitResult, objective: Objective, weights: RowWeights, names: list[str], reference: int
) -> Optimum:
    """Return the optimum from where the fit ended, by Newton's method.

    Raises
    ------
    ValueError
        If there is none: columns are combinations of others, or separate the classes; or the fit
        ended far from it.
    """
    constant = np.flatnonzero(objective.design.columns.inverse_scale == 0.0)
    if constant.size:
        raise not_identified([names[column] for column in constant], objective.fit_intercept)
    coef, intercept = coefficients_by_output(result)
    theta = objective.join(*objective.from_user(coef, intercept))[0]
    hessians, total = Hessians(objective), float(objective.rows.total_weight[0])
    near = NEAR if np.prod(objective.design.shape) > LARGE else 0.0
    root: Matrix | None = None
    for step in range(MOST_STEPS):
        point = evaluate(objective, hessians, theta, root)
        if root is None:
            _refuse_dependent(result, objective, hessians, point, theta, names, reference)
        half = point.half_step
        square, move = float(half @ half), point.root @ half
        largest = float(np.abs(move).max())
        curvature = float(point.curvature.totals()[0]) / total
        if square <= EXACT * EXACT * curvature:
            # Rows that are predicted surely hide a way that goes on, or all curvature along it.
            if largest > LONG or float(np.square(point.root).sum(axis=1).max()) > HARDLY_TOLD**2:
                _refuse_separated(result, objective, theta, names, reference)
            return Optimum(objective, weights, theta - move, point, reference)
        root = point.root if square <= near * near * curvature else None
        if step == 0 and square * total > FAR * FAR:
            _refuse_separated(result, objective, theta, names, reference)
            raise not_at_optimum(result, float(np.sqrt(square * total)))
        if step >= 2 and largest > LONG:
            _refuse_separated(result, objective, theta, names, reference)
        theta = theta - move
    _refuse_separated(result, objective, theta, names, reference)
    if square * total <= ROUNDED * ROUNDED:
        return Optimum(objective, weights, theta, point, reference)
    raise not_at_optimum(result, float(np.sqrt(square * total)))


def evaluate(
    objective: Objective, hessians: Hessians, theta: Vector, root: Matrix | None = None
) -> Point:
    """Return the derivatives of one model at theta: a pass, and one for the Hessian.

    Unless the root of the inverse Hessian of a point nearby is given.
    """
    state, curvature, residuals = objective.rows.derivatives(theta[None])
    gradient = objective.join(state.gradient, state.intercept_gradient)[0]
    if root is None:
        root = root_of(hessians.at(0, theta, curvature))
    return Point(float(state.cost.sum()), gradient, root, curvature, residuals)


def root_of(hessian: LocalHessian) -> Matrix:
    """Return W, (n_theta, rank), with W W' the inverse of a Hessian."""
    root = hessian.resolved.inverse_root()
    if isinstance(hessian, ContrastHessian):
        return np.ascontiguousarray(hessian.to_classes(np.ascontiguousarray(root.T)).T)
    return root


def _refuse_dependent(
    result: FitResult, objective: Objective, hessians: Hessians, point: Point, theta: Vector,
    names: list[str], reference: int,
) -> None:  # fmt: skip
    """Raise where the rows leave a direction of the parameters open."""
    n_classes, size = objective.n_classes, objective.design.shape[1] + 1
    fitted = objective.fitted()[:size]
    wanted = int(fitted.sum()) * max(1, n_classes - 1)
    if np.count_nonzero(point.root.any(axis=0)) >= wanted:
        return
    _refuse_separated(result, objective, theta, names, reference)
    hessian = hessians.at(0, theta, point.curvature)
    block = np.ascontiguousarray(hessian.loss[:size, :size])
    dependent = np.flatnonzero(Factor(block, DEPENDENT).dependent & fitted)
    # The intercept comes last: what it depends on is the columns before.
    columns = dependent[dependent < size - 1]
    named = [names[column] for column in columns] or names[-1:]
    raise not_identified(named, objective.fit_intercept)


def _refuse_separated(
    result: FitResult, objective: Objective, theta: Vector, names: list[str], reference: int
) -> None:
    """Raise where the classes are separable."""
    kind = SoftmaxSeparation if objective.loss.is_coupled else Separation
    looks, point = kind(objective), theta[None]
    looks.glance(point)
    looks.inspect(point)
    looks.decide(np.array([0]), point)
    if looks.found:
        report = None  # which is of labels, and looks at rows one by one
        if objective.rows.shares is None and not objective.rows.in_parts:
            report = report_of(objective, names, result.classes.tolist(), reference)
        raise separated(looks.describe(0), names, result, report)
