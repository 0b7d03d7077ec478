"""What a fit gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .arrays import Array, ArrayLike, Floats, Labels, Matrix, Vector
from .inputs.categories import Categories
from .inputs.given import OfFit, look_at_names
from .objective.group_penalty import GroupL1

if TYPE_CHECKING:
    from .objective.losses import RowLoss
    from .objective.penalties import Penalty
    from .predictor import Predictor

__all__ = ["FitResult", "Progress"]


@dataclass(frozen=True)
class Progress:
    """Where a running fit stands; what a callback receives.

    Attributes
    ----------
    n_iter : int
        Iterations done.
    cost : float
        Cost at the last of them (the mean over the classes for one-vs-all).
    seconds : float
        Time since the fit began.
    coef, intercept
        Where the fit stands, of the shapes of `FitResult`; made when they are asked for.
    n_done, n_fits : int
        Where many fits run together, folds times penalties: how many of them are done.
    """

    n_iter: int
    cost: float
    seconds: float
    _coefficients: LazyCoefficients = field(repr=False, compare=False)
    n_done: int = 0
    n_fits: int = 1

    @property
    def coef(self) -> Floats:
        """Coefficients in the units of X, (n_features,) or (n_features, n_classes)."""
        return self._coefficients()[0]

    @property
    def intercept(self) -> float | Vector:
        """Intercept, or one for each class."""
        return self._coefficients()[1]


Callback: TypeAlias = Callable[[Progress], object]
# Computes coefficients and intercept of a fit that runs, in the units of X.
LazyCoefficients: TypeAlias = Callable[[], tuple[Floats, float | Vector]]

# A line shows so much of the name of a class.
LONGEST_NAME = 30
# A notebook shows the coefficients of so many columns and classes.
SHOWN = 20


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted logistic regression and how it came about.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_features, n_classes)
        Coefficients in the units of X; one column per class for more than two classes.
    intercept : float or ndarray of shape (n_classes,)
    classes : ndarray of shape (n_classes,)
        The labels as they came in, sorted. With two classes the probability is that of the second.
    n_iter : int
        Iterations of the solver.
    n_passes : float
        Passes over X, all of them: standardisation, step size, iterations, last evaluation. Passes
        over a subsample of the rows count by its share, those of small data are over their copy.
    converged : bool
    message : str
        Why the solver stopped.
    history : ndarray of shape (n_iter + 1,) or (n_iter + 1, n_classes)
        Cost (mean loss + penalty) where each gradient was taken. The last is that of the result,
        but for Newton's method, which takes one step more: that lowers the cost by less than what
        was proven before.
    gradient_norm : float
        Largest absolute component of the cost's gradient, in the units of X, where it was taken
        last.
    suboptimality : float or ndarray of shape (n_classes,)
        Proven bound on (cost - optimum) / optimum at the result; infinity where nothing could be
        proven.
    seconds : float
        Wall time of the fit, validation included.
    solver : str
    multi_class : {"ovr", "multinomial"}
        How several classes were fitted. Softmax is one model: `history` and `suboptimality` are
        then those of two classes.
    l2_reg : ndarray of shape (n_features,) or (n_features, n_classes)
        Strength of the penalty of each column on the scale of the mean loss, in the units of X.
    fit_intercept : bool
    penalty : fastlogit.objective.penalties.Penalty or None
        The penalty of the fit where it is an object; `l2_reg` is then None.
    l1_reg : ndarray of the shape of `l2_reg`, or None
        Strength of L1 of each column, likewise; None where there is no L1.
    coef_bounds : ndarray of shape (2, n_features), or None
        Between which numbers each coefficient had to be, the lower ones first; None for any.
    penalty_groups : ndarray of shape (n_features,), or None
        Of a group lasso: the label of each column's group, as it was given, or with "features" the
        number of the column. `l1_reg` is then that of the length of the column's group.
    loss : fastlogit.objective.losses.RowLoss or None
        The loss of the fit where it is not the logistic one; of another `link` its loss.
    fractional : bool
        Whether y held shares from 0 to 1: `classes` are 0 and 1 then.
    categories : fastlogit.inputs.categories.Categories or None
        Of a fit to a frame with categorical columns: `columns`, `levels` and how they are coded;
        its `features` says of each coefficient which column and level it is of.
    feature_names : list of str or None
        A name for each coefficient: those of the columns of X, where all were text, and of levels
        of categorical columns, ``carrier[AA]``. A frame with other columns, or in another order, is
        then refused; arrays have no names and are taken as they are.
    bias_reduction : {"mean", "median", "flic", "flac"} or None
        Which reduction of bias the fit has in the place of a penalty. `history` is then minus the
        penalised log-likelihood over the weight (of "median" minus the log-likelihood),
        `gradient_norm` that of the modified score, and nothing is proven: `message` says how far
        from 0 that score is.
    passes, times : ndarray of shape (n_iter + 1,)
        Passes over X and seconds since the fit began at each entry of `history`; of small data,
        which are fitted in one call, spread evenly over the iterations.
    bounds : ndarray of the shape of `history`
        Relative suboptimality that was proven there; infinity where nothing was.
    """

    coef: Floats
    intercept: float | Vector
    classes: Labels
    n_iter: int
    n_passes: float
    converged: bool
    message: str
    history: Floats
    gradient_norm: float
    suboptimality: float | Vector
    seconds: float
    solver: str
    multi_class: str = "ovr"
    l2_reg: Floats | None = None
    fit_intercept: bool = True
    passes: Vector | None = None
    times: Vector | None = None
    bounds: Floats | None = None
    feature_names: list[str] | None = None
    penalty: Penalty | None = None
    loss: RowLoss | None = None
    l1_reg: Floats | None = None
    coef_bounds: Matrix | None = None
    categories: Categories | None = None
    penalty_groups: Labels | None = None
    bias_reduction: str | None = None
    fractional: bool = False

    @property
    def link(self) -> str:
        """How probabilities depend on raw predictions: "logit", "probit" or "cloglog"."""
        return "logit" if self.loss is None else self.loss.link

    def __repr__(self) -> str:
        """Return one line: what was fitted, and what is proven."""
        return f"FitResult({', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        """Return the same and a table of coefficients, for notebooks."""
        coef = self.coef.reshape(len(self.coef), -1)[:SHOWN, :SHOWN]
        intercept = np.atleast_1d(self.intercept)[:SHOWN]
        names: Sequence[object] | None = self.feature_names
        if names is None and self.categories is not None:
            names = self.categories.feature_names
        elif names is None:
            names = range(len(self.coef))
        labels = self.classes[1:] if len(self.classes) == 2 else self.classes[:SHOWN]
        rows = [("intercept", intercept), *zip(names, coef, strict=False)]
        head = "".join(f"<th>{escape(str(label))}</th>" for label in labels)
        body = "".join(
            f"<tr><th>{escape(str(name))}</th>"
            + "".join(f"<td>{value:.6g}</td>" for value in values)
            + "</tr>"
            for name, values in rows
        )
        left = [
            f"{total - SHOWN} more {what}"
            for total, what in ((len(self.coef), "columns"), (len(self.classes), "classes"))
            if total > SHOWN
        ]
        more = f"<p>and {', '.join(left)}</p>" if left else ""
        return (
            f"<p><b>FitResult</b>: {escape(', '.join(self._facts()))}</p><table><thead><tr>"
            f"<th>coefficients</th>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
        )

    def _facts(self) -> list[str]:
        several = f" ({self.multi_class})" if len(self.classes) > 2 else ""
        bound = float(np.max(self.suboptimality))
        own_loss = self.loss if self.link == "logit" else None
        custom = (("penalty", self.penalty), ("loss", own_loss))
        return [
            "shares" if self.fractional else f"{len(self.classes)} classes{several}",
            *([] if self.link == "logit" else [f"link={self.link!r}"]),
            f"{len(self.coef)} columns",
            *[f"{what} {_class_of(found)}" for what, found in custom if found is not None],
            *([] if self.bias_reduction is None else [f"bias_reduction={self.bias_reduction!r}"]),
            *self._sparsity(),
            f"{'converged' if self.converged else 'not converged'} after {self.n_iter} iterations",
            f"suboptimality <= {bound:.1e}" if np.isfinite(bound) else "suboptimality unknown",
            f"solver={self.solver!r}",
            f"{self.seconds:.3g} s",
        ]

    def _sparsity(self) -> list[str]:
        if self.l1_reg is None:
            return []
        lengths = self.group_lengths
        if lengths is not None:
            return [f"{np.count_nonzero(lengths)} of {lengths.size} groups not 0"]
        return [f"{np.count_nonzero(self.coef)} of {self.coef.size} coefficients not 0"]

    @property
    def groups(self) -> Labels | None:
        """The labels of a group lasso, sorted, (n_groups,); None without one."""
        return None if self.penalty_groups is None else np.unique(self.penalty_groups)

    @property
    def group_lengths(self) -> Floats | None:
        """The length of each group's coefficients, in the order of `groups`; 0 for those left out.

        Of shape (n_groups,), of a softmax over all classes; (n_groups, n_classes) of more classes
        one-vs-all. None without a group lasso.
        """
        if self.penalty_groups is None:
            return None
        n_outputs = self.coef[0].size
        n_classes = n_outputs if self.multi_class == "multinomial" else 1
        each = GroupL1(0.0, self.penalty_groups, n_classes)
        found = each.lengths(self.coef.reshape(-1, n_outputs).T)
        return found[0] if len(found) == 1 else found.T

    def raw_prediction(self, X: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return X @ coef + intercept; see `fastlogit.raw_prediction`."""
        return _prediction().raw_prediction(
            self._own(X), self.coef, self.intercept, n_threads=n_threads
        )

    def predict_proba(self, X: ArrayLike, *, n_threads: int | None = None) -> Matrix:
        """Return the hypotheses, shape (n_samples, n_classes).

        Two classes: ``[1 - p, p]``. More: softmax, or each class's own one-vs-all hypothesis, not
        normalised. Of another link than the logit its probabilities.
        """
        if (proba := self._link_probabilities()) is not None:
            return proba(self.raw_prediction(X, n_threads=n_threads))
        return _prediction().predict_proba(
            self._own(X), self.coef, self.intercept, multi_class=self.multi_class,
            n_threads=n_threads,
        )  # fmt: skip

    def predict(
        self, X: ArrayLike, threshold: float = 0.5, *, n_threads: int | None = None
    ) -> Array:
        """Return the predicted label of each row.

        Two classes: the second where its probability is at least `threshold`. More: the class
        with the largest hypothesis; `threshold` must then stay 0.5.
        """
        if (proba := self._link_probabilities()) is not None:
            second = proba(self.raw_prediction(X, n_threads=n_threads))[:, 1]
            return self.classes[_prediction().second_class(second, threshold)]
        codes = _prediction().predict(
            self._own(X), self.coef, self.intercept, threshold=threshold, n_threads=n_threads
        )
        return self.classes[codes]

    def check_names(self, X: ArrayLike) -> None:
        """Raise unless the columns of a frame have the names of the fit, in the same order.

        Raises
        ------
        ValueError
            If both the fit and X have names, and they differ.
        """
        look_at_names(X, self.column_names)

    def predictor(self) -> Predictor:
        """Return what scores single rows, as a server gets them: checked once, a few us a row.

        Returns
        -------
        Predictor
            Of this fit as it is now: ``predictor(row)``, `predict_proba`, `predict`.
        """
        from .predictor import Predictor

        if self.link != "logit":
            raise ValueError(
                "predictor scores single rows by the logistic function, which is not that of "
                f"link={self.link!r}; use predict_proba"
            )
        return Predictor(
            self.coef, self.intercept, self.classes, multi_class=self.multi_class,
            feature_names=self.feature_names, categories=self.categories,
        )  # fmt: skip

    def _link_probabilities(self) -> Callable[[Floats], Matrix] | None:
        """Return what makes probabilities of raw predictions; None for the logistic function."""
        return None if self.loss is None or self.link == "logit" else self.loss.probabilities

    @property
    def column_names(self) -> Sequence[str] | None:
        """Names of the columns of X, where all were text."""
        if self.categories is None or self.feature_names is None:
            return self.feature_names
        return self.categories.columns

    def _own(self, X: ArrayLike) -> ArrayLike:
        """Return X with the names that its columns must have, for the look at it."""
        if type(X) is np.ndarray and self.categories is None:
            return X
        return OfFit(X, self.column_names, self.categories)


@cache
def _prediction() -> ModuleType:
    """Return the module, which loads numba, when it is first needed; an import takes 1 us."""
    from . import prediction

    return prediction


def _class_of(found: object) -> str:
    """Return the name of an object's class, or the beginning of a long one."""
    name = type(found).__name__
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
