"""A group lasso as the user says it: a group of each column, or each column over all classes."""

from __future__ import annotations

import numpy as np

from ..arrays import ArrayLike, Floats, Indices, Vector
from ..inputs.given import Data
from ..inputs.validation import check_l2_reg
from ..objective.group_penalty import GroupL1

__all__ = ["FEATURES", "group_lasso", "refuse_beside_groups"]

# The word for each column as a group of its own, over all classes.
FEATURES = "features"


def group_lasso(
    groups: ArrayLike, weights: ArrayLike, l1: float | Floats, n_features: int, n_classes: int,
    unit: str = "columns",
) -> GroupL1:  # fmt: skip
    """Return the penalty, in the units of X.

    Parameters
    ----------
    groups : "features", or array-like of shape (n_features,)
        A label for each column: whole numbers or text.
    weights : array-like of shape (n_groups,), optional
        In the order of the sorted labels; by default the root of the number of columns.
    l1 : float or ndarray of shape (1,) or (n_models, 1)
        What the weights are multiplied by.
    n_features : int
    n_classes : int
        Those of a softmax, else 1.
    unit : str
        What an error says that X has.
    """
    labels = _labels(groups, n_features, unit)
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    each: Vector = np.sqrt(counts)
    if weights is not None:
        shape = np.shape(np.asarray(weights))
        if shape not in ((), (counts.size,)):
            raise ValueError(
                f"group_weights has shape {shape}, but penalty_groups has {counts.size} groups: it "
                "must be a number, or have one for each"
            )
        each = np.broadcast_to(check_l2_reg("group_weights", weights, counts.size), counts.size)
    return GroupL1(np.reshape(l1, (-1, 1)) * each[places], places, n_classes)


def _labels(groups: ArrayLike, n_features: int, unit: str) -> Indices:
    if isinstance(groups, str):
        if groups != FEATURES:
            raise ValueError(
                f"penalty_groups must be {FEATURES!r} or a label for each column, got {groups!r}"
            )
        return np.arange(n_features)
    labels = np.asarray(groups)
    if labels.dtype.kind == "O" and {type(label) for label in labels.flat} == {str}:
        labels = labels.astype(np.str_)  # as of an index of pandas
    if labels.shape != (n_features,):
        raise ValueError(
            f"penalty_groups has shape {labels.shape}, but X has {n_features} {unit}: it must be "
            f"{FEATURES!r} or have a label for each"
        )
    if labels.dtype.kind not in "iuUSb":
        raise TypeError(
            f"penalty_groups must hold whole numbers or text, got an array of {labels.dtype}"
        )
    return labels


def refuse_beside_groups(data: Data, l1_reg: ArrayLike) -> None:
    """Raise for what a group lasso does not go with."""
    if data.coef_bounds is not None:
        raise ValueError("coef_bounds do not go with penalty_groups yet; leave out one of them")
    if data.penalty_factor is not None:
        raise ValueError(
            "penalty_factor is of columns, and penalty_groups holds them together; give "
            "group_weights, 0 for groups without L1, in its place"
        )
    if l1_reg is not None and np.ndim(np.asarray(l1_reg)):
        raise ValueError(
            "with penalty_groups l1_reg is one number; give group_weights for the groups"
        )
