"""Pictures of fits: every function draws into a matplotlib ``Axes`` that it is given.

matplotlib is never imported here: who has an Axes has it.  No window is opened, no backend is
chosen and no global state is touched, so that the functions work in scripts, notebooks and
threads alike.  Colours are from Okabe and Ito (2008), which colour-blind readers can tell apart;
classes differ by marker as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastlogit.arrays import ArrayLike, Floats, Indices
from fastlogit.elementwise import sigmoid
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = [
    "COLOURS",
    "plot_coef_image",
    "plot_confusion",
    "plot_cost_history",
    "plot_decision_boundary",
    "plot_one_feature",
    "plot_sigmoid",
]

# How something looks: keyword arguments of matplotlib.
Look: TypeAlias = dict[str, Any]

#: Blue, orange, green, purple, sky, vermilion, yellow, black.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
MARKERS = "o^sDvP*X"
_GREY = "#555555"


def plot_sigmoid(ax: Axes, *, limit: float = 6.0) -> None:
    """Draw h = 1 / (1 + e^-z) and say where it decides.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    limit : float
        z runs from -limit to limit.
    """
    z = np.linspace(-limit, limit, 401)
    ax.axhspan(0.5, 1.0, color=COLOURS[1], alpha=0.12, lw=0)
    ax.axhspan(0.0, 0.5, color=COLOURS[0], alpha=0.12, lw=0)
    ax.plot(z, sigmoid(z), color="black", lw=2)
    ax.plot(0.0, 0.5, "o", color="black", ms=7)
    ax.annotate("z = 0, h = 0.5", (0.0, 0.5), (0.7, 0.44), va="center")
    ax.text(-limit * 0.93, 0.93, "predict 1", va="top", color=_GREY)
    ax.text(limit * 0.93, 0.07, "predict 0", ha="right", color=_GREY)
    ax.set(xlim=(-limit, limit), ylim=(0, 1))
    ax.set(xlabel="z = intercept + coef · x", ylabel="hypothesis h = 1 / (1 + e$^{-z}$)")


def plot_cost_history(
    results: Mapping[str, FitResult | ArrayLike], ax: Axes, *, best: float | None = None
) -> None:
    """Draw, on logarithmic axes, how far above the lowest cost each iteration is.

    Parameters
    ----------
    results : mapping of str to FitResult or array-like of shape (n_iter + 1,)
        Fits of the same cost, or their cost histories, under the names for the legend.  The
        costs of several classes, shape (n_iter + 1, n_classes), are added up.
    ax : Axes
        Where to draw.
    best : float, optional
        The lowest cost; by default the lowest in all histories.  It is better to give the cost
        of a long fit: the last steps of the longest history would else plunge to zero.
    """
    histories = {label: _history(result) for label, result in results.items()}
    lowest = min(float(history.min()) for history in histories.values())
    floor = lowest if best is None else min(best, lowest)
    for k, (label, history) in enumerate(histories.items()):
        above = history - floor
        shown = above > np.finfo(float).eps * max(abs(floor), 1.0)
        iterations = np.arange(1, len(history) + 1)
        ax.plot(iterations[shown], above[shown], color=COLOURS[k % len(COLOURS)], lw=2, label=label)
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="costs computed, one an iteration", ylabel="cost above its minimum")
    ax.grid(True, which="major", color="#dddddd", lw=0.7)
    ax.legend(frameon=False, loc="upper right")  # costs fall: this corner stays free


def _history(result: FitResult | ArrayLike) -> Floats:
    """Return one cost per iteration."""
    history = np.asarray(result.history if isinstance(result, FitResult) else result, np.float64)
    return history if history.ndim == 1 else np.asarray(history.sum(axis=1))


def plot_decision_boundary(
    result: FitResult,
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes,
    *,
    transform: Callable[[Floats], ArrayLike] | None = None,
    feature_names: Sequence[str] = ("x1", "x2"),
    class_names: Sequence[str] | None = None,
    n_grid: int = 300,
) -> None:
    """Draw two features, coloured by class, over the regions in which each class is predicted.

    Parameters
    ----------
    result : FitResult
        A fit to `X`, or to ``transform(X)``.
    X : array-like of shape (n_samples, 2)
        The two features, before `transform`.
    y : array-like of shape (n_samples,)
        Labels, as in ``result.classes``.
    ax : Axes
        Where to draw.
    transform : callable, optional
        Takes an array of shape (n_points, 2) and returns the features of the fit, for instance
        the ``transform`` of scikit-learn's PolynomialFeatures.
    feature_names : sequence of 2 str
        Labels of the axes.
    class_names : sequence of str, optional
        Names for the legend, in the order of ``result.classes``; by default the labels.
    n_grid : int
        The plane is sampled at n_grid x n_grid points.

    Raises
    ------
    ValueError
        If X has not two columns.
    """
    X, y = np.asarray(X, np.float64), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"X must have shape (n_samples, 2), found {X.shape}")
    xs, ys = _grid_lines(X[:, 0], n_grid), _grid_lines(X[:, 1], n_grid)
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(xs, ys)])
    rows = grid if transform is None else transform(grid)
    codes = np.searchsorted(result.classes, result.predict(rows))
    _paint_regions(ax, xs, ys, codes, result.predict_proba(rows))
    for k, label in enumerate(result.classes):
        name = str(label) if class_names is None else class_names[k]
        ax.plot(*X[y == label].T, **_points(k), label=name)
    ax.set(xlabel=feature_names[0], ylabel=feature_names[1])


def _grid_lines(values: Floats, n_grid: int) -> Floats:
    """Return evenly spaced coordinates a little beyond the values on both sides."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low or 1.0)
    return np.linspace(low - margin, high + margin, n_grid)


def _paint_regions(
    ax: Axes,
    xs: Floats,
    ys: Floats,
    codes: Indices,
    proba: Floats,
) -> None:
    """Colour the plane by the number of the predicted class and draw lines between the classes."""
    shape = (len(ys), len(xs))
    palette = np.array([_pale(COLOURS[k % len(COLOURS)]) for k in range(proba.shape[1])])
    image = palette[codes.reshape(shape)]
    extent = (xs[0], xs[-1], ys[0], ys[-1])
    ax.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    for k in range(proba.shape[1] if proba.shape[1] > 2 else 1):
        # Where a class's hypothesis equals the largest of the others it gains or loses the plane.
        lead = proba[:, k] - np.delete(proba, k, axis=1).max(axis=1)
        if lead.min() < 0 < lead.max():
            ax.contour(xs, ys, lead.reshape(shape), levels=[0.0], colors="black", linewidths=1.5)


def _pale(colour: str) -> tuple[float, ...]:
    """Return a colour mixed with white, as red, green, blue in [0, 1]."""
    parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return tuple(0.2 * part + 0.8 for part in parts)


def _points(k: int) -> Look:
    """Return the look of the points of class number k."""
    return {
        "ls": "",
        "marker": MARKERS[k % len(MARKERS)],
        "ms": 5,
        "color": COLOURS[k % len(COLOURS)],
        "mec": "white",
        "mew": 0.5,
        "alpha": 0.85,
    }


def plot_one_feature(
    x: ArrayLike,
    y: ArrayLike,
    curves: Mapping[str, Callable[[Floats], ArrayLike]],
    ax: Axes,
    *,
    limits: tuple[float, float],
    feature_name: str = "x",
    class_names: Sequence[str] = ("0", "1"),
) -> None:
    """Draw one feature against a class of 0 or 1 with the curves of some classifiers.

    Where a curve passes 0.5, that is where its classifier changes its mind, a line goes down.

    Parameters
    ----------
    x : array-like of shape (n_samples,)
        The feature.
    y : array-like of shape (n_samples,)
        0 or 1.
    curves : mapping of str to callable
        Each takes an array of feature values and returns the predicted values, under its name
        for the legend.
    ax : Axes
        Where to draw.
    limits : (float, float)
        Range of the feature to draw.
    feature_name : str
        Label of the axis.
    class_names : sequence of 2 str
        Names of classes 0 and 1.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y)
    spread = np.random.default_rng(0)  # points of one class would lie on top of each other
    for k, (low, high) in enumerate(((-0.14, -0.03), (1.03, 1.14))):
        values = x[y == k]
        ax.plot(values, spread.uniform(low, high, len(values)), **_points(k) | {"ms": 4})
    grid = np.linspace(*limits, 2001)
    for k, (name, curve) in enumerate(curves.items()):
        look: Look = {"color": ("black", COLOURS[2])[k % 2], "ls": ("--", "-")[k % 2]}
        heights = np.asarray(curve(grid))
        before = np.flatnonzero(np.diff(heights >= 0.5))
        rise = heights[before + 1] - heights[before]
        crossings = grid[before] + (0.5 - heights[before]) / rise * (grid[1] - grid[0])
        label = name + "".join(f", boundary {crossing:.1f}" for crossing in crossings)
        ax.plot(grid, heights, lw=2, label=label, **look)
        ax.vlines(crossings, -0.2, 0.5, lw=1.5, **look)
    ax.axhline(0.5, color=_GREY, lw=0.7, ls=":")
    ax.set(xlim=limits, ylim=(-0.2, 1.2), xlabel=feature_name)
    ax.set_yticks([0, 0.5, 1], [f"0 {class_names[0]}", "0.5", f"1 {class_names[1]}"])


def plot_coef_image(
    coef: ArrayLike, shape: tuple[int, int], ax: Axes, *, limit: float | None = None
) -> AxesImage:
    """Draw the coefficients of one class as an image of the size of the pictures it was fitted to.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        One column of ``FitResult.coef``.
    shape : (int, int)
        Rows and columns of the picture; their product is n_features.
    ax : Axes
        Where to draw.
    limit : float, optional
        The coefficient of the strongest colour; by default the largest in `coef`.  Give the
        same for several classes to compare them.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    values = np.asarray(coef, np.float64).reshape(shape)
    limit = float(np.abs(values).max()) if limit is None else limit
    image = ax.imshow(values, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    return image


def plot_confusion(matrix: ArrayLike, class_names: Iterable[object], ax: Axes) -> None:
    """Draw how many rows of each class were predicted as which.

    Parameters
    ----------
    matrix : array-like of shape (n_classes, n_classes)
        Counts: rows are the true classes, columns the predicted ones.
    class_names : iterable
        Names of the classes.
    ax : Axes
        Where to draw.
    """
    counts = np.asarray(matrix)
    names = [str(name) for name in class_names]
    ax.imshow(np.sqrt(counts), cmap="Blues", interpolation="nearest")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            white = np.sqrt(count) > 0.6 * np.sqrt(counts.max())
            ax.text(j, i, str(count), ha="center", va="center", color="white" if white else "black")
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="predicted", ylabel="true")
