"""Rounds over partitions: one task for each, and a tree that adds up what they answer.

A task is a function of what it is given alone, and so is a node of the tree, whose shape depends on
the number of partitions alone. So the bits depend neither on which worker ran what and when, nor on
how many there are, nor on tasks that ran again. What a worker held when it was lost the scheduler
makes anew on others, from the same tasks.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = [
    "FAN_IN",
    "Answer",
    "Client",
    "Collection",
    "Combine",
    "Future",
    "Kept",
    "Rounds",
    "Table",
    "Value",
    "add",
    "add_beside_least",
    "join",
    "largest",
    "least",
]

# dask.distributed has no types that strict checking could use.
Client: TypeAlias = Any
Future: TypeAlias = Any
# A dask array, frame or list of delayed; a partition of one; what a partition is told or says.
Collection: TypeAlias = Any
Table: TypeAlias = Any
Value: TypeAlias = Any
Combine: TypeAlias = Callable[[Sequence[Any]], Any]

# Answers that a node of the tree adds up.
FAN_IN = 8


class Answer(NamedTuple):
    """What a partition says, and how many rows were read for it."""

    value: Any
    n_rows: int


class Kept(NamedTuple):
    """What a task leaves in the worker that ran it, and its answer."""

    state: Any
    answer: Answer


class Rounds:
    """Runs functions over partitions that lie in workers.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._token, self._count = uuid.uuid4().hex[:8], itertools.count()

    def map(
        self, function: Callable[..., Any], label: str, *lists: Sequence[Any], **common: object
    ) -> list[Future]:
        """Return a future for each partition: ``function(*items of the lists, **common)``."""
        number = next(self._count)
        keys = [self.key(label, f"{number}-{place}") for place in range(len(lists[0]))]
        return list(self.client.map(function, *lists, key=keys, pure=False, **common))

    def key(self, label: str, place: object) -> str:
        """Return the name of a task, of which the dashboard shows the first part."""
        return f"fastlogit-{label}-{self._token}-{place}"

    def combine(self, answers: Sequence[Future], combine: Combine, label: str) -> Answer:
        """Return what the answers come to: neighbours first, `FAN_IN` at a time."""
        level = list(answers)
        while len(level) > 1:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = self.map(_node, f"{label}-sum", groups, combine=combine)
        return self.client.gather(level[0])

    def answers(self, kept: Sequence[Future], label: str) -> list[Future]:
        """Return the answers of tasks that left something in their workers."""
        return self.map(_answer_of, f"{label}-answer", kept)


def _answer_of(kept: Kept) -> Answer:
    return kept.answer


def _node(answers: Sequence[Answer], combine: Combine) -> Answer:
    return Answer(combine([each.value for each in answers]), sum(each.n_rows for each in answers))


# ------------------------------------------------------------------------------------------------
# What a node does


def add(values: Sequence[Any]) -> Any:
    """Return the sum, one after the other; of tuples the sum of each part."""
    if isinstance(values[0], tuple):
        return tuple(add(parts) for parts in zip(*values, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        total = values[0]
        for value in values[1:]:
            total = total + value
    return total


def largest(values: Sequence[Any]) -> Any:
    """Return the largest, number by number; NaN where there is one."""
    return np.max(values, axis=0)


def least(values: Sequence[Any]) -> Any:
    """Return the least, number by number; NaN where there is one."""
    return np.min(values, axis=0)


def add_beside_least(values: Sequence[Any]) -> Any:
    """Return of pairs the sum of the first parts, and the least of the second."""
    return add([first for first, _ in values]), least([second for _, second in values])


def join(values: Sequence[Any]) -> Any:
    """Return lists one after the other."""
    return [item for value in values for item in value]
