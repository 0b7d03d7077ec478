"""Softmax, cross-validation and probabilities; each answer is checked before it is timed."""

from __future__ import annotations

from typing import Any

import pytest

import fastlogit
from benchmarks.answers import check_folds, check_proba, check_softmax
from benchmarks.peers import CV_OPTIONS
from benchmarks.problems import (
    SHAPES,
    digits,
    make_problem,
    proba_estimator,
    tumours,
)


def test_softmax_of_digits(benchmark: Any, n_threads: int) -> None:
    X, y = digits()
    options = {"C": 1.0, "tol": 1e-8, "multi_class": "multinomial", "n_threads": n_threads}
    check_softmax(X, y, fastlogit.fit(X, y, **options), 1.0, 1e-8)
    benchmark.group = "softmax of digits"
    benchmark(fastlogit.fit, X, y, **options)


def test_cross_validation_of_the_tumour_data(benchmark: Any, n_threads: int) -> None:
    problem = tumours()
    estimator = fastlogit.LogisticRegressionCV(**CV_OPTIONS, n_jobs=n_threads)
    check_folds(problem.X, problem.y, estimator.fit(problem.X, problem.y), 1e-7)
    benchmark.group = "10 C x 5 folds of the tumour data"
    benchmark(estimator.fit, problem.X, problem.y)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_predict_proba(
    benchmark: Any, n_classes: int, shape: tuple[int, int], n_threads: int
) -> None:
    X = make_problem(shape).X
    estimator = fastlogit.LogisticRegression(n_jobs=n_threads)
    proba_estimator(estimator, n_classes, shape[1])
    check_proba(X, estimator.coef_, estimator.intercept_, estimator.predict_proba(X))
    benchmark.group = f"predict_proba {n_classes} classes {shape}"
    benchmark(estimator.predict_proba, X)
