"""`fastlogit fit --cv`: the strength of the penalty, and its share of L1, by cross-validation."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import fastlogit
from fastlogit.cli.scorers import check_scorer, check_scorer_name
from fastlogit.inputs.given import look
from fastlogit.inputs.table_source import TableSource
from fastlogit.options import check_number, check_whole
from fastlogit.threads import thread_count

if TYPE_CHECKING:
    from fastlogit.inputs.given import Given
    from fastlogit.result import FitResult

__all__ = ["Folds", "cross_validate"]

# Options of `fit` that a cross-validation takes; those of one fit alone are refused.
KNOWN = ("solver", "multi_class", "tol", "max_iter", "time_limit", "l1_ratio", "penalty_groups")


class Folds(NamedTuple):
    """How a cross-validation is done, checked as far as that is known before the data are read."""

    number: int
    scoring: str

    @classmethod
    def asked(cls, cv: bool, number: int | None, scoring: str | None) -> Folds:
        """Return what the options say.

        Raises
        ------
        ValueError
            If they are given without --cv, or there is no such number of folds or scorer.
        """
        given = {"--folds": number, "--scoring": scoring}
        alone = [name for name, value in given.items() if value is not None and not cv]
        if alone:
            raise ValueError(
                f"{' and '.join(alone)} {'is' if len(alone) == 1 else 'are'} for --cv: give --cv "
                "too, or leave it out"
            )
        found = cls(5 if number is None else number, "neg_log_loss" if scoring is None else scoring)
        if cv:
            check_whole("--folds", found.number, low=2)
            check_scorer_name(found.scoring)
        return found


def cross_validate(
    data: Given, folds: Folds, threads: int | None, options: dict[str, Any]
) -> tuple[FitResult, str]:
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
        l1_ratios=ratios, use_legacy_attributes=False, cv=folds.number, scoring=folds.scoring,
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
    line += f", by {folds.number}-fold cross-validation: mean {folds.scoring} {means.max():.4f}"
    edges = {0: "smallest", n_cs - 1: "largest"}
    place = int(np.argmin(np.abs(model.Cs_ - model.C_)))
    return f"{line} (the {edges[place]} C that was tried)" if place in edges else line
