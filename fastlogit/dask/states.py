"""Handles of row states that lie in workers, beside the rows: see `objective.row_state`."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from ..arrays import IndexMatrix, Indices, Mask, Matrix, Vector
from ..objective.row_state import RowCurvature, RowPredictions, RowResiduals
from . import work
from .parts import Parts
from .placement import Spread
from .rounds import Combine, Value, add, largest, least

__all__ = ["CurvatureElsewhere", "Measures", "PredictionsElsewhere", "ResidualsElsewhere"]


class Measures(NamedTuple):
    """What is known of row curvatures without a round."""

    totals: Vector
    least_positive: float
    n_positive: float
    # What the mean row adds to the Hessian of each output, (n_outputs, 1).
    means: Matrix | None = None


class CurvatureElsewhere(RowCurvature):
    """Row curvatures of models, in the workers.

    Parameters
    ----------
    parts : Parts
    n_models : int
    kept : Spread, optional
        None until they are filled.
    """

    def __init__(self, parts: Parts, n_models: int, kept: Spread | None = None) -> None:
        self._parts, self._n_models, self.kept = parts, n_models, kept
        self._known: Measures | None = None

    def fill(self, kept: Spread, known: Measures) -> None:
        """Take row states over, with what is known of them."""
        self.kept, self._known = kept, known

    def __len__(self) -> int:
        return self._n_models

    @property
    def held(self) -> Spread:
        """Their handles; of curvatures that are there."""
        assert self.kept is not None  # nobody asks before a pass has filled them
        return self.kept

    def __getitem__(self, models: int | np.intp | Indices | Mask) -> CurvatureElsewhere:
        """Return those of some models: an index, or an array of them or of booleans."""
        count = 1 if np.ndim(models) == 0 else len(np.arange(self._n_models)[models])
        if count == self._n_models == 1:
            same = CurvatureElsewhere(self._parts, 1, self.held)
            same._known = self._known
            return same
        kept = self._parts.derive(work.some_models, self.held, given=(models,))
        return CurvatureElsewhere(self._parts, count, kept)

    def __setitem__(self, models: int | Indices | Mask | EllipsisType, other: RowCurvature) -> None:
        """Take those of some models over from another."""
        assert isinstance(other, CurvatureElsewhere)
        if len(other) == self._n_models and (models is Ellipsis or self._n_models == 1):
            self.kept, self._known = other.held, other._known
            return
        self._known = None
        given = models, self._n_models
        self.kept = self._parts.derive(work.with_models, self.kept, other.held, given=given)

    @property
    def means(self) -> Matrix | None:
        """What the mean row adds to the Hessian of each output, (n_outputs, 1); None: not known."""
        return None if self._known is None else self._known.means

    def like(self, n_models: int | None = None) -> CurvatureElsewhere:
        """Return another of the same rows, for as many models or so many, not filled yet."""
        return CurvatureElsewhere(self._parts, self._n_models if n_models is None else n_models)

    def _ask(self, function: Callable[..., Any], *given: Value, combine: Combine = add) -> Any:
        return self._parts.ask(function, *given, held=[self.held], combine=combine, is_pass=False)

    def totals(self) -> Vector:
        """Return the sum over the rows (and classes) of each model, (n_models,)."""
        if self._known is not None:
            return self._known.totals
        return self._ask(work.totals)

    def least_positive(self) -> float:
        """Return the least of those that are positive; infinite where none is."""
        if self._known is not None:
            return float(self._known.least_positive)
        return float(self._ask(work.least_positive, combine=least))

    def n_positive(self) -> int:
        """Return how many are positive."""
        if self._known is not None:
            return int(self._known.n_positive)
        return int(self._ask(work.n_positive))

    def draw(self, count: int) -> IndexMatrix:
        """Raise: rows have no number here, see `PartitionedRows.draw`."""
        raise NotImplementedError("rows are drawn where they are")

    def leading(self, count: int) -> tuple[Indices, Vector]:
        """Raise: rows have no number here, see `PartitionedRows.leading`."""
        raise NotImplementedError("rows are chosen where they are")

    def is_like(self, model: int, other: int, share: float) -> bool:
        """Say whether two models differ by at most a share of the second, in the mean."""
        apart, total = self._ask(work.apart, model, other)
        return bool(not apart > share * total)


class ResidualsElsewhere(RowResiduals):
    """Weighted residuals of outputs, in the workers.

    Parameters
    ----------
    parts : Parts
    n_outputs : int
    held : Spread
    """

    def __init__(self, parts: Parts, n_outputs: int, held: Spread) -> None:
        self._parts, self._n_outputs, self.held = parts, n_outputs, held

    def __len__(self) -> int:
        return self._n_outputs

    def totals(self) -> Vector:
        """Return the sum over the rows of each output: the slope of the intercept."""
        return self._parts.ask(work.totals, held=[self.held], is_pass=False)


class PredictionsElsewhere(RowPredictions):
    """Raw predictions of models for the rows, in the workers.

    Parameters
    ----------
    parts : Parts
    n_models : int
    kept : Spread
    """

    def __init__(self, parts: Parts, n_models: int, kept: Spread) -> None:
        self._parts, self._n_models, self.kept = parts, n_models, kept

    def __len__(self) -> int:
        return self._n_models

    def __getitem__(self, models: int) -> PredictionsElsewhere:
        """Return those of a model."""
        if self._n_models == 1:
            return self
        kept = self._parts.derive(work.some_models, self.kept, given=(models,))
        return PredictionsElsewhere(self._parts, 1, kept)

    def largest(self, curvature: RowCurvature) -> Vector:
        """Return the largest size of each model's, among rows whose curvature is positive."""
        assert isinstance(curvature, CurvatureElsewhere)
        held = [self.kept, curvature.held]
        return self._parts.ask(work.largest_of, held=held, combine=largest, is_pass=False)

    def squares(self, curvature: RowCurvature) -> Vector:
        """Return the sum of each model's squares, times the rows' curvatures."""
        assert isinstance(curvature, CurvatureElsewhere)
        return self._parts.ask(work.squares_of, held=[self.kept, curvature.held], is_pass=False)

    def largest_change(self, other: RowPredictions) -> Vector:
        """Return for each model the largest difference to the other's only or same model."""
        assert isinstance(other, PredictionsElsewhere)
        held = [self.kept, other.kept]
        return self._parts.ask(work.largest_change, held=held, combine=largest, is_pass=False)
