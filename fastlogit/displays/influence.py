"""Rows that draw the fit to themselves: residual against leverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Indices, Vector
from ..options import check_whole
from ..plots import COLOURS
from .parts import GREY, axes_of, drawn_on, grid_below, small_title
from .residuals import against, diagnostics_of, some_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.diagnostics import Diagnostics
    from ..inference.inference import Inference

__all__ = ["InfluenceDisplay"]

# Area of the largest bubble of so many, in square points; of more it is smaller.
LARGEST, FEW = 400.0, 500


class InfluenceDisplay:
    """Residuals against leverages; the area of a bubble is Cook's distance.

    Use `from_inference` to make one.

    Parameters
    ----------
    leverage, residual, cooks_distance : ndarray of shape (n_samples,)
        Residuals are studentised ones.
    rows : ndarray of shape (n_samples,)
        What each row is called.
    mean_leverage : float
        Coefficients over observations.
    title : str, optional
        What the picture is of.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    bubbles_ : PathCollection
    labels_ : list of Annotation
    labelled_ : ndarray
        The rows that have a name in the picture, from the largest distance on.
    """

    def __init__(
        self, *, leverage: Vector, residual: Vector, cooks_distance: Vector, rows: Array,
        mean_leverage: float, title: str | None = None,
    ) -> None:  # fmt: skip
        self.leverage = leverage
        self.residual = residual
        self.cooks_distance = cooks_distance
        self.rows = rows
        self.mean_leverage = mean_leverage
        self.title = title

    @classmethod
    def from_inference(
        cls, inference: Inference | Diagnostics, *, label: int = 5, ax: Axes | None = None
    ) -> InfluenceDisplay:
        """Draw the influence of the rows of a model of two classes.

        Of many rows those of the largest Cook's distances are drawn, and some of the others.

        Parameters
        ----------
        inference : Inference or Diagnostics
        label : int, default 5
            So many rows of the largest Cook's distances are named by their number.
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        InfluenceDisplay

        Raises
        ------
        TypeError, ValueError
            If it is no inference, there are more than two classes, or `label` is not possible.
        """
        found = diagnostics_of(inference, "InfluenceDisplay.from_inference")
        used = np.flatnonzero(np.isfinite(found.leverage))
        leverage = found.leverage[used]
        counts = found.outcomes.counts if found.outcomes.weights.is_frequency else 1.0
        display = cls(
            leverage=leverage,
            residual=found.studentized[used],
            cooks_distance=found.cooks_distance[used],
            rows=used,
            mean_leverage=float(np.average(leverage, weights=counts * np.ones(used.size))),
            title=against(found),
        )
        return display.plot(ax, label=label)

    def plot(self, ax: Axes | None = None, *, label: int = 5) -> InfluenceDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        label : int, default 5
            So many rows of the largest Cook's distances are named by their number.

        Returns
        -------
        InfluenceDisplay
            Itself.
        """
        label = check_whole("label", label, low=0)
        ax = axes_of(ax, "InfluenceDisplay")
        shown = some_rows(self.cooks_distance, 0.1)
        largest = float(self.cooks_distance.max()) or 1.0
        area = LARGEST * min(1.0, float(np.sqrt(FEW / shown.size)))
        self.bubbles_ = ax.scatter(
            self.leverage[shown], self.residual[shown],
            s=area * self.cooks_distance[shown] / largest + 4.0,
            color=COLOURS[0], alpha=0.4, lw=0.0,
        )  # fmt: skip
        ax.axhline(0.0, color="black", lw=0.8)
        for place in (2.0, -2.0):
            ax.axhline(place, color=GREY, lw=1.0, ls="--")
        for times in (2.0, 3.0):
            ax.axvline(times * self.mean_leverage, color=GREY, lw=1.0, ls="--")
        ax.margins(0.08, 0.12)
        order = np.argsort(-self.cooks_distance, kind="stable")[:label]
        self.labelled_ = self.rows[order]
        self.labels_ = _label(ax, self.leverage[order], self.residual[order], self.labelled_)
        grid_below(ax)
        ax.set_xlabel("leverage (dashed: 2 and 3 times the mean)")
        ax.set_ylabel("studentised residual")
        area_text = f"area: Cook's distance, largest {largest:.3g}"
        small_title(ax, f"{self.title}; {area_text}" if self.title else area_text)
        return drawn_on(self, ax)


def _label(ax: Axes, x: Vector, y: Vector, names: Array) -> list[object]:
    """Write names beside their points, away from 0 and from each other."""
    right = ax.get_xlim()[1]
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    placed: list[tuple[float, float]] = []
    labels: list[object] = []
    for across, up, name in zip(x, y, names, strict=True):
        side = 1.0 if up > 0.0 else -1.0
        turn = -1.0 if across > right - 0.12 * width else 1.0
        at = _free(placed, across + turn * 0.025 * width, up + side * 0.03 * height, width, height)
        placed.append(at)
        labels.append(
            ax.annotate(
                str(name), (across, up), at, fontsize="small", va="center",
                ha="left" if turn > 0.0 else "right",
                arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.6},
                bbox={"facecolor": "white", "alpha": 0.65, "edgecolor": "none", "pad": 0.6},
            )
        )  # fmt: skip
    return labels


def _free(
    placed: list[tuple[float, float]], x: float, y: float, width: float, height: float
) -> tuple[float, float]:
    """Return a place at or below (above, for negative y) one asked for, where no name is yet."""
    step = 0.045 * height * (-1.0 if y > 0.0 else 1.0)
    tries: Indices = np.arange(20)
    for times in tries:
        at = (x, y + float(times) * step)
        if all(abs(at[0] - a) > 0.09 * width or abs(at[1] - b) > 0.042 * height for a, b in placed):
            return at
    return x, y
