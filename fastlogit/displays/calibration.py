"""Whether probabilities mean what they say: the calibration curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import ArrayLike
from ..inference.calibration import Calibration, calibration
from ..plots import COLOURS
from .parts import GREY, Style, axes_of, drawn_on, grid_below, small_legend, small_title
from .residuals import against, diagnostics_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.diagnostics import Diagnostics
    from ..inference.inference import Inference

__all__ = ["CalibrationDisplay"]

N_BARS = 40
# Share of the height that the histogram below takes.
BARS_HEIGHT = 0.16


class CalibrationDisplay:
    """Share of events against predicted probability, with intervals and a histogram.

    Use `from_inference` or `from_predictions` to make one.

    Parameters
    ----------
    calibration : Calibration
    name : str, optional
        For the legend.
    title : str, optional
        What the picture is of.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
        The curve.
    intervals_ : LineCollection
        Of the shares.
    bars_ : BarContainer
        How many observations have such a probability.
    """

    def __init__(
        self, *, calibration: Calibration, name: str | None = None, title: str | None = None
    ) -> None:
        self.calibration = calibration
        self.name = name
        self.title = title

    @classmethod
    def from_inference(
        cls, inference: Inference | Diagnostics, *, n_bins: int = 10, name: str | None = None,
        ax: Axes | None = None, line_kw: Style = None,
    ) -> CalibrationDisplay:  # fmt: skip
        """Draw how a model of two classes agrees with its own rows.

        Parameters
        ----------
        inference : Inference or Diagnostics
        n_bins : int, default 10
        name : str, optional
            For the legend.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw : dict, optional
            How the curve looks, for ``Axes.plot``.

        Returns
        -------
        CalibrationDisplay

        Raises
        ------
        TypeError, ValueError
            If it is no inference, there are more than two classes, or `n_bins` is not possible.
        """
        rows = diagnostics_of(inference, "CalibrationDisplay.from_inference")
        found, title = rows.calibration(n_bins), against(rows)
        return cls(calibration=found, name=name, title=title).plot(ax, line_kw=line_kw)

    @classmethod
    def from_predictions(
        cls, y: ArrayLike, proba: ArrayLike, *, sample_weight: ArrayLike = None,
        weights: str | None = None, n_bins: int = 10, name: str | None = None,
        ax: Axes | None = None, line_kw: Style = None,
    ) -> CalibrationDisplay:  # fmt: skip
        """Draw how predictions of any model agree with labels; see `fastlogit.calibration`.

        Parameters
        ----------
        y, proba, sample_weight, weights, n_bins
            As `fastlogit.calibration` takes them.
        name, ax, line_kw
            See `from_inference`.

        Returns
        -------
        CalibrationDisplay
        """
        found = calibration(y, proba, sample_weight=sample_weight, weights=weights, n_bins=n_bins)
        return cls(calibration=found, name=name).plot(ax, line_kw=line_kw)

    def plot(self, ax: Axes | None = None, *, line_kw: Style = None) -> CalibrationDisplay:
        """Draw; several curves share one `ax`.

        Parameters
        ----------
        ax, line_kw
            See `from_inference`.

        Returns
        -------
        CalibrationDisplay
            Itself.
        """
        found = self.calibration
        ax = axes_of(ax, "CalibrationDisplay", height=5.2)
        others = sum(line.get_label() != "_ideal" for line in ax.lines)
        if not others:
            ax.plot([0.0, 1.0], [0.0, 1.0], color=GREY, lw=1.2, ls="--", label="_ideal")
        colour = COLOURS[others % len(COLOURS)]
        said = f"slope {found.slope:.2f}, intercept {found.intercept:.2f}, Brier {found.brier:.3f}"
        said = said.replace("-0.00", "0.00")
        label = said if self.name is None else f"{self.name}: {said}"
        look = {
            "color": colour,
            "marker": "o",
            "ms": 5,
            "lw": 1.5,
            "label": label,
            **(line_kw or {}),
        }
        (self.line_,) = ax.plot(found.predicted, found.observed, **look)
        self.intervals_ = ax.vlines(
            found.predicted, found.low, found.high, color=self.line_.get_color(), lw=1.2
        )
        heights, edges = np.histogram(
            found.probability, N_BARS, (0.0, 1.0), weights=found.sample_weight
        )
        self.bars_ = ax.bar(
            edges[:-1], BARS_HEIGHT * heights / heights.max(), np.diff(edges), -0.02 - BARS_HEIGHT,
            align="edge", color=self.line_.get_color(), alpha=0.35, lw=0.0,
        )  # fmt: skip
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.03 - BARS_HEIGHT, 1.02)
        ax.set_yticks(np.linspace(0.0, 1.0, 6))
        grid_below(ax)
        small_title(ax, self.title)
        small_legend(ax, "upper left")
        ax.set_xlabel("predicted probability (below: how many have it)")
        ax.set_ylabel("share of events, 95 % intervals")
        return drawn_on(self, ax)
