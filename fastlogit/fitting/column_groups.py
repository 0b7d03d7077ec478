"""A group lasso as the user says it: a group of each column, or each column over all classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Floats, Indices, Labels, Vector
from ..design.base import Columns
from ..inputs.given import Data
from ..inputs.validation import check_l2_reg
from ..inputs.values import array_of, show
from ..objective.group_penalty import GroupL1
from ..objective.objective import Objective

__all__ = ["FEATURES", "ColumnGroups", "check_groups", "scale_groups"]

# The word for each column as a group of its own, over all classes.
FEATURES = "features"


class ColumnGroups(NamedTuple):
    """Groups of columns that L1 holds together, checked.

    Attributes
    ----------
    labels : ndarray of shape (n_features,)
        Of each column, as the user gave them, or the number of the column.
    places : ndarray of int, shape (n_features,)
        The place of each among the sorted labels.
    weights : ndarray of shape (n_features,)
        What L1 is multiplied by, that of each column's group.
    """

    labels: Labels
    places: Indices
    weights: Vector

    def l1(self, strengths: float | Floats, n_classes: int) -> GroupL1:
        """Return the penalty, in the units of X.

        Parameters
        ----------
        strengths : float or ndarray of shape (n_features,) or (n_models, n_features)
            Those of L1, the same for all columns.
        n_classes : int
            Those of a softmax, else 1.
        """
        return GroupL1(np.asarray(strengths) * self.weights, self.places, n_classes)


def check_groups(groups: ArrayLike, weights: ArrayLike, data: Data) -> ColumnGroups | None:
    """Return the groups that the user gave; None for none.

    Parameters
    ----------
    groups : "features", or array-like of shape (n_features,)
        A label for each column: whole numbers or text.
    weights : float or array-like of shape (n_groups,), optional
        In the order of the sorted labels; by default the root of the number of columns.
    data : Data

    Raises
    ------
    TypeError, ValueError
        If they are of another type or shape, or stand beside what they do not go with.
    """
    if groups is None:
        return None
    labels = _labels(groups, data.rows.X.shape[1], data.rows.unit)
    _refuse_beside_groups(data)
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    each: Vector = np.sqrt(counts)
    if weights is not None:
        shape = array_of("group_weights", weights).shape
        if shape not in ((), (counts.size,)):
            raise ValueError(
                f"group_weights has shape {shape}, but penalty_groups has {counts.size} groups: it "
                "must be a number, or have one for each"
            )
        checked = check_l2_reg("group_weights", weights, counts.size, "groups")
        each = np.broadcast_to(checked, counts.size)
    return ColumnGroups(labels, places, each[places])


def _labels(groups: ArrayLike, n_features: int, unit: str) -> Labels:
    if isinstance(groups, str):
        if groups != FEATURES:
            raise ValueError(
                f"penalty_groups must be {FEATURES!r} or a label for each column, got {groups!r}"
            )
        return np.arange(n_features)
    if isinstance(groups, list | tuple) and any(isinstance(part, list | tuple) for part in groups):
        raise ValueError(
            f"penalty_groups must be {FEATURES!r} or one label for each column, got a list of "
            "lists; each column is in one group: [0, 0, 1] are two groups of three columns"
        )
    labels = np.array(array_of("penalty_groups", groups))
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(np.str_)  # as of an index of pandas
    if labels.shape != (n_features,):
        raise ValueError(
            f"penalty_groups has shape {labels.shape}, but X has {n_features} {unit}: it must be "
            f"{FEATURES!r} or have a label for each"
        )
    if labels.dtype.kind not in "iuUSb":
        wrong = next(k for k, label in enumerate(labels.flat) if not isinstance(label, str))
        raise TypeError(
            f"penalty_groups must hold whole numbers or text, got {show(labels[wrong])} for column "
            f"{wrong}"
        )
    return labels


def _refuse_beside_groups(data: Data) -> None:
    """Raise for what a group lasso does not go with."""
    if data.coef_bounds is not None:
        raise ValueError(
            "coef_bounds do not go with penalty_groups: bounds are of single coefficients, and a "
            "group is 0 as a whole; leave out one of them"
        )
    if data.penalty_factor is not None:
        raise ValueError(
            "penalty_factor is of columns, and penalty_groups holds them together; give "
            "group_weights, 0 for groups without L1, in its place"
        )
    if isinstance(data.l1_reg, np.ndarray):
        raise ValueError(
            "with penalty_groups l1_reg is one number; give group_weights for the groups"
        )


def scale_groups(objective: Objective) -> None:
    """Give all columns of a group one scale, in which the length of the group is that in X's."""
    if isinstance(objective.user_l1, GroupL1):
        center, inverse_scale = objective.design.columns
        objective.take_columns(Columns(center, objective.user_l1.uniform(inverse_scale)))
