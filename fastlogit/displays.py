"""Pictures of fitted models as scikit-learn's Display classes.

Each class holds the numbers of a picture, made by ``from_estimator`` or ``from_result``, and draws
them with ``plot``. matplotlib is imported only then. Colours are those of `fastlogit.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from .plots import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .path import PathResult
    from .result import FitResult

__all__ = [
    "CVScoreDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "RegularizationPathDisplay",
]

GREY = "#bbbbbb"
GRID: dict[str, Any] = {"color": "#dddddd", "lw": 0.7}
# An axis of passes or seconds that spans more than this ratio is logarithmic.
WIDE = 50.0
# Lines of a path that differ in colour or dash, and so have a name in the legend.
DASHES = ("-", "--")

Style = Mapping[str, Any] | None
Display = TypeVar("Display")


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
        self, *, passes: Any, seconds: Any, gap: Any, bound: Any, name: str | None = None
    ) -> None:
        self.passes = passes
        self.seconds = seconds
        self.gap = gap
        self.bound = bound
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
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
        last = _last_step(estimator)
        return cls.from_result(
            _fitted(last, "result_"), against=against, best=best, name=name or type(last).__name__,
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
        _check_choice("against", against, ("passes", "seconds"))
        ax = _axes(ax, "ConvergenceDisplay")
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
        return _drawn_on(self, ax)


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

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D
        One for each feature, in their order.
    chosen_line_ : Line2D or None
        At `C`.
    """

    def __init__(
        self, *, Cs: Any, coefs: Any, classes: Any, feature_names: Any, C: float | None = None
    ) -> None:
        self.Cs = Cs
        self.coefs = coefs
        self.classes = classes
        self.feature_names = feature_names
        self.C = C

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        X: Any = None,
        feature_names: Sequence[str] | None = None,
        class_of_interest: Any = None,
        top: int = 8,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> RegularizationPathDisplay:
        """Draw the mean over the folds of a fitted LogisticRegressionCV.

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
        last = _last_step(estimator)
        grid = _fitted(last, "grid_")
        display = cls(
            Cs=grid.Cs,
            coefs=grid.coef.mean(axis=0) * _spread(estimator, X),
            classes=last.classes_,
            feature_names=_names(estimator, feature_names),
            C=float(np.ravel(last.C_)[0]),
        )
        return display.plot(ax, class_of_interest=class_of_interest, top=top, line_kw=line_kw)

    @classmethod
    def from_result(
        cls,
        result: PathResult,
        *,
        feature_names: Sequence[str] | None = None,
        class_of_interest: Any = None,
        top: int = 8,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> RegularizationPathDisplay:
        """Draw what `logistic_path` found.

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
        known = result.feature_names if feature_names is None else feature_names
        names = _checked_names(known, result.coefs.shape[2])
        display = cls(Cs=result.Cs, coefs=result.coefs, classes=result.classes, feature_names=names)
        return display.plot(ax, class_of_interest=class_of_interest, top=top, line_kw=line_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        class_of_interest: Any = None,
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
        ax = _axes(ax, "RegularizationPathDisplay")
        order = np.argsort(self.Cs, kind="stable")
        Cs, values = np.asarray(self.Cs)[order], values[order]
        ranks = _ranks(np.abs(values).max(axis=0))
        self.lines_: list[Any] = []
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
        named = [line for line, rank in zip(self.lines_, ranks, strict=True) if rank < top]
        named.sort(key=lambda line: -line.get_ydata()[-1])  # as they end, top to bottom
        # Coefficients fan out to the right: this corner stays free.
        ax.legend(
            handles=[*named, *filter(None, [self.chosen_line_])], loc="upper left",
            fontsize="small", framealpha=0.7, edgecolor="none",
        )  # fmt: skip
        return _drawn_on(self, ax)

    def _values(self, class_of_interest: Any) -> tuple[Any, str]:
        """Return what is drawn, (n_Cs, n_features), and its name."""
        coefs = np.asarray(self.coefs)
        if class_of_interest is None and coefs.shape[1] > 1:
            return np.linalg.norm(coefs, axis=1), "norm of the coefficients over the classes"
        return _coef_of(coefs.swapaxes(0, 1), self.classes, class_of_interest), "coefficient"


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
        self, *, Cs: Any, scores: Any, C: float | None = None, score_name: str = "Score"
    ) -> None:
        self.Cs = Cs
        self.scores = scores
        self.C = C
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        folds: bool = False,
        negate_score: bool = False,
        score_name: str | None = None,
        std_display_style: Literal["fill_between", "errorbar"] | None = "fill_between",
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> CVScoreDisplay:
        """Draw the scores of a fitted LogisticRegressionCV.

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
        last = _last_step(estimator)
        scores = _fitted(last, "scores_")
        if isinstance(scores, dict):  # the same for all classes
            scores = next(iter(scores.values())).reshape(-1, len(last.Cs_))
        name = _score_name(last.scoring, negate_score) if score_name is None else score_name
        display = cls(
            Cs=last.Cs_,
            scores=scores.reshape(-1, len(last.Cs_)),
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
        _check_choice("std_display_style", std_display_style, ("fill_between", "errorbar", None))
        ax = _axes(ax, "CVScoreDisplay")
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
        return _drawn_on(self, ax)


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
        self, *, coef: Any, classes: Any, feature_names: Any, xlabel: str = "coefficient"
    ) -> None:
        self.coef = coef
        self.classes = classes
        self.feature_names = feature_names
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        X: Any = None,
        feature_names: Sequence[str] | None = None,
        class_of_interest: Any = None,
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
        last = _last_step(estimator)
        display = cls(
            coef=_fitted(last, "coef_") * _spread(estimator, X),
            classes=last.classes_,
            feature_names=_names(estimator, feature_names),
            xlabel="coefficient" if X is None else "coefficient x standard deviation",
        )
        return display.plot(ax, class_of_interest=class_of_interest, top=top)

    @classmethod
    def from_result(
        cls,
        result: FitResult,
        *,
        feature_names: Sequence[str] | None = None,
        class_of_interest: Any = None,
        top: int = 20,
        ax: Axes | None = None,
    ) -> CoefficientsDisplay:
        """Draw the coefficients of a fit.

        Parameters
        ----------
        result : FitResult
        feature_names : sequence of str, optional
            "x0", "x1", ... by default.
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
        coef = np.atleast_2d(result.coef.T)
        names = _checked_names(feature_names, coef.shape[1])
        display = cls(coef=coef, classes=result.classes, feature_names=names)
        return display.plot(ax, class_of_interest=class_of_interest, top=top)

    def plot(
        self, ax: Axes | None = None, *, class_of_interest: Any = None, top: int = 20
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
            coef = _coef_of(coef, self.classes, class_of_interest)[None, :]
        self.features_ = np.argsort(-np.abs(coef).max(axis=0), kind="stable")[:top]
        ax = _axes(ax, "CoefficientsDisplay", height=1.2 + 0.22 * len(self.features_))
        shown, heights = coef[:, self.features_], np.arange(len(self.features_))
        self.bars_ = None
        self.lines_: list[Any] = []
        if len(coef) == 1:
            self.bars_ = ax.barh(heights, shown[0], color=_sign_colours(shown[0]))
        else:
            self._plot_classes(ax, shown, heights)
        ax.set_yticks(heights, [str(self.feature_names[f]) for f in self.features_])
        ax.set_ylim(len(heights) - 0.4, -0.6)  # the largest at the top
        ax.axvline(0.0, color="black", lw=0.8)
        ax.grid(True, axis="x", **GRID)
        ax.set_axisbelow(True)
        ax.set_xlabel(self._xlabel(class_of_interest))
        return _drawn_on(self, ax)

    def _plot_classes(self, ax: Axes, shown: Any, heights: Any) -> None:
        """Draw a marker for each class on a line for each feature."""
        ax.hlines(heights, shown.min(axis=0), shown.max(axis=0), color=GREY, lw=1.5, zorder=1)
        for k, values in enumerate(shown):
            # In a second turn through the colours the markers are other ones.
            turn, colour = divmod(k, len(COLOURS))
            look: dict[str, Any] = {
                "marker": MARKERS[(colour + turn) % len(MARKERS)],
                "color": COLOURS[colour],
            }
            self.lines_ += ax.plot(
                values, heights, ls="", ms=7, mec="white", mew=0.6, label=str(self.classes[k]),
                **look,
            )  # fmt: skip
        ax.legend(framealpha=0.8, edgecolor="none", fontsize="small", loc="lower right")

    def _xlabel(self, class_of_interest: Any) -> str:
        if len(self.classes) > 2 and class_of_interest is None:
            return self.xlabel
        towards = self.classes[1] if class_of_interest is None else class_of_interest
        return f"{self.xlabel} (> 0: towards {towards})"


def _axes(ax: Axes | None, who: str, height: float = 4.8) -> Axes:
    """Return the given Axes, or new ones; the only place that needs matplotlib."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as missing:
        raise ImportError(
            f"{who} needs matplotlib, which is not installed: pip install 'fastlogit[plot]'"
        ) from missing
    return plt.subplots(layout="constrained", figsize=(6.4, height))[1]


def _drawn_on(display: Display, ax: Axes) -> Display:
    display.ax_, display.figure_ = ax, ax.figure  # type: ignore[attr-defined]
    return display


def _last_step(estimator: Any) -> Any:
    """Return the model itself, out of a pipeline too."""
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _fitted(estimator: Any, attribute: str) -> Any:
    """Return an attribute that only `fit` gives."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    if not hasattr(estimator, attribute):
        raise TypeError(f"{type(estimator).__name__} has no attribute {attribute} to draw")
    return getattr(estimator, attribute)


def _spread(estimator: Any, X: Any) -> Any:
    """Return the standard deviation of each column that the model sees, or 1."""
    if X is None:
        return 1.0
    if hasattr(estimator, "steps") and len(estimator.steps) > 1:
        X = estimator[:-1].transform(X)
    return np.asarray(X, dtype=np.float64).std(axis=0)


def _names(estimator: Any, given: Sequence[str] | None) -> list[str]:
    """Return the names of the columns that the model sees."""
    last = _last_step(estimator)
    known = getattr(last, "feature_names_in_", None)
    if given is None and known is None and hasattr(estimator, "steps") and len(estimator.steps) > 1:
        before = estimator[:-1]
        if hasattr(before, "get_feature_names_out"):
            known = before.get_feature_names_out()
    return _checked_names(known if given is None else given, last.n_features_in_)


def _checked_names(names: Any, n_features: int) -> list[str]:
    if names is None:
        return [f"x{feature}" for feature in range(n_features)]
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names for {n_features} features")
    return [str(name) for name in names]


def _coef_of(coef: Any, classes: Any, label: Any) -> Any:
    """Return a class's part of coefficients (n_models, ...); None is the only model there is."""
    if label is None:
        return coef[0]
    found = np.flatnonzero(np.asarray(classes) == label)
    if found.size == 0:
        raise ValueError(f"class_of_interest={label!r} is not one of {list(classes)}")
    if len(coef) == 1:
        return coef[0] if found[0] == 1 else -coef[0]
    return coef[found[0]]


def _ranks(sizes: Any) -> Any:
    """Return the place of each size among them, 0 for the largest."""
    ranks = np.empty(len(sizes), dtype=np.intp)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return ranks


def _path_look(rank: int, name: str, top: int) -> dict[str, Any]:
    """Return the look of a feature's line: those that matter stand out from the grey others."""
    if rank >= top:
        return {"color": GREY, "lw": 0.8, "zorder": 1.5, "label": f"_{name}"}
    turn, colour = divmod(rank, len(COLOURS))
    return {"color": COLOURS[colour], "lw": 2, "ls": DASHES[turn % len(DASHES)], "label": name}


def _sign_colours(values: Any) -> list[str]:
    return [COLOURS[1] if value > 0.0 else COLOURS[0] for value in values]


def _score_name(scoring: Any, negate: bool) -> str:
    """Return a label for the score, as scikit-learn's displays make theirs."""
    if scoring is None or scoring == "warn":
        scoring = "accuracy"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    if name.startswith("neg_"):
        name = name[4:] if negate else f"negative {name[4:]}"
    elif negate:
        name = f"negative {name}"
    return name.replace("_", " ").capitalize()


def _check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
