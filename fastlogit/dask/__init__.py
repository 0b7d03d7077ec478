"""Fits over dask collections: partitions stay in their workers, passes are rounds of tasks."""

from .cross_validation import LogisticRegressionCV
from .estimator import LogisticRegression
from .fitting import fit
from .inference import infer
from .predictions import predict, predict_proba, raw_prediction

__all__ = [
    "LogisticRegression",
    "LogisticRegressionCV",
    "fit",
    "infer",
    "predict",
    "predict_proba",
    "raw_prediction",
]
