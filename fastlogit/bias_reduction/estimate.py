"""Estimates of reduced bias: which there are, and each from the rows of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..arrays import Vector
from ..objective.objective import Objective
from .curvature import added_curvature, is_worth_it
from .intercepts import AugmentedScore, with_own_intercept
from .maximum import EXACT, MOST_STEPS, End, Found, Model, find
from .points import Point
from .scores import MeanScore, MedianScore, dependent_columns

__all__ = ["CALLED", "KINDS", "Dependent", "Estimate", "estimate"]

# What each kind is called in messages and tables.
CALLED = {
    "mean": "Firth's mean bias reduction",
    "median": "median bias reduction",
    "flic": "Firth's mean bias reduction with the intercept of FLIC",
    "flac": "FLAC",
}
KINDS = tuple(CALLED)
# The step that may be left in a subsample, which is only a start.
ROUGH = 0.1


class Dependent(Exception):
    """Columns are combinations of others, and of the intercept.

    Attributes
    ----------
    columns : list of int
    """

    def __init__(self, columns: list[int]) -> None:
        super().__init__(columns)
        self.columns = columns


class Estimate(NamedTuple):
    """An estimate of reduced bias.

    Attributes
    ----------
    kind : {"mean", "median", "flic", "flac"}
    theta : ndarray of shape (n_features + 1,)
        On standardised columns, the intercept last.
    score : MeanScore
        Whose root `found` is: for FLIC and FLAC Firth's.
    found : Found
    model : Model
        What the search has learned of the second derivative.
    curvature : ndarray of shape (n_samples,), or None
        FLIC: the rows' curvatures with its intercept.
    augmented : AugmentedScore or None
    again : Found or None
        FLAC: its criterion, and where that is least.
    """

    kind: str
    theta: Vector
    score: MeanScore
    found: Found
    model: Model
    curvature: Vector | None = None
    augmented: AugmentedScore | None = None
    again: Found | None = None

    @property
    def last(self) -> Found:
        """The search that the estimate is the end of."""
        return self.found if self.again is None else self.again


def estimate(
    objective: Objective,
    kind: str,
    theta: Vector,
    *,
    stride: int = 1,
    exact: float = EXACT,
    most_steps: int = MOST_STEPS,
    note: Callable[[Point], bool] | None = None,
) -> Estimate:
    """Return an estimate of reduced bias.

    Parameters
    ----------
    objective : Objective
        One model of two classes without a penalty, on standardised columns.
    kind : {"mean", "median", "flic", "flac"}
    theta : ndarray of shape (n_features + 1,)
        Where it begins.
    stride : int, default 1
        Above 1, every `stride`-th row is fitted first.
    exact : float
        The step that may be left, in standard errors.
    most_steps : int
    note : callable, optional
        See `maximum.find`.

    Raises
    ------
    Dependent
    """
    score = (MedianScore if kind == "median" else MeanScore)(objective)
    if not objective.fitted()[:-1].all():
        raise Dependent([int(column) for column in np.flatnonzero(~objective.fitted()[:-1])])
    model = Model(score.size)
    if stride > 1:
        some = objective.subsample(stride)
        rough = MeanScore(some)
        found = find(rough, theta, exact=ROUGH, most_steps=most_steps)
        if found.end is End.FOUND:
            theta = found.point.theta
            # Leverages are larger by the stride, and rows fewer: what the penalty adds to the
            # second derivative is about the same. It saves one of six looks at 100,000 x 30.
            if rough.small is not None and kind != "median" and is_worth_it(some):
                model = Model(score.size, added_curvature(some, found.point, rough.small))
    found = find(score, theta, exact=exact, model=model, note=note, most_steps=most_steps)
    columns = dependent_columns(found.point, objective)
    if columns:
        raise Dependent(columns)
    whole = Estimate(kind, found.point.theta, score, found, model)
    if kind == "flic":
        own, curvature = with_own_intercept(objective, found.point.theta)
        return whole._replace(theta=own, curvature=curvature)
    if kind != "flac" or found.end is not End.FOUND:
        return whole
    augmented = AugmentedScore(objective, found.point.rows.leverages)
    again = find(augmented, np.append(found.point.theta, 0.0), exact=exact, most_steps=most_steps)
    return whole._replace(theta=again.point.theta[:-1], augmented=augmented, again=again)
