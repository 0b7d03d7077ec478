"""Why not linear regression: one feature, with and without a far-out value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LinearRegression

from fastlogit import plots
from fastlogit.demo.data import N_THREADS, Array, Row, judged, split, standardized, tumours
from fastlogit.demo.numpy_loop import times_numpy
from fastlogit.fitting.fit import fit
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FarOut:
    """One feature with and without a far-out value: least squares beside logistic regression.

    The mappings are by case, "as measured" and "one slip"; `boundaries` holds the feature
    values from which (linear, logistic) regression predict malignant.
    """

    rows: tuple[Row, ...]
    x: Mapping[str, Array]
    y: Array
    linear: Mapping[str, LinearRegression]
    logistic: Mapping[str, FitResult]
    boundaries: Mapping[str, tuple[float, float]]


def far_out() -> FarOut:
    """Fit both models to the mean radius, then again with one radius typed ten times too large.

    Picture and boundaries are those of all rows, as in the tutorial; accuracies are judged by rows
    set aside.
    """
    X, y = tumours("mean radius")
    data = split(X, y)
    speedup = times_numpy(standardized(data).X, data.y)
    rows: list[Row] = []
    x, linear, logistic, boundaries = {}, {}, {}, {}
    names = {"as measured": "tumours (1)", "one slip": "one slip (1)"}
    for case, name in names.items():
        whole, part = (
            (_slipped(X, y), _slipped(data.X, data.y)) if case == "one slip" else (X, data.X)
        )
        x[case] = whole[:, 0]
        line = linear[case] = LinearRegression().fit(whole, y)
        curve = logistic[case] = fit(whole, y, n_threads=N_THREADS)
        boundaries[case] = (
            float((0.5 - line.intercept_) / line.coef_[0]),
            float(-np.asarray(curve.intercept) / curve.coef[0]),
        )
        predicted = LinearRegression().fit(part, data.y).predict(data.X_test) >= 0.5
        rows.append(Row(name, "linear regression", float(np.mean(predicted == data.y_test))))
        fitted = fit(part, data.y, n_threads=N_THREADS)
        rows.append(judged(name, "logistic", data, fitted, speedup))
    return FarOut(tuple(rows), x, y, linear, logistic, boundaries)


def _slipped(X: Array, y: Array) -> Array:
    """Return X with the first malignant tumour's radius typed ten times too large."""
    slipped = X.copy()
    slipped[np.argmax(y)] *= 10.0
    return slipped


def _second_proba(result: FitResult, X: Array) -> Array:
    """Return the probability of the second of two classes."""
    return np.asarray(result.predict_proba(X)[:, 1])


def _on_column(predict: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of the values of one feature."""
    return lambda x: predict(x[:, np.newaxis])


def draw_far_out(study: FarOut, figure: Figure) -> None:
    """Draw both cases one above the other, on the same scale."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    right = 1.6 * float(study.x["as measured"].max())
    for ax, case in zip((upper, lower), study.x, strict=True):
        line, curve = study.linear[case], study.logistic[case]
        plots.plot_one_feature(
            study.x[case],
            study.y,
            {
                "linear regression": _on_column(line.predict),
                "logistic regression": _on_column(partial(_second_proba, curve)),
            },
            ax,
            limits=(5.0, right),
            feature_name="mean radius of the cell nuclei",
            class_names=("benign", "malignant"),
        )
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.12), frameon=False)
    slip = float(study.x["one slip"].max())
    upper.set(title="Tumours as measured", xlabel="")
    lower.set_title(f"One malignant tumour's radius, {slip / 10:.4g}, typed as {slip:.4g}")
    lower.annotate(
        f"the slip: {slip:.4g}",
        (right, 1.08),
        (0.87 * right, 1.08),
        ha="right",
        va="center",
        arrowprops={"arrowstyle": "->"},
    )
