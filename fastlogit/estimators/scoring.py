"""Scores of many models on rows that their fits left out.

The raw predictions of all models of a fold are computed together, in one pass over its test rows,
and a scorer of scikit-learn is shown one fitted model after another whose predictions are known.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer, make_scorer
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
    Matrix,
    Scorer,
    Vector,
)
from ..design.base import Design
from ..design.compressed import CompressedRows, joined
from ..design.mixed import MixedRows
from ..design.mixed_streamed import is_mixed_source
from ..design.sparse_streamed import is_sparse_source
from ..design.streamed import RowSource, let_go
from ..fitting.grid_result import GridResult
from ..inputs.categories import Categories
from ..inputs.column_names import text_names
from ..inputs.frames import rows_of
from ..inputs.given import Rows
from ..inputs.readers import is_frame
from ..inputs.sparse import scipy_rows
from ..prediction import raw_prediction
from .logistic import LogisticRegression
from .row_scores import (
    GATHERED_BYTES,
    SPARSE_ROWS,
    TestRows,
    is_held,
    mean,
    probabilities,
    quick_score,
    score_blocks,
    taken,
)

__all__ = ["FoldModel", "score_grid", "with_labels"]


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


def score_grid(
    grid: GridResult,
    X: Features | RowSource | Rows,
    y: Labels,
    codes: Codes,
    test_folds: Sequence[Indices] | TestRows,
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
        Indices of the test rows of each fold. Of `TestRows` one pass over rows that are not in
        memory serves all folds, where the score is a mean over the rows.
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
    quick = quick_score(scorer, params)
    scorer = with_labels(scorer, grid.classes)
    if quick is not None and isinstance(test_folds, TestRows) and not is_held(readable):
        assert not isinstance(readable, CompressedRows | MixedRows)  # which are held
        weights = params.get("sample_weight")
        assert weights is None or isinstance(weights, np.ndarray)
        return score_blocks(
            quick, grid, readable, codes, test_folds, weights, multi_class, n_threads
        )
    scores = np.empty((len(test_folds), len(grid.Cs)))
    for fold, test in enumerate(test_folds):
        raw = _raw_of_rows(readable, test, grid.coef[fold], grid.intercept[fold], n_threads)
        own = _check_method_params(readable, params, indices=test)
        if quick is not None:
            scores[fold] = [
                mean(quick(each, codes[test], multi_class), own.get("sample_weight"))
                for each in raw
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
    if type(X) is np.ndarray:
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
            block = X[start:end]
            yield order[first:last], taken(block, ordered[first:last] - start, X.dtype)
            let_go(block)


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
