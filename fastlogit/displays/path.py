"""Coefficients against the strength of the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import ArrayLike, Floats, Indices, Integers, Labels, Matrix, Vector
from ..plots import COLOURS, Look
from .parts import (
    GREY,
    GRID,
    Style,
    axes_of,
    checked_names,
    coef_of,
    drawn_on,
    fitted,
    last_step,
    names_of,
    of_result,
    ranks_of,
    spread_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axes._secondary_axes import SecondaryAxis
    from matplotlib.lines import Line2D

    from ..fitting.path import PathResult

__all__ = ["RegularizationPathDisplay"]

# Lines of a path that differ in colour or dash, and so have a name in the legend.
DASHES = ("-", "--")
# Numbers of coefficients along the top, at the most.
COUNTS = 9


class RegularizationPathDisplay:
    """Coefficients against C, from the strongest penalty to the weakest.

    Use `from_estimator` or `from_result` to make one.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
    coefs : ndarray of shape (n_Cs, n_models, n_features)
    classes : ndarray of shape (n_classes,)
    feature_names : sequence of str
    C : float, optional
        The chosen one, for a vertical line.
    n_nonzero : ndarray of shape (n_Cs,), optional
        How many columns have a coefficient, for numbers along the top.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D
        One for each feature, in their order.
    chosen_line_ : Line2D or None
        At `C`.
    count_axis_ : SecondaryAxis or None
        Along the top, with `n_nonzero`.
    """

    def __init__(
        self,
        *,
        Cs: Vector,
        coefs: Floats,
        classes: Labels,
        feature_names: Sequence[str],
        C: float | None = None,
        n_nonzero: Integers | None = None,
    ) -> None:
        self.Cs = Cs
        self.coefs = coefs
        self.classes = classes
        self.feature_names = feature_names
        self.C = C
        self.n_nonzero = n_nonzero

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        *,
        X: ArrayLike = None,
        feature_names: Sequence[str] | None = None,
        class_of_interest: object = None,
        top: int = 8,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> RegularizationPathDisplay:
        """Draw the mean over the folds of a fitted LogisticRegressionCV.

        Of the share of L1 with the best score. With L1, the mean number of columns that have a
        coefficient stands along the top.

        Parameters
        ----------
        estimator : LogisticRegressionCV, or Pipeline that ends in one
            Fitted.
        X : array-like of shape (n_samples, n_features), optional
            Rows that go into `estimator`. Coefficients are then multiplied by the standard
            deviation of their column, so that their sizes compare.
        feature_names : sequence of str, optional
            The estimator's by default.
        class_of_interest : label, optional
            Draw the coefficients of this class; by default, with more than two classes, the
            Euclidean norm over the classes.
        top : int, default 8
            So many features, those largest anywhere on the path, have a colour and a name.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        RegularizationPathDisplay
        """
        last = last_step(estimator)
        grid = fitted(last, "grid_")
        display = cls(
            Cs=grid.Cs,
            coefs=grid.coef.mean(axis=0) * spread_of(estimator, X),
            classes=last.classes_,
            feature_names=names_of(estimator, feature_names),
            C=float(np.ravel(last.C_)[0]),
            n_nonzero=_counts(grid.coef) if grid.l1_ratio > 0.0 else None,
        )
        return display.plot(ax, class_of_interest=class_of_interest, top=top, line_kw=line_kw)

    @classmethod
    def from_result(
        cls,
        result: PathResult,
        *,
        feature_names: Sequence[str] | None = None,
        class_of_interest: object = None,
        top: int = 8,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> RegularizationPathDisplay:
        """Draw what `logistic_path` found.

        With L1, the number of columns that have a coefficient stands along the top.

        Parameters
        ----------
        result : PathResult
        feature_names : sequence of str, optional
            Those of the data frame by default.
        class_of_interest : label, optional
            Draw the coefficients of this class; by default, with more than two classes, the
            Euclidean norm over the classes.
        top : int, default 8
            So many features have a colour and a name.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        RegularizationPathDisplay
        """
        of_result("RegularizationPathDisplay", result, "coefs", "a PathResult")
        known = result.feature_names if feature_names is None else feature_names
        names = checked_names(known, result.coefs.shape[2])
        display = cls(
            Cs=result.Cs, coefs=result.coefs, classes=result.classes, feature_names=names,
            n_nonzero=_counts(result.coefs[None]) if result.l1_ratio > 0.0 else None,
        )  # fmt: skip
        return display.plot(ax, class_of_interest=class_of_interest, top=top, line_kw=line_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        class_of_interest: object = None,
        top: int = 8,
        line_kw: Style = None,
    ) -> RegularizationPathDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        class_of_interest : label, optional
            Draw the coefficients of this class; by default, with more than two classes, the
            Euclidean norm over the classes.
        top : int, default 8
            So many features have a colour and a name.
        line_kw : dict, optional
            How the lines look, for ``Axes.plot``.

        Returns
        -------
        RegularizationPathDisplay
            Itself.
        """
        values, ylabel = self._values(class_of_interest)
        ax = axes_of(ax, "RegularizationPathDisplay")
        order = np.argsort(self.Cs, kind="stable")
        Cs, values = np.asarray(self.Cs)[order], values[order]
        ranks = ranks_of(np.abs(values).max(axis=0))
        self.lines_: list[Line2D] = []
        for feature, rank in enumerate(ranks):
            look = _path_look(int(rank), str(self.feature_names[feature]), top) | dict(
                line_kw or {}
            )
            self.lines_ += ax.plot(Cs, values[:, feature], **look)
        ax.axhline(0.0, color="black", lw=0.7)
        self.chosen_line_ = None
        if self.C is not None:
            self.chosen_line_ = ax.axvline(self.C, color="black", ls="--", lw=1)
            self.chosen_line_.set_label(f"C = {self.C:.3g}")
        ax.set(xscale="log", xlabel="C", ylabel=ylabel)
        ax.grid(True, which="major", **GRID)
        self._count(ax, order)
        named = [line for line, rank in zip(self.lines_, ranks, strict=True) if rank < top]
        named.sort(
            key=lambda line: -float(np.asarray(line.get_ydata())[-1])
        )  # as they end, top to bottom
        # Coefficients fan out to the right: this corner stays free.
        ax.legend(
            handles=[*named, *filter(None, [self.chosen_line_])], loc="upper left",
            fontsize="small", framealpha=0.7, edgecolor="none",
        )  # fmt: skip
        return drawn_on(self, ax)

    def _count(self, ax: Axes, order: Indices) -> None:
        """Write along the top how many columns have a coefficient, at some of the Cs.

        Sets: count_axis_.
        """
        self.count_axis_: SecondaryAxis | None = None
        if self.n_nonzero is None:
            return
        size = min(COUNTS, len(order))
        shown = order[np.unique(np.linspace(0, len(order) - 1, size).round().astype(int))]
        self.count_axis_ = ax.secondary_xaxis("top")
        self.count_axis_.set_ticks(
            np.asarray(self.Cs)[shown], [str(self.n_nonzero[k]) for k in shown], minor=False
        )
        self.count_axis_.set_ticks([], minor=True)
        self.count_axis_.set_xlabel("coefficients that are not 0", fontsize="small")

    def _values(self, class_of_interest: object) -> tuple[Matrix, str]:
        """Return what is drawn, (n_Cs, n_features), and its name."""
        coefs = np.asarray(self.coefs)
        if class_of_interest is None and coefs.shape[1] > 1:
            return np.linalg.norm(coefs, axis=1), "norm of the coefficients over the classes"
        return coef_of(coefs.swapaxes(0, 1), self.classes, class_of_interest), "coefficient"


def _counts(coefs: Floats) -> Integers:
    """Return how many columns have a coefficient of any class, the mean over the folds, (n_Cs,)."""
    used = (coefs != 0.0).any(axis=2).sum(axis=2)
    return used.mean(axis=0).round().astype(np.int64)


def _path_look(rank: int, name: str, top: int) -> Look:
    """Return the look of a feature's line: those that matter stand out from the grey others."""
    if rank >= top:
        return {"color": GREY, "lw": 0.8, "zorder": 1.5, "label": f"_{name}"}
    turn, colour = divmod(rank, len(COLOURS))
    return {"color": COLOURS[colour], "lw": 2, "ls": DASHES[turn % len(DASHES)], "label": name}
