"""Sigmoid and decision boundary of a model that is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastlogit import plots
from fastlogit.demo.data import SEED, Array, Row
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Hypothesis:
    """The model -3 + x1 + x2 and points that it decides about."""

    rows: tuple[Row, ...]
    result: FitResult
    X: Array
    y: Array


def hypothesis() -> Hypothesis:
    """Take the model with intercept -3 and coefficients 1, 1 and let it judge random points."""
    X = np.random.default_rng(SEED).uniform(0, 3, (60, 2))
    result = known_model(np.ones(2), -3.0)
    return Hypothesis((), result, X, result.predict(X))


def known_model(coef: Array, intercept: float) -> FitResult:
    """Return a model whose coefficients are given, not fitted."""
    return FitResult(
        coef=coef,
        intercept=intercept,
        classes=np.array([0, 1]),
        n_iter=0,
        n_passes=0,
        converged=True,
        message="coefficients were given",
        history=np.zeros(1),
        gradient_norm=0.0,
        suboptimality=np.inf,
        seconds=0.0,
        solver="none",
    )


def draw_hypothesis(study: Hypothesis, figure: Figure) -> None:
    """Draw the sigmoid, and the line x1 + x2 = 3."""
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    plots.plot_sigmoid(left)
    left.set_title("The sigmoid turns z into a probability")
    plots.plot_decision_boundary(study.result, study.X, study.y, right)
    right.set(title="z = -3 + x1 + x2", aspect="equal")
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    right.text(0.75, 0.75, "predict 0", ha="center", va="center", bbox=box)
    right.text(2.25, 2.25, "predict 1", ha="center", va="center", bbox=box)
    right.text(1.5, 1.5, "x1 + x2 = 3", ha="center", va="bottom", rotation=-45, bbox=box)
