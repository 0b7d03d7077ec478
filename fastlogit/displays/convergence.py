"""Cost and what is proven of it, against passes and seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..arrays import Vector
from ..plots import COLOURS
from .parts import GRID, Style, axes_of, check_choice, drawn_on, fitted, last_step, of_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..result import FitResult

__all__ = ["ConvergenceDisplay"]

# An axis of passes or seconds that spans more than this ratio is logarithmic.
WIDE = 50.0


class ConvergenceDisplay:
    """How a fit came down to the optimum, and what was proven on the way.

    Use `from_estimator` or `from_result` to make one.

    Parameters
    ----------
    passes : ndarray of shape (n_iter + 1,)
        Passes over X at each cost.
    seconds : ndarray of shape (n_iter + 1,)
        Wall time at each cost.
    gap : ndarray of shape (n_iter + 1,)
        (cost - best cost) / best cost.
    bound : ndarray of shape (n_iter + 1,)
        Proven bound on (cost - optimum) / optimum; infinite where nothing was proven.
    name : str, optional
        For the legend.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
        The costs.
    bound_line_ : Line2D
        The proven bounds.
    """

    def __init__(
        self,
        *,
        passes: Vector,
        seconds: Vector | None,
        gap: Vector,
        bound: Vector,
        name: str | None = None,
    ) -> None:
        self.passes = passes
        self.seconds = seconds
        self.gap = gap
        self.bound = bound
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        *,
        against: Literal["passes", "seconds"] = "passes",
        best: float | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        line_kw: Style = None,
        bound_kw: Style = None,
    ) -> ConvergenceDisplay:
        """Draw the fit of an estimator, or of a pipeline that ends in one.

        Parameters
        ----------
        estimator : LogisticRegression, LogisticRegressionCV or Pipeline
            Fitted; the last step has the attribute `result_`.
        against : {"passes", "seconds"}, default "passes"
        best : float, optional
            Cost of the optimum; the lowest cost of the fit by default.
        name : str, optional
            For the legend; the name of the class by default.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw, bound_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
        """
        last = last_step(estimator)
        return cls.from_result(
            fitted(last, "result_"), against=against, best=best, name=name or type(last).__name__,
            ax=ax, line_kw=line_kw, bound_kw=bound_kw,
        )  # fmt: skip

    @classmethod
    def from_result(
        cls,
        result: FitResult,
        *,
        against: Literal["passes", "seconds"] = "passes",
        best: float | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        line_kw: Style = None,
        bound_kw: Style = None,
    ) -> ConvergenceDisplay:
        """Draw a fit.

        Parameters
        ----------
        result : FitResult
        against : {"passes", "seconds"}, default "passes"
        best : float, optional
            Cost of the optimum, the sum over the models of one-vs-all; the lowest cost of the fit
            by default.
        name : str, optional
            For the legend; the name of the solver by default.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw, bound_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
        """
        of_result("ConvergenceDisplay", result, "passes", "a FitResult")
        if result.passes is None or result.bounds is None:
            raise ValueError("the result does not say how its fit went: it has no passes or bounds")
        costs = result.history.reshape(len(result.history), -1)
        bounds = result.bounds.reshape(costs.shape)
        total = costs.sum(axis=1)
        floor = float(total.min()) if best is None else best
        # An optimum is at least cost / (1 + bound): zero, where nothing was proven of a model.
        lowest = (costs / (1.0 + bounds)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            lacks = np.where(np.isinf(bounds), costs, costs * bounds / (1.0 + bounds)).sum(axis=1)
            bound = lacks / lowest
        display = cls(
            passes=result.passes, seconds=result.times, gap=(total - floor) / floor, bound=bound,
            name=result.solver if name is None else name,
        )  # fmt: skip
        return display.plot(ax, against=against, line_kw=line_kw, bound_kw=bound_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        against: Literal["passes", "seconds"] = "passes",
        name: str | None = None,
        line_kw: Style = None,
        bound_kw: Style = None,
    ) -> ConvergenceDisplay:
        """Draw; several fits share one `ax`.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        against : {"passes", "seconds"}, default "passes"
        name : str, optional
            For the legend.
        line_kw, bound_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
            Itself.
        """
        check_choice("against", against, ("passes", "seconds"))
        ax = axes_of(ax, "ConvergenceDisplay")
        x = np.asarray(self.passes if against == "passes" else self.seconds, dtype=np.float64)
        label = self.name if name is None else name
        others = len(ax.lines) // 2
        colour = COLOURS[others % len(COLOURS)]
        look = {"color": colour, "lw": 2, "label": label, **(line_kw or {})}
        # Rounding errors of the cost itself are no distance from the optimum.
        gap, shown = np.asarray(self.gap), np.asarray(self.gap) > np.finfo(float).eps
        (self.line_,) = ax.plot(x[shown], gap[shown], **look)
        bound = np.asarray(self.bound)
        proven = np.isfinite(bound) & (bound > 0.0)
        look = {
            "color": self.line_.get_color(), "ls": ":", "marker": "v", "ms": 8, "mec": "black",
            "label": "_proven bound", **(bound_kw or {}),
        }  # fmt: skip
        (self.bound_line_,) = ax.plot(x[proven], bound[proven], **look)
        ends = [x[x > 0.0].min(), x.max()] if (x > 0.0).any() else [1.0, 1.0]
        if ends[1] > WIDE * ends[0] and x[0] > 0.0:
            ax.set_xscale("log")
        ax.set(yscale="log", ylabel="(cost - optimum) / optimum")
        ax.set_xlabel("passes over X" if against == "passes" else "seconds")
        ax.grid(True, which="major", **GRID)
        handles, names = ax.get_legend_handles_labels()
        # Above: curves and bounds of several fits leave no corner free for sure.
        ax.legend(
            [*handles, self.bound_line_], [*names, "proven bound"], loc="lower center",
            bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small",
        )  # fmt: skip
        return drawn_on(self, ax)
