"""Rows that no fit is handed in with: checked as a fit checks them, on standardised columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Vector
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.batches import BatchSource
from ..inputs.given import Data, Given, look
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.multinomial import Multinomial
from ..objective.objective import Objective
from .fitted import INTERCEPT, refuse_repeated
from .row_weights import RowWeights, weights_by_name

__all__ = ["Unfitted", "look_at_unfitted", "names_of_columns"]

# What the covariance of coefficients is made for: 128 MB.
MOST_COEFFICIENTS = 4000


@dataclass(frozen=True, eq=False)
class Unfitted:
    """Labelled rows and their mean loss, without a penalty."""

    data: Data
    objective: Objective
    weights: RowWeights
    # Of the columns of X: of categorical ones one for each level that has a coefficient.
    features: list[str]

    @property
    def names(self) -> list[str]:
        """The names of the coefficients, the intercept first."""
        return [INTERCEPT] * self.objective.fit_intercept + self.features


def look_at_unfitted(
    given: Given, what: str, *, fit_intercept: bool, weights: str | None, n_threads: int | None
) -> Unfitted:
    """Check rows as `fit` does, and open them.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value, or X comes in batches.
    """
    if isinstance(given.X, BatchSource):
        raise TypeError(f"{what} takes rows, not batches: give X as an array, or as a frame")
    if not isinstance(fit_intercept, bool | np.bool_):
        raise TypeError(f"fit_intercept must be True or False, got {fit_intercept!r}")
    data = look(given, "multinomial", every_class=True)
    n_classes, n_rows = len(data.classes), data.rows.X.shape[0]
    known = weights_by_name(data.weights, weights, n_rows)
    is_softmax = n_classes > 2
    design = open_rows(data.rows.X, n_threads)
    rows = LabelledRows(
        design, Multinomial(n_classes) if is_softmax else Binomial(), data.codes,
        range(n_classes) if is_softmax else [1], _sets(known.values), data.offset,
        bool(fit_intercept),
    )  # fmt: skip
    objective = Objective(rows, 0.0)
    objective.standardize()
    if not np.isfinite(objective.design.columns.inverse_scale).all():
        validation.refuse_not_finite(objective.design, data.rows.names)
    found = Unfitted(data, objective, known, names_of_columns(data))
    refuse_repeated(found.names)
    return found


def _sets(weights: Floats) -> Vector:
    return weights.reshape(-1) if weights.size else weights


def names_of_columns(data: Data) -> list[str]:
    """Return names of the features, x0, x1, ... where the columns have none."""
    if data.rows.categories is not None:
        return list(data.rows.categories.feature_names)
    return list(data.rows.text_names or [f"x{place}" for place in range(data.rows.X.shape[1])])
