"""The data of the studies, their rows set aside, and the lines of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastlogit.result import FitResult

Array = NDArray[Any]

#: The seed of every split and every made-up data set.
SEED = 0

#: All data here are small; waiting for a second thread on a busy machine would cost more.
N_THREADS = 1


@dataclass(frozen=True)
class Row:
    """One line of the table: a model on a data set, measured on unseen rows.

    `suboptimality` is the proven bound of the worst class; `speedup` the time that a step of
    gradient descent takes in plain NumPy over ours, same step and data.
    """

    data: str
    model: str
    accuracy: float
    log_loss: float | None = None
    n_passes: float | None = None
    suboptimality: float | None = None
    seconds: float | None = None
    speedup: float | None = None


@dataclass(frozen=True)
class Split:
    """Rows to fit to and rows to judge by."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array


def split(X: Array, y: Array) -> Split:
    """Set three rows in ten aside, the same ones each time, with the same mix of classes."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
    # Rows that lie one after the other are what the kernels read fastest.
    return Split(np.ascontiguousarray(X), y, np.ascontiguousarray(X_test), y_test)


def standardized(data: Split) -> Split:
    """Centre and scale the columns by the mean and deviation of the rows to fit to."""
    scaler = StandardScaler().fit(data.X)
    return Split(scaler.transform(data.X), data.y, scaler.transform(data.X_test), data.y_test)


def tumours(*columns: str) -> tuple[Array, Array]:
    """Return the Wisconsin tumour data: some columns, or all 30, and 1 for malignant."""
    data = load_breast_cancer()
    names = data.feature_names.tolist()
    chosen = [names.index(column) for column in columns] if columns else slice(None)
    return data.data[:, chosen], 1 - data.target


def judged(
    name: str, model: str, data: Split, result: FitResult, speedup: float | None = None
) -> Row:
    """Return the line of the table for a fit."""
    proba = result.predict_proba(data.X_test)
    accuracy = float(np.mean(result.predict(data.X_test) == data.y_test))
    # The one-vs-all hypotheses of a row need not add up to 1; the log-loss is of their shares.
    loss = float(log_loss(data.y_test, proba / proba.sum(axis=1, keepdims=True)))
    bound = float(np.max(result.suboptimality))
    return Row(name, model, accuracy, loss, result.n_passes, bound, result.seconds, speedup)
