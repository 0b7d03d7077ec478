"""A fit and its rows, handed in once more: what inference begins with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..arrays import ArrayLike, Floats, Labels, Vector
from ..design.base import Design
from ..inputs.given import Data, Fitted, Given, look_at_fitted
from ..inputs.values import show
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.links import link_loss
from ..objective.multinomial import Multinomial
from ..result import FitResult

__all__ = [
    "HasResult",
    "Names",
    "coefficients_by_output",
    "labelled_rows",
    "look_at_rows_of_fit",
    "names_of",
    "place_of_reference",
    "refuse_repeated",
    "result_of",
]

INTERCEPT = "intercept"


class HasResult(Protocol):
    """A fitted estimator, which keeps the result of its fit."""

    result_: FitResult


class Names(NamedTuple):
    """Names of the coefficients of one output, and of the terms that they belong to."""

    # (n_features,)
    features: list[str]
    # Of each feature: a categorical column has several.
    terms: list[str]


def result_of(fitted: FitResult | HasResult) -> FitResult:
    """Return the result of a fit, or of an estimator.

    Raises
    ------
    TypeError
        If it is neither.
    """
    result = getattr(fitted, "result_", fitted)
    if not isinstance(result, FitResult):
        kind = type(fitted)
        hint = ""
        if hasattr(fitted, "steps"):
            hint = (
                "; of a pipeline give its last step, with X as that sees it: pipe[:-1].transform(X)"
            )
        elif hasattr(fitted, "fit"):
            hint = "; is it fitted, and one of fastlogit?"
        raise TypeError(
            "fitted must be a FitResult or a fitted estimator of fastlogit, got "
            f"{kind.__module__}.{kind.__qualname__}{hint}"
        )
    return result


def look_at_rows_of_fit(
    fitted: FitResult | HasResult, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike,
    offset: ArrayLike,
) -> Data:  # fmt: skip
    """Check the rows of a fit, with the `class_weight` of an estimator.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value, or is not as in the fit.
    """
    result = result_of(fitted)
    return look_at_fitted(
        Given(X, y, sample_weight, offset, class_weight=getattr(fitted, "class_weight", None)),
        Fitted(
            result.classes, result.multi_class, len(result.coef), result.column_names,
            result.categories, result.fractional,
        ),
    )  # fmt: skip


def labelled_rows(result: FitResult, design: Design, data: Data, weights: Floats) -> LabelledRows:
    """Return the rows of a fit, as its models see them; `weights` may be of each class."""
    n_classes = len(result.classes)
    n_outputs = 1 if n_classes == 2 else n_classes
    is_softmax = n_outputs > 1 and result.multi_class == "multinomial"
    loss = Multinomial(n_outputs) if is_softmax else link_loss(result.link) or Binomial()
    return LabelledRows(
        design, loss, data.codes, [1] if n_outputs == 1 else range(n_outputs), weights,
        data.offset,
        result.fit_intercept, shares=data.shares,
    )  # fmt: skip


def names_of(result: FitResult) -> Names:
    """Return names of the features, x0, x1, ... where the columns had none, and of their terms."""
    if result.categories is not None:
        terms = [term for term, _ in result.categories.features]
        return Names(list(result.categories.feature_names), terms)
    features = result.feature_names or [f"x{column}" for column in range(len(result.coef))]
    return Names(list(features), list(features))


def refuse_repeated(names: Sequence[str]) -> None:
    """Raise where two coefficients have one name, as of a column that is called as the intercept.

    Raises
    ------
    ValueError
    """
    if len(set(names)) == len(names):
        return
    (name, _), *_ = Counter(names).most_common(1)
    what = "a column and the intercept" if name == INTERCEPT else "two coefficients"
    hint = ", or fit without an intercept where it is a column of ones" * (name == INTERCEPT)
    raise ValueError(
        f"{what} are called {name!r}, and results name coefficients: rename the column{hint}"
    )


def place_of_reference(reference: object, classes: Labels) -> int:
    """Return the place of the class that the others are compared with: the first for None.

    Raises
    ------
    ValueError
        If it is none of the classes, or there are two, of which it is always the first.
    """
    if reference is None:
        return 0
    if len(classes) == 2:
        raise ValueError(
            "reference is for more than two classes; of two the coefficients are those of the "
            f"second, {show(classes[1])}"
        )
    places = [place for place, label in enumerate(classes.tolist()) if label == reference]
    if not places:
        raise ValueError(
            f"reference must be one of the classes {classes[:10].tolist()}, got {reference!r}"
        )
    return places[0]


def coefficients_by_output(result: FitResult) -> tuple[Floats, Vector]:
    """Return coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
    intercept = np.atleast_1d(np.asarray(result.intercept, dtype=np.float64))
    coef = result.coef.reshape(-1, intercept.size).T
    return np.ascontiguousarray(coef), intercept
