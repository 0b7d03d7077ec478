"""Coefficients with their intervals: a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Floats, Matrix, Vector
from ..inference.estimates import TabledEstimates
from ..inference.summary import title_text
from ..plots import COLOURS
from .parts import GREY, Style, axes_of, drawn_on, grid_below, inference_of, small_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.inference import Inference
    from ..relatives.conditional_result import ConditionalLogit
    from ..relatives.ordinal import OrdinalResult

__all__ = ["ForestDisplay"]

# A ratio farther from 1 than this many times is an arrow at the edge of the picture.
FARTHEST = 1e4
# What the constructor draws, for other models than those that have an Inference.
OF_NUMBERS = (
    "; a ConditionalLogit and an OrdinalResult too; of other models give the numbers: "
    "ForestDisplay(names=..., coef=..., intervals=..., level=0.95).plot()"
)


class ForestDisplay:
    """Coefficients, or odds ratios, with confidence intervals: a line for each.

    Use `from_inference` to make one.

    Parameters
    ----------
    names : sequence of str
    coef : ndarray of shape (n_coefficients,)
    intervals : ndarray of shape (n_coefficients, 2)
        May be infinite on a side: an arrow is drawn there.
    level : float
    effect : str, default "odds ratio"
        What the exponential of a coefficient is.
    title : str, optional
        What the picture is of.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : list of Line2D
        Estimates: those whose interval holds 0 are hollow.
    lines_ : LineCollection
        Intervals.
    """

    def __init__(
        self, *, names: Sequence[str], coef: Vector, intervals: Matrix, level: float,
        effect: str = "odds ratio", title: str | None = None,
    ) -> None:  # fmt: skip
        self.names = names
        self.coef = coef
        self.intervals = intervals
        self.level = level
        self.effect = effect
        self.title = title

    @classmethod
    def from_inference(
        cls, inference: Inference | ConditionalLogit | OrdinalResult, *,
        names: str | Sequence[str] | None = None, level: float = 0.95, odds_ratio: bool = True,
        intercept: bool = False, ax: Axes | None = None, point_kw: Style = None,
    ) -> ForestDisplay:  # fmt: skip
        """Draw the coefficients of an inference.

        Parameters
        ----------
        inference : Inference, ConditionalLogit or OrdinalResult
        names : str or sequence of str, optional
            Coefficients to draw, from the top; all by default. The name of a categorical column is
            all of its levels.
        level : float, default 0.95
            Of the intervals.
        odds_ratio : bool, default True
            Draw exponentials on a logarithmic axis.
        intercept : bool, default False
            Draw intercepts (or thresholds) too, where `names` are not given.
        ax : Axes, optional
            Where to draw; a new figure, as high as the lines need, by default.
        point_kw : dict, optional
            How the estimates look, for ``Axes.plot``.

        Returns
        -------
        ForestDisplay

        Raises
        ------
        TypeError, ValueError
            If it is no such inference, a name is not that of a coefficient, or odds ratios are
            asked of another link.
        """
        if not isinstance(inference, TabledEstimates) or not hasattr(inference, "terms"):
            inference_of(inference, "ForestDisplay.from_inference", OF_NUMBERS)
        link = getattr(inference, "link", "logit")
        if odds_ratio and link != "logit":
            raise ValueError(
                f"link={link!r} has no odds ratios; give odds_ratio=False, which draws coefficients"
            )
        places = _places(inference, names, intercept)
        display = cls(
            names=[inference.names[place] for place in places],
            coef=inference._values[places],
            intervals=inference.conf_int(level=level)[places],
            level=level,
            effect=_effect_of(inference),
            title=_title_of(inference),
        )
        return display.plot(ax, odds_ratio=odds_ratio, point_kw=point_kw)

    def plot(
        self, ax: Axes | None = None, *, odds_ratio: bool = True, point_kw: Style = None
    ) -> ForestDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure, as high as the lines need, by default.
        odds_ratio : bool, default True
            Draw exponentials on a logarithmic axis.
        point_kw : dict, optional
            How the estimates look, for ``Axes.plot``.

        Returns
        -------
        ForestDisplay
            Itself.
        """
        ax = axes_of(ax, "ForestDisplay", height=1.1 + 0.28 * len(self.names))
        heights = np.arange(len(self.names))
        limit = np.log(FARTHEST) if odds_ratio else np.inf
        reach = _reach(self.coef, self.intervals, limit)
        low, high = np.clip(self.intervals, *reach).T
        middle, at = (1.0, np.exp) if odds_ratio else (0.0, np.asarray)
        ax.axvline(middle, color=GREY, lw=1.0, zorder=0)
        self.lines_ = ax.hlines(heights, at(low), at(high), color=COLOURS[0], lw=2.0, zorder=2)
        self.points_ = []
        inside = (self.coef >= reach[0]) & (self.coef <= reach[1])
        away = (self.intervals[:, 0] > 0.0) | (self.intervals[:, 1] < 0.0)
        for which, fill in ((inside & away, COLOURS[0]), (inside & ~away, "white")):
            look = {"color": COLOURS[0], "mfc": fill, "ms": 7, "mew": 1.5, **(point_kw or {})}
            self.points_ += ax.plot(
                at(self.coef[which]), heights[which], ls="", marker="o", zorder=3, **look
            )
        # Arrows where an interval goes on: at its end, or at the edge that it lies beyond.
        for side, cut, place in (
            ("<", self.intervals[:, 0] < reach[0], low),
            (">", self.intervals[:, 1] > reach[1], high),
        ):
            ax.plot(at(place[cut]), heights[cut], ls="", marker=side, color=COLOURS[0], ms=8)
        ax.set_yticks(heights, [str(name) for name in self.names])
        ax.set_ylim(len(heights) - 0.4, -0.6)
        if odds_ratio:
            _logarithmic(ax, float(np.exp(reach[0])), float(np.exp(reach[1])))
        grid_below(ax, "x")
        what = f"{self.effect} (logarithmic axis)" if odds_ratio else "coefficient"
        small_title(ax, self.title)
        ax.set_xlabel(f"{what} with {100.0 * self.level:g} % interval")
        return drawn_on(self, ax)


def _effect_of(inference: Inference | ConditionalLogit | OrdinalResult) -> str:
    """Return what the exponential of a coefficient is: of ordered classes an odds ratio, too."""
    from ..inference.inference import Inference

    is_multinomial = isinstance(inference, Inference) and len(inference.classes) > 2
    return "relative-risk ratio" if is_multinomial else "odds ratio"


def _title_of(inference: Inference | ConditionalLogit | OrdinalResult) -> str | None:
    """Return what the coefficients are of, where the inference knows it."""
    from ..inference.inference import Inference

    return title_text(inference) if isinstance(inference, Inference) else None


def _places(
    inference: Inference | ConditionalLogit | OrdinalResult,
    names: str | Sequence[str] | None,
    intercept: bool,
) -> list[int]:
    known = inference.names
    if names is None:
        of_terms = {place for places in inference.terms.values() for place in places}
        return [place for place in range(len(known)) if intercept or place in of_terms]
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise ValueError("names has no coefficient to draw; leave it out to draw all")
    places: list[int] = []
    for name in names:
        if name in inference.terms:
            places += inference.terms[name]
        elif name in known:
            places.append(known.index(name))
        else:
            raise ValueError(
                f"names has {name!r}, which is no coefficient; there are {', '.join(known[:20])}"
                f"{' ...' * (len(known) > 20)}"
            )
    return places


def _reach(coef: Floats, intervals: Floats, limit: float) -> tuple[float, float]:
    """Return where the picture ends: at the ends that are finite and within the limit."""
    values = np.concatenate([coef, intervals.ravel(), [0.0]])
    shown = values[np.isfinite(values)]
    shown = np.clip(shown, -limit, limit)
    room = 0.08 * float(np.ptp(shown)) or 1.0
    more = room if np.isinf(intervals).any() else 0.0
    return float(shown.min()) - more, float(shown.max()) + more


def _logarithmic(ax: Axes, low: float, high: float) -> None:
    """Give an axis of ratios ticks as 0.5, 1, 2, that do not overlap."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    ax.set_xscale("log")
    decades = np.log10(high / low)
    steps: tuple[float, ...] = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    if decades < 0.7:
        steps = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    powers = np.arange(np.floor(np.log10(low)) - 1.0, np.ceil(np.log10(high)) + 1.0)
    ticks = np.unique([step * 10.0**power for power in powers for step in steps])
    ax.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    margin = (high / low) ** 0.05
    ax.set_xlim(low / margin, high * margin)
