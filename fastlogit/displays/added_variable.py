"""What the rows say of one coefficient, the others held: an added-variable plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Vector
from ..plots import COLOURS
from .parts import GREY, Style, axes_of, drawn_on, grid_below, small_legend, small_title
from .residuals import against, diagnostics_of, some_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.diagnostics import Diagnostics
    from ..inference.inference import Inference

__all__ = ["AddedVariableDisplay"]


class AddedVariableDisplay:
    """A row's share in one coefficient: rows far out on the line carry it.

    Use `from_inference` to make one.

    Parameters
    ----------
    name : str
        Of the coefficient.
    column : ndarray of shape (n_samples,)
        What the other columns leave of it, in the weights of the fit.
    response : ndarray of shape (n_samples,)
        Pearson residuals, with the coefficient's part put back.
    coef, standard_error : float
    title : str, optional
        What the picture is of.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : Line2D
    line_ : Line2D
        Through 0; its slope is the coefficient.
    """

    def __init__(
        self, *, name: str, column: Vector, response: Vector, coef: float, standard_error: float,
        title: str | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.column = column
        self.response = response
        self.coef = coef
        self.standard_error = standard_error
        self.title = title

    @classmethod
    def from_inference(
        cls, inference: Inference | Diagnostics, name: str, *, ax: Axes | None = None,
        point_kw: Style = None,
    ) -> AddedVariableDisplay:  # fmt: skip
        """Draw the rows for one coefficient of a model of two classes.

        With the weights c = p (1 - p) of the fit the column is regressed on the others; its
        residuals times c^½ are drawn against Pearson residuals plus the coefficient times them. A
        line through 0 by least squares has the slope of the coefficient (Cook and Weisberg, 1982).

        Parameters
        ----------
        inference : Inference or Diagnostics
        name : str
            Of a coefficient.
        ax : Axes, optional
            Where to draw; a new figure by default.
        point_kw : dict, optional
            How the points look, for ``Axes.plot``.

        Returns
        -------
        AddedVariableDisplay

        Raises
        ------
        TypeError, ValueError
            If it is no inference, there are more than two classes, or no such coefficient.
        """
        found = diagnostics_of(inference, "AddedVariableDisplay.from_inference")
        column = found.added_variable(name)
        place = found.names.index(name)
        used = np.isfinite(column)
        coef = float(found.coef[place])
        display = cls(
            name=name,
            column=column[used],
            response=found.pearson[used] + coef * column[used],
            coef=coef,
            standard_error=float(found.standard_errors[place]),
            title=against(found),
        )
        return display.plot(ax, point_kw=point_kw)

    def plot(self, ax: Axes | None = None, *, point_kw: Style = None) -> AddedVariableDisplay:
        """Draw.

        Parameters
        ----------
        ax, point_kw
            See `from_inference`.

        Returns
        -------
        AddedVariableDisplay
            Itself.
        """
        ax = axes_of(ax, "AddedVariableDisplay")
        shown = some_rows(np.abs(self.column))
        look = {"color": COLOURS[0], "ms": 4, "mew": 0.0, "alpha": 0.45, **(point_kw or {})}
        (self.points_,) = ax.plot(
            self.column[shown], self.response[shown], ls="", marker="o", **look
        )
        ends = np.array([self.column.min(), self.column.max()])
        ax.axhline(0.0, color=GREY, lw=0.8)
        (self.line_,) = ax.plot(
            ends, self.coef * ends, color=COLOURS[5], lw=2,
            label=f"slope {self.coef:.4g}, standard error {self.standard_error:.4g}",
        )  # fmt: skip
        small_legend(ax, "best")
        grid_below(ax)
        small_title(ax, self.title)
        ax.set_xlabel(f"{self.name}, given the others")
        ax.set_ylabel("response, given the others")
        return drawn_on(self, ax)
