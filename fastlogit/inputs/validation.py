"""User input to checked arrays, or one clear error before any work.

Nothing here copies X: a float64 or float32 array of any layout, a memory map, integers and
booleans pass as they are.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from ..arrays import (
    Array,
    ArrayLike,
    CodeMatrix,
    Codes,
    DType,
    Features,
    Floats,
    Labels,
    Matrix,
    Vector,
)
from ..design.base import Design
from ..design.dense import DenseDesign
from ..design.streamed import RowSource
from ..options import check_number
from .column_names import feature_names
from .conversion import as_labels, as_numbers, as_table, refuse_special
from .objects import as_real, is_readable
from .readers import is_frame
from .values import IMPUTE, column_text, n_dimensions, show

__all__ = [
    "NO_NUMBERS",
    "all_finite",
    "check_class_offset",
    "check_class_weights",
    "check_coef",
    "check_features",
    "check_finite",
    "check_l2_reg",
    "check_offset",
    "check_shares",
    "check_source",
    "check_target_vector",
    "check_targets01",
    "check_targets01_of_models",
    "check_weights",
    "check_weights_of_models",
    "encode_known_labels",
    "encode_labels",
    "encode_shares",
    "feature_names",
    "refuse_classes_without_weight",
    "refuse_not_finite",
    "refuse_path",
    "text_kind",
    "two_classes",
]

# Rows looked at together where a whole temporary array of the size of X would be too much.
CHUNK_ROWS = 65_536
# What stands for weights or offsets that were not given; read-only, as those that were.
NO_NUMBERS: Vector = np.empty(0)
NO_NUMBERS.flags.writeable = False


def refuse_path(X: ArrayLike) -> None:
    """Raise TypeError for the path of a table."""
    if isinstance(X, str | os.PathLike):
        raise TypeError(
            f"X is the path {os.fspath(X)!r}: give fit(path, target='column'), or a source, as "
            "ParquetSource(path, target='column')"
        )


def check_features(X: ArrayLike) -> Features:
    """Return X as a two-dimensional real array, without a copy if it is one."""
    refuse_path(X)
    array = as_table(X)
    if array.ndim != 2:
        one = "to_frame()" if hasattr(X, "to_frame") else "reshape(-1, 1)"
        hint = f"use X.{one} for a single feature" if array.ndim == 1 else "reshape it"
        raise ValueError(f"X must have 2 dimensions (rows, columns), found {array.ndim}; {hint}")
    array = as_real("X", array, X)
    n_samples, n_features = array.shape
    if n_samples == 0 or n_features == 0:
        raise ValueError(f"X is empty: {n_samples} rows and {n_features} columns")
    return array


def check_source(source: RowSource) -> RowSource:
    """Return a source of rows that are streamed, checked without reading them."""
    n_samples, n_features = source.shape
    if n_samples != n_samples or n_features != n_features:
        raise ValueError(
            f"X is a {type(source).__module__.partition('.')[0]} {type(source).__name__} of "
            "unknown length; call X.compute_chunk_sizes() first, or pass X.compute() if it fits in "
            "memory"
        )
    if not is_readable(np.dtype(source.dtype)):
        as_real("X", np.empty((0, 0), source.dtype), None)  # raises for what holds no numbers
        raise TypeError(
            f"X has dtype {source.dtype}, which no kernel reads where it is streamed; store it as "
            "float64, float32, integers or booleans"
        )
    if n_samples == 0 or n_features == 0:
        raise ValueError(f"X is empty: {n_samples} rows and {n_features} columns")
    return source


def all_finite(values: Floats) -> bool:
    """Say whether all of some numbers are finite, without what `ndarray.all` takes: 1 us."""
    return bool(np.count_nonzero(np.isfinite(values)) == values.size)


def check_finite(array: Features, names: Sequence[str] | None = None) -> None:
    """Raise an error that names the first row and column with a NaN or infinity, if any."""
    if array.size:
        refuse_not_finite(DenseDesign(array), names)


def refuse_not_finite(design: Design, names: Sequence[str] | None = None) -> None:
    """Raise an error that names the first row and column with a NaN or infinity, if any."""
    found = design.first_not_finite()
    if found is None:
        return
    what = "NaN" if np.isnan(found.value) else "infinity"
    advice = IMPUTE if what == "NaN" else "replace it or drop the row"
    where = f"row {found.row}"
    if found.partition is not None:
        where = f"partition {found.partition}, {where} of it"
    raise ValueError(f"X contains {what} in {column_text(found.column, names)} ({where}); {advice}")


def encode_labels(y: ArrayLike, n_samples: int) -> tuple[Labels, Codes]:
    """Return the sorted classes and each row's class as uint8 (int32 above 256 classes)."""
    labels = check_target_vector(y, n_samples)
    if labels.dtype.kind in "fbiu" and (two := two_classes(labels)) is not None:
        return two
    parts = [np.unique(labels[k : k + CHUNK_ROWS]) for k in range(0, labels.size, CHUNK_ROWS)]
    classes: Labels = np.unique(np.concatenate(parts))
    if labels.dtype.kind == "f" and classes.size > 2 and (classes != np.floor(classes)).any():
        raise ValueError(
            f"y has {classes.size} different values that are not whole numbers, as in a "
            "regression; a classifier needs class labels"
        )
    if classes.size < 2:
        raise ValueError(
            f"y has one class only ({show(classes[0])}); logistic regression needs at least two"
        )
    codes: Codes = np.empty(n_samples, dtype=np.uint8 if classes.size <= 256 else np.int32)
    for start in range(0, n_samples, CHUNK_ROWS):
        part = labels[start : start + CHUNK_ROWS]
        codes[start : start + CHUNK_ROWS] = np.searchsorted(classes, part)
    codes.flags.writeable = False
    return classes, codes


def text_kind(dtype: DType) -> str:
    """Return "text" or "bytes" for labels of these, which NumPy mixes up; "" for any other."""
    return {"U": "text", "T": "text", "S": "bytes"}.get(dtype.kind, "")


def encode_known_labels(y: ArrayLike, n_samples: int, classes: Labels) -> Codes:
    """Return each row's class as uint8 (int32 above 256), for labels among sorted `classes`."""
    labels: Array = check_target_vector(y, n_samples)
    kind: DType = classes.dtype
    if text_kind(labels.dtype) != text_kind(kind):
        raise TypeError(f"y has dtype {labels.dtype}, but the classes have {classes.dtype}")
    given, fits = labels, np.ones(1, dtype=bool)
    if {labels.dtype.kind, classes.dtype.kind} == {"i", "u"}:
        # NumPy would compare the two as floats, which are not exact above 2^53.
        limits = np.iinfo(kind)
        fits = (labels >= limits.min) & (labels <= limits.max)
        with np.errstate(invalid="ignore"):
            labels = labels.astype(kind)
    if classes.size == 2:  # a search takes ten times as long
        places = labels == classes[1]
        known = (places | (labels == classes[0])) & fits
    else:
        places = np.minimum(np.searchsorted(classes, labels), classes.size - 1)
        known = (classes[places] == labels) & fits
    if not known.all():
        row = int(np.argmin(known))
        raise ValueError(
            f"y contains {show(given[row])} (row {row}), which is not among the classes "
            f"{classes[:10].tolist()}"
        )
    codes: Codes = places.astype(np.uint8 if classes.size <= 256 else np.int32)
    codes.flags.writeable = False
    return codes


def encode_shares(y: ArrayLike, n_samples: int) -> Vector:
    """Return a fractional response, from 0 to 1, as read-only float64."""
    labels = check_target_vector(y, n_samples)
    if labels.dtype.kind not in "fbiu":
        raise TypeError(
            f"fractional=True takes shares from 0 to 1 as y, found {show(labels[0])} (row 0); "
            "leave fractional out for labels"
        )
    shares: Vector = labels.astype(np.float64)
    wrong = (shares < 0.0) | (shares > 1.0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"fractional=True takes shares from 0 to 1 as y, found {show(labels[row])} (row {row})"
            "; of counts give successes / trials, and the trials as sample_weight"
        )
    shares.flags.writeable = False
    return shares


def check_shares(shares: Vector, weights: Vector) -> None:
    """Raise where all rows that count have a share of 0, or all of 1: there is no optimum."""
    used = shares[weights > 0.0] if weights.size else shares
    for end in (0.0, 1.0):
        if (used == end).all():
            where = " in every row of positive weight" if weights.size else " in every row"
            raise ValueError(f"y is {end:g}{where}, so that there is nothing to fit")


def check_targets01(y: ArrayLike, n_samples: int) -> Codes:
    """Return y in {0, 1} as uint8."""
    labels = check_target_vector(y, n_samples)
    if labels.dtype.kind not in "fbiu":
        raise ValueError(f"y must hold 0 and 1 only, found {show(labels[0])} (row 0)")
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"y must hold 0 and 1 only, found {show(labels[row])} (row {row}); encode the labels "
            "first, e.g. with (y == positive_label)"
        )
    codes = labels.astype(np.uint8)
    codes.flags.writeable = False
    return codes


def check_weights(sample_weight: ArrayLike, n_samples: int, codes: Codes | None = None) -> Vector:
    """Return weights as read-only float64, empty where there are none.

    With `codes`, at least two classes must have a row of positive weight.
    """
    if sample_weight is None:
        return NO_NUMBERS
    given = as_numbers("sample_weight", sample_weight)
    if given.ndim != 1:
        raise ValueError(f"sample_weight must have 1 dimension, found {given.ndim}")
    if given.size != n_samples:
        raise ValueError(f"sample_weight has {given.size} values, but X has {n_samples} rows")
    weights = np.ascontiguousarray(given, dtype=np.float64).view()
    if not np.isfinite(weights).all():
        row = int(np.argmin(np.isfinite(weights)))
        raise ValueError(f"sample_weight is not finite: {show(weights[row])} (row {row})")
    if (weights < 0.0).any():
        row = int(np.argmax(weights < 0.0))
        raise ValueError(
            f"sample_weight is negative: {show(weights[row])} (row {row}); weights must be >= 0"
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; at least one must be positive")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not math.isfinite(total):
        raise ValueError("sample_weight adds up to infinity; divide the weights by their largest")
    if codes is not None and np.ptp(codes[weights > 0.0]) == 0:
        raise ValueError("y has one class only among the rows whose sample_weight is positive")
    weights.flags.writeable = False
    return weights


def check_targets01_of_models(y: ArrayLike, n_samples: int, n_models: int) -> CodeMatrix:
    """Return y in {0, 1} as uint8, one row for all models or one for each."""
    refuse_special("y", y)
    if _n_dimensions(y) != 2:
        return check_targets01(y, n_samples)[None, :]
    table = as_numbers("y", y)
    if table.shape[1] != n_models:
        raise ValueError(f"y has {table.shape[1]} columns for {n_models} models; give one for each")
    codes = np.stack([check_targets01(table[:, model], n_samples) for model in range(n_models)])
    codes.flags.writeable = False
    return codes


def check_weights_of_models(sample_weight: ArrayLike, n_samples: int, n_models: int) -> Floats:
    """Return weights as float64, one row for all models or one for each; empty for none."""
    if sample_weight is None:
        return NO_NUMBERS
    table = as_numbers("sample_weight", sample_weight)
    if table.ndim != 2:
        return check_weights(table, n_samples)
    if table.shape[1] != n_models:
        raise ValueError(
            f"sample_weight has {table.shape[1]} columns for {n_models} models; give one for each"
        )
    weights = np.stack([check_weights(table[:, model], n_samples) for model in range(n_models)])
    weights.flags.writeable = False
    return weights


def check_class_weights(
    sample_weight: ArrayLike, n_samples: int, codes: Codes, n_classes: int, classes: Labels
) -> Floats:
    """Return weights of the rows, or for each of several classes, (n_classes, n_samples).

    In each of the problems, one if `n_classes` is 1, both sides must have a row of positive weight.
    `classes` are the labels, for messages.
    """
    if sample_weight is None:
        return NO_NUMBERS
    sample_weight = as_numbers("sample_weight", sample_weight)
    if n_classes == 1:
        return check_weights(sample_weight, n_samples, codes)
    if sample_weight.ndim != 2:
        weights = check_weights(sample_weight, n_samples, codes)
        refuse_classes_without_weight(weights, codes, classes)
        return weights
    weights = check_weights_of_models(sample_weight, n_samples, n_classes)
    refuse_classes_without_weight(weights.T, codes, classes)
    for label in range(n_classes):
        positive = codes[weights[label] > 0.0] == label
        if positive.all():
            raise ValueError(
                f"sample_weight has in column {label} positive weights for class "
                f"{show(classes[label])} alone; the others need some"
            )
    return weights


def refuse_classes_without_weight(weights: Floats, codes: Codes, classes: Labels) -> None:
    """Raise if a class has no row of positive weight; its own intercept has no optimum then.

    Weights are (n_samples,), or (n_samples, n_classes): each class is seen by its own column.
    """
    own = weights if weights.ndim == 1 else weights[np.arange(len(codes)), codes]
    counts = np.bincount(codes[own > 0.0], minlength=len(classes))
    if not counts.all():
        label = classes[int(np.argmin(counts))]
        raise ValueError(
            f"class {show(label)} has no row of positive weight, so that there is no optimum for "
            "it; leave its rows out, or give it weight"
        )


def check_class_offset(offset: ArrayLike, n_samples: int, n_classes: int, for_each: bool) -> Floats:
    """Return the fixed part of the raw predictions, (n_samples,) or (n_classes, n_samples).

    Empty if there is none; `for_each` asks for one column for each class.
    """
    if offset is None:
        return NO_NUMBERS
    offset = as_numbers("offset", offset)
    if n_classes == 1 and offset.shape == (n_samples, 1):
        offset = offset.reshape(n_samples)
    if n_classes == 1 or (offset.ndim != 2 and not for_each):
        return check_offset(offset, n_samples)
    fixed = _finite_floats("offset", offset)
    if fixed.shape != (n_samples, n_classes):
        why = "; the same for all classes would change no softmax" if for_each else ""
        raise ValueError(
            f"offset has shape {fixed.shape}, but X has {n_samples} rows and y {n_classes} "
            f"classes: it must be ({n_samples}, {n_classes}){why}"
        )
    fixed = np.ascontiguousarray(fixed.T)
    fixed.flags.writeable = False
    return fixed


def check_l2_reg(
    name: str, l2_reg: ArrayLike, n_features: int, unit: str = "columns"
) -> float | Vector:
    """Return the L2 strength, or one for each column, as float64; `unit` is what X has."""
    if n_dimensions(name, l2_reg) == 0:
        return check_number(name, l2_reg[()] if isinstance(l2_reg, np.ndarray) else l2_reg, low=0.0)
    strengths = _finite_floats(name, l2_reg)
    if strengths.shape != (n_features,):
        raise ValueError(
            f"{name} has shape {strengths.shape}, but X has {n_features} {unit}: it must be a "
            f"number or have shape ({n_features},)"
        )
    if (strengths < 0.0).any():
        place = int(np.argmax(strengths < 0.0))
        what = unit.partition(",")[0].removesuffix("s")
        raise ValueError(f"{name} is negative for {what} {place}: {show(strengths[place])}")
    return strengths


def check_coef_bounds(
    bounds: ArrayLike, n_features: int, unit: str = "columns"
) -> tuple[Vector, Vector] | None:
    """Return the least and the largest value of each coefficient as float64; None for no bounds."""
    if bounds is None:
        return None
    if not isinstance(bounds, tuple | list | np.ndarray) or len(bounds) != 2:
        raise ValueError(
            "coef_bounds must be a pair (lower, upper), each a number, an array of shape "
            f"({n_features},) or None; got {show(bounds)}"
        )
    lower = _check_ends("the lower coef_bounds", bounds[0], -np.inf, n_features, unit)
    upper = _check_ends("the upper coef_bounds", bounds[1], np.inf, n_features, unit)
    if (lower > upper).any():
        column = int(np.argmax(lower > upper))
        raise ValueError(
            f"coef_bounds leave column {column} no value: the lower one is {show(lower[column])}, "
            f"above the upper one, {show(upper[column])}"
        )
    return None if np.isinf(lower).all() and np.isinf(upper).all() else (lower, upper)


def _check_ends(name: str, given: ArrayLike, far: float, n_features: int, unit: str) -> Vector:
    """Return one of the bounds of each coefficient, infinite where there is none."""
    if given is None:
        return np.full(n_features, far)
    ends = as_numbers(name, given).astype(np.float64)
    if ends.shape not in ((), (n_features,)):
        raise ValueError(
            f"{name} have shape {ends.shape}, but X has {n_features} {unit}: they must be a "
            f"number or have shape ({n_features},)"
        )
    ends = np.array(np.broadcast_to(ends, n_features))
    wrong = np.isnan(ends) | (ends == -far)
    if wrong.any():
        column = int(np.argmax(wrong))
        raise ValueError(f"{name} hold {ends[column]} for column {column}; {far} is for none")
    return ends


def check_offset(offset: ArrayLike, n_samples: int) -> Vector:
    """Return the fixed part of the raw predictions as read-only float64, empty if there is none."""
    if offset is None:
        return NO_NUMBERS
    fixed = _finite_floats("offset", offset)
    if fixed.shape != (n_samples,):
        raise ValueError(
            f"offset has shape {fixed.shape}, but X has {n_samples} rows: it must be ({n_samples},)"
        )
    fixed.flags.writeable = False
    return fixed


def check_coef(
    coef: ArrayLike, intercept: ArrayLike, n_features: int, unit: str = "columns"
) -> tuple[Matrix, Vector, bool]:
    """Return coef (n_models, n_features), intercept (n_models,), and if one model was meant."""
    coefs = _finite_floats("coef", coef)
    if coefs.ndim not in (1, 2) or coefs.shape[0] != n_features:
        raise ValueError(
            f"coef has shape {coefs.shape}, but X has {n_features} {unit}: it must be "
            f"({n_features},) or ({n_features}, n_models)"
        )
    single = coefs.ndim == 1
    coefs = coefs[None] if single else np.ascontiguousarray(coefs.T)
    intercepts = _finite_floats("intercept", intercept).reshape(-1)
    if intercepts.size == 1 and not single:
        intercepts = np.repeat(intercepts, coefs.shape[0])
    if intercepts.size != coefs.shape[0]:
        raise ValueError(f"intercept has {intercepts.size} values for {coefs.shape[0]} models")
    return coefs, intercepts, single


def check_target_vector(y: ArrayLike, n_samples: int) -> Labels:
    """Return labels as an array of one dimension: none is missing, and there are `n_samples`."""
    labels = as_labels(y)
    if labels.ndim != 1:
        single = "y.ravel()" if hasattr(y, "ravel") or not is_frame(y) else "that column of y"
        raise ValueError(
            f"y must have 1 dimension, found {labels.ndim} (shape {labels.shape}); "
            f"for a single column use {single}"
        )
    if labels.size != n_samples:
        raise ValueError(f"y has {labels.size} values, but X has {n_samples} rows")
    if labels.dtype.kind == "c":
        raise TypeError("y holds complex numbers; it must hold class labels")
    if labels.dtype.kind == "O":
        labels = labels.astype(str)  # all of them are texts
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        row = int(np.argmin(np.isfinite(labels)))
        raise ValueError(f"y contains {show(labels[row])} (row {row}); drop such rows first")
    if labels.dtype.kind not in "fbiuUST":
        raise TypeError(f"y has dtype {labels.dtype}; labels must be numbers, booleans or strings")
    return labels


def _n_dimensions(y: ArrayLike) -> int:
    """Return how many dimensions labels have, without a look at them."""
    return len(y.shape) if hasattr(y, "shape") else n_dimensions("y", y)


def two_classes(labels: Labels) -> tuple[Labels, Codes] | None:
    """Return two sorted classes and the codes of the rows; None where there are more, or one."""
    low, high = labels.min(), labels.max()
    if low == high:
        return None
    codes = np.empty(labels.size, dtype=bool)
    # While a part is in the cache, and no longer than until a third class is seen.
    for start in range(0, labels.size, CHUNK_ROWS):
        part, own = labels[start : start + CHUNK_ROWS], codes[start : start + CHUNK_ROWS]
        np.equal(part, high, out=own)
        n_low = np.count_nonzero(part == low)
        if n_low + np.count_nonzero(own) < part.size:
            return None
    classes: Labels = np.array([low, high], dtype=labels.dtype.newbyteorder("="))
    found: Codes = codes.view(np.uint8)
    found.flags.writeable = False
    return classes, found


def _finite_floats(name: str, value: ArrayLike) -> Floats:
    if type(value) is float or type(value) is np.float64:
        floats = np.array(value)
    else:
        floats = as_numbers(name, value).astype(np.float64)
    if not all_finite(floats):
        place = np.unravel_index(np.argmin(np.isfinite(floats)), floats.shape)
        where = f" at [{', '.join(map(str, place))}]" if place else ""
        raise ValueError(f"{name} contains NaN or infinity{where}")
    return floats
