"""Residuals against what was fitted: binned, or each row's deviance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arrays import Indices, Vector
from ..inference.calibration import groups_of, totals_of
from ..options import check_whole
from ..plots import COLOURS
from .parts import (
    GREY,
    Style,
    axes_of,
    check_choice,
    drawn_on,
    grid_below,
    inference_of,
    small_legend,
    small_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.diagnostics import Diagnostics
    from ..inference.inference import Inference

__all__ = ["ResidualsDisplay", "against", "diagnostics_of", "some_rows"]

# Rows that are drawn at the most: more are a blot.
MOST_POINTS = 5000
MOST_BINS = 100


class ResidualsDisplay:
    """Whether residuals are around 0 wherever the model predicts.

    Use `from_inference` to make one.

    Parameters
    ----------
    probability, linear_predictor : ndarray of shape (n_samples,)
    residual : ndarray of shape (n_samples,)
        Events less probabilities.
    deviance : ndarray of shape (n_samples,)
        Standardised deviance residuals.
    counts : ndarray of shape (n_samples,)
        Weights of the rows; 1 for none.
    weights : {"frequency", "probability", "analytic"}, default "frequency"
        What the weights are, as in `infer`.
    title : str, optional
        What the picture is of.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : Line2D
        Bins, or rows.
    line_ : Line2D or None
        Of rows the mean residual along the linear predictor.
    bounds_ : list of Line2D
        Of bins where 95 % of them are if the model is right.
    """

    def __init__(
        self, *, probability: Vector, linear_predictor: Vector, residual: Vector,
        deviance: Vector, counts: Vector, weights: str = "frequency", title: str | None = None,
    ) -> None:  # fmt: skip
        self.probability = probability
        self.linear_predictor = linear_predictor
        self.residual = residual
        self.deviance = deviance
        self.counts = counts
        self.weights = weights
        self.title = title

    @classmethod
    def from_inference(
        cls,
        inference: Inference | Diagnostics,
        *,
        kind: Literal["binned", "deviance"] = "binned",
        n_bins: int | None = None,
        ax: Axes | None = None,
        point_kw: Style = None,
    ) -> ResidualsDisplay:
        """Draw the residuals of a model of two classes.

        Parameters
        ----------
        inference : Inference or Diagnostics
        kind : {"binned", "deviance"}, default "binned"
            "binned" draws the mean of events less probabilities over bins of about as many rows,
            with the bounds that hold 95 % of them if the model is right (Gelman and Hill, 2007,
            section 5.6). "deviance" draws each row's standardised deviance residual against the
            linear predictor, at most 5,000 of them, and their mean.
        n_bins : int, optional
            Bins, of the mean too. By default the root of the number of rows, between 5 and 100.
        ax : Axes, optional
            Where to draw; a new figure by default.
        point_kw : dict, optional
            How the points look, for ``Axes.plot``.

        Returns
        -------
        ResidualsDisplay

        Raises
        ------
        TypeError, ValueError
            If it is no inference, there are more than two classes, or an option is not possible.
        """
        found = diagnostics_of(inference, "ResidualsDisplay.from_inference")
        outcomes = found.outcomes
        used = np.isfinite(found.deviance)
        display = cls(
            probability=outcomes.probability,
            linear_predictor=outcomes.linear_predictor,
            residual=outcomes.events - outcomes.probability,
            deviance=found.standardized_deviance[used],
            counts=outcomes.counts,
            weights=outcomes.weights.kind,
            title=against(found),
        )
        return display.plot(ax, kind=kind, n_bins=n_bins, point_kw=point_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["binned", "deviance"] = "binned",
        n_bins: int | None = None,
        point_kw: Style = None,
    ) -> ResidualsDisplay:
        """Draw.

        Parameters
        ----------
        ax, kind, n_bins, point_kw
            See `from_inference`.

        Returns
        -------
        ResidualsDisplay
            Itself.
        """
        check_choice("kind", kind, ("binned", "deviance"))
        ax = axes_of(ax, "ResidualsDisplay")
        if n_bins is None:
            n_bins = int(np.clip(np.sqrt(self.residual.size), 5, MOST_BINS))
        n_bins = check_whole("n_bins", n_bins, low=1)
        self.line_: Any = None
        self.bounds_: list[Any] = []
        ax.axhline(0.0, color="black", lw=0.8)
        look = {"color": COLOURS[0], "ls": "", "marker": "o", **(point_kw or {})}
        if kind == "binned":
            self._plot_bins(ax, n_bins, look)
        else:
            self._plot_rows(ax, n_bins, look)
        grid_below(ax)
        small_title(ax, self.title)
        return drawn_on(self, ax)

    def _plot_bins(self, ax: Axes, n_bins: int, look: dict[str, Any]) -> None:
        groups = groups_of(self.probability, self.counts, n_bins)
        count = totals_of(groups, self.counts)
        middle = totals_of(groups, self.counts * self.probability) / count
        mean = totals_of(groups, self.counts * self.residual) / count
        spread = self.counts * self.probability * (1.0 - self.probability)
        if self.weights == "probability":
            # A row is one observation, whatever its weight; else its variance is over its weight.
            spread *= self.counts
        bound = 2.0 * np.sqrt(totals_of(groups, spread)) / count
        for side, label in ((bound, "95 % of the bins, if the model is right"), (-bound, None)):
            self.bounds_ += ax.plot(middle, side, color=GREY, lw=1.5, label=label)
        (self.points_,) = ax.plot(middle, mean, **{"ms": 5, **look})
        ax.set_xlabel("mean probability of the bin")
        ax.set_ylabel("mean of event - probability")
        ax.margins(y=0.14)
        small_legend(ax, "upper right")

    def _plot_rows(self, ax: Axes, n_bins: int, look: dict[str, Any]) -> None:
        shown = some_rows(np.abs(self.deviance))
        points = {"ms": 4, "mew": 0.0, "alpha": 0.35, **look}
        (self.points_,) = ax.plot(
            self.linear_predictor[shown],
            self.deviance[shown],
            **points,
        )
        # A residual has the weight of its row in it, but for rows that stand for several.
        counts = self.counts if self.weights == "frequency" else np.ones(self.counts.size)
        groups = groups_of(self.linear_predictor, counts, n_bins)
        count = totals_of(groups, counts)
        (self.line_,) = ax.plot(
            totals_of(groups, counts * self.linear_predictor) / count,
            totals_of(groups, counts * self.deviance) / count,
            color=COLOURS[5], lw=2, label="mean",
        )  # fmt: skip
        small_legend(ax, "best")
        ax.set_xlabel("linear predictor (log-odds)")
        ax.set_ylabel("standardised deviance residual")


def diagnostics_of(inference: Inference | Diagnostics, who: str) -> Diagnostics:
    """Return the diagnostics of a model of two classes.

    Raises
    ------
    TypeError, ValueError
        If it is neither an inference nor its diagnostics, or there are more classes.
    """
    from ..inference.diagnostics import Diagnostics

    found = inference
    if not isinstance(found, Diagnostics):
        found = inference_of(inference, who).diagnostics()
    found.refuse_softmax("a picture of residuals")
    return found


def against(found: Diagnostics) -> str:
    """Return which class is the event, and which is not."""
    return f"{found.classes[1]} against {found.classes[0]}"


def some_rows(sizes: Vector, share: float = 0.01) -> Indices:
    """Return the rows that are drawn: all, or of many the largest and every so many of the rest.

    The largest are a share of those drawn: where it is not small they look like a cluster.
    """
    if sizes.size <= MOST_POINTS:
        return np.arange(sizes.size)
    n_largest = int(share * MOST_POINTS)
    largest = np.argpartition(-sizes, n_largest)[:n_largest]
    every = np.linspace(0, sizes.size - 1, MOST_POINTS - largest.size).astype(np.int64)
    return np.union1d(largest, every)
