"""Coefficients with their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import ArrayLike, Indices, Labels, Matrix, Vector
from ..plots import COLOURS, MARKERS, Look
from .parts import (
    GREY,
    axes_of,
    checked_names,
    coef_of,
    drawn_on,
    fitted,
    grid_below,
    last_step,
    names_of,
    of_result,
    small_legend,
    spread_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from ..result import FitResult

__all__ = ["CoefficientsDisplay"]


class CoefficientsDisplay:
    """The largest coefficients of a model, in the order of their sizes.

    Use `from_estimator` or `from_result` to make one.

    Parameters
    ----------
    coef : ndarray of shape (n_models, n_features)
        n_models is 1 for two classes, else n_classes.
    classes : ndarray of shape (n_classes,)
    feature_names : sequence of str
    xlabel : str, default "coefficient"

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    bars_ : BarContainer or None
        One model: a bar for each coefficient shown, the largest at the top.
    lines_ : list of Line2D
        Several models: the markers of each class.
    features_ : ndarray of int
        Indices of the features shown, from the top.
    """

    def __init__(
        self,
        *,
        coef: Matrix,
        classes: Labels,
        feature_names: Sequence[str],
        xlabel: str = "coefficient",
    ) -> None:
        self.coef = coef
        self.classes = classes
        self.feature_names = feature_names
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        *,
        X: ArrayLike = None,
        feature_names: Sequence[str] | None = None,
        class_of_interest: object = None,
        top: int = 20,
        ax: Axes | None = None,
    ) -> CoefficientsDisplay:
        """Draw the coefficients of a fitted estimator, or of a pipeline that ends in one.

        Parameters
        ----------
        estimator : LogisticRegression, LogisticRegressionCV or Pipeline
            Fitted; the last step has `coef_` and `classes_`.
        X : array-like of shape (n_samples, n_features), optional
            Rows that go into `estimator`. Coefficients are then multiplied by the standard
            deviation of their column, so that their sizes compare.
        feature_names : sequence of str, optional
            The estimator's by default.
        class_of_interest : label, optional
            Draw the coefficients of this class alone.
        top : int, default 20
            The largest so many are shown.
        ax : Axes, optional
            Where to draw; a new figure, as high as the bars need, by default.

        Returns
        -------
        CoefficientsDisplay
        """
        last = last_step(estimator)
        display = cls(
            coef=fitted(last, "coef_") * spread_of(estimator, X),
            classes=last.classes_,
            feature_names=names_of(estimator, feature_names),
            xlabel="coefficient" if X is None else "coefficient x standard deviation",
        )
        return display.plot(ax, class_of_interest=class_of_interest, top=top)

    @classmethod
    def from_result(
        cls,
        result: FitResult,
        *,
        feature_names: Sequence[str] | None = None,
        class_of_interest: object = None,
        top: int = 20,
        ax: Axes | None = None,
    ) -> CoefficientsDisplay:
        """Draw the coefficients of a fit.

        Parameters
        ----------
        result : FitResult
        feature_names : sequence of str, optional
            The result's by default, else "x0", "x1", ...
        class_of_interest : label, optional
            Draw the coefficients of this class alone.
        top : int, default 20
            The largest so many are shown.
        ax : Axes, optional
            Where to draw; a new figure, as high as the bars need, by default.

        Returns
        -------
        CoefficientsDisplay
        """
        of_result("CoefficientsDisplay", result, "history", "a FitResult")
        coef = np.atleast_2d(result.coef.T)
        known = result.feature_names if feature_names is None else feature_names
        if known is None and result.categories is not None:
            known = result.categories.feature_names
        names = checked_names(known, coef.shape[1])
        display = cls(coef=coef, classes=result.classes, feature_names=names)
        return display.plot(ax, class_of_interest=class_of_interest, top=top)

    def plot(
        self, ax: Axes | None = None, *, class_of_interest: object = None, top: int = 20
    ) -> CoefficientsDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure, as high as the bars need, by default.
        class_of_interest : label, optional
            Draw the coefficients of this class alone.
        top : int, default 20
            The largest so many are shown.

        Returns
        -------
        CoefficientsDisplay
            Itself.
        """
        coef = np.asarray(self.coef)
        if class_of_interest is not None or len(coef) == 1:
            coef = coef_of(coef, self.classes, class_of_interest)[None, :]
        self.features_ = np.argsort(-np.abs(coef).max(axis=0), kind="stable")[:top]
        ax = axes_of(ax, "CoefficientsDisplay", height=1.2 + 0.22 * len(self.features_))
        shown, heights = coef[:, self.features_], np.arange(len(self.features_))
        self.bars_ = None
        self.lines_: list[Line2D] = []
        if len(coef) == 1:
            self.bars_ = ax.barh(heights, shown[0], color=_sign_colours(shown[0]))
        else:
            self._plot_classes(ax, shown, heights)
        ax.set_yticks(heights, [str(self.feature_names[f]) for f in self.features_])
        ax.set_ylim(len(heights) - 0.4, -0.6)  # the largest at the top
        ax.axvline(0.0, color="black", lw=0.8)
        grid_below(ax, "x")
        ax.set_xlabel(self._xlabel(class_of_interest))
        return drawn_on(self, ax)

    def _plot_classes(self, ax: Axes, shown: Matrix, heights: Indices) -> None:
        """Draw a marker for each class on a line for each feature."""
        ax.hlines(heights, shown.min(axis=0), shown.max(axis=0), color=GREY, lw=1.5, zorder=1)
        for k, values in enumerate(shown):
            # In a second turn through the colours the markers are other ones.
            turn, colour = divmod(k, len(COLOURS))
            look: Look = {
                "marker": MARKERS[(colour + turn) % len(MARKERS)],
                "color": COLOURS[colour],
            }
            self.lines_ += ax.plot(
                values, heights, ls="", ms=7, mec="white", mew=0.6, label=str(self.classes[k]),
                **look,
            )  # fmt: skip
        small_legend(ax, "lower right")

    def _xlabel(self, class_of_interest: object) -> str:
        if len(self.classes) > 2 and class_of_interest is None:
            return self.xlabel
        towards = self.classes[1] if class_of_interest is None else class_of_interest
        return f"{self.xlabel} (> 0: towards {towards})"


def _sign_colours(values: Vector) -> list[str]:
    return [COLOURS[1] if value > 0.0 else COLOURS[0] for value in values]
