"""All partitions of a fit, and how they are asked."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Self

import numpy as np

from ..arrays import Array, Indices, Vector
from ..design.base import RowCounter
from . import work
from .placement import Group, Placement, Spread
from .rounds import FAN_IN, Combine, Future, Rounds, Value, add, join
from .tree import counts
from .work import Method, Own, View

__all__ = ["Parts"]

# Numbers that may come to this process in a round, one by one: 64 MB. More are put together in the
# workers.
MOST_NUMBERS = 2**23
# Numbers that may meet in a task where these are of several partitions: 2 GB. More, as of workers
# none of whose partitions are neighbours, go up the tree one by one.
MOST_TOGETHER = 2**28

# Columns whose standardisation is sent to each worker once, and not in each round, and how many
# standardisations, or sets of models, workers keep.
MANY_COLUMNS, MOST_SHOWN = 5000, 4


class Parts:
    """Partitions that lie in workers, as a model sees them now.

    Parameters
    ----------
    rounds : Rounds
    places : list of futures of Place, or Spread
    sizes : ndarray of int64, shape (n_partitions,)
        Rows of each.
    view : View
    counter : RowCounter
        Of the rows of X.
    placement : Placement, optional
        Where they lie; by default that is looked up when they are there.
    numbers : sequence of int, optional
        What users count them by, who count empty ones too.
    """

    def __init__(
        self, rounds: Rounds, places: Sequence[Future] | Spread, sizes: Indices, view: View,
        counter: RowCounter, placement: Placement | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.rounds, self.sizes = rounds, sizes
        self.places = places if isinstance(places, Spread) else Spread(list(places))
        self.placement = placement or Placement(rounds, self.places)
        self.view, self.counter = view, counter
        self.numbers = range(len(sizes)) if numbers is None else numbers
        # Views as tasks get them, where they are large: for all that see these parts.
        self.shown: dict[Hashable, tuple[View, Future]] = {}
        # Rows that came to this process last, by stride and scale: for all that see these parts.
        self.taken: dict[tuple[int, float], list[Any]] = {}

    def seen(self, **changes: Value) -> Self:
        """Return the same partitions, seen otherwise."""
        other = copy.copy(self)
        other.view = self.view._replace(**changes)
        return other

    @property
    def starts(self) -> Indices:
        """The number of the first row of each partition, and last the number of all rows."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    def ask(
        self, function: Callable[..., Any], *given: Value,
        held: Sequence[Spread | Sequence[Any]] = (), combine: Combine = add,
        numbers: int | None = None, is_pass: bool = True,
    ) -> Any:  # fmt: skip
        """Return what all partitions answer, put together: one round.

        Parameters
        ----------
        function : callable
            ``function(rows, *held, *given)``, of a module.
        *given
            What all partitions get.
        held : sequence of Spread or lists
            Row states, or what each partition gets.
        combine : callable
            Of what two neighbours say.
        numbers : int, optional
            How many numbers a partition says at most; by default a gradient of each model.
        is_pass : bool, default True
            Whether X is read: a time limit ends a fit before a pass, and nowhere else.
        """
        if is_pass:
            self.counter.check()
        groups, in_workers = self._groups_for(combine, numbers)
        name = _name_of(function, given)
        told = self._map(work.answer, name, groups, held, function, given, combine)
        return self._told(told, groups, combine, name, in_workers)

    def _groups_for(self, combine: Combine, numbers: int | None) -> tuple[tuple[Group, ...], bool]:
        """Return which partitions are asked together, and whether answers meet in the workers."""
        groups, n_leaves = self.placement.groups, len(self.sizes)
        if combine is join or n_leaves == 1:
            return groups, False
        if numbers is None:
            models = self.view.models
            n_models = self.view.total_weight.size if models is None else models.size
            numbers = max(n_models, 1) * (self.view.columns.center.size + 2)
        if numbers * n_leaves <= MOST_NUMBERS:
            return groups, False
        members = tuple(group.members for group in groups)
        found = counts(members, n_leaves, FAN_IN)
        if numbers * found.n_answers <= MOST_NUMBERS:
            return groups, False
        # Neighbours that lie together are put together there first.
        if numbers * found.most_together <= MOST_TOGETHER:
            return groups, True
        return _one_by_one(groups), True

    def _map(
        self, task: Callable[..., Any], name: str, groups: tuple[Group, ...],
        held: Sequence[Spread | Sequence[Any]], function: Callable[..., Any],
        given: tuple[Any, ...], combine: Combine,
    ) -> list[Future]:  # fmt: skip
        """Return the tasks of a round, one for each group."""
        question = work.Question(function, given, combine, len(self.sizes))
        lists = [self._by(each, groups) for each in (self.places, *held)]
        members, n_threads = _members(groups)
        view = [self._view_of_tasks()] * len(groups)
        return self.rounds.map(task, name, members, n_threads, view, *lists, question=question)

    def _view_of_tasks(self) -> View | Future:
        """Return the view, or where it is large a handle: each worker gets it once."""
        if self.view.columns.center.size < MANY_COLUMNS:
            return self.view
        columns, models, total_weight, scale = self.view
        key = (
            *map(id, columns), None if models is None else models.tobytes(),
            total_weight.tobytes(), scale,
        )  # fmt: skip
        if key not in self.shown:
            if len(self.shown) == MOST_SHOWN:
                del self.shown[next(iter(self.shown))]
            self.shown[key] = self.view, self.rounds.constant(self.view, "columns")
        return self.shown[key][1]

    def _by(self, held: Spread | Sequence[Any], groups: tuple[Group, ...]) -> list[Any]:
        """Return what each group gets of row states, or of what partitions get."""
        if isinstance(held, Spread):
            return held.by(groups, self.rounds)
        return [[held[place] for place in group.members] for group in groups]

    def _told(
        self, told: list[Future], groups: tuple[Group, ...], combine: Combine, name: str,
        in_workers: bool,
    ) -> Any:  # fmt: skip
        """Return what groups answer, put together, when it is there."""
        found, workers = self.rounds.combine(told, len(self.sizes), combine, name, in_workers)
        if not in_workers:
            self.placement.ran_at(groups, workers)
        self.counter.rows += found.n_rows
        return found.value

    def call(
        self, name: str, *given: Value, held: Sequence[Spread | Sequence[Any]] = (),
        combine: Combine = add, numbers: int | None = None, is_pass: bool = True,
    ) -> Any:  # fmt: skip
        """Return what a method of `LabelledRows` gives on all partitions, put together."""
        return self.ask(
            work.call, Method(name), *given, held=held, combine=combine, numbers=numbers,
            is_pass=is_pass,
        )  # fmt: skip

    def call_design(
        self, name: str, *given: Value, held: Sequence[Spread | Sequence[Any]] = (),
        combine: Combine = add,
    ) -> Any:  # fmt: skip
        """Return what a method of `Design` gives on all partitions, put together."""
        return self.ask(work.call_design, Method(name), *given, held=held, combine=combine)

    def lists(self, name: str, *given: Value) -> list[Any]:
        """Return what a method of `Design` gives on each partition."""
        return self.ask(work.in_list, Method(name), *given, combine=join)

    def keep(
        self, function: Callable[..., Any], *given: Value,
        held: Sequence[Spread | Sequence[Any]] = (), combine: Combine = add,
    ) -> tuple[Spread, Any]:  # fmt: skip
        """Return row states that stay in the workers, and what all partitions answer: one round."""
        self.counter.check()
        groups, name = self.placement.groups, _name_of(function, given)
        kept = self._map(work.keep, name, groups, held, function, given, combine)
        return Spread(kept, groups), self._told_of(kept, groups, combine, name)

    def _told_of(
        self, kept: list[Future], groups: tuple[Group, ...], combine: Combine, name: str
    ) -> Any:
        told = self.rounds.map(work.told_of, f"{name}-answer", kept)
        return self._told(told, groups, combine, name, False)

    def derive(
        self, function: Callable[..., Any], *held: Spread | None, given: tuple[Any, ...]
    ) -> Spread:
        """Return row states that are made of others, where these are: no round, no row is read.

        ``function(*states, *given)`` gets None for states that are not there yet.
        """
        groups = self.placement.groups
        lists = [[None] * len(groups) if each is None else self._by(each, groups) for each in held]
        name = _name_of(function, ())
        return Spread(
            self.rounds.map(work.derive, name, *lists, does=function, given=given), groups
        )

    def made(self, function: Callable[..., Any], *held: Spread, given: tuple[Any, ...]) -> Parts:
        """Return partitions that are made of these, where they are: no round, no row is read.

        ``function(place, *states, *given)`` is a place of as many rows.
        """
        places = self.derive(function, self.places, *held, given=given)
        return self._like(places, self.sizes)

    def subsample(self, stride: int) -> tuple[Parts, Vector]:
        """Return every `stride`-th row, counted over all, and their weight for each output."""
        firsts = self._firsts(stride)
        sizes = np.maximum(-(-(self.sizes - firsts) // stride), 0)
        groups, n_leaves = self.placement.groups, len(self.sizes)
        kept = self.rounds.map(
            work.subsamples, "subsample", _members(groups)[0], self.places.by(groups, self.rounds),
            [firsts[list(group.members)].tolist() for group in groups], stride=stride,
            n_leaves=n_leaves,
        )  # fmt: skip
        total = self._told_of(kept, groups, add, "subsample")
        some = Spread(kept, groups)
        return self._like(some, sizes), total

    def _like(self, places: Spread, sizes: Indices) -> Parts:
        """Return partitions that lie where these do."""
        return Parts(
            self.rounds, places, sizes, self.view, self.counter, self.placement, self.numbers
        )

    def owned(self, values: Sequence[Any]) -> list[Own]:
        """Return what each partition gets, of values for those that have rows."""
        found = [Own(None)] * len(self.sizes)
        for place, value in zip(np.flatnonzero(self.sizes), values, strict=True):
            found[place] = Own(value)
        return found

    def _firsts(self, stride: int) -> Indices:
        return -self.starts[:-1] % stride

    def firsts(self, stride: int) -> list[Own]:
        """Return which row of each partition is its first among every `stride`-th of all."""
        return [Own(int(first)) for first in self._firsts(stride)]

    def split(self, values: Array) -> list[Any]:
        """Return what belongs to the rows of each partition: the last axis is that of the rows."""
        starts = self.starts
        return [np.ascontiguousarray(values[..., a:b]) for a, b in itertools.pairwise(starts)]

    def of_rows(self, indices: Indices) -> list[Indices]:
        """Return which rows of each partition are among some: places in it, for rising indices."""
        starts = self.starts
        cuts = np.searchsorted(indices, starts)
        return [
            indices[low:high] - start
            for low, high, start in zip(cuts[:-1], cuts[1:], starts[:-1], strict=True)
        ]


def _members(groups: tuple[Group, ...]) -> tuple[list[tuple[int, ...]], list[int]]:
    return [group.members for group in groups], [group.n_threads for group in groups]


def _one_by_one(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """Return groups of one partition each, in the order of these."""
    return tuple(
        sorted(group._replace(members=(place,)) for group in groups for place in group.members)
    )


# What users of the dashboard would look for. dask shows no word of eight letters from a to f on: it
# takes "evaluate" for a hexadecimal number.
SHOWN = {
    "evaluate": "gradient", "evaluate_and_keep": "gradient_and_curvature",
    "every": "rows_of_subsample",
}  # fmt: skip


def _name_of(function: Callable[..., Any], given: tuple[Any, ...]) -> str:
    """Return what the dashboard calls a round."""
    named = [part.name for part in given if isinstance(part, Method)]
    name = (named[0] if named else function.__name__).strip("_")
    return SHOWN.get(name, name)
