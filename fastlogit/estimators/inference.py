"""What an estimator says of its coefficients beside them: `inference`."""

from __future__ import annotations

from typing import overload

from sklearn.utils.validation import check_is_fitted

from .. import threads
from ..arrays import ArrayLike
from ..inference.high_dimensional import HighDimensionalInference
from ..inference.infer import infer
from ..inference.inference import Inference
from ..result import FitResult

__all__ = ["InferenceSupport"]


class InferenceSupport:
    """Gives an estimator that keeps the result of its fit standard errors, tests and tables."""

    n_jobs: int | None
    result_: FitResult

    @overload
    def inference(
        self, X: ArrayLike, y: ArrayLike = ..., sample_weight: ArrayLike = ..., *,
        offset: ArrayLike = ..., weights: str | None = ..., cov_type: str = ...,
        clusters: ArrayLike = ..., reference: object = ..., correction: None = ...,
    ) -> Inference: ...  # fmt: skip

    @overload
    def inference(
        self, X: ArrayLike, y: ArrayLike = ..., sample_weight: ArrayLike = ..., *,
        offset: ArrayLike = ..., weights: str | None = ..., cov_type: str = ...,
        clusters: ArrayLike = ..., reference: object = ..., correction: str,
    ) -> HighDimensionalInference: ...  # fmt: skip

    def inference(
        self,
        X: ArrayLike,
        y: ArrayLike = None,
        sample_weight: ArrayLike = None,
        *,
        offset: ArrayLike = None,
        weights: str | None = None,
        cov_type: str = "nonrobust",
        clusters: ArrayLike = None,
        reference: object = None,
        correction: str | None = None,
    ) -> Inference | HighDimensionalInference:
        """Return standard errors, tests and intervals of the fit, made without a penalty.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            The rows of the fit.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), optional
            The weights of the fit.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            The offset of the fit.
        weights, cov_type, clusters, reference, correction
            See `fastlogit.infer`.

        Returns
        -------
        Inference

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value, or the fit has a penalty (as of
            ``C=1``, the default) or no optimum.
        """
        check_is_fitted(self, "result_")
        return infer(
            self, X, y, sample_weight=sample_weight, offset=offset, weights=weights,
            cov_type=cov_type, clusters=clusters, reference=reference, correction=correction,
            n_threads=threads.of_jobs(self.n_jobs),
        )  # fmt: skip
