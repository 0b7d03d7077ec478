"""One-vs-all: three kinds of iris, ten digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import confusion_matrix

from fastlogit import plots
from fastlogit.demo.data import N_THREADS, Array, Row, Split, judged, split, standardized
from fastlogit.demo.legend import legend
from fastlogit.demo.numpy_loop import times_numpy
from fastlogit.fitting.fit import fit
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


@dataclass(frozen=True)
class OneVsAll:
    """A fit of several classes; `flat` is a fit of two columns, which a picture can show."""

    rows: tuple[Row, ...]
    data: Split
    result: FitResult
    class_names: tuple[str, ...]
    confusion: Array


def iris() -> OneVsAll:
    """Fit three kinds of iris: by two features, which the picture shows, and by all four."""
    source = load_iris()
    names = tuple(str(name) for name in source.target_names)
    labels = source.target_names[source.target]
    shown, shown_row = _one_vs_all("iris (2)", split(source.data[:, 2:], labels), 1e-3)
    _, row = _one_vs_all("iris (4)", standardized(split(source.data, labels)), 1e-3)
    data = split(source.data[:, 2:], labels)
    return OneVsAll((shown_row, row), data, shown, names, _confusion(data, shown))


def digits() -> OneVsAll:
    """Fit the ten digits from pictures of 8 x 8 pixels."""
    source = load_digits()
    data = split(source.data / 16.0, source.target)
    result, row = _one_vs_all("digits (64)", data, 1e-3)
    names = tuple(str(label) for label in result.classes)
    return OneVsAll((row,), data, result, names, _confusion(data, result))


def _one_vs_all(name: str, data: Split, l2_reg: float) -> tuple[FitResult, Row]:
    """Fit one hypothesis per class, all in the same passes over X."""
    result = fit(data.X, data.y, l2_reg=l2_reg, n_threads=N_THREADS)
    speedup = times_numpy(data.X, data.y, l2_reg=l2_reg)
    return result, judged(name, f"one-vs-all, K={len(result.classes)}", data, result, speedup)


def _confusion(data: Split, result: FitResult) -> Array:
    """Count the unseen rows by true class (rows) and predicted class (columns)."""
    matrix: Array = confusion_matrix(data.y_test, result.predict(data.X_test))
    return matrix


def draw_iris(study: OneVsAll, figure: Figure) -> None:
    """Draw the three regions."""
    ax = figure.subplots()
    plots.plot_decision_boundary(
        study.result,
        study.data.X,
        study.data.y,
        ax,
        feature_names=("petal length (cm)", "petal width (cm)"),
    )
    ax.set_title("One-vs-all: the largest of three hypotheses wins")
    legend(ax)


def draw_digits(study: OneVsAll, figure: Figure) -> None:
    """Draw what each of the ten hypotheses looks for, and which digits are mixed up."""
    left, right = cast(
        "tuple[SubFigure, SubFigure]", figure.subfigures(1, 2, width_ratios=(1.35, 1))
    )
    axes = left.subplots(2, 5)
    coef = study.result.coef
    limit = float(np.quantile(np.abs(coef), 0.99))
    for k, ax in enumerate(axes.flat):
        image = plots.plot_coef_image(coef[:, k], (8, 8), ax, limit=limit)
        ax.set_title(study.class_names[k])
    bar = left.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, extend="both")
    bar.set_label("coefficient: ink here speaks against (-) or for (+) the digit")
    left.suptitle("What each hypothesis looks for")
    ax = right.subplots()
    plots.plot_confusion(study.confusion, study.class_names, ax)
    ax.set_title(f"{study.rows[0].accuracy:.1%} of {study.confusion.sum()} unseen digits right")
