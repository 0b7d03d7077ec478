"""`logit` and `mnlogit`: from a formula and data to a fitted model."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, Labels, Vector
from ..design.mixed import MixedRows
from ..fitting.fit import fit
from ..fitting.links import check_flag
from ..inference.row_weights import KINDS
from ..inputs.given import Rows as CheckedRows
from ..inputs.validation import check_weights
from ..options import UNKNOWN, check_option
from ..result import FitResult
from .coding import expressions_of, fit_coding
from .columns import names_of
from .factors import State
from .model import FormulaResult, Rows, offset_of
from .parsing import Parsed, parse
from .response import Response, response_of, shares_of
from .rows import MISSING, Used, beside, numbers_beside, used_rows

__all__ = ["logit", "mnlogit"]

# Options of `fit` that a formula says itself, and how.
SAID = {
    "intercept": "write '- 1' in the formula for none",
    "multi_class": "use logit for two classes, mnlogit for more",
    "categories": "say it in the formula, as C(group, Treatment('b'))",
    "interactions": "write them in the formula, as a:b",
    "start": "a formula's fit begins by itself",
}


def logit(
    formula: str,
    data: ArrayLike,
    *,
    C: float = np.inf,
    sample_weight: ArrayLike = None,
    weights: str | None = None,
    offset: ArrayLike = None,
    clusters: ArrayLike = None,
    missing: str = "drop",
    handle_unknown: str = "error",
    context: Mapping[str, Any] | None = None,
    **options: Any,
) -> FormulaResult:
    """Fit the logistic regression that a formula says.

    Parameters
    ----------
    formula : str
        As ``y ~ age + C(race) + bs(x, 4) + x:z`` in the language of formulaic. The response is of
        two classes: numbers, True and False, text or categories; the second is modelled, in the
        order that a categorical column declares, or sorted. Comparisons are one too: ``y == 'yes' ~
        x``. With ``fractional=True`` it is shares from 0 to 1. Text, True and False and categories
        are levels, coded as contrasts with the first unless ``C(x, Treatment('b'))`` says
        otherwise. ``- 1`` leaves the intercept out, and ``offset(x)`` adds x with a coefficient of
        1. Python in a formula is run: take formulas from people whom you trust.
    data : frame of pandas, polars or pyarrow, or mapping of names to columns
    C : float > 0, default infinity
        Inverse strength of the L2 penalty, as of `fit`; infinity is none, and only then is there
        `inference`.
    sample_weight : str or array-like of shape (n_rows,), optional
        Weights of the rows, by the name of a column or as an array.
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are, for `inference`; see `infer`.
    offset : str or array-like of shape (n_rows,), optional
        Fixed part of the raw predictions.
    clusters : str or array-like of shape (n_rows,), optional
        The cluster of each row, for `inference`.
    missing : {"drop", "error"}, default "drop"
        Rows that lack a value of a column that the formula names, a weight, an offset or a cluster
        are left out and counted, in the result and its summary; or are an error.
    handle_unknown : {"error", "zero"}, default "error"
        What a level is at prediction that did not occur in the fit: an error, or none of those
        that have a column, so that nothing is added.
    context : mapping, optional
        Functions and numbers that the formula may name besides columns; by default those that the
        caller sees.
    **options
        Others of `fit`: link, fractional, penalty, bias_reduction, l2_reg, l1_reg, l1_ratio,
        penalty_factor, solver, tol, max_iter, n_threads, callback, time_limit ...

    Returns
    -------
    FormulaResult

    Raises
    ------
    ModuleNotFoundError
        If formulaic is not installed.
    TypeError, ValueError
        If the formula is not understood, names what data have not, or an argument has the wrong
        type or value.

    Examples
    --------
    >>> from fastlogit.formula import logit
    >>> data = {"y": ["no", "no", "yes", "no", "yes", "yes"], "x": [1, 2, 2, 3, 3, 4]}
    >>> model = logit("y ~ x", data)
    >>> model.inference().coef.round(3).tolist()
    [-5.191, 2.076]
    """
    seen = _seen(context)
    asked = _Asked(formula, data, seen, sample_weight, offset, clusters, missing, handle_unknown)
    return _fitted(asked, weights, several=False, C=C, **options)


def mnlogit(
    formula: str,
    data: ArrayLike,
    *,
    C: float = np.inf,
    sample_weight: ArrayLike = None,
    weights: str | None = None,
    clusters: ArrayLike = None,
    missing: str = "drop",
    handle_unknown: str = "error",
    context: Mapping[str, Any] | None = None,
    **options: Any,
) -> FormulaResult:
    """Fit the multinomial logistic regression that a formula says: softmax of all classes.

    Parameters
    ----------
    formula : str
        As of `logit`, with a response of two classes or more; in inference the others are compared
        with the first.
    data : frame of pandas, polars or pyarrow, or mapping of names to columns
    C, sample_weight, weights, clusters, missing, handle_unknown, context, **options
        As of `logit`.

    Returns
    -------
    FormulaResult

    Raises
    ------
    ModuleNotFoundError, TypeError, ValueError
        As `logit` does.
    """
    seen = _seen(context)
    asked = _Asked(formula, data, seen, sample_weight, None, clusters, missing, handle_unknown)
    return _fitted(asked, weights, several=True, C=C, **options)


def _seen(context: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the context, by default variables that the caller of a function of this file sees."""
    if context is not None:
        return context
    frame = sys._getframe(2)
    return ChainMap(frame.f_locals, frame.f_globals)


class _Asked(NamedTuple):
    """What a formula's fit is asked of."""

    formula: str
    data: ArrayLike
    context: Mapping[str, Any]
    sample_weight: ArrayLike
    offset: ArrayLike
    clusters: ArrayLike
    missing: str
    handle_unknown: str


class _Read(NamedTuple):
    """The rows of a fit, and what stands beside all rows of the data."""

    parsed: Parsed
    state: State
    used: Used
    # Rows that are left out because something is missing, those of weight 0 not among them.
    n_dropped: int
    sample_weight: Vector | None
    offset: Vector | None
    clusters: Array | None


def _fitted(asked: _Asked, weights: str | None, *, several: bool, **options: Any) -> FormulaResult:
    if weights is not None:
        check_option("weights", weights, KINDS)
    for name in options.keys() & SAID.keys():
        raise TypeError(f"a formula's fit takes no {name}: {SAID[name]}")
    found = _read(asked)
    parsed, used = found.parsed, found.used
    is_fractional = check_flag("fractional", options.get("fractional", False))
    if is_fractional and several:
        raise TypeError("mnlogit takes no fractional: use logit, for one share a row")
    make = shares_of if is_fractional else response_of
    response = make(parsed.response.text, used.values[parsed.response.text])
    if len(response.classes) > 2 and not several:
        raise ValueError(
            f"the response {response.name} has {len(response.classes):,} classes "
            f"({', '.join(map(str, response.classes[:10]))}); logit takes two: use mnlogit, or "
            f"compare one with the others, as '{response.name} == ...'"
        )
    coding = fit_coding(
        parsed.terms, used.values, has_intercept=parsed.has_intercept,
        handle_unknown=asked.handle_unknown,
    )  # fmt: skip
    X = coding.rows(used.values, len(used.rows))
    fixed = offset_of(parsed, used.values, found.offset, used.rows)
    fixed = _of_classes(fixed, len(response.classes))
    sample_weight, clusters = (
        None if each is None else each[used.rows] for each in (found.sample_weight, found.clusters)
    )
    result, labels = _fit(
        X, coding.names, response, sample_weight=sample_weight, offset=fixed,
        intercept="fit" if parsed.has_intercept else None, **options,
    )  # fmt: skip
    return FormulaResult(
        formula=asked.formula, result=result, response=response.name, n_rows=used.n_rows,
        n_dropped=found.n_dropped, lacking=used.lacking, n_samples=len(used.rows), weights=weights,
        reference=response.classes[0].item() if len(response.classes) > 2 else None,
        _coding=coding, _parsed=parsed, _state=found.state,
        _offset=asked.offset if isinstance(asked.offset, str) else asked.offset is not None,
        _rows=Rows(X, labels, sample_weight, fixed, clusters, used.rows, used.n_rows),
    )  # fmt: skip


def _read(asked: _Asked) -> _Read:
    """Read the formula, and compute its factors in the rows that lack nothing and have weight."""
    check_option("missing", asked.missing, MISSING)
    check_option("handle_unknown", asked.handle_unknown, UNKNOWN)
    data = asked.data
    parsed = parse(asked.formula, names_of(data), asked.context)
    of_rows = {
        "sample_weight": numbers_beside("sample_weight", asked.sample_weight, data),
        "offset": numbers_beside("offset", asked.offset, data),
        "clusters": beside("clusters", asked.clusters, data),
    }
    state = State(parsed.context)
    expressions = [parsed.response, *expressions_of(parsed.terms), *parsed.offsets]
    columns = dict.fromkeys([*parsed.response_columns, *parsed.columns])
    others = {name: values for name, values in of_rows.items() if values is not None}
    used = used_rows(data, [*columns], expressions, state, others, asked.missing, fitting=True)
    return _Read(
        parsed, state, _of_weight(used, of_rows["sample_weight"]), used.n_dropped, **of_rows
    )


def _of_weight(used: Used, sample_weight: Vector | None) -> Used:
    """Return the rows that have weight: others count nowhere, levels that only they have included.

    Raises
    ------
    ValueError
        If a weight is negative, or all are 0.
    """
    if sample_weight is None:
        return used
    own = check_weights(sample_weight[used.rows], len(used.rows))
    kept = own > 0.0 if own.size else np.ones(len(used.rows), dtype=bool)
    if kept.all():
        return used
    values = {text: each.take(kept) for text, each in used.values.items()}
    return used._replace(rows=used.rows[kept], values=values)


def _of_classes(offset: Vector | None, n_classes: int) -> Vector | None:
    """Return an offset for two classes; a softmax has no single one."""
    if offset is not None and n_classes > 2:
        raise ValueError(
            "an offset of a single column means nothing for more than two classes; leave it out"
        )
    return offset


def _fit(
    X: MixedRows, names: list[str], response: Response, **options: Any
) -> tuple[FitResult, Labels]:
    """Return the fit, whose two classes are in the order of the response, and the labels."""
    rows = CheckedRows(X, X, names, names)
    if response.is_fractional:
        return fit(rows, response.codes, **options), response.codes
    labels: Array = response.classes[response.codes]
    if len(response.classes) > 2:
        return fit(rows, labels, multi_class="multinomial", **options), labels
    # Classes are sorted by `fit`: numbers keep the order that categories declare.
    result = fit(rows, response.codes, **options)
    return replace(result, classes=response.classes), labels
