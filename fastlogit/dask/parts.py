"""All partitions of a fit, and how they are asked."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from ..arrays import Array, Indices, Vector
from ..design.base import RowCounter
from . import work
from .rounds import Combine, Future, Kept, Rounds, Value, add, join
from .work import Method, Own, Place, View

__all__ = ["Parts"]


class Parts:
    """Partitions that lie in workers, as a model sees them now.

    Parameters
    ----------
    rounds : Rounds
    places : sequence of futures of Place
    sizes : ndarray of int64, shape (n_partitions,)
        Rows of each: none is empty.
    view : View
    counter : RowCounter
        Of the rows of X.
    """

    def __init__(
        self, rounds: Rounds, places: Sequence[Future], sizes: Indices, view: View,
        counter: RowCounter,
    ) -> None:  # fmt: skip
        self.rounds, self.places, self.sizes = rounds, list(places), sizes
        self.view, self.counter = view, counter
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
        self, function: Callable[..., Any], *given: Value, held: Sequence[Sequence[Any]] = (),
        combine: Combine = add,
    ) -> Any:  # fmt: skip
        """Return what all partitions answer, put together: one round.

        Parameters
        ----------
        function : callable
            ``function(rows, *held, *given)``, of a module.
        *given
            What all partitions get.
        held : sequence of lists
            Row states as futures, or what each partition gets.
        combine : callable
        """
        self.counter.check()
        name = _name_of(function, given)
        answers = self.rounds.map(
            work.answer, name, self.places, *held, does=function, view=self.view, given=given
        )
        found = self.rounds.combine(answers, combine, name)
        self.counter.rows += found.n_rows
        return found.value

    def call(
        self, name: str, *given: Value, held: Sequence[Sequence[Any]] = (), combine: Combine = add
    ) -> Any:
        """Return what a method of `LabelledRows` gives on all partitions, put together."""
        return self.ask(work.call, Method(name), *given, held=held, combine=combine)

    def call_design(
        self, name: str, *given: Value, held: Sequence[Sequence[Any]] = (), combine: Combine = add
    ) -> Any:
        """Return what a method of `Design` gives on all partitions, put together."""
        return self.ask(work.call_design, Method(name), *given, held=held, combine=combine)

    def lists(self, name: str, *given: Value, held: Sequence[Sequence[Any]] = ()) -> list[Any]:
        """Return what a method of `Design` gives on each partition."""
        return self.ask(work.in_list, Method(name), *given, held=held, combine=join)

    def keep(
        self, function: Callable[..., Any], *given: Value, held: Sequence[Sequence[Any]] = (),
        combine: Combine = add,
    ) -> tuple[list[Future], Any]:  # fmt: skip
        """Return row states that stay in the workers, and what all partitions answer: one round."""
        self.counter.check()
        name = _name_of(function, given)
        kept = self.rounds.map(
            work.keep, name, self.places, *held, does=function, view=self.view, given=given
        )
        found = self.rounds.combine(self.rounds.answers(kept, name), combine, name)
        self.counter.rows += found.n_rows
        return kept, found.value

    def derive(self, function: Callable[..., Kept], *held: Sequence[Any], **given: Value) -> Any:
        """Return row states that are made of others, where these are: no round, no row is read."""
        return self.rounds.map(function, _name_of(function, ()), *held, **given)

    def subsample(self, stride: int) -> tuple[Parts, Vector]:
        """Return every `stride`-th row, counted over all, and their weight for each output."""
        firsts = self._firsts(stride)
        sizes = np.maximum(-(-(self.sizes - firsts) // stride), 0)
        some = np.flatnonzero(sizes)
        places = self.rounds.map(
            work.subsample, "subsample", [self.places[i] for i in some], firsts[some].tolist(),
            stride=stride,
        )  # fmt: skip
        weights = self.rounds.map(work.weight_of_place, "weights", places)
        total = self.rounds.combine(weights, add, "weights").value
        return Parts(self.rounds, places, sizes[some], self.view, self.counter), total

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

    def first_row(self) -> Future:
        """Return a place of one row of the first partition: a design of the same kind."""
        return self.rounds.map(_one_row, "kind", self.places[:1])[0]


def _one_row(place: Place) -> Place:
    return work.subsample(place, 0, place.rows.design.shape[0])


def _name_of(function: Callable[..., Any], given: tuple[Any, ...]) -> str:
    """Return what the dashboard calls a round."""
    named = [part.name for part in given if isinstance(part, Method)]
    return (named[0] if named else function.__name__).strip("_")
