"""Scores of many models on rows that their fits left out.

The raw predictions of all models of a fold are computed together, in one pass over its test rows,
and a scorer of scikit-learn is shown one fitted model after another whose predictions are known.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils.validation import _check_method_params

from ..arrays import (
    Array,
    ArrayLike,
    Codes,
    Features,
    Floats,
    Indices,
    Labels,
    Masks,
    Matrix,
    Scorer,
    Vector,
)
from ..design.base import Design
from ..design.compressed import CompressedRows, joined
from ..design.mixed import MixedRows
from ..design.mixed_streamed import is_mixed_source
from ..design.sparse_streamed import is_sparse_source
from ..design.streamed import RowSource
from ..elementwise import log_sigmoid, sigmoid
from ..fitting.grid import GridResult
from ..inputs.categories import Categories
from ..inputs.column_names import text_names
from ..inputs.frames import rows_of
from ..inputs.given import Rows
from ..inputs.readers import is_frame
from ..inputs.sparse import scipy_rows
from ..prediction import raw_prediction
from .logistic import LogisticRegression

__all__ = ["FoldModel", "score_grid", "with_labels"]

# Takes raw predictions, codes, weights and multi_class.
QuickScore: TypeAlias = Callable[[Floats, Codes, Vector | None, str], float]

# Test rows are gathered so many at a time: they stay in the cache, and no copy of X comes about.
GATHERED_BYTES = 2**22
# And so many rows at least of a source of sparse ones.
SPARSE_ROWS = 4096


class FoldModel(LogisticRegression):
    """A model fitted to the training rows of a fold; its answers for the test rows are known.

    Attributes
    ----------
    test_rows_ : array, sparse matrix or frame of n_test rows
        The rows to which `known_` belongs; recognised as this very object.
    known_ : ndarray of shape (n_test,) or (n_test, n_models)
        Raw predictions.
    """

    test_rows_: ArrayLike
    known_: Floats

    def _look_at_new(self, X: ArrayLike) -> Rows:
        if X is self.test_rows_ and is_frame(X):
            rows: Any = X
            return Rows(rows, X)  # whose columns nobody reads again
        return super()._look_at_new(X)

    def _raw(self, rows: Rows, offset: ArrayLike) -> Floats:
        return self.known_ if rows.X is self.test_rows_ else super()._raw(rows, offset)

    def _probabilities(self, rows: Rows, offset: ArrayLike, *, log: bool) -> Matrix:
        if rows.X is not self.test_rows_:
            return super()._probabilities(rows, offset, log=log)
        return probabilities(self.known_, self.multi_class, log=log)


def probabilities(raw: Floats, multi_class: str, *, log: bool) -> Matrix:
    """Return probabilities of the classes, or their logarithms, from raw predictions.

    Parameters
    ----------
    raw : ndarray of shape (n_samples,) or (n_samples, n_classes)
    multi_class : {"multinomial", "ovr"}
    log : bool

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Rows sum to 1.
    """
    if raw.ndim == 1:
        of_class = log_sigmoid if log else sigmoid
        return np.column_stack([of_class(-raw), of_class(raw)])
    weights = raw if multi_class == "multinomial" else log_sigmoid(np.ascontiguousarray(raw))
    weights = weights - weights.max(axis=1, keepdims=True)
    shares = np.exp(weights)
    total = shares.sum(axis=1, keepdims=True)
    return weights - np.log(total) if log else shares / total


def score_grid(
    grid: GridResult,
    X: Features | RowSource | Rows,
    y: Labels,
    codes: Codes,
    test_folds: Sequence[Indices],
    scoring: str | Scorer | None,
    *,
    sample_weight: Vector | None = None,
    score_params: Mapping[str, object] | None = None,
    multi_class: str = "multinomial",
    n_threads: int | None = None,
) -> Matrix:
    """Score each model of a grid on the test rows of its fold, as scikit-learn does.

    Parameters
    ----------
    grid : GridResult
    X : array of shape (n_samples, n_features), or Rows
        Rows say what sparse X was read from, for scorers that look at it.
    y : ndarray of shape (n_samples,)
        Labels.
    codes : ndarray of shape (n_samples,)
        Index of each label in ``grid.classes``.
    test_folds : sequence of ndarray
        Indices of the test rows of each fold.
    scoring : str, callable or None
        None is the accuracy, weighted by `sample_weight`.
    sample_weight : ndarray of shape (n_samples,), optional
        For `scoring` None alone; what a scorer gets is in `score_params`.
    score_params : dict, optional
        Parameters of the scorer; those of n_samples values are cut to the test rows.
    multi_class : {"multinomial", "ovr"}, default "multinomial"
    n_threads : int, optional

    Returns
    -------
    ndarray of shape (n_folds, n_Cs), float64
    """
    scorer: Scorer
    params: dict[str, object]
    given = X if isinstance(X, Rows) else Rows(X, X)
    readable, carrier, categories = given.X, given.carrier, given.categories
    assert not isinstance(readable, Design)  # an estimator takes none
    if scoring is None:
        scorer, params = get_scorer("accuracy"), {"sample_weight": sample_weight}
    else:
        scorer, params = get_scorer(scoring), dict(score_params or {})
    quick = _quick_score(scorer, params, grid.classes)
    scorer = with_labels(scorer, grid.classes)
    scores = np.empty((len(test_folds), len(grid.Cs)))
    for fold, test in enumerate(test_folds):
        raw = _raw_of_rows(readable, test, grid.coef[fold], grid.intercept[fold], n_threads)
        own = _check_method_params(readable, params, indices=test)
        if quick is not None:
            scores[fold] = [
                quick(each, codes[test], own.get("sample_weight"), multi_class) for each in raw
            ]
            continue
        rows = _rows_for(scorer, readable, test, carrier)
        for index, known in enumerate(raw):
            model = _fold_model(grid, fold, index, rows, known, multi_class, n_threads)
            if is_frame(rows):
                _know_frame(model, rows, categories)
            scores[fold, index] = scorer(model, rows, y[test], **own)
    return scores


def _raw_of_rows(
    X: Features | CompressedRows | MixedRows | RowSource,
    rows: Indices,
    coef: Floats,
    intercept: Matrix,
    n_threads: int | None,
) -> list[Floats]:
    """Return the raw predictions of all Cs, each (n_rows,) or (n_rows, n_models)."""
    n_cs, n_models, n_features = coef.shape
    flat, constants = coef.reshape(-1, n_features).T, intercept.reshape(-1)
    raw = np.empty((n_cs * n_models, len(rows)))
    for place, part in _parts(X, rows):
        raw[:, place] = raw_prediction(part, flat, constants, n_threads=n_threads).T
    if n_models == 1:
        return list(raw)
    return [each.T for each in raw.reshape(n_cs, n_models, len(rows))]


def _parts(
    X: Features | CompressedRows | MixedRows | RowSource, rows: Indices
) -> Iterator[tuple[slice | Indices, Array | CompressedRows | MixedRows]]:
    """Yield some of the rows at a time, with their places among `rows`.

    What is not in memory is read in slices, from its beginning to its end; of sparse rows all are
    taken in place.
    """
    step = max(1, GATHERED_BYTES // (8 * X.shape[1]))
    if isinstance(X, CompressedRows | MixedRows):
        yield slice(None), X.take(rows)
        return
    if isinstance(X, np.ndarray):
        for start in range(0, len(rows), step):
            place = slice(start, start + step)
            yield place, np.asarray(X[rows[place]])
        return
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    if is_sparse_source(X):
        step = max(step, SPARSE_ROWS)
    for start in range(0, X.shape[0], step):
        end = min(start + step, X.shape[0])
        first, last = np.searchsorted(ordered, (start, end))
        if first < last:
            block, own = X[start:end], ordered[first:last] - start
            if isinstance(block, CompressedRows | MixedRows):
                yield order[first:last], block.take(own)
            else:
                yield order[first:last], np.asarray(block, dtype=X.dtype)[own]


def _gathered(X: Features | RowSource, rows: Indices) -> Array | CompressedRows:
    """Return a copy of some rows."""
    if is_sparse_source(X):
        read = list(_parts(X, rows))
        parts = [joined([part], X.dtype) for _, part in read if isinstance(part, CompressedRows)]
        order = np.concatenate([place for place, _ in read if isinstance(place, np.ndarray)])
        return joined(parts, X.dtype).take(np.argsort(order, kind="stable"))
    copy = np.empty((len(rows), X.shape[1]), dtype=X.dtype)
    for place, part in _parts(X, rows):
        copy[place] = part
    return copy


def _rows_for(
    scorer: Scorer,
    X: Features | CompressedRows | MixedRows | RowSource,
    test: Indices,
    carrier: ArrayLike,
) -> ArrayLike:
    """Return the test rows for the scorer to hand to the model.

    scikit-learn's own scorers do nothing else with them, so they get NaN in the right shape, which
    takes no memory; any other callable gets the rows.
    """
    if isinstance(scorer, _BaseScorer):
        return np.broadcast_to(np.nan, (len(test), X.shape[1]))
    if isinstance(X, MixedRows) and is_frame(carrier):
        return rows_of(carrier, test)
    if isinstance(X, MixedRows) or is_mixed_source(X):
        raise TypeError(
            "scoring by a function of your own gets rows, and a source with categorical columns "
            "has none to hand out; make it a scorer by sklearn.metrics.make_scorer"
        )
    rows = X.take(test) if isinstance(X, CompressedRows) else _gathered(X, test)
    return scipy_rows(rows, carrier) if isinstance(rows, CompressedRows) else rows


def _fold_model(
    grid: GridResult, fold: int, index: int, rows: ArrayLike, known: Floats, multi_class: str,
    n_threads: int | None,
) -> FoldModel:  # fmt: skip
    model = FoldModel(C=float(grid.Cs[index]), multi_class=multi_class, n_jobs=n_threads)
    model.classes_ = grid.classes
    model.coef_, model.intercept_ = grid.coef[fold, index], grid.intercept[fold, index]
    model.n_features_in_ = grid.coef.shape[-1]
    model.test_rows_, model.known_ = rows, known
    return model


def _know_frame(model: FoldModel, rows: ArrayLike, categories: Categories | None) -> None:
    """Let a model know the columns of a frame, as after a fit to one.

    Sets: feature_names_in_, and n_features_in_, handle_unknown and _categories where there are
    categories.
    """
    if (names := text_names(rows)) is not None:
        model.feature_names_in_ = np.asarray(names, dtype=object)
    if categories is not None:
        model.n_features_in_ = categories.n_columns
        model.handle_unknown = categories.handle_unknown
        model._categories = categories


def with_labels(scorer: _BaseScorer, classes: Labels) -> _BaseScorer:
    """Return a scorer that knows all classes, as not each need be among a fold's test rows."""
    if not hasattr(scorer, "_score_func"):
        return scorer
    accepted = inspect.signature(scorer._score_func).parameters
    if "labels" not in accepted:
        return scorer
    known = {"labels": classes}
    if len(classes) == 2 and "pos_label" in accepted:
        known["pos_label"] = classes[-1]
    return make_scorer(
        scorer._score_func,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **{**known, **scorer._kwargs},
    )


def _quick_score(
    scorer: _BaseScorer, params: Mapping[str, object], classes: Labels
) -> QuickScore | None:
    """Return what computes the same as the scorer without its checks; None if there is none.

    For 20,000 rows scikit-learn's accuracy takes 1.4 ms and its log-loss 4.8 ms, where a fit takes
    about 3: they are computed for each fold and C.
    """
    plain = (
        isinstance(scorer, _BaseScorer) and not scorer._kwargs and set(params) <= {"sample_weight"}
    )
    if not plain:
        return None
    if scorer._score_func is accuracy_score and scorer._response_method == "predict":
        return _accuracy
    if scorer._score_func is log_loss and scorer._response_method == "predict_proba":
        return _negative_log_loss if scorer._sign == -1 else None
    return None


def _accuracy(raw: Floats, codes: Codes, weights: Vector | None, multi_class: str) -> float:
    """Return the share of rows whose class has the largest raw prediction."""
    predicted = raw > 0.0 if raw.ndim == 1 else raw.argmax(axis=1)
    return _mean(predicted == codes, weights)


def _negative_log_loss(
    raw: Floats, codes: Codes, weights: Vector | None, multi_class: str
) -> float:
    """Return minus the mean log-loss; probabilities are kept off 0 and 1 as scikit-learn does."""
    if raw.ndim == 1:
        log_proba = log_sigmoid(np.where(codes == 1, raw, -raw))
    else:
        of_classes = probabilities(raw, multi_class, log=True)
        log_proba = of_classes[np.arange(len(codes)), codes]
    eps = np.finfo(np.float64).eps
    return _mean(np.clip(log_proba, np.log(eps), np.log1p(-eps)), weights)


def _mean(values: Floats | Masks, weights: Vector | None) -> float:
    if weights is not None and not np.any(weights):
        raise ValueError("all test rows of a fold have zero weight, so that it has no score")
    return np.average(values, weights=weights)
