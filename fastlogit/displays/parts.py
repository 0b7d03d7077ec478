"""What the displays share: axes, names, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeGuard, TypeVar

import numpy as np

from ..arrays import ArrayLike, Floats, Indices, Labels, Vector
from ..design.base import Columns
from ..design.opening import open_rows
from ..inputs.categories import Categories, rows_of_fit
from ..plots import Look
from ..result import FitResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.inference import Inference

__all__ = [
    "GREY",
    "GRID",
    "Display",
    "Style",
    "axes_of",
    "categories_of",
    "check_choice",
    "checked_names",
    "coef_of",
    "drawn_on",
    "fitted",
    "grid_below",
    "inference_of",
    "last_step",
    "names_of",
    "of_result",
    "ranks_of",
    "small_legend",
    "small_title",
    "spread_of",
]

GREY = "#bbbbbb"
GRID: Look = {"color": "#dddddd", "lw": 0.7}

Style: TypeAlias = Mapping[str, Any] | None
Display = TypeVar("Display")


def axes_of(ax: Axes | None, who: str, height: float = 4.8) -> Axes:
    """Return the given Axes, or new ones; the only place that needs matplotlib."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as missing:
        raise ImportError(
            f"{who} needs matplotlib, which is not installed: pip install 'fastlogit[plot]'"
        ) from missing
    return plt.subplots(layout="constrained", figsize=(6.4, height))[1]


def grid_below(ax: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Draw a grid below everything else."""
    ax.grid(True, axis=axis, **GRID)
    ax.set_axisbelow(True)


def small_legend(
    ax: Axes, place: Literal["best", "upper left", "upper right", "lower right"]
) -> None:
    """Draw a legend without a frame."""
    ax.legend(framealpha=0.8, edgecolor="none", fontsize="small", loc=place)


def small_title(ax: Axes, text: str | None) -> None:
    """Write what a picture is of above it; nothing for None."""
    if text:
        ax.set_title(text, fontsize="small", color="#555555")


def inference_of(given: object, who: str, otherwise: str = "") -> Inference:
    """Return the inference that a picture is of.

    Raises
    ------
    TypeError
        If it is none; with how to have one, and what to do otherwise.
    """
    from ..inference.inference import Inference

    if isinstance(given, Inference):
        return given
    how = ""
    if isinstance(given, FitResult):
        how = "; make one: fastlogit.infer(result, X, y)"
    elif hasattr(given, "inference"):
        how = "; make one by its method inference"
    raise TypeError(f"{who} takes an Inference, got {type(given).__name__}{how}{otherwise}")


def drawn_on(display: Display, ax: Axes) -> Display:
    """Return the display with the attributes that say where it was drawn."""
    display.ax_, display.figure_ = ax, ax.figure  # type: ignore[attr-defined]
    return display


class Pipeline(Protocol):
    """A pipeline of scikit-learn's."""

    steps: Sequence[tuple[str, object]]

    def __getitem__(self, place: int | slice, /) -> Any:
        """Return a step, or a pipeline of some of them."""


def is_pipeline(estimator: object) -> TypeGuard[Pipeline]:
    """Say whether an estimator is made of steps."""
    return hasattr(estimator, "steps")


def last_step(estimator: object) -> Any:
    """Return the model itself, out of a pipeline too."""
    return estimator[-1] if is_pipeline(estimator) else estimator


def fitted(estimator: object, attribute: str) -> Any:
    """Return an attribute that only `fit` gives."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    if not hasattr(estimator, attribute):
        raise TypeError(f"{type(estimator).__name__} has no attribute {attribute} to draw")
    return getattr(estimator, attribute)


def of_result(display: str, result: object, attribute: str, kind: str) -> None:
    """Raise TypeError for what is no result that a display draws."""
    if not hasattr(result, attribute):
        raise TypeError(
            f"{display}.from_result takes {kind}, got {type(result).__name__}; estimators go to "
            "from_estimator"
        )


def names_of(estimator: object, given: Sequence[str] | None) -> list[str]:
    """Return a name for each coefficient: of the columns that the model sees, or of levels."""
    last = last_step(estimator)
    categories = categories_of(last)
    if categories is not None:
        return checked_names(given or categories.feature_names, categories.n_features)
    known = getattr(last, "feature_names_in_", None)
    if given is None and known is None and is_pipeline(estimator) and len(estimator.steps) > 1:
        before = estimator[:-1]
        if hasattr(before, "get_feature_names_out"):
            known = before.get_feature_names_out()
    return checked_names(known if given is None else given, last.n_features_in_)


def categories_of(model: object) -> Categories | None:
    """Return how the columns of a frame with categories were read in a fit."""
    found: Categories | None = getattr(model, "_categories", None)
    return found


def checked_names(names: Sequence[object] | Labels | None, n_features: int) -> list[str]:
    """Return a name for each feature, made up where none are given."""
    if names is None:
        return [f"x{feature}" for feature in range(n_features)]
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names for {n_features} features")
    return [str(name) for name in names]


def coef_of(coef: Floats, classes: Labels, label: object) -> Floats:
    """Return a class's part of coefficients (n_models, ...); None is the only model there is."""
    if label is None:
        return coef[0]
    found = np.flatnonzero(np.asarray(classes) == label)
    if found.size == 0:
        raise ValueError(f"class_of_interest={label!r} is not one of {list(classes)}")
    if len(coef) == 1:
        return coef[0] if found[0] == 1 else -coef[0]
    return coef[found[0]]


def ranks_of(sizes: Vector) -> Indices:
    """Return the place of each size among them, 0 for the largest."""
    ranks = np.empty(len(sizes), dtype=np.intp)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return ranks


def check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raise where a value is none of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def spread_of(estimator: object, X: ArrayLike) -> float | Vector:
    """Return the standard deviation of each column that the model sees, or 1."""
    if X is None:
        return 1.0
    if is_pipeline(estimator) and len(estimator.steps) > 1:
        X = estimator[:-1].transform(X)
    categories = categories_of(last_step(estimator))
    if categories is not None:
        return _spread_of_features(X, categories)
    return np.asarray(X, dtype=np.float64).std(axis=0)


def _spread_of_features(X: ArrayLike, categories: Categories) -> Vector:
    """Return the standard deviations of columns of numbers, and of the indicators of levels."""
    design = open_rows(rows_of_fit(X, categories), None)
    n_samples, n_features = design.shape
    none = np.empty(0)
    none.flags.writeable = False
    means = design.column_means(none, float(n_samples))
    centred = design.standardized(Columns(means, np.ones(n_features)))
    return np.sqrt(centred.column_variances(none, float(n_samples)))
