"""What a user hands in, looked at once: rows, labels, weights, penalty, offset and start, in order.

`look` makes a `Data` of it, which every fit takes and no one looks at again. For estimators
`scikit_learn.look_for` reads rows and labels, the rest is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ..arrays import ArrayLike, CodeMatrix, Codes, Floats, Labels, Matrix, Vector
from ..clock import Clock
from ..design.base import Design
from ..design.compressed import CompressedRows
from ..design.mapped import in_place
from ..design.mixed import MixedRows, as_sparse
from ..design.sparse import SparseDesign
from ..design.streamed import is_streamable
from ..options import CategoryOptions
from . import validation
from .batches import Looked, first_look
from .categories import (
    Categories,
    has_categories,
    look_at_categories,
    mixed_numbers,
    refuse_categories,
    rows_of_fit,
)
from .coded_batches import declared_categories
from .column_names import differing_names, feature_names, names_and_text_names, text_names
from .conversion import as_labels, as_numbers, is_plain
from .interactions import refuse_interactions
from .readers import is_frame, refuse_lazy
from .rows import Readable, Rows
from .sparse import (
    compressed_rows,
    is_sparse,
    shape_of,
    source_of,
    sparse_of,
)
from .table_source import TableSource, refuse_beside_source

__all__ = [
    "Batch",
    "Data",
    "Fitted",
    "Given",
    "Model",
    "OfFit",
    "Readable",
    "Rows",
    "Start",
    "array_or_kinds",
    "coded_batch",
    "look",
    "look_at_batch",
    "look_at_cost",
    "look_at_fitted",
    "look_at_model",
    "look_at_names",
    "look_at_new_categories",
    "look_at_rows",
    "read_batch",
    "rows_of_batches",
    "settle",
    "with_columns_of_source",
]


# What a function reads of X.
Read = TypeVar("Read")


class Start(NamedTuple):
    """Where a fit begins, as the user says it."""

    coef: ArrayLike
    intercept: ArrayLike
    # Of the fit that it comes from, if any.
    classes: Labels | None = None


class Given(NamedTuple):
    """What a user hands in, as it is."""

    X: ArrayLike
    y: ArrayLike = None
    sample_weight: ArrayLike = None
    offset: ArrayLike = None
    l2_reg: ArrayLike = None
    penalty_factor: ArrayLike = None
    start: Start | None = None
    # An estimator's: it multiplies the weights of the rows.
    class_weight: object = None
    # Of the columns, where X does not tell them.
    names: Sequence[str] | None = None
    # Says when the look at batches must end, as part of a fit.
    clock: Clock | None = None
    l1_reg: ArrayLike = None
    coef_bounds: ArrayLike = None
    # What is asked about categorical columns; None refuses them.
    categories: CategoryOptions | None = None
    # Whether y holds shares from 0 to 1 in the place of labels.
    fractional: bool = False


class OfFit(NamedTuple):
    """X whose columns must have the names of a fit, where both have names."""

    X: ArrayLike
    # None where the fit had none.
    names: Sequence[str] | None
    # Of a fit to a frame with categories, how its columns are read.
    categories: Categories | None = None


class Fitted(NamedTuple):
    """What a fit says of the rows that it was made of."""

    # (n_classes,), sorted
    classes: Labels
    multi_class: str
    n_features: int
    names: Sequence[str] | None
    categories: Categories | None = None
    fractional: bool = False


class Data(NamedTuple):
    """What a user handed in, checked."""

    rows: Rows
    # The labels: one of each, sorted, and the place of each row's among them.
    classes: Labels
    codes: Codes
    # (n_samples,), or (n_classes, n_samples) for one-vs-all; empty for none.
    weights: Floats
    # (n_samples,) or (n_classes, n_samples); empty for none.
    offset: Floats
    # A number or (n_features,); None where it was not given.
    l2_reg: float | Vector | None = None
    penalty_factor: float | Vector | None = None
    # coef (n_models, n_features), intercept (n_models,)
    start: tuple[Matrix, Vector] | None = None
    # What estimators hand on: labels and weights of the rows as an array, without class weights.
    labels: Labels | None = None
    sample_weight: Vector | None = None
    # What the look took: part of the time of a fit.
    seconds: float = 0.0
    # As `l2_reg`.
    l1_reg: float | Vector | None = None
    # The least and the largest value of each coefficient; None for any.
    coef_bounds: tuple[Vector, Vector] | None = None
    # Of a fractional response: how much of each row is of the second class. Codes are then of the
    # class that a row is more of.
    shares: Vector | None = None


class Model(NamedTuple):
    """Coefficients of one or more models, and the rows that they are asked about; checked."""

    rows: Rows
    # (n_models, n_features) and (n_models,)
    coef: Matrix
    intercept: Vector
    # Whether one model was meant, not a table of them.
    single: bool
    # (n_samples,) or (n_models, n_samples); empty for none.
    offset: Floats


class Batch(NamedTuple):
    """Rows of a stream, checked."""

    rows: Rows
    # The place of each row's label among those that will ever come.
    codes: Codes
    # (n_rows,), all of them 0 where no row counts.
    weights: Vector
    # As they are.
    labels: Labels | None = None


def look(given: Given, multi_class: str, *, every_class: bool = False) -> Data:
    """Check everything that the user gave for a fit, before any work.

    Parameters
    ----------
    given : Given
    multi_class : {"ovr", "multinomial"}
    every_class : bool, default False
        Refuse a softmax class without weight.

    Returns
    -------
    Data

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    TimeoutError, KeyboardInterrupt
        If the clock or Ctrl-C ends it, see `first_look`.
    """
    began = time.perf_counter()
    if isinstance(given.X, TableSource):
        return _look_at_source(given.X, given, multi_class, began)
    looked = first_look(given.X, given.y, given.sample_weight, given.clock, given.categories)
    X, y, sample_weight = rows_of_batches(looked), looked.y, looked.sample_weight
    # A sparse X may say that it has more rows than memory holds.
    if given.fractional:
        shares = validation.encode_shares(y, shape_of(X)[0]) if is_sparse(X) else None
        rows = look_at_rows(X, given.names, given.categories)
        if shares is None:
            shares = validation.encode_shares(y, rows.X.shape[0])
        coded = _both_classes(shares)
        return settle(given, rows, coded, sample_weight, multi_class, began, shares=shares)
    labels = validation.encode_labels(y, shape_of(X)[0]) if is_sparse(X) else None
    rows = look_at_rows(X, given.names, given.categories)
    if labels is None:
        labels = validation.encode_labels(y, rows.X.shape[0])
    data = settle(given, rows, labels, sample_weight, multi_class, began)
    if every_class and multi_class == "multinomial" and data.weights.size:
        validation.refuse_classes_without_weight(data.weights, data.codes, data.classes)
    return data


def _look_at_source(source: TableSource, given: Given, multi_class: str, began: float) -> Data:
    """Read a source, whose columns are labels, weights and offset, for a fit."""
    refuse_beside_source(y=given.y, sample_weight=given.sample_weight, offset=given.offset)
    found = source.read(given.categories, given.clock, shares=given.fractional)
    coded, shares = found.coded, found.shares
    if shares is not None:
        shares = validation.encode_shares(shares, len(shares))
        coded = _both_classes(shares)
    assert coded is not None  # a fit has labels or shares
    asked = given._replace(offset=found.offset)
    return settle(asked, found.rows, coded, found.weights, multi_class, began, shares=shares)


def _both_classes(shares: Vector) -> tuple[Labels, Codes]:
    """Return the classes of a fractional response, and for each row the one that it is more of."""
    codes = (shares > 0.5).astype(np.uint8)
    codes.flags.writeable = False
    return np.array([0.0, 1.0]), codes


def settle(
    given: Given, rows: Rows, coded: tuple[Labels, Codes], weights: ArrayLike, multi_class: str,
    began: float, labels: Labels | None = None, sample_weight: Vector | None = None,
    shares: Vector | None = None,
) -> Data:  # fmt: skip
    """Check the rest of what was given, once rows and labels are checked.

    `coded` are the classes and the place of each row's among them, `weights` those of the fit;
    labels and sample_weight are what an estimator hands on, `shares` a fractional response.
    """
    refuse_interactions(given.categories, rows.categories)
    n_samples, n_features = rows.X.shape
    classes, codes = coded
    is_softmax = multi_class == "multinomial" and classes.size > 2
    n_outputs = 1 if classes.size == 2 else classes.size
    if shares is None:
        weights = validation.check_class_weights(
            weights, n_samples, codes, 1 if is_softmax else n_outputs, classes
        )
    else:
        weights = validation.check_weights(weights, n_samples)
        validation.check_shares(shares, weights)
    l2_reg, factor, start = given.l2_reg, given.penalty_factor, None
    if l2_reg is not None:
        l2_reg = validation.check_l2_reg("l2_reg", l2_reg, n_features, rows.unit)
    l1_reg = given.l1_reg
    if l1_reg is not None:
        l1_reg = validation.check_l2_reg("l1_reg", l1_reg, n_features, rows.unit)
    if factor is not None:
        factor = validation.check_l2_reg("penalty_factor", factor, n_features, rows.unit)
    offset = validation.check_class_offset(given.offset, n_samples, n_outputs, is_softmax)
    if given.start is not None:
        start = check_start(given.start, classes, n_features)
    return Data(
        rows, classes, codes, weights, offset, l2_reg, factor, start, labels, sample_weight,
        time.perf_counter() - began, l1_reg,
        validation.check_coef_bounds(given.coef_bounds, n_features, rows.unit), shares,
    )  # fmt: skip


def rows_of_batches(looked: Looked) -> ArrayLike:
    """Return what was looked at first: rows whose features are known where it has categories."""
    found = looked.categories
    if found is None:
        return looked.X
    features, columns = found.feature_names, looked.X.columns  # type: ignore[attr-defined]
    is_text = columns is not None
    return Rows(looked.X, looked.X, features, features if is_text else None, found)  # type: ignore[arg-type]


def look_at_rows(
    X: ArrayLike, names: Sequence[str] | None = None, categories: CategoryOptions | None = None
) -> Rows:
    """Check X: read an array of it, or find that its rows can be streamed, or that it is a design.

    A memory map that fits (see `design.mapped.in_place`) is read as the array it is.

    Raises
    ------
    TypeError, ValueError
        If it has the wrong type or shape, or is `OfFit` and has other names, or has categorical
        columns where no `categories` say how they are coded.
    """
    kind = type(X)
    if kind is Rows:
        return X  # type: ignore[return-value]  # as its class says
    if isinstance(X, TableSource):
        return X.read(categories, None, shares=False, features_only=True).rows
    if kind is OfFit:
        of_fit: OfFit = X  # type: ignore[assignment]  # as its class says
        X = of_fit.X
        if isinstance(X, TableSource):
            return X.read_as_fitted(of_fit.names, of_fit.categories).rows
        look_at_names(X, of_fit.names)
        if of_fit.categories is not None:
            return look_at_new_categories(X, of_fit.categories)
    carrier = X
    if names is None and is_plain(X):
        return Rows(X, X)
    if type(X) is np.ndarray:
        X = validation.check_features(X)
    elif (sparse := sparse_of(X)) is not None:
        X = compressed_rows(sparse)
    elif is_frame(X):
        found = array_or_kinds(validation.check_features, X, categories)
        if isinstance(found, Rows):
            return found
        X = found
    elif not isinstance(X, Design | CompressedRows | MixedRows):
        X = carrier = in_place(X)
        if is_streamable(X):
            X = source_of(validation.check_source(X))
        else:
            X = validation.check_features(X)
    elif 0 in X.shape:
        raise ValueError(f"X is empty: {X.shape[0]} rows and {X.shape[1]} columns")
    if names is not None:
        return Rows(X, carrier, list(names), list(names))
    return Rows(X, carrier, *names_and_text_names(carrier))


def array_or_kinds(
    read: Callable[[ArrayLike], Read], X: ArrayLike, options: CategoryOptions | None
) -> Read | Rows:
    """Return what `read` makes of X, or of a frame that it refuses what `_look_at_kinds` makes.

    In this order, for frames of numbers need no second look then, which takes 30 us.

    Raises
    ------
    TypeError, ValueError
        As `read` does, if X is no frame of categorical columns or of some sparse ones.
    """
    try:
        return read(X)
    except TypeError as error:
        refused = error
    kinds = _look_at_kinds(X, options) if is_frame(X) else None
    if kinds is None:
        raise refused
    return kinds


def _look_at_kinds(X: ArrayLike, options: CategoryOptions | None) -> Rows | None:
    """Read a frame that is no array of numbers: of categorical or some sparse columns.

    None where it has none of these, or categorical ones and no `options` for them.

    Raises
    ------
    TypeError, ValueError
        If a category is missing, or a column is neither of numbers nor categorical.
    """
    if options is None or not has_categories(X):
        mixed = mixed_numbers(X)
        return None if mixed is None else Rows(mixed, X, *names_and_text_names(X))
    names, all_text = names_and_text_names(X)
    assert names is not None  # of a frame
    rows, found = look_at_categories(X, names, options)
    features = found.feature_names
    return Rows(rows, X, features, None if all_text is None else features, found)


def look_at_new_categories(X: ArrayLike, categories: Categories) -> Rows:
    """Read rows as those of a fit to a frame with categories.

    Raises
    ------
    TypeError, ValueError
        If X is no such frame, or has a value that was not in the fit where that is an error.
    """
    refuse_lazy("X", X)
    return Rows(rows_of_fit(X, categories), X, categories.feature_names, categories=categories)


def look_at_names(X: ArrayLike, names: Sequence[str] | None) -> None:
    """Check that the columns of a frame have the names of a fit, in the same order.

    Raises
    ------
    TypeError
        If X holds no rows yet.
    ValueError
        If both the fit and X have names, and they differ.
    """
    if names is None or type(X) is np.ndarray:
        return
    refuse_lazy("X", X)
    found = X.text_names if isinstance(X, Rows) else text_names(X)
    if found is not None and (difference := differing_names(found, names)):
        raise ValueError(difference)


def look_at_fitted(given: Given, fitted: Fitted) -> Data:
    """Check the rows of a fit, which are handed in once more beside it.

    Returns
    -------
    Data
        Its `weights` are those of the fit, `sample_weight` those without the weights of classes.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value, or is not as in the fit.
    """
    began = time.perf_counter()
    if isinstance(given.X, TableSource):
        given = _columns_of_source(given.X, given, fitted)
        rows = look_at_rows(given.X)
    else:
        rows = look_at_rows(OfFit(given.X, fitted.names, fitted.categories))
    n_samples, n_features = rows.X.shape
    if n_features != fitted.n_features:
        raise ValueError(f"X has {n_features} columns, but the fit had {fitted.n_features}")
    if fitted.fractional:
        shares = validation.encode_shares(given.y, n_samples)
        return settle(
            given, rows, _both_classes(shares), given.sample_weight, fitted.multi_class, began,
            shares=shares,
        )  # fmt: skip
    classes, n_classes = fitted.classes, fitted.classes.size
    codes = validation.encode_known_labels(given.y, n_samples, classes)
    is_softmax = fitted.multi_class == "multinomial" and n_classes > 2
    n_outputs = 1 if n_classes == 2 else n_classes
    n_sets = 1 if is_softmax else n_outputs
    of_rows = validation.check_class_weights(given.sample_weight, n_samples, codes, n_sets, classes)
    weights = of_rows
    if given.class_weight is not None:
        from .class_weights import row_weights  # which loads a part of scikit-learn

        of_classes = row_weights(
            given.class_weight, fitted.multi_class, as_labels(given.y), given.sample_weight,
            n_samples,
        )  # fmt: skip
        weights = validation.check_class_weights(of_classes, n_samples, codes, n_sets, classes)
    offset = validation.check_class_offset(given.offset, n_samples, n_outputs, is_softmax)
    return Data(
        rows, classes, codes, weights, offset, sample_weight=of_rows,
        seconds=time.perf_counter() - began,
    )  # fmt: skip


def _columns_of_source(source: TableSource, given: Given, fitted: Fitted) -> Given:
    """Return what a source holds in its columns as if it had been given beside the rows."""
    refuse_beside_source(y=given.y, sample_weight=given.sample_weight, offset=given.offset)
    found = source.read_as_fitted(
        fitted.names, fitted.categories, shares=fitted.fractional, with_target=True
    )
    y: ArrayLike = found.shares
    if found.coded is not None:
        classes, codes = found.coded
        y = classes[codes]
    return given._replace(X=found.rows, y=y, sample_weight=found.weights, offset=found.offset)


def look_at_model(X: ArrayLike, coef: ArrayLike, intercept: ArrayLike, offset: ArrayLike) -> Model:
    """Check rows, and coefficients that predict them.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    rows, coefs, intercepts, single = _rows_and_coef(X, coef, intercept)
    fixed = validation.check_class_offset(offset, rows.X.shape[0], len(coefs), False)
    return Model(rows, coefs, intercepts, single, fixed)


def look_at_cost(
    X: ArrayLike, y: ArrayLike, coef: ArrayLike, intercept: ArrayLike, l2_reg: ArrayLike,
    sample_weight: ArrayLike, offset: ArrayLike, categories: CategoryOptions | None = None,
) -> tuple[Model, CodeMatrix, Floats, float | Vector]:  # fmt: skip
    """Check what the cost of coefficients is asked of.

    Returns
    -------
    Model
    codes, weights : ndarray of shape (1 or n_models, n_samples)
        Weights empty for none.
    l2_reg : float or ndarray of shape (n_features,)

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    X, y, sample_weight, offset = with_columns_of_source(X, y, sample_weight, offset, categories)
    rows, coefs, intercepts, single = _rows_and_coef(X, coef, intercept, categories)
    refuse_interactions(categories, rows.categories)
    n_samples, n_features = rows.X.shape
    codes = validation.check_targets01_of_models(y, n_samples, len(coefs))
    weights = validation.check_weights_of_models(sample_weight, n_samples, len(coefs))
    strengths = validation.check_l2_reg("l2_reg", l2_reg, n_features, rows.unit)
    fixed = validation.check_offset(offset, n_samples)
    return Model(rows, coefs, intercepts, single, fixed), codes, weights, strengths


def with_columns_of_source(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike, offset: ArrayLike,
    categories: CategoryOptions | None,
) -> tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]:  # fmt: skip
    """Return rows, labels, weights and offset of a source; else what was given.

    Raises
    ------
    TypeError
        If something is given beside a source.
    """
    source = X.X if isinstance(X, OfFit) else X
    if not isinstance(source, TableSource):
        return X, y, sample_weight, offset
    refuse_beside_source(y=y, sample_weight=sample_weight, offset=offset)
    if isinstance(X, OfFit):
        found = source.read_as_fitted(X.names, X.categories, with_target=True)
    else:
        found = source.read(categories, None, shares=False)
    assert found.coded is not None  # the target is not of shares
    classes, codes = found.coded
    return found.rows, classes[codes], found.weights, found.offset


def _rows_and_coef(
    X: ArrayLike, coef: ArrayLike, intercept: ArrayLike, categories: CategoryOptions | None = None
) -> tuple[Rows, Matrix, Vector, bool]:
    """Check rows and coefficients of models over them; whether one model was meant."""
    rows = look_at_rows(X, None, categories)
    return rows, *validation.check_coef(coef, intercept, rows.X.shape[1], rows.unit)


def look_at_batch(X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike, classes: Labels) -> Batch:
    """Check rows of a stream, in memory, whose labels are among sorted `classes`.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    if isinstance(X, Rows):
        rows = X
    else:
        found = read_batch(X, validation.check_features)
        features = found.X if isinstance(found, Rows) else found
        rows = Rows(features, X, feature_names(X))
    n_rows = rows.X.shape[0]
    if isinstance(rows.X, CompressedRows):
        validation.refuse_not_finite(SparseDesign(rows.X), rows.names)
    else:
        assert isinstance(rows.X, np.ndarray)  # those of a stream lie in memory
        validation.check_finite(rows.X, rows.names)
    codes = validation.encode_known_labels(y, n_rows, classes)
    if sample_weight is not None:
        sample_weight = as_numbers("sample_weight", sample_weight)
    if sample_weight is None or not sample_weight.any():
        weights = np.full(n_rows, 1.0 if sample_weight is None else 0.0)
    else:
        weights = validation.check_weights(sample_weight, n_rows)
    return Batch(rows, codes, weights)


def read_batch(
    X: ArrayLike, read: Callable[[ArrayLike], Read], coding: CategoryOptions | None = None
) -> Read | Rows:
    """Return rows of a stream: what `read` makes of them, or sparse rows where some are.

    A frame some of whose columns are sparse is one of sparse rows, and so is one with categorical
    columns, the first of a stream whose levels are those that it declares; without `coding` they
    are refused.

    Raises
    ------
    TypeError, ValueError
        If X holds no real numbers, has the wrong shape, or is a sparse matrix that is broken.
    """
    if (sparse := sparse_of(X)) is not None:
        return Rows(compressed_rows(sparse), X)
    if coding is not None and has_categories(X):
        names = feature_names(X)
        assert names is not None  # of a frame
        return coded_batch(X, declared_categories(X, names, coding))
    refuse_categories("a batch", X)
    found = array_or_kinds(read, X, None)
    if not isinstance(found, Rows):
        return found
    assert isinstance(found.X, MixedRows)
    return Rows(as_sparse(found.X), X)


def coded_batch(X: ArrayLike, categories: Categories) -> Rows:
    """Return rows of a stream of frames with these categories, as sparse rows.

    Raises
    ------
    TypeError, ValueError
        If X is no such frame, or has another level where that is an error.
    """
    rows = look_at_new_categories(X, categories)
    assert isinstance(rows.X, MixedRows)
    return rows._replace(X=as_sparse(rows.X))


def check_start(start: Start, classes: Labels, n_features: int) -> tuple[Matrix, Vector]:
    """Return coefficients and intercept of each model as float64."""
    n_models = 1 if classes.size == 2 else classes.size
    if start.classes is not None and not np.array_equal(start.classes, classes):
        raise ValueError(f"start was fitted to other classes: {start.classes.tolist()}")
    coefs, intercepts, _ = validation.check_coef(start.coef, start.intercept, n_features)
    if coefs.shape[0] != n_models:
        raise ValueError(f"start has {coefs.shape[0]} models, but y needs {n_models}")
    return coefs, intercepts
