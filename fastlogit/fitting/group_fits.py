"""What `fit_groups` gives back: a table of fits, one for each group."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from html import escape
from typing import Any, NamedTuple

import numpy as np

from ..arrays import ArrayLike, Integers, Labels, Mask, Matrix, Vector
from ..elementwise import sigmoid
from ..inputs.categories import Categories
from ..kernels import groups as kernels
from ..result import FitResult
from .group_predictions import GroupModels, raw_prediction
from .tables import counts_of, frame_of

__all__ = ["GroupFit", "GroupFits", "GroupStatus"]

# A notebook shows so many groups and columns.
SHOWN, SHOWN_COLUMNS = 20, 12


class GroupStatus(IntEnum):
    """How the fit of a group ended, and so why numbers of it are NaN.

    Attributes
    ----------
    CONVERGED
        The bound is at most `tol`; everything is there.
    CONSTANT_COLUMN
        The same, but a column does not vary among the rows of the group: its coefficient is 0, or
        the prior's mean, and has no standard error.
    COLLINEAR
        The Hessian of the loss is singular: columns depend on each other within the group, or its
        rows have next to no curvature. There are no standard errors. Without a penalty the
        coefficients are one choice of many that fit alike.
    MAX_ITER
        `max_iter` ended the fit; coefficients and bound are those of the last point. Here and in
        the next two a column that does not vary has no standard error either.
    ROUNDING
        Rounding errors of float64 ended the fit above `tol`; the bound says what is proven.
    TIME_LIMIT
        The time limit ended the fit of this group.
    SEPARABLE
        Some columns without penalty separate the classes: there is no optimum. All NaN.
    TOO_FEW_ROWS
        Fewer rows have weight than parameters have no penalty, so that there is no optimum, or none
        that is the only one. All NaN.
    ONE_CLASS
        All rows with weight are of one class: there is no optimum. All NaN, under a penalty and a
        prior mean too, since these do not hold the intercept.
    NO_ROWS
        No row has positive weight. All NaN.
    FAILED
        `fit` refused the rows; `GroupFits.failures` has its words. All NaN.
    NOT_FITTED
        The time limit, the callback or Ctrl-C came first. All NaN.
    """

    CONVERGED = kernels.CONVERGED
    CONSTANT_COLUMN = kernels.CONSTANT_COLUMN
    COLLINEAR = kernels.COLLINEAR
    MAX_ITER = kernels.MAX_ITER
    ROUNDING = kernels.ROUNDING
    TIME_LIMIT = kernels.TIME_LIMIT
    SEPARABLE = kernels.SEPARABLE
    ONE_CLASS = kernels.ONE_CLASS
    TOO_FEW_ROWS = kernels.TOO_FEW_ROWS
    NO_ROWS = kernels.NO_ROWS
    FAILED = kernels.FAILED
    NOT_FITTED = kernels.NOT_FITTED

    @property
    def text(self) -> str:
        """The name in words, as "one class"."""
        return self.name.lower().replace("_", " ")


class GroupFit(NamedTuple):
    """The fit of one group: a row of `GroupFits`, whose attributes are described there."""

    group: object
    n_samples: int
    coef: Vector
    intercept: float
    standard_errors: Vector
    log_likelihood: float
    suboptimality: float
    n_iter: int
    status: GroupStatus


@dataclass(frozen=True, eq=False)
class GroupFits:
    """Logistic regressions of many groups of rows, as a table.

    ``result[label]`` is the row of a group, a `GroupFit`; ``len(result)`` the number of groups.

    Attributes
    ----------
    groups : ndarray of shape (n_groups,)
        The labels, sorted where they can be.
    n_samples : ndarray of shape (n_groups,), int
        Rows of positive weight.
    coef : ndarray of shape (n_groups, n_features)
        Coefficients in the units of X.
    intercept : ndarray of shape (n_groups,)
    standard_errors : ndarray of shape (n_groups, n_features + 1)
        Of coefficients and, last, intercept: roots of the diagonal of the inverse of the observed
        information, which is the Hessian of the log-likelihood with its weights, at the
        coefficients. The penalty has no part in it; with one these are the errors that a fit
        without would have there. NaN for an intercept that is held, and in groups of more than
        3,000 columns that vary.
    log_likelihood : ndarray of shape (n_groups,)
        ``-sum(weight * loss)`` at the coefficients, without the penalty.
    suboptimality : ndarray of shape (n_groups,)
        Proven bound on (cost - optimum) / optimum; infinity where nothing is proven.
    converged : ndarray of shape (n_groups,), bool
        Whether the bound is at most `tol`.
    n_iter : ndarray of shape (n_groups,), int
    status : ndarray of shape (n_groups,), int8
        A `GroupStatus` each: how the fit ended, and why numbers are NaN.
    classes : ndarray of shape (2,)
        The labels of y, sorted. The probability is that of the second.
    tol : float
        The bound that was asked for.
    prior_mean : ndarray of shape (n_features,) or None
        What the penalty drew to, if not 0.
    pooled : FitResult or None
        The fit of all rows, with ``prior_mean="pooled"``.
    feature_names : list of str or None
        The names of the columns of X, where all are text; of categorical columns those of their
        levels.
    categories : fastlogit.inputs.categories.Categories or None
        Of a frame with categorical columns: what the coefficients are of.
    failures : dict
        What `fit` said of the groups whose status is FAILED, by their place.
    ended_by : str
        "time_limit" or "callback" where that came before the last group; else empty.
    seconds : float
        Wall time, validation included.
    """

    groups: Labels
    n_samples: Integers
    coef: Matrix
    intercept: Vector
    standard_errors: Matrix
    log_likelihood: Vector
    suboptimality: Vector
    converged: Mask
    n_iter: Integers
    status: Integers
    classes: Labels
    tol: float
    prior_mean: Vector | None = None
    pooled: FitResult | None = None
    feature_names: list[str] | None = None
    categories: Categories | None = None
    failures: dict[int, str] = field(default_factory=dict)
    ended_by: str = ""
    seconds: float = 0.0

    @property
    def status_text(self) -> Labels:
        """The status of each group in words, (n_groups,)."""
        words = np.array([each.text for each in GroupStatus])
        return words[self.status]

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.groups)

    def __iter__(self) -> Iterator[GroupFit]:
        """Go over the groups, in the order of `groups`."""
        return (self._at(place) for place in range(len(self)))

    def __getitem__(self, group: object) -> GroupFit:
        """Return the fit of the group with this label."""
        try:
            place = self._places[group]
        except (KeyError, TypeError):
            labels = {str(label): label for label in self._places}
            near = difflib.get_close_matches(str(group), labels, n=1)
            hint = f"; the nearest label is {labels[near[0]]!r}" if near else ""
            raise KeyError(f"there is no group {group!r} among {len(self)}{hint}") from None
        return self._at(place)

    @cached_property
    def _labels(self) -> list[Any]:
        """The labels as Python's own; dates as NumPy's, whose units Python's may not have."""
        return list(self.groups) if self.groups.dtype.kind in "mM" else self.groups.tolist()

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {label: place for place, label in enumerate(self._labels)}

    def _at(self, place: int) -> GroupFit:
        return GroupFit(
            self._labels[place],
            int(self.n_samples[place]),
            self.coef[place],
            float(self.intercept[place]),
            self.standard_errors[place],
            float(self.log_likelihood[place]),
            float(self.suboptimality[place]),
            int(self.n_iter[place]),
            GroupStatus(int(self.status[place])),
        )

    def raw_prediction(
        self, X: ArrayLike, groups: ArrayLike, *, offset: ArrayLike = None,
        handle_unknown: str = "error",
    ) -> Vector:  # fmt: skip
        """Return ``X @ coef + intercept``, each row by the model of its group.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real numbers, finite, in memory; a frame with categorical columns where that of the fit
            had them.
        groups : array-like of shape (n_samples,)
            The group of each row, labels as in the fit.
        offset : array-like of shape (n_samples,), optional
            Added to the raw predictions.
        handle_unknown : {"error", "pooled", "nan"}, default "error"
            What rows get whose group is new, or has no coefficients (its status says why): an error
            that names the groups, the prediction of `pooled`, or NaN.

        Returns
        -------
        ndarray of shape (n_samples,), float64

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value, or groups have no model.
        """
        is_date = self.groups.dtype.kind in "mM"
        models = GroupModels(
            self._places, self.coef, self.intercept, self.pooled, self.feature_names,
            self.groups.dtype if is_date else None, self.categories,
        )  # fmt: skip
        return raw_prediction(models, X, groups, offset, handle_unknown)

    def predict_proba(
        self, X: ArrayLike, groups: ArrayLike, *, offset: ArrayLike = None,
        handle_unknown: str = "error",
    ) -> Matrix:  # fmt: skip
        """Return ``[1 - p, p]`` of each row by the model of its group, (n_samples, 2).

        The parameters and errors are those of `raw_prediction`.
        """
        raw = self.raw_prediction(X, groups, offset=offset, handle_unknown=handle_unknown)
        return np.column_stack([sigmoid(-raw), sigmoid(raw)])

    def predict(
        self, X: ArrayLike, groups: ArrayLike, *, offset: ArrayLike = None,
        handle_unknown: str = "error",
    ) -> Labels:  # fmt: skip
        """Return the label of the more probable class of each row, (n_samples,).

        The parameters and errors are those of `raw_prediction`, but that there is no label for NaN.
        """
        if handle_unknown == "nan":
            raise ValueError(
                'handle_unknown="nan" has no label to give; predict_proba has NaN, or set "pooled"'
            )
        raw = self.raw_prediction(X, groups, offset=offset, handle_unknown=handle_unknown)
        return self.classes[(raw >= 0.0).astype(np.intp)]

    def to_frame(self, library: str = "pandas") -> Any:
        """Return the table as a data frame, a row for each group.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default "pandas"
            Which has to be installed.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            Columns group, n_samples, status (in words), ``coef_NAME`` for each column of X,
            intercept, ``se_NAME``, intercept_se, log_likelihood, suboptimality, n_iter. Labels that
            polars and pyarrow have no type for, as tuples, are text there.

        Raises
        ------
        ValueError
            For another library.
        ImportError
            If it is not installed.
        """
        return frame_of(library, self._columns())

    def _columns(self) -> dict[str, Any]:
        """Return the columns of the table by name."""
        names = self._names()
        groups = self.groups.tolist() if self.groups.dtype.kind == "O" else self.groups
        return {
            "group": groups,
            "n_samples": self.n_samples,
            "status": self.status_text,
            **{f"coef_{name}": self.coef[:, j].copy() for j, name in enumerate(names)},
            "intercept": self.intercept,
            **{f"se_{name}": self.standard_errors[:, j].copy() for j, name in enumerate(names)},
            "intercept_se": self.standard_errors[:, -1].copy(),
            "log_likelihood": self.log_likelihood,
            "suboptimality": self.suboptimality,
            "n_iter": self.n_iter,
        }

    def _names(self) -> list[str]:
        names = self.feature_names
        return names if names is not None else [str(j) for j in range(self.coef.shape[1])]

    def __repr__(self) -> str:
        """Return one line: how many groups, and how their fits ended."""
        return f"GroupFits({', '.join(self._facts())})"

    def _facts(self) -> list[str]:
        worst = float(np.max(self.suboptimality[self.converged], initial=0.0))
        return [
            f"{len(self):,} groups of {int(self.n_samples.sum()):,} rows",
            f"{self.coef.shape[1]} columns",
            *counts_of(self.status, GroupStatus),
            f"suboptimality <= {worst:.1e} where converged",
            f"{self.seconds:.3g} s",
        ]

    def _repr_html_(self) -> str:
        """Return the same and the first groups as a table, for notebooks."""
        names = self._names()[:SHOWN_COLUMNS]
        heads = ["group", "n", "status", "intercept", *names]
        rows = []
        for fit in (self._at(place) for place in range(min(SHOWN, len(self)))):
            values = [fit.intercept, *fit.coef[: len(names)]]
            cells = [fit.n_samples, fit.status.text, *(f"{value:.6g}" for value in values)]
            rows.append(
                f"<tr><th>{escape(str(fit.group))}</th>"
                + "".join(f"<td>{cell}</td>" for cell in cells)
                + "</tr>"
            )
        left = [
            f"{total - shown} more {what}"
            for total, shown, what in (
                (len(self), SHOWN, "groups"), (self.coef.shape[1], SHOWN_COLUMNS, "columns"),
            )
            if total > shown
        ]  # fmt: skip
        more = f"<p>and {', '.join(left)}</p>" if left else ""
        head = "".join(f"<th>{escape(name)}</th>" for name in heads)
        return (
            f"<p><b>GroupFits</b>: {escape(', '.join(self._facts()))}</p><table><thead><tr>{head}"
            f"</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"
        )
