"""Scores of a cross-validation against the strength of the penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..arrays import Matrix, Vector
from ..plots import COLOURS
from .parts import GREY, GRID, Style, axes_of, check_choice, drawn_on, fitted, last_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..estimators.cross_validation import LogisticRegressionCV

__all__ = ["CVScoreDisplay"]


class CVScoreDisplay:
    """Score against C, over the folds of a cross-validation.

    Use `from_estimator` to make one.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
    scores : ndarray of shape (n_folds, n_Cs)
    C : float, optional
        The chosen one, for a vertical line.
    score_name : str, default "Score"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D or None
        The mean over the folds.
    fill_between_ : PolyCollection or None
        A standard deviation to both sides.
    errorbar_ : ErrorbarContainer or None
    fold_lines_ : list of Line2D
        The folds, where they are drawn.
    chosen_line_ : Line2D or None
        At `C`.
    """

    def __init__(
        self, *, Cs: Vector, scores: Matrix, C: float | None = None, score_name: str = "Score"
    ) -> None:
        self.Cs = Cs
        self.scores = scores
        self.C = C
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        *,
        folds: bool = False,
        negate_score: bool = False,
        score_name: str | None = None,
        std_display_style: Literal["fill_between", "errorbar"] | None = "fill_between",
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> CVScoreDisplay:
        """Draw the scores of a fitted LogisticRegressionCV, of the share of L1 with the best one.

        Parameters
        ----------
        estimator : LogisticRegressionCV, or Pipeline that ends in one
            Fitted.
        folds : bool, default False
            Draw a line for each fold too.
        negate_score : bool, default False
            Draw minus the scores, as for "neg_log_loss".
        score_name : str, optional
            Label of the vertical axis; from the estimator's `scoring` by default.
        std_display_style : {"fill_between", "errorbar"} or None, default "fill_between"
            How a standard deviation over the folds is drawn.
        ax : Axes, optional
            Where to draw; a new figure by default.
        line_kw : dict, optional
            How the line of the mean looks, for ``Axes.plot`` or ``Axes.errorbar``.

        Returns
        -------
        CVScoreDisplay
        """
        last = last_step(estimator)
        fitted(last, "scores_")
        name = _score_name(last.scoring, negate_score) if score_name is None else score_name
        display = cls(
            Cs=last.Cs_,
            scores=_scores_of(last),
            C=float(np.ravel(last.C_)[0]),
            score_name=name,
        )
        return display.plot(
            ax, folds=folds, negate_score=negate_score, std_display_style=std_display_style,
            line_kw=line_kw,
        )  # fmt: skip

    def plot(
        self,
        ax: Axes | None = None,
        *,
        folds: bool = False,
        negate_score: bool = False,
        score_name: str | None = None,
        std_display_style: Literal["fill_between", "errorbar"] | None = "fill_between",
        line_kw: Style = None,
    ) -> CVScoreDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        folds : bool, default False
            Draw a line for each fold too.
        negate_score : bool, default False
            Draw minus the scores.
        score_name : str, optional
            Label of the vertical axis.
        std_display_style : {"fill_between", "errorbar"} or None, default "fill_between"
            How a standard deviation over the folds is drawn.
        line_kw : dict, optional
            How the line of the mean looks.

        Returns
        -------
        CVScoreDisplay
            Itself.
        """
        check_choice("std_display_style", std_display_style, ("fill_between", "errorbar", None))
        ax = axes_of(ax, "CVScoreDisplay")
        order = np.argsort(self.Cs, kind="stable")
        Cs = np.asarray(self.Cs)[order]
        scores = np.asarray(self.scores)[:, order] * (-1.0 if negate_score else 1.0)
        mean, std = scores.mean(axis=0), scores.std(axis=0)
        self.line_ = self.fill_between_ = self.errorbar_ = self.chosen_line_ = None
        self.fold_lines_ = ax.plot(Cs, scores.T, color=GREY, lw=0.8) if folds else []
        look = {"color": COLOURS[0], "marker": "o", "ms": 5, "lw": 2, **(line_kw or {})}
        look = {"label": f"mean of {len(scores)} folds", **look}
        if std_display_style == "errorbar":
            self.errorbar_ = ax.errorbar(Cs, mean, std, **{"capsize": 3, **look})
        else:
            (self.line_,) = ax.plot(Cs, mean, **look)
        if std_display_style == "fill_between":
            self.fill_between_ = ax.fill_between(
                Cs, mean - std, mean + std, color=look["color"], alpha=0.2, lw=0,
                label="± standard deviation",
            )  # fmt: skip
        if self.C is not None:
            self.chosen_line_ = ax.axvline(
                self.C, color="black", ls="--", lw=1, label=f"C = {self.C:.3g}"
            )
        ax.set(xscale="log", xlabel="C")
        ax.set_ylabel(self.score_name if score_name is None else score_name)
        ax.grid(True, which="major", **GRID)
        ax.legend(framealpha=0.8, edgecolor="none")
        return drawn_on(self, ax)


def _scores_of(estimator: LogisticRegressionCV) -> Matrix:
    """Return the scores of each fold and C, (n_folds, n_Cs), of the share of L1 in `grid_`."""
    scores = estimator.scores_
    if isinstance(scores, dict):  # the same for all classes; shares of L1 come last, or not at all
        scores = next(iter(scores.values()))
        scores = scores[:, None] if scores.ndim == 2 else scores.swapaxes(1, 2)
    # A model of before 0.2 that was pickled has one share.
    grids = getattr(estimator, "grids_", [estimator.grid_])
    share = next(k for k, grid in enumerate(grids) if grid is estimator.grid_)
    return np.asarray(scores)[:, share]


def _score_name(scoring: object, negate: bool) -> str:
    """Return a label for the score, as scikit-learn's displays make theirs."""
    if scoring is None or scoring == "warn":
        scoring = "accuracy"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    if name.startswith("neg_"):
        name = name[4:] if negate else f"negative {name[4:]}"
    elif negate:
        name = f"negative {name}"
    return name.replace("_", " ").capitalize()
