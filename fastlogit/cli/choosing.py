"""`fastlogit fit --cv`: the strength of the penalty, and its share of L1, by cross-validation."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import PredefinedSplit

import fastlogit
from fastlogit import io
from fastlogit.cli.scorers import check_scorer, check_scorer_name
from fastlogit.inputs.given import look
from fastlogit.inputs.table_source import TableSource
from fastlogit.options import check_number, check_whole
from fastlogit.threads import thread_count

if TYPE_CHECKING:
    from fastlogit.arrays import Integers
    from fastlogit.inputs.given import Given
    from fastlogit.io import Table as DataTable
    from fastlogit.result import FitResult

__all__ = ["Folds", "cross_validate"]

# Options of `fit` that a cross-validation takes; those of one fit alone are refused.
KNOWN = ("solver", "multi_class", "tol", "max_iter", "time_limit", "l1_ratio", "penalty_groups")


class Folds(NamedTuple):
    """How a cross-validation is done, checked as far as that is known before the data are read."""

    number: int
    scoring: str
    # Columns: rows of one group have one fold; and the folds themselves.
    group_column: str | None = None
    fold_column: str | None = None

    @classmethod
    def asked(
        cls, cv: bool, number: int | None, scoring: str | None, group_column: str | None = None,
        fold_column: str | None = None,
    ) -> Folds:  # fmt: skip
        """Return what the options say.

        Raises
        ------
        ValueError
            If they are given without --cv, do not go together, or there is no such number of folds
            or scorer.
        """
        given = {
            "--folds": number, "--scoring": scoring, "--group-column": group_column,
            "--fold-column": fold_column,
        }  # fmt: skip
        alone = [name for name, value in given.items() if value is not None and not cv]
        if alone:
            raise ValueError(
                f"{' and '.join(alone)} {'is' if len(alone) == 1 else 'are'} for --cv: give --cv "
                "too, or leave it out"
            )
        if fold_column is not None:
            for name in ("--folds", "--group-column"):
                if given[name] is not None:
                    raise ValueError(f"--fold-column holds the folds themselves: leave {name} out")
        found = cls(
            5 if number is None else number, "neg_log_loss" if scoring is None else scoring,
            group_column, fold_column,
        )  # fmt: skip
        if cv:
            check_whole("--folds", found.number, low=2)
            check_scorer_name(found.scoring)
        return found

    @property
    def columns(self) -> list[str]:
        """Columns that say where rows belong, and are no features."""
        return [name for name in (self.group_column, self.fold_column) if name is not None]

    def splitter(self, table: DataTable | None, target: str) -> int | PredefinedSplit | None:
        """Return what the estimator takes as `cv`; a source (no table) has its columns itself.

        Raises
        ------
        ValueError
            If a column is not there, lacks a value, holds no folds, or has too few groups.
        """
        if table is not None and target in self.columns:
            raise ValueError(f"{table.path}: column {target!r} is the target: no column of folds")
        if self.fold_column is not None:
            if table is None:
                return None
            return PredefinedSplit(_numbers_of_folds(table, self.fold_column))
        if self.group_column is None or table is None:
            return self.number
        groups = io.values_of(table, self.group_column, "group")
        return PredefinedSplit(fastlogit.HashKFold(self.number).folds(table.n_rows, groups))


def _numbers_of_folds(table: DataTable, name: str) -> Integers:
    """Return the column as whole numbers from -1, which is no fold."""
    column = io.values_of(table, name, "fold")
    numbers: Integers = np.zeros(table.n_rows, dtype=np.int64)
    if column.dtype.kind in "fiu" and (column % 1 == 0).all() and (column >= -1).all():
        numbers = column.astype(np.int64)
    else:
        raise ValueError(
            f"{table.path}: fold column {name!r} must hold whole numbers: the fold in which a row "
            "is scored, or -1 for a row that is always fitted"
        )
    if len(np.unique(numbers)) < 2:
        raise ValueError(
            f"{table.path}: fold column {name!r} holds {int(numbers[0])} alone; it needs two "
            "folds, or one and rows of -1"
        )
    return numbers


def cross_validate(
    data: Given, folds: Folds, cv: int | PredefinedSplit | None, threads: int | None,
    options: dict[str, Any],
) -> tuple[FitResult, str]:  # fmt: skip
    """Choose C, and one of the shares of L1, and fit all rows with them.

    Returns the fit and a line that says what was chosen. Sets: C and l1_ratio in the options.
    """
    if isinstance(data.X, TableSource):  # which is read once, here
        check_scorer(folds.scoring, look(data, "ovr").classes)
    else:
        check_scorer(folds.scoring, np.unique(np.asarray(data.y)))
    for name in options.keys() - set(KNOWN):
        raise ValueError(f"--{name.replace('_', '-')} is an option of fits without --cv")
    given = dict(options)
    ratios, groups = given.pop("l1_ratio", [0.0]), given.pop("penalty_groups", None)
    if "tol" in given:  # the estimators' is that of the coefficients
        given["tol"] = math.sqrt(check_number("--tol", given["tol"], low=0.0))
    model = fastlogit.LogisticRegressionCV(
        l1_ratios=ratios, use_legacy_attributes=False, cv=cv, scoring=folds.scoring,
        n_jobs=None if threads is None else thread_count(threads), **given,
        **_of_categories(data),
    )  # fmt: skip
    model.fit(data.X, data.y, data.sample_weight, penalty_groups=groups)
    options["C"] = float(model.C_)
    if "l1_ratio" in options:
        options["l1_ratio"] = float(model.l1_ratio_)
    line = _line(model, ratios, folds)
    return dataclasses.replace(model.result_, classes=np.asarray(model.classes_)), line


def _of_categories(data: Given) -> dict[str, Any]:
    """Return what is asked about categorical columns, as an estimator's parameters."""
    asked = data.categories
    if asked is None:
        return {}
    coding, unknown, pairs = asked
    return {"categories": coding, "handle_unknown": unknown, "interactions": pairs or None}


def _line(model: fastlogit.LogisticRegressionCV, ratios: list[float], folds: Folds) -> str:
    """Return what was chosen, among how many, by which mean score."""
    means = model.scores_.mean(axis=0)
    n_cs = means.shape[1]
    line = f"C = {model.C_:.4g} of {n_cs}"
    if len(ratios) > 1:
        line += f", l1_ratio = {model.l1_ratio_:g} of {len(ratios)}"
    line += (
        f", by {len(model.scores_)}-fold cross-validation: mean {folds.scoring} {means.max():.4f}"
    )
    edges = {0: "smallest", n_cs - 1: "largest"}
    place = int(np.argmin(np.abs(model.Cs_ - model.C_)))
    return f"{line} (the {edges[place]} C that was tried)" if place in edges else line
