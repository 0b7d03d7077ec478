"""Which partitions lie where, and so which of them one task asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from .rounds import Client, Future, Rounds
from .workers import look_at_workers

__all__ = ["Group", "Placement", "Spread", "Values"]

# Of a worker's memory so much may be in one task: partitions that dask has spilled come back for
# it, and where a worker is lost another one takes all of them.
SHARE = 0.25
# Times that the scheduler is asked for its workers' memory.
TRIES = 5


class Group(NamedTuple):
    """Partitions that one task asks.

    Attributes
    ----------
    members : tuple of int
        Rising.
    worker : str
        Where they lie.
    n_threads : int
        What the task may use of the worker's threads.
    """

    members: tuple[int, ...]
    worker: str
    n_threads: int


Groups: TypeAlias = tuple[Group, ...]


class Values:
    """What a task leaves in its worker: a value for each partition of a group, None without rows.

    Parameters
    ----------
    items : sequence
    size_of : callable
        Returns the bytes of an item: dask decides by them what to spill and what to move.
    """

    def __init__(self, items: Sequence[Any], size_of: Callable[[Any], int]) -> None:
        self.items = list(items)
        self._size_of = size_of

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + sum(map(self._size_of, self.items))


class Spread:
    """Handles of a value for each partition, in the workers.

    Parameters
    ----------
    futures : list of futures
        Of each group `Values`; without groups of each partition its value.
    groups : tuple of Group, optional
    """

    def __init__(self, futures: list[Future], groups: Groups | None = None) -> None:
        self.futures, self.groups = futures, groups

    def by(self, groups: Groups, rounds: Rounds) -> list[Any]:
        """Return for each group what a task is given: `Values`, or a list of values."""
        if self.groups is not None and _members(self.groups) == _members(groups):
            return self.futures
        futures = self.apart(rounds)
        return [[futures[place] for place in group.members] for group in groups]

    def apart(self, rounds: Rounds) -> list[Future]:
        """Return a future for each partition, from now on: groups have changed since."""
        if self.groups is None:
            return self.futures
        pairs = [
            (member, future, place)
            for group, future in zip(self.groups, self.futures, strict=True)
            for place, member in enumerate(group.members)
        ]
        order, futures, places = zip(*sorted(pairs, key=lambda pair: pair[0]), strict=True)
        assert list(order) == list(range(len(order)))
        self.futures, self.groups = rounds.map(_item, "apart", futures, places), None
        return self.futures


def _members(groups: Groups) -> list[tuple[int, ...]]:
    return [group.members for group in groups]


def _item(values: Values, place: int) -> Any:
    return values.items[place]


class Placement:
    """Groups of the partitions of a fit, which change when workers come or go.

    Parameters
    ----------
    rounds : Rounds
    spread : Spread
        What lies there, of each partition or of groups.
    """

    def __init__(self, rounds: Rounds, spread: Spread) -> None:
        self._rounds, self.spread = rounds, spread
        self._groups = spread.groups

    @property
    def groups(self) -> Groups:
        """Partitions by their workers, as they lay when this was last looked at."""
        if self._groups is None:
            with self._rounds.told_when_lost():
                self._groups = tuple(sorted(self._look()))
        return self._groups

    def over(self, numbers: Sequence[int]) -> Placement:
        """Return some of the partitions alone, rising."""
        count = sum(len(group.members) for group in self.groups)
        if len(numbers) == count:
            return self
        futures = self.spread.apart(self._rounds)
        other = Placement(self._rounds, Spread([futures[number] for number in numbers]))
        place_of = {number: place for place, number in enumerate(numbers)}
        groups = (
            group._replace(members=tuple(place_of[n] for n in group.members if n in place_of))
            for group in self.groups
        )
        other._groups = tuple(group for group in groups if group.members)
        return other

    def ran_at(self, groups: Groups, workers: Sequence[str | None]) -> None:
        """Look again before the next round if a group was not asked where it should lie."""
        told = zip(groups, workers, strict=False)
        if any(worker is not None and worker != group.worker for group, worker in told):
            self._groups = None

    def _look(self) -> Iterator[Group]:
        client, keys = self._rounds.client, [future.key for future in self.spread.futures]
        groups = self.spread.groups
        holders = client.who_has(self.spread.futures)
        if not all(holders.get(key) for key in keys):
            self._wait()
            holders = client.who_has(self.spread.futures)
        n_threads = client.nthreads() or {"": 1}  # none: all have gone since
        sizes = client.nbytes(keys, summary=False)
        limits = _memory_limits(client, n_threads)
        members: dict[str, list[int]] = {address: [] for address in n_threads}  # or groups
        load = dict.fromkeys(n_threads, 0)
        for place, key in enumerate(keys):
            among = [address for address in holders.get(key, ()) if address in load] or list(load)
            worker = min(among, key=lambda address: (load[address], address))
            members[worker].append(place)
            load[worker] += sizes.get(key, 0)
        for address, own in members.items():
            if groups is not None:
                share = max(1, n_threads[address] // max(1, len(own)))
                yield from (Group(groups[place].members, address, share) for place in own)
            elif own:
                bytes_of = [sizes.get(keys[place], 0) for place in own]
                pieces = list(_cut(own, bytes_of, limits.get(address), n_threads[address]))
                share = max(1, n_threads[address] // len(pieces))
                yield from (Group(tuple(piece), address, share) for piece in pieces)

    def _wait(self) -> None:
        """Wait until all are there; workers may still come, but not those of another version."""
        while not self._rounds.wait(self.spread.futures):
            self._rounds.look_for_workers()
            look_at_workers(self._rounds.client)


def _memory_limits(client: Client, workers: Collection[str]) -> dict[str, int]:
    """Return the bytes that workers may use; those without a limit are left out.

    What a client tells of its scheduler is now and then overwritten before it comes here, by a
    regular look at it without the workers: then ask again.
    """
    for _ in range(TRIES):
        found = client.scheduler_info(n_workers=-1)["workers"]
        if all(address in found for address in workers):
            break
    return {address: about["memory_limit"] for address, about in found.items()}


def _cut(
    members: list[int], sizes: list[int], memory_limit: int | None, n_threads: int
) -> Iterator[list[int]]:
    """Go over pieces of a worker's partitions that are small beside its memory."""
    if not memory_limit or sum(sizes) <= SHARE * memory_limit:
        yield members
        return
    most = SHARE * memory_limit / n_threads
    piece, total = [members[0]], sizes[0]
    for member, size in zip(members[1:], sizes[1:], strict=True):
        if total + size > most:
            yield piece
            piece, total = [], 0
        piece.append(member)
        total += size
    yield piece
