"""Newton's equation of many models over sparse rows, solved in float32.

Of many columns and models the tables that passes read and write leave the caches, and vectors of
all parameters cost as much as the passes. Directions need few digits: what is left of an equation
is a share of the gradient, which stays float64 as all that is judged and proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..kernels import narrow_gradients as kernels
from ..kernels.passes import Targets
from ..kernels.scaling import PARTS
from .base import readonly

if TYPE_CHECKING:
    from .sparse import SparseDesign

__all__ = ["NarrowEquation", "Quadratics"]

# Scales of columns that float32 is trusted with: their squares, and products of these.
LARGEST_SCALE = 1e8
# How much larger than standardised values the numbers may be that are added up.
MOST_ROUNDING = 64.0
# Rows of a strip: of numbers that are alike a sum in float32 has three digits then.
MOST_ROWS = 2**20


class Quadratics(NamedTuple):
    """Models of which Newton's equation is asked, one or several classes each.

    `curvatures` (n_outputs,) are the means of their rows', `strengths` (n_features,) those of an L2
    penalty of standardised columns, the same for all.
    """

    targets: Targets
    curvatures: Vector
    strengths: Vector
    is_coupled: bool
    fit_intercept: bool


class NarrowEquation:
    """Conjugate gradients for H x = -gradient, preconditioned by the Hessian's diagonal.

    Parameters
    ----------
    design : SparseDesign
    models : Quadratics
        Of one model of classes that compete, or of several without.
    gradient : ndarray of shape (n_outputs, n_features + 1)
        The intercept's last.

    Attributes
    ----------
    size : ndarray of shape (n_models,)
        Squared norm of the residuals in that of the preconditioner.
    rough : ndarray of shape (n_models,)
        The same in the norm of the penalty, without intercepts; it is 0 where nothing is known.
    """

    def __init__(self, design: SparseDesign, models: Quadratics, gradient: Matrix) -> None:
        self._design, self._models = design, models
        n_outputs, n_features = len(gradient), design.shape[1]
        self._n_slots = n_slots = -(-n_outputs // 8) * 8
        self._room = design._take_room(n_outputs, n_slots)
        n_strips, size = len(self._room.strips), n_features * n_slots
        step = -(-size // 16) * 16
        numbers = self._room.numbers.view(np.float32)
        if numbers.size < step * 3 + size * n_strips:
            numbers = np.empty(step * 3 + size * n_strips, dtype=np.float32)
        solution, residual, along = (numbers[k * step : k * step + size] for k in range(3))
        strips = numbers[3 * step : 3 * step + size * n_strips]
        self._strips = strips.reshape(n_strips, size)
        self._tables = kernels.Tables(solution, residual, along, strips, n_strips)
        center, inverse_scale = design.columns
        square = np.where(inverse_scale > 0.0, inverse_scale, 1.0) ** 2
        shares = 1.0 - 4.0 * np.minimum(models.strengths, 0.25)
        self._columns = kernels.Columns(*map(readonly, (
            center, inverse_scale, shares / square, models.strengths / square + 1e-300
        )))  # fmt: skip
        self._diagonal = np.maximum(models.curvatures, 1e-300)
        weight = models.targets.total_weight
        self._slots = kernels.Slots(
            self._of_slots(self._diagonal, 1.0),
            self._of_slots(np.full(n_outputs, models.is_coupled / n_outputs)),
            self._of_slots(np.zeros(n_outputs)), self._of_slots(1.0 / weight),
            self._of_slots(np.zeros(n_outputs)),
        )  # fmt: skip
        self._scale = 1.0 / max(float(np.abs(gradient).max()), 1e-300)
        self._n_models = 1 if models.is_coupled else n_outputs
        self._residual = -gradient[:, -1] * self._scale
        self._solution = np.zeros(n_outputs)
        self._along = self._smooth()
        self._shifts, sizes = self._advance(kernels.START, self._scale, gradient)
        self.size = self._of_models(sizes + self._residual * self._along)
        self.rough = np.zeros(self._n_models)

    def step(self, live: Indices) -> None:
        """Go on with some models (indices), by a product with their Hessians: one pass."""
        weight = self._models.targets.total_weight
        totals = self._pass()
        self._slots.total[: totals.size] = totals
        products = totals / weight * self._models.fit_intercept
        sums = self._advance(kernels.SUM)[0] + self._along * products
        curved = self._of_models(sums)
        moves = np.zeros(self._n_models, dtype=bool)
        moves[live] = curved[live] > 0.0
        step = np.where(moves, self.size / np.where(moves, curved, 1.0), 0.0)
        own = self._of_outputs(step)
        self._slots.factor[: own.size] = own
        self._solution += own * self._along
        self._residual -= own * products
        sizes, rough = self._advance(kernels.STEP)
        smooth = self._smooth()
        size = self._of_models(sizes + self._residual * smooth)
        self.rough = self._of_models(rough)
        previous = np.where(self.size > 0.0, self.size, 1.0)
        keep = self._of_outputs(np.where(moves, size / previous, 0.0))
        self._slots.factor[: keep.size] = keep
        self._along = smooth + keep * self._along
        self._shifts = self._advance(kernels.TURN)[0]
        self.size = np.where(moves, size, 0.0)

    def solution(self) -> Matrix:
        """Return x, (n_outputs, n_features + 1), and take leave of the room."""
        found = np.empty((len(self._residual), self._design.shape[1] + 1))
        self._advance(kernels.END, 1.0 / self._scale, found)
        found[:, -1] = self._solution / self._scale
        self._design._keep_room(self._room)
        return found

    # ---- pieces

    def _pass(self) -> Vector:
        """Scatter residuals of the direction's predictions; return their sums, (n_outputs,)."""
        design, n_outputs = self._design, len(self._residual)
        levels = self._of_slots(self._along * self._models.fit_intercept - self._shifts)
        totals = np.empty((len(self._strips), self._n_slots))
        with design._team(n_outputs) as parallel:
            kernels.products.choose(parallel)(
                design.kernel_rows, self._room.bounds, design._block(self._n_slots),
                self._models.targets.weights, self._models.is_coupled,
                readonly(self._tables.direction), readonly(levels), self._strips, totals,
            )  # fmt: skip
        design.counter.rows += design.shape[0]
        found: Vector = np.add.reduce(totals)[:n_outputs]
        return found

    def _advance(
        self, stage: int, scale: float = 1.0, theta: Matrix | None = None
    ) -> tuple[Vector, Vector]:
        """Go a stage on; return both sums of each output, in the units of the gradient."""
        sums = np.empty((PARTS, 2 * self._n_slots))
        theta = np.empty((0, 0)) if theta is None else theta
        with self._design._team_for(3.0 * self._tables.direction.size) as parallel:
            kernels.advance.choose(parallel)(
                stage, self._tables, self._columns, self._slots, scale, theta, sums
            )
        both = np.add.reduce(sums).reshape(2, -1)[:, : len(self._residual)]
        return both[0], both[1]

    def _smooth(self) -> Vector:
        """Return the preconditioned residuals of the intercepts."""
        found: Vector = self._residual / self._diagonal
        return found - found.mean() if self._models.is_coupled else found

    def _of_slots(self, values: Vector, rest: float = 0.0) -> Vector:
        found = np.full(self._n_slots, rest)
        found[: len(values)] = values
        return found

    def _of_models(self, sums: Vector) -> Vector:
        """Return sums of outputs added up for each model, as those of the gradient itself."""
        found: Vector = sums.reshape(self._n_models, -1).sum(axis=1) / self._scale**2
        return found

    def _of_outputs(self, values: Vector) -> Vector:
        return np.repeat(values, len(self._residual) // self._n_models)


def is_narrow_enough(inverse_scale: Vector, rounding: float, longest: int) -> bool:
    """Say whether float32 will do for columns of these scales, and so many rows in a strip."""
    used = inverse_scale[inverse_scale > 0.0]
    if not used.size or rounding > MOST_ROUNDING or longest > MOST_ROWS:
        return False
    return bool(used.max() <= LARGEST_SCALE and used.min() >= 1.0 / LARGEST_SCALE)
