"""What the displays share: axes, names, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "GREY",
    "GRID",
    "Display",
    "Style",
    "axes_of",
    "check_choice",
    "checked_names",
    "coef_of",
    "drawn_on",
    "fitted",
    "last_step",
    "names_of",
    "ranks_of",
    "spread_of",
]

GREY = "#bbbbbb"
GRID: dict[str, Any] = {"color": "#dddddd", "lw": 0.7}

Style = Mapping[str, Any] | None
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


def drawn_on(display: Display, ax: Axes) -> Display:
    """Return the display with the attributes that say where it was drawn."""
    display.ax_, display.figure_ = ax, ax.figure  # type: ignore[attr-defined]
    return display


def last_step(estimator: Any) -> Any:
    """Return the model itself, out of a pipeline too."""
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def fitted(estimator: Any, attribute: str) -> Any:
    """Return an attribute that only `fit` gives."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    if not hasattr(estimator, attribute):
        raise TypeError(f"{type(estimator).__name__} has no attribute {attribute} to draw")
    return getattr(estimator, attribute)


def names_of(estimator: Any, given: Sequence[str] | None) -> list[str]:
    """Return the names of the columns that the model sees."""
    last = last_step(estimator)
    known = getattr(last, "feature_names_in_", None)
    if given is None and known is None and hasattr(estimator, "steps") and len(estimator.steps) > 1:
        before = estimator[:-1]
        if hasattr(before, "get_feature_names_out"):
            known = before.get_feature_names_out()
    return checked_names(known if given is None else given, last.n_features_in_)


def checked_names(names: Any, n_features: int) -> list[str]:
    """Return a name for each feature, made up where none are given."""
    if names is None:
        return [f"x{feature}" for feature in range(n_features)]
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names for {n_features} features")
    return [str(name) for name in names]


def coef_of(coef: Any, classes: Any, label: Any) -> Any:
    """Return a class's part of coefficients (n_models, ...); None is the only model there is."""
    if label is None:
        return coef[0]
    found = np.flatnonzero(np.asarray(classes) == label)
    if found.size == 0:
        raise ValueError(f"class_of_interest={label!r} is not one of {list(classes)}")
    if len(coef) == 1:
        return coef[0] if found[0] == 1 else -coef[0]
    return coef[found[0]]


def ranks_of(sizes: Any) -> Any:
    """Return the place of each size among them, 0 for the largest."""
    ranks = np.empty(len(sizes), dtype=np.intp)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return ranks


def check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise where a value is none of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def spread_of(estimator: Any, X: Any) -> Any:
    """Return the standard deviation of each column that the model sees, or 1."""
    if X is None:
        return 1.0
    if hasattr(estimator, "steps") and len(estimator.steps) > 1:
        X = estimator[:-1].transform(X)
    return np.asarray(X, dtype=np.float64).std(axis=0)
