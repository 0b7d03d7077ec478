"""Other links and fractional responses: what they go with, said before work begins."""

from __future__ import annotations

import numpy as np

from ..arrays import ArrayLike
from ..inputs.batches import BatchSource
from ..objective.links import LINKS, link_loss
from ..objective.losses import Loss, RowLoss
from ..options import check_option
from .custom import check_loss

__all__ = ["check_flag", "check_link", "refuse_batches", "refuse_beside_shares"]


def check_link(link: str, loss: object, multi_class: str, solver: str) -> RowLoss | None:
    """Return the loss of a link, or that of the user's own.

    Raises
    ------
    TypeError, ValueError
        If the link is unknown, or does not go with the loss, a softmax, or the solver.
    """
    if check_option("link", link, LINKS) == "logit":
        return check_loss(loss, multi_class)
    if loss is not None:
        raise ValueError(f"give link={link!r} or a loss of your own, not both")
    if multi_class == "multinomial":
        raise ValueError(
            f"link={link!r} is for two classes: leave out multi_class; of ordered classes "
            "fastlogit.ordinal_logit takes it"
        )
    found = link_loss(link)
    if solver == "gradient_descent" and found is not None and np.isinf(found.most_curvature):
        raise ValueError(
            f"the curvature of link={link!r} has no bound, so that gradient descent has no step "
            "size that is sure: leave solver out, or set solver='newton'"
        )
    return found


def refuse_beside_shares(loss: Loss | None, multi_class: str) -> None:
    """Raise for what a fractional response does not go with."""
    if multi_class == "multinomial":
        raise ValueError("fractional=True is for one share a row: leave out multi_class")
    if loss is not None and loss.link == "logit":
        raise ValueError("fractional=True goes with a link, not with a loss of your own")


def refuse_batches(X: ArrayLike, option: str) -> None:
    """Raise for batches, whose labels are looked at by themselves."""
    if isinstance(X, BatchSource):
        raise ValueError(
            f"{option} does not go with a BatchSource: give the rows as an array, a memory map or "
            "anything else that has slices of rows"
        )


def check_flag(name: str, value: object) -> bool:
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)
