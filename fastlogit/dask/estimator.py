"""`LogisticRegression` over dask collections."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils.validation import check_is_fitted

from ..arrays import Array, ArrayLike
from ..estimators.data import rows_of_models
from ..estimators.logistic import SOLVERS, cost_tolerance
from ..estimators.logistic import LogisticRegression as InMemory
from ..estimators.progress import ProgressLines
from ..estimators.row_scores import QuickScore, right
from ..inference.inference import Inference
from ..result import FitResult
from .collections import is_delayed_list, is_frame, partitions_of, y_of
from .fitting import fit
from .inference import infer
from .predictions import columns_of, is_collection, lazily, mean_score
from .rounds import Client, Collection, Table

__all__ = ["LogisticRegression"]

# Parameters that partitions do not have, and what they must be left at.
LEFT_OUT = {"interactions": None, "bias_reduction": None}


class LogisticRegression(InMemory):
    """Logistic regression fitted to a dask collection: `fastlogit.LogisticRegression` otherwise.

    Its parameters are those of `fastlogit.LogisticRegression`, without `interactions` and
    `bias_reduction`, which are refused. `n_jobs` has no effect: a task has the threads of its
    worker. Dask collections are predicted lazily, what is in memory at once.
    """

    def fit(
        self,
        X: Collection,
        y: Collection = None,
        sample_weight: Collection = None,
        *,
        target: str | None = None,
        features: Sequence[str] | None = None,
        offset: Collection = None,
        penalty_factor: ArrayLike = None,
        coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
        penalty_groups: ArrayLike = None,
        group_weights: ArrayLike = None,
        client: Client = None,
    ) -> LogisticRegression:
        """Fit the model to the partitions of X, where they are: see `fastlogit.dask.fit`.

        Parameters
        ----------
        X : dask array, dask DataFrame or list of delayed
        y : dask array or Series, optional
        sample_weight : str, dask array or Series, optional
        target : str, optional
            In the place of y: the column of X that holds the labels.
        features : sequence of str, optional
            Columns of a frame that are taken.
        offset : str, dask array or Series, optional
        penalty_factor : array-like of shape (n_features,), optional
        coef_bounds : pair (lower, upper), optional
            The least and the largest value of each coefficient.
        penalty_groups, group_weights : optional
            Groups of columns that L1 holds together, as of `fastlogit.LogisticRegression.fit`.
        client : distributed.Client, optional

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        NotImplementedError
            If a parameter is set that partitions do not have.
        """
        for name, default in LEFT_OUT.items():
            if getattr(self, name) != default:
                raise NotImplementedError(
                    f"{name}={getattr(self, name)!r} is not there for dask partitions yet; "
                    "fastlogit.LogisticRegression has it"
                )
        self._validate_params()
        if self._has_reduction():
            raise NotImplementedError(
                "penalty='firth' is not there for dask partitions yet; "
                "fastlogit.LogisticRegression has it"
            )
        C, ratio = self._strengths()
        lines = ProgressLines() if self.verbose else None
        try:
            with lines or contextlib.nullcontext():
                result = fit(
                    X, y, target=target, features=features, C=C, l1_ratio=ratio,
                    penalty_factor=penalty_factor, coef_bounds=coef_bounds,
                    penalty_groups=penalty_groups, group_weights=group_weights,
                    solver=SOLVERS[self.solver], tol=cost_tolerance(self.tol),
                    max_iter=self.max_iter, multi_class=self.multi_class,
                    sample_weight=sample_weight, offset=offset, class_weight=self.class_weight,
                    start=self._start_of_fit(),
                    intercept="fit" if self.fit_intercept else None, time_limit=self.time_limit,
                    categories=self.categories, handle_unknown=self.handle_unknown,
                    callback=lines, client=client,
                )  # fmt: skip
        except (KeyboardInterrupt, RuntimeError) as interrupt:
            best = getattr(interrupt, "result", None)
            if isinstance(best, FitResult):
                self._take(best)
            raise
        self._take(result)
        if lines is not None:
            lines.say(result.message)
        return self

    def _start_of_fit(self) -> tuple[Array, Array] | None:
        """Return where to begin: the last fit, for a warm start."""
        start = self._start()
        if start is None:
            return None
        return np.asarray(start.coef), np.asarray(start.intercept)

    def score(
        self,
        X: Collection,
        y: Collection = None,
        sample_weight: Collection = None,
        *,
        offset: Collection = None,
        target: str | None = None,
        client: Client = None,
    ) -> float:
        """Return the share of rows whose label is predicted, of a dask collection where it lies.

        Parameters
        ----------
        X : dask array, dask DataFrame or list of delayed
            Or what is in memory, with y in memory.
        y : dask array or Series, optional
        sample_weight, offset : str, dask array or Series, optional
        target : str, optional
            In the place of y: the column of X that holds the labels.
        client : distributed.Client, optional

        Returns
        -------
        float
        """
        check_is_fitted(self)
        if not is_collection(X):
            return super().score(X, y, sample_weight, offset=offset)
        beside = {
            "y": y_of(y, target), "sample_weight": sample_weight, "offset": offset,
        }  # fmt: skip
        return self._mean_score(X, beside, right, client)

    def _mean_score(
        self, X: Collection, beside: dict[str, Collection], score: QuickScore, client: Client
    ) -> float:
        """Return a score that is a mean over the rows of a collection."""
        if beside["y"] is None and not is_delayed_list(X):
            raise TypeError("y is missing: a dask array or Series, or a column's name (target=)")
        has_names = is_frame(X) or isinstance(beside["y"], str)
        given = partitions_of(X, beside, self._columns() if has_names else None)
        of_rows = _Of(self, "decision_function")
        return mean_score(of_rows, given, score, (self.classes_, self.multi_class), client)

    def _take(self, result: FitResult) -> None:
        """Sets: what a fitted estimator has."""
        self.result_, self.classes_ = result, result.classes
        self.coef_, self.intercept_ = rows_of_models(result.coef, result.intercept)
        self._single, self._categories = False, result.categories
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self._take_columns(columns_of(result), self.coef_.shape[1])

    def _take_columns(self, columns: list[str] | None, n_features: int) -> None:
        """Sets: n_features_in_, and feature_names_in_ where the columns have names."""
        self.n_features_in_ = n_features if columns is None else len(columns)
        if columns is not None:
            self.feature_names_in_ = np.array(columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def inference(  # type: ignore[override]  # corrections are of rows in memory
        self,
        X: Collection,
        y: Collection = None,
        sample_weight: Collection = None,
        *,
        offset: Collection = None,
        weights: str | None = None,
        cov_type: str = "nonrobust",
        clusters: Collection = None,
        reference: object = None,
        target: str | None = None,
        client: Client = None,
    ) -> Inference:
        """Return standard errors, tests and intervals of the fit, made without a penalty.

        Parameters
        ----------
        X : dask array, dask DataFrame or list of delayed
            The rows of the fit. What is in memory goes to `fastlogit.infer`.
        y, sample_weight, offset, weights, cov_type, clusters, reference, target, client
            See `fastlogit.dask.infer`.

        Returns
        -------
        Inference
        """
        check_is_fitted(self, "result_")
        return infer(
            self, X, y, target=target, sample_weight=sample_weight, offset=offset, weights=weights,
            cov_type=cov_type, clusters=clusters, reference=reference, client=client,
        )  # fmt: skip

    def decision_function(self, X: Collection, *, offset: Collection = None) -> Any:
        """Return the decision function: of a dask collection lazily, as a dask array."""
        n_models = self._n_models(X)
        if n_models is None:
            return super().decision_function(X, offset=offset)
        return self._lazily("decision_function", X, None if n_models == 1 else n_models, offset)

    def predict(self, X: Collection, *, offset: Collection = None) -> Any:
        """Return the label of each row: of a dask collection lazily, as a dask array."""
        if self._n_models(X) is None:
            return super().predict(X, offset=offset)
        return self._lazily("predict", X, None, offset, self.classes_.dtype)

    def predict_proba(self, X: Collection, *, offset: Collection = None) -> Any:
        """Return the probability of each class: of a dask collection lazily, as a dask array."""
        if self._n_models(X) is None:
            return super().predict_proba(X, offset=offset)
        return self._lazily("predict_proba", X, len(self.classes_), offset)

    def predict_log_proba(self, X: Collection, *, offset: Collection = None) -> Any:
        """Return its logarithm: of a dask collection lazily, as a dask array."""
        if self._n_models(X) is None:
            return super().predict_log_proba(X, offset=offset)
        return self._lazily("predict_log_proba", X, len(self.classes_), offset)

    def _n_models(self, X: object) -> int | None:
        """Return how many models a dask collection is asked; None for what is in memory."""
        check_is_fitted(self)
        return int(self.coef_.shape[0]) if is_collection(X) else None

    def _lazily(
        self,
        name: str,
        X: Collection,
        width: int | None,
        offset: Collection,
        dtype: DTypeLike = np.float64,
    ) -> Any:
        return lazily(_Of(self, name), X, self._columns(), width, dtype, offset)

    def _columns(self) -> list[str] | None:
        """Return the names of the columns of the fit; None where it knows none."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]


class _Of:
    """What a method of a fitted estimator says of rows in memory."""

    def __init__(self, estimator: LogisticRegression, name: str) -> None:
        self._estimator, self._name = estimator, name

    def __call__(self, rows: Table, offset: ArrayLike) -> Array:
        return getattr(self._estimator, self._name)(rows, offset=offset)
