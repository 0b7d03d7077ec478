"""What a fitted model adds up for a row, whatever the language that it is written in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from fastlogit.arrays import Matrix, Vector
from fastlogit.inputs.coded_frame import Level
from fastlogit.model_file import Model
from fastlogit.result import FitResult

__all__ = ["Column", "Exportable", "Pairs", "Scoring", "check_levels", "scoring_of"]

# What can be exported; an estimator has its fit as `result_`.
Exportable: TypeAlias = FitResult | Model | object


class Column(NamedTuple):
    """A column of the rows.

    Attributes
    ----------
    name : str
    levels : tuple or None
        Of a categorical column, all that were in the fit; None of numbers.
    coef : ndarray of shape (1, n_outputs) or (n_levels, n_outputs)
        What a number is multiplied by, or what is added for each level: 0 for the first level under
        reference coding.
    """

    name: str
    levels: tuple[Level, ...] | None
    coef: Matrix


class Pairs(NamedTuple):
    """What is added for pairs of levels of two categorical columns, (n_pairs, n_outputs)."""

    first: int
    second: int
    pairs: tuple[tuple[int, int], ...]
    coef: Matrix


@dataclasses.dataclass(frozen=True)
class Scoring:
    """A model as sums over the columns of a row, one for each output.

    Attributes
    ----------
    columns : tuple of Column
    pairs : tuple of Pairs
        Interactions.
    intercept : ndarray of shape (n_outputs,)
        One output for two classes, whose logistic function is the probability of the second; else
        one for each class.
    classes : list
        Labels, as Python has them.
    multi_class : {"ovr", "multinomial"}
        How the outputs of more than two classes become probabilities.
    link : {"logit", "probit", "cloglog"}
    handle_unknown : {"error", "zero"} or None
        What a level is that was not in the fit; None where no column is categorical.
    target : str or None
    """

    columns: tuple[Column, ...]
    pairs: tuple[Pairs, ...]
    intercept: Vector
    classes: list[Level]
    multi_class: str
    link: str
    handle_unknown: str | None
    target: str | None

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes, and so one output."""
        return len(self.classes) == 2

    @property
    def used(self) -> list[bool]:
        """Of each column, whether a coefficient of it or of its interactions is not 0."""
        found = [bool(column.coef.any()) for column in self.columns]
        for each in self.pairs:
            if each.coef.any():
                found[each.first] = found[each.second] = True
        return found

    def combined(self, weights: Matrix) -> Scoring:
        """Return the same of sums of the outputs, each times its weight, (n_outputs, n_sums)."""
        return dataclasses.replace(
            self,
            columns=tuple(each._replace(coef=each.coef @ weights) for each in self.columns),
            pairs=tuple(each._replace(coef=each.coef @ weights) for each in self.pairs),
            intercept=self.intercept @ weights,
        )

    def check_logistic(self, what: str) -> None:
        """Raise ValueError unless the link is the logit."""
        if self.link != "logit":
            raise ValueError(
                f"{what} is written for link='logit', and the model has link={self.link!r}; "
                "export it as JSON, which has the coefficients"
            )


def scoring_of(
    model: Exportable, feature_names: Sequence[str] | None = None, *, needs_names: bool = False
) -> Scoring:
    """Return what a model adds up.

    Parameters
    ----------
    model : FitResult, Model or fitted estimator
    feature_names : sequence of str, optional
        Names of the columns, of a fit to an array, which has none.
    needs_names : bool, default False
        Whether names that nobody gave will not do; else they are x0, x1, ...

    Returns
    -------
    Scoring

    Raises
    ------
    TypeError, ValueError
        If it is no fitted model, has no names or other names than columns, coefficients that are
        not finite, or an estimator's one-vs-all probabilities, which are divided by their sum.
    """
    result, names, target = _parts(model)
    categories = result.categories
    n_columns = len(result.coef) if categories is None else categories.n_columns
    names = names if feature_names is None else feature_names
    if names is None and not needs_names:
        names = [f"x{place}" for place in range(n_columns)]
    names = _names(names, n_columns)
    coef = np.asarray(result.coef, dtype=np.float64).reshape(len(result.coef), -1)
    intercept = np.atleast_1d(np.asarray(result.intercept, dtype=np.float64))
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise ValueError("the model has coefficients that are not finite; fit it anew")
    classes = np.asarray(result.classes).tolist()
    if not isinstance(classes[0], str | int | float):
        raise ValueError(
            f"classes are of type {type(classes[0]).__name__}; fit with texts, numbers or booleans"
        )
    if categories is None:
        columns = [Column(name, None, coef[k : k + 1]) for k, name in enumerate(names)]
        pairs: list[Pairs] = []
    else:
        places = categories.places
        n_dropped = int(categories.coding == "reference")
        columns = []
        for name, levels, own in zip(names, categories.levels, places, strict=False):
            padded = np.zeros((n_dropped * (levels is not None), coef.shape[1]))
            columns.append(Column(name, levels, np.vstack([padded, coef[own]])))
        pairs = [
            Pairs(*each, coef[own])
            for each, own in zip(categories.interactions, places[n_columns:], strict=True)
        ]
    for column in columns:
        for level in column.levels or ():
            if isinstance(level, float) and not np.isfinite(level):
                raise ValueError(
                    f"column {column.name!r} has the level {level}; make texts of its values, and "
                    "fit again"
                )
    return Scoring(
        tuple(columns), tuple(pairs), intercept, classes, result.multi_class, result.link,
        None if categories is None else categories.handle_unknown, target,
    )  # fmt: skip


def check_levels(column: Column) -> None:
    """Raise ValueError where levels are of several types, as no column of a table is."""
    kinds = {type(level) for level in column.levels or ()}
    if len(kinds) > 1 and kinds != {int, float}:
        said = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(
            f"column {column.name!r} has levels of several types ({said}); make them text, and fit "
            "again"
        )


def _parts(model: Exportable) -> tuple[FitResult, Sequence[str] | None, str | None]:
    """Return the fit, the names of its columns and that of the target, as far as known."""
    if isinstance(model, Model):
        return model.result, model.feature_names, model.target
    if isinstance(model, FitResult):
        return model, _own_names(model), None
    result = getattr(model, "result_", None)
    if not isinstance(result, FitResult):
        raise TypeError(
            "model must be a FitResult, a fastlogit.model_file.Model or a fitted estimator of "
            f"fastlogit, got {type(model).__name__}{_hint(model)}"
        )
    if len(result.classes) > 2 and result.multi_class == "ovr":
        raise ValueError(
            "predict_proba of an estimator divides one-vs-all probabilities by their sum, which an "
            "export does not; export model.result_, or fit with multi_class='multinomial'"
        )
    classes = getattr(model, "classes_", result.classes)
    result = dataclasses.replace(result, classes=np.asarray(classes))
    names = getattr(model, "feature_names_in_", None)
    return result, _own_names(result) if names is None else [str(name) for name in names], None


def _hint(model: object) -> str:
    """Say what to give instead of a model that is none."""
    if hasattr(model, "formula"):
        return (
            ": the terms of a formula are no columns of a table; export its .result where each "
            "term is a column"
        )
    if hasattr(model, "steps"):
        return ": export its last step, whose columns are those that the others make"
    if hasattr(model, "fit"):
        return ", which is not fitted, or not of fastlogit"
    return ""


def _own_names(result: FitResult) -> Sequence[str] | None:
    return result.feature_names if result.categories is None else result.categories.columns


def _names(names: Sequence[str] | None, n_columns: int) -> list[str]:
    """Return the names, checked."""
    if names is None:
        raise ValueError(
            f"the fit was to an array, whose {n_columns} columns have no names; give feature_names"
        )
    if isinstance(names, str):
        raise TypeError(f"feature_names must be a list of names, got {names!r}")
    found = [str(name) for name in names]
    if len(found) != n_columns:
        raise ValueError(
            f"feature_names has {len(found)} names, but the fit had {n_columns} columns"
        )
    if "" in found:
        raise ValueError(f"column {found.index('')} has an empty name; give it one")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"two columns have the name {twice!r}; rename one")
    return found
