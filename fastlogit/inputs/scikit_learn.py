"""What estimators are given: rows and labels in scikit-learn's words, weights of classes.

Each array is converted as for the functions. But what scikit-learn has words of its own for, which
its checks of estimators look for, is left to its functions to refuse.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_X_y,
    column_or_1d,
)

from ..arrays import Array, ArrayLike, Labels
from ..design.mapped import in_place
from ..design.streamed import is_streamable
from ..options import CategoryOptions
from . import validation
from .batches import BatchSource, first_look
from .categories import Categories
from .class_weights import batch_weights, one_dimensional, weights_of_classes
from .column_names import text_names
from .conversion import as_labels, as_table, is_plain
from .given import (
    Batch,
    Data,
    Given,
    Rows,
    array_or_kinds,
    coded_batch,
    look_at_batch,
    look_at_new_categories,
    read_batch,
    rows_of_batches,
    settle,
)
from .objects import as_real
from .readers import is_frame
from .sparse import compressed_rows, shape_of, source_of, sparse_of
from .table_source import TableSource, refuse_beside_source

__all__ = [
    "are_plain_labels",
    "check_labels",
    "look_at_labelled_rows",
    "look_at_new_rows",
    "look_for",
    "read_features",
]

# Kinds of arrays that scikit-learn refuses in words that its checks of estimators look for: complex
# numbers and text.
SCIKIT_LEARNS = frozenset("cUS")


def look_for(estimator: str, given: Given, multi_class: str) -> Data:
    """Check everything that the user gave an estimator for a fit, before any work.

    The names of a frame's columns are left to scikit-learn, which has a rule for them.

    Parameters
    ----------
    estimator : str
        Its class, for messages.
    given : Given
    multi_class : {"multinomial", "ovr"}

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
    X, y, sample_weight = given.X, given.y, given.sample_weight
    if isinstance(X, TableSource):
        return _look_at_source(X, given, multi_class, began)
    if isinstance(X, BatchSource):
        looked = first_look(X, y, sample_weight, given.clock, given.categories)
        X, y, sample_weight = rows_of_batches(looked), looked.y, looked.sample_weight
    rows, labels = _rows_and_labels(X, y, estimator, given.categories)
    n_samples = rows.X.shape[0]
    coded = validation.encode_labels(labels, n_samples)
    sample_weight = one_dimensional(sample_weight, n_samples)
    weights = weights_of_classes(given.class_weight, multi_class, *coded, sample_weight)
    return settle(given, rows, coded, weights, multi_class, began, labels, sample_weight)


def _look_at_source(source: TableSource, given: Given, multi_class: str, began: float) -> Data:
    """Read a source, whose columns are labels, weights and offset."""
    refuse_beside_source(y=given.y, sample_weight=given.sample_weight, offset=given.offset)
    found = source.read(given.categories, given.clock, shares=False)
    assert found.coded is not None  # the target is not of shares
    classes, codes = found.coded
    labels = classes[codes]
    check_labels(labels)
    weights = weights_of_classes(given.class_weight, multi_class, classes, codes, found.weights)
    asked = given._replace(offset=found.offset)
    return settle(
        asked, found.rows, found.coded, weights, multi_class, began, labels, found.weights
    )


def look_at_labelled_rows(
    estimator: str, given: Given, classes: ArrayLike, known: Labels | None,
    categories: Categories | None = None,
) -> tuple[Batch, Labels]:  # fmt: skip
    """Check rows of a stream, and the labels that will ever come.

    Parameters
    ----------
    estimator : str
        Its class, for messages.
    given : Given
    classes : array-like of shape (n_classes,) or None
        As the user gives them.
    known : ndarray of shape (n_classes,) or None
        Those of the stream so far. One of the two is not None.
    categories : Categories, optional
        Those of the stream so far; `given` says how those of a first batch are coded.

    Returns
    -------
    Batch
    ndarray of shape (n_classes,)
        All labels, sorted.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    found: Array | Rows
    if categories is None:
        found = read_batch(given.X, read_features, given.categories)
    else:
        found = coded_batch(given.X, categories)
    if isinstance(found, Rows):
        rows, labels = found, _labels_beside(found.X.shape[0], given.y, estimator)
    else:
        rows, labels = _in_memory(found, given.X, given.y, estimator)
    if classes is not None:
        of_stream = as_labels(classes)
        check_labels(of_stream, "classes")  # as `fit` looks at y
        if known is None:
            known = validation.encode_labels(of_stream, of_stream.size)[0]
        elif not np.array_equal(np.unique(of_stream), known):
            raise ValueError(f"classes={classes!r} are not those of the first call: {list(known)}")
    assert known is not None
    weights = batch_weights(given.class_weight, labels, known, given.sample_weight)
    return look_at_batch(rows, labels, weights, known)._replace(labels=labels), known


def look_at_new_rows(
    estimator: str, X: ArrayLike, categories: Categories | None = None,
    names: Sequence[str] | None = None,
) -> Rows:  # fmt: skip
    """Check rows that are to be predicted.

    Parameters
    ----------
    estimator : str
        Its class, for messages.
    X : array-like, data frame or source of rows
    categories : Categories, optional
        Those of a fit to a frame that had some.
    names : sequence of str, optional
        Of the columns of the fit, by which those of a table source are found.

    Returns
    -------
    Rows

    Raises
    ------
    TypeError, ValueError
        If X has the wrong type or shape.
    """
    if isinstance(X, TableSource):
        return X.read_as_fitted(names, categories).rows
    if categories is not None:
        return look_at_new_categories(X, categories)
    X = in_place(X)
    if is_plain(X):
        return Rows(X, X)
    if (sparse := sparse_of(X)) is not None:
        return Rows(compressed_rows(sparse), X)
    if not is_frame(X) and is_streamable(X):
        return Rows(source_of(validation.check_source(X)), X)
    array = array_or_kinds(read_features, X, None)
    if isinstance(array, Rows):
        return array
    if not is_plain(array):
        array = check_array(array, ensure_all_finite=False, estimator=estimator, input_name="X")
    return Rows(array, X if is_frame(X) else array)


def are_plain_labels(y: ArrayLike) -> TypeGuard[Labels]:
    """Say whether y is a vector of booleans, integers, texts or whole numbers."""
    if type(y) is not np.ndarray or y.ndim != 1:
        return False
    kind = y.dtype.kind
    return kind in "biuU" or (kind == "f" and bool((np.isfinite(y) & (y == np.floor(y))).all()))


def check_labels(y: Array, name: str = "y") -> None:
    """Refuse what scikit-learn does not take for labels, in its words and without its warnings.

    It turns real numbers into integers before it looks for NaN, infinity and 1e300 among them.
    """
    first = y[0] if getattr(y, "ndim", 0) == 1 and len(y) else None
    if isinstance(first, bytes):  # as scikit-learn does from 1.7 on
        raise TypeError(f"{name} has labels that are bytes; convert them to text or integers")
    if not are_plain_labels(y):
        assert_all_finite(y, input_name=name)
        with np.errstate(invalid="ignore"):
            check_classification_targets(y)


def read_features(X: ArrayLike) -> Array:
    """Return X as an array: of numbers, or what scikit-learn has words of its own for."""
    validation.refuse_path(X)
    array = as_table(X)
    return array if array.dtype.kind in SCIKIT_LEARNS else as_real("X", array, X)


def _rows_and_labels(
    X: ArrayLike, y: ArrayLike, estimator: str, categories: CategoryOptions | None
) -> tuple[Rows, Labels]:
    """Return rows and labels of a fit, without a copy and without a look at the values of X.

    The fit finds NaN and infinity by itself. What is plainly an array goes the short way: for
    569 x 30 scikit-learn's takes 350 us.
    """
    if isinstance(X, Rows):  # of batches
        labels = column_or_1d(as_labels(y), warn=True)
        check_labels(labels)
        return X, labels
    X = in_place(X)
    if is_plain(X) and are_plain_labels(y):
        return Rows(X, X), y
    if (sparse := sparse_of(X)) is not None:
        labels = _labels_beside(shape_of(sparse)[0], y, estimator)
        rows = Rows(compressed_rows(sparse), X)
    elif not is_frame(X) and is_streamable(X):
        labels = column_or_1d(None if y is None else as_labels(y), warn=True)
        names = text_names(X)  # of batches
        rows = Rows(source_of(validation.check_source(X)), X, names, names)
    else:
        found = array_or_kinds(read_features, X, categories)
        if isinstance(found, Rows):
            rows, labels = found, _labels_beside(found.X.shape[0], y, estimator)
        else:
            rows, labels = _in_memory(found, X, y, estimator)
    check_labels(labels)
    return rows, labels


def _labels_beside(n_samples: int, y: ArrayLike, estimator: str) -> Labels:
    """Return the labels of rows that are no array, as many as these."""
    if y is None:
        raise ValueError(
            f"This {estimator} estimator requires y to be passed, but the target y is None."
        )
    labels: Labels = column_or_1d(as_labels(y), warn=True)
    check_consistent_length(np.broadcast_to(0, n_samples), labels)
    return labels


def _in_memory(array: Array, X: ArrayLike, y: ArrayLike, estimator: str) -> tuple[Rows, Labels]:
    """Return rows and labels as arrays; `array` is read from X."""
    if y is None:
        raise ValueError(
            f"This {estimator} estimator requires y to be passed, but the target y is None."
        )
    labels = as_labels(y)
    if not (is_plain(array) and are_plain_labels(labels)):
        array, labels = check_X_y(array, labels, ensure_all_finite=False, estimator=estimator)
    return Rows(array, X if is_frame(X) else array), labels
