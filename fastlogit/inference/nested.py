"""The likelihood-ratio test of two models of the same rows, one of which has some of the columns.

That the rows are the same is looked at: sums of each column, over all rows and over classes, are
equal whatever the order of the rows, and differ as soon as values, labels or weights do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Matrix, Vector
from ..inputs.values import show
from .distributions import chi2_tail
from .hypothesis_tests import HypothesisTest
from .optimum import Optimum

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["nested"]

# Sums of the same rows agree to this share of what a row typically has.
SAME = 1e-9


class _Sums(NamedTuple):
    """What the rows add up to, whatever their order."""

    # Rows, weights, labels and offsets: (n_sums,)
    beside: Vector
    # Of each column, over the rows and over the numbers of their classes: (2, n_features).
    columns: Matrix
    # How large a typical value is, (n_features,), and the sum of the weights.
    sizes: Vector
    total: float


def nested(whole: Inference, part: Inference) -> HypothesisTest:
    """Return the likelihood-ratio test of a model against one that has some of its columns.

    Parameters
    ----------
    whole, part : Inference

    Raises
    ------
    ValueError
        If the other is not such a model, or was not made of the same rows.
    """
    _refuse_other_models(whole, part)
    _refuse_other_classes(whole, part)
    names, others = whole.names, [name for name in part.names if name not in whole.names]
    df = len(names) - len(part.names)
    if others or df <= 0:
        what = f"has {', '.join(others[:3])}" if others else "has no fewer coefficients"
        raise ValueError(f"the other model is not nested in this one: it {what}")
    _refuse_other_intercept(whole, part)
    own, other = _sums_of(whole._optimum), _sums_of(part._optimum)
    n_own, n_other = whole.n_samples, part.n_samples
    close = np.isclose(own.beside, other.beside, rtol=SAME, atol=SAME * own.total)
    if n_own != n_other or not close.all():
        raise ValueError(
            f"the other model is of other rows, labels, weights or offsets: {n_other:g} "
            f"observations and null log-likelihood {part.likelihood.null_log_likelihood:.6g}, here "
            f"{n_own:g} and {whole.likelihood.null_log_likelihood:.6g}"
        )
    _refuse_other_values(whole, part, own, other)
    change = whole.log_likelihood - part.log_likelihood
    statistic = max(2.0 * change, 0.0)
    dropped = [name for name in names if name not in part.names]
    return HypothesisTest(
        "likelihood ratio", ", ".join(dropped), statistic, df, chi2_tail(statistic, df)
    )


def _refuse_other_models(whole: Inference, part: Inference) -> None:
    """Raise where the other maximises another likelihood, or none."""
    if part._fit.bias_reduction is not None:
        raise ValueError(
            f"the other model has bias_reduction={part._fit.bias_reduction!r}, and does not "
            "maximise the likelihood: fit it without (C=numpy.inf)"
        )
    if whole.link != part.link:
        raise ValueError(
            f"the other model is not nested in this one: it has link={part.link!r}, this one "
            f"link={whole.link!r}"
        )


def _refuse_other_classes(whole: Inference, part: Inference) -> None:
    if not np.array_equal(whole.classes, part.classes):
        raise ValueError(
            f"the other model is of other classes: {part.classes[:10].tolist()}, here "
            f"{whole.classes[:10].tolist()}"
        )
    if len(whole.classes) > 2 and whole.reference != part.reference:
        raise ValueError(
            f"the other model compares with {show(part.reference)}, this one with "
            f"{show(whole.reference)}: give both the same reference"
        )


def _refuse_other_intercept(whole: Inference, part: Inference) -> None:
    """Raise where both hold the intercept, at different numbers: neither is a case of the other."""
    optima = whole._optimum, part._optimum
    if any(each.objective.fit_intercept for each in optima):
        return
    own, other = (each.held_intercept for each in optima)
    if not np.array_equal(own, other):
        raise ValueError(
            f"the other model is not nested in this one: it holds the intercept at {other[0]:g}, "
            f"this one at {own[0]:g}"
        )


def _sums_of(optimum: Optimum) -> _Sums:
    """Return what the rows of a fit add up to: a pass."""
    objective = optimum.objective
    rows, design = objective.rows, objective.design
    weights, offset = rows.weights_of(0), rows.offset_of(0)
    n_samples = design.shape[0]
    each = np.ones(n_samples) if weights is None else weights
    outcomes = rows.codes_of(0) if rows.shares is None else rows.shares
    vectors = np.stack([each, each * outcomes])
    sums, totals = design.transposed_product(vectors)
    center, inverse_scale = design.columns
    beside = [*totals]
    if offset is not None:
        fixed = np.atleast_2d(offset)
        beside += [*(vectors @ fixed[0])]
    return _Sums(
        np.array([*beside, *np.zeros(4 - len(beside))]),
        sums / inverse_scale + totals[:, None] * center,
        1.0 / inverse_scale + np.abs(center),
        float(each.sum()),
    )


def _refuse_other_values(whole: Inference, part: Inference, own: _Sums, other: _Sums) -> None:
    """Raise where a column of a name has other values."""
    n_own, n_other = own.columns.shape[1], other.columns.shape[1]
    places = {name: place for place, name in enumerate(_columns_of(whole, n_own))}
    for place, name in enumerate(_columns_of(part, n_other)):
        there = places[name]
        away = np.abs(own.columns[:, there] - other.columns[:, place])
        if (away > SAME * own.total * own.sizes[there] * max(1, len(whole.classes))).any():
            raise ValueError(
                f"the other model is of other rows: its column {name} has other values, or they "
                "stand beside other labels"
            )


def _columns_of(found: Inference, n_features: int) -> list[str]:
    """Return the names of the columns as the coefficients of the first class have them."""
    first = int(found._optimum.objective.fit_intercept)
    return found.names[first : first + n_features]
