"""Fits over dask collections: partitions stay in their workers, passes are rounds of tasks."""

from .estimator import LogisticRegression
from .fitting import fit
from .predictions import predict, predict_proba, raw_prediction

__all__ = ["LogisticRegression", "fit", "predict", "predict_proba", "raw_prediction"]
