"""Fitted models in the words of others: SQL, ONNX, PMML and JSON, whose probabilities are the same.

Each takes a `FitResult`, a `Model` as `fastlogit.model_file.load_model` reads it, or an estimator.
The command line has them as ``fastlogit export``.
"""

from __future__ import annotations

from .graph import to_onnx
from .plain import to_json
from .pmml import to_pmml
from .sql import to_sql, to_sql_columns

__all__ = ["to_json", "to_onnx", "to_pmml", "to_sql", "to_sql_columns"]
