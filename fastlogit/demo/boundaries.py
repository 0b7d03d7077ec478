"""Boundaries through two features: lines, and curves by polynomials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.datasets import make_circles
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from fastlogit import plots
from fastlogit.demo.data import N_THREADS, SEED, Array, Row, Split, judged, split, tumours
from fastlogit.demo.legend import legend
from fastlogit.demo.numpy_loop import times_numpy
from fastlogit.fitting.fit import fit
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Boundaries:
    """Two features with one fit for each polynomial degree.

    `transforms` takes the two features to those of the fit of that degree.
    """

    rows: tuple[Row, ...]
    X: Array
    y: Array
    results: Mapping[int, FitResult]
    transforms: Mapping[int, Callable[[Array], Array]]


def boundaries(
    name: str, X: Array, y: Array, degrees: tuple[int, ...], l2_reg: float
) -> Boundaries:
    """Fit two features, and their products up to each degree."""
    data = split(X, y)
    rows = []
    results, transforms = {}, {}
    for degree in degrees:
        steps = make_pipeline(
            StandardScaler(), PolynomialFeatures(degree, include_bias=False), StandardScaler()
        ).fit(data.X)
        transforms[degree] = steps.transform
        made = Split(steps.transform(data.X), data.y, steps.transform(data.X_test), data.y_test)
        results[degree] = fit(made.X, made.y, l2_reg=l2_reg, n_threads=N_THREADS)
        model = "line" if degree == 1 else f"degree {degree}"
        speedup = times_numpy(made.X, made.y, l2_reg=l2_reg)
        rows.append(judged(name, model, made, results[degree], speedup))
    return Boundaries(tuple(rows), data.X, data.y, results, transforms)


_TWO_FEATURES = ("mean texture", "mean concave points")


def tumour_boundaries() -> Boundaries:
    """Separate the tumours by two features, with a line and with a curve."""
    return boundaries("tumours (2)", *tumours(*_TWO_FEATURES), (1, 3), 1e-4)


def circles() -> Boundaries:
    """Separate a disc from the ring round it: no line can, a conic does."""
    X, y = make_circles(400, noise=0.13, factor=0.5, random_state=SEED)
    return boundaries("circles (2)", X, y, (1, 2), 1e-4)


def draw_tumour_boundaries(study: Boundaries, figure: Figure) -> None:
    """Draw line and curve side by side."""
    _draw_degrees(study, figure, _TWO_FEATURES, ("benign", "malignant"))


def draw_circles(study: Boundaries, figure: Figure) -> None:
    """Draw line and conic side by side."""
    for ax in _draw_degrees(study, figure, ("x1", "x2"), ("ring", "disc")):
        ax.set_aspect("equal")


def _draw_degrees(
    study: Boundaries, figure: Figure, features: tuple[str, str], classes: tuple[str, str]
) -> list[Axes]:
    """Draw one panel per degree."""
    axes = list(figure.subplots(1, len(study.results), sharey=True))
    for ax, degree, row in zip(axes, study.results, study.rows, strict=True):
        plots.plot_decision_boundary(
            study.results[degree],
            study.X,
            study.y,
            ax,
            transform=study.transforms[degree],
            feature_names=features,
            class_names=classes,
        )
        kind = "A line" if degree == 1 else f"Polynomial of degree {degree}"
        ax.set_title(f"{kind}: {row.accuracy:.1%} of unseen rows right")
    axes[1].set_ylabel("")
    legend(axes[0])
    return axes
