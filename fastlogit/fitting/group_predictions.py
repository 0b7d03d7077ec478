"""Predictions of many groups' models: each row by the model of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, Features, Labels, Matrix, Vector
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows, as_sparse
from ..design.sparse import SparseDesign
from ..inputs import validation
from ..inputs.categories import Categories
from ..inputs.given import OfFit, look_at_rows
from ..inputs.groups import encode_groups
from ..inputs.values import show
from ..options import check_option
from ..result import FitResult

__all__ = ["GroupModels", "raw_prediction"]

HANDLE_UNKNOWN = ("error", "pooled", "nan")
# Numbers of X, and of the coefficients beside them, at a time: they stay in the cache.
CHUNK_NUMBERS = 50_000
SHOWN = 5


class GroupModels(NamedTuple):
    """Models by group: places of the labels, (n_groups, n_features) and (n_groups,)."""

    places: Mapping[object, int]
    coef: Matrix
    intercept: Vector
    pooled: FitResult | None
    feature_names: Sequence[str] | None
    dates: np.dtype[np.generic] | None
    categories: Categories | None = None


def raw_prediction(
    models: GroupModels, X: ArrayLike, groups: ArrayLike, offset: ArrayLike, handle_unknown: str
) -> Vector:
    """Return each row's raw prediction by the model of its group; see `GroupFits`."""
    check_option("handle_unknown", handle_unknown, HANDLE_UNKNOWN)
    categories, names = models.categories, models.feature_names
    if categories is not None and names is not None:
        names = categories.columns
    rows = look_at_rows(OfFit(X, names, categories))
    X = as_sparse(rows.X) if isinstance(rows.X, MixedRows) else rows.X
    if not isinstance(X, np.ndarray | CompressedRows):
        raise TypeError(
            f"predictions of groups take rows in memory, and X is a {type(rows.X).__name__}; "
            "predict one part after the other"
        )
    n_samples, n_features = X.shape
    if n_features != models.coef.shape[1]:
        raise ValueError(f"X has {n_features} columns, but the fits had {models.coef.shape[1]}")
    if isinstance(X, CompressedRows):
        validation.refuse_not_finite(SparseDesign(X), rows.names)
    else:
        validation.check_finite(X, rows.names)
    fixed = validation.check_offset(offset, n_samples)
    labels, codes = encode_groups(groups, n_samples)
    coef, intercept = _coefficients(models, labels, handle_unknown)
    if isinstance(X, CompressedRows):
        raw = _sparse_products(X, coef, intercept, codes)
    else:
        raw = _products(X, coef, intercept, codes)
    if fixed.size:
        raw += fixed
    spoiled = ~np.isfinite(raw) & np.isfinite(intercept)[codes]
    if spoiled.any():
        row = int(np.argmax(spoiled))
        raise ValueError(
            f"X @ coef overflows in row {row}; divide the columns of X by their largest value first"
        )
    return raw


def _coefficients(
    models: GroupModels, labels: Labels, handle_unknown: str
) -> tuple[Matrix, Vector]:
    """Return the coefficients for each of the labels, NaN or the pooled ones where it has none."""
    listed = _comparable(labels, models.dates)
    places = np.array([models.places.get(label, -1) for label in listed])
    coef, intercept = models.coef[places], models.intercept[places]
    without = (places < 0) | ~np.isfinite(intercept)
    if not without.any():
        return coef, intercept
    if handle_unknown == "error":
        raise _without_model(labels[without], places[without])
    if handle_unknown == "pooled":
        if models.pooled is None:
            raise ValueError(
                'handle_unknown="pooled" takes the fit of all rows, and there is none: it comes '
                'with fit_groups(..., prior_mean="pooled")'
            )
        coef[without], intercept[without] = models.pooled.coef, models.pooled.intercept
    else:
        coef[without], intercept[without] = np.nan, np.nan
    return coef, intercept


def _comparable(labels: Labels, dates: np.dtype[np.generic] | None) -> list[object]:
    """Return labels as those of the fit are kept; None for those that no label can be.

    `dates` is the type of dates or durations that the fit has, None if it has others. What is no
    date, or lies between two of theirs, as an hour between days, is not one of them.
    """
    is_date = labels.dtype.kind in "mM"
    if dates is None:
        return list(labels) if is_date else labels.tolist()
    if not is_date:
        return [found for label in labels.tolist() for found in _comparable(_dated(label), dates)]
    if labels.dtype.kind != dates.kind:
        return [None] * len(labels)
    values = labels.astype(dates)
    is_same = values.astype(labels.dtype) == labels
    return [value if same else None for value, same in zip(values, is_same, strict=True)]


def _dated(label: object) -> Labels:
    """Return a date or duration as an array of one of NumPy's own; others as a duration of none."""
    if isinstance(label, date | timedelta) and getattr(label, "tzinfo", None) is None:
        own = getattr(label, "to_numpy", None)  # pandas has nanoseconds
        kind = "m8" if isinstance(label, timedelta) else "M8"
        return np.array([label], dtype=kind) if own is None else np.array([own()])
    return np.array(["NaT"], dtype="m8")


def _without_model(labels: Labels, places: Array) -> ValueError:
    """Name the groups that have no coefficients, and what can be done."""
    unknown = places < 0
    parts = []
    for which, what in ((unknown, "not among the groups of the fit"), (~unknown, "without a fit")):
        if which.any():
            some = labels[which][:SHOWN]
            shown = some.astype(str) if some.dtype.kind in "mM" else some
            named = ", ".join(show(label) for label in shown.tolist())
            more = np.count_nonzero(which) - SHOWN
            parts.append(f"{named}{f' and {more} more' if more > 0 else ''} ({what})")
    return ValueError(
        f"groups holds {'; '.join(parts)}: leave such rows out, or set handle_unknown to "
        '"pooled" (the fit of all rows, with prior_mean="pooled") or "nan"; the status of a '
        "group says why it has no fit"
    )


def _products(X: Features, coef: Matrix, intercept: Vector, codes: Array) -> Vector:
    """Return the product of each row with the coefficients of its group, a part at a time."""
    n_samples, n_features = X.shape
    raw = np.empty(n_samples)
    step = max(1, CHUNK_NUMBERS // n_features)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n_samples, step):
            own = codes[start : start + step]
            part = X[start : start + step].astype(np.float64, copy=False)
            raw[start : start + step] = np.einsum("ij,ij->i", part, coef[own]) + intercept[own]
    return raw


def _sparse_products(X: CompressedRows, coef: Matrix, intercept: Vector, codes: Array) -> Vector:
    """Return the same for rows of which only some values are stored."""
    raw, n_samples = np.empty(len(X)), len(X)
    step = max(1, CHUNK_NUMBERS * n_samples // max(1, X.n_values))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n_samples, step):
            part, own = X.take(slice(start, start + step)), codes[start : start + step]
            places, of_row = part.places(), np.repeat(np.arange(len(part)), part.ends - part.begins)
            products = part.data[places] * coef[own[of_row], part.indices[places]]
            sums = np.bincount(of_row, weights=products, minlength=len(part))
            raw[start : start + step] = sums + intercept[own]
    return raw
