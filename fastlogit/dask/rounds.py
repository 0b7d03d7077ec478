"""Rounds over partitions: a task for each worker asks those that lie there.

A task is a function of what it is given alone, and what partitions say is put together in a tree
whose shape depends on their number alone (`tree.py`): so the bits depend neither on which worker
has which of them, nor on how many there are, nor on tasks that ran again. What a worker held when
it was lost the scheduler makes anew on others, from the same tasks.
"""

from __future__ import annotations

import itertools
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

from ..fitting.messages import stack_level
from .tree import Answer, Combine, Nodes, join_nodes

__all__ = [
    "Answer",
    "Client",
    "Collection",
    "Combine",
    "Future",
    "Rounds",
    "Table",
    "Told",
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

LOST = (
    "partitions of the fit were cancelled while it ran: the client or its cluster was restarted or "
    "closed, or its futures were cancelled; fit anew"
)

NO_WORKERS = (
    "the cluster has no workers, and the time limit has passed; start some, or let them come "
    "(client.wait_for_workers(1)), and fit anew"
)
WAITING = (
    "the cluster of the dask Client has no workers: the fit waits until some come, or until its "
    "time_limit has passed"
)
# Seconds after which workers are looked for, while no answer has come.
LOOK_AGAIN = 5.0

# Groups whose answers a task puts together, where they do not come to this process.
FAN_IN = 8


class Told(NamedTuple):
    """What a group of partitions says, and where it was asked."""

    nodes: Nodes
    worker: str | None


class Lost(KeyboardInterrupt):
    """Futures were cancelled, or no worker is left. Solvers hand out their best point so far."""


class Rounds:
    """Runs functions over partitions that lie in workers.

    Parameters
    ----------
    client : distributed.Client
    until : float, optional
        When a cluster without workers is waited for no longer, by `time.perf_counter`.
    """

    def __init__(self, client: Client, until: float | None = None) -> None:
        self.client, self._until = client, until
        self._loss, self._keeps_point, self._has_warned = "", False, False
        self._goes_direct = True if _is_local(client) else None
        self._token, self._count = uuid.uuid4().hex[:8], itertools.count()
        # Answers that have come. A client sends at most every 10 ms: to let them go at once, in a
        # message of its own, would keep the next round waiting.
        self._spent: list[Future] = []

    def __reduce__(self) -> NoReturn:
        """Raise: a client is of this process."""
        raise TypeError(
            "this goes over partitions that lie in the workers of a dask Client, and cannot be "
            "pickled with them; keep what is computed, as its summary, covariance and intervals"
        )

    @contextmanager
    def keeping_point(self) -> Iterator[None]:
        """Let a fit that ends early have its best point so far in ``.result`` of the error."""
        self._keeps_point = True
        try:
            yield
        except KeyboardInterrupt as end:
            best = getattr(end, "result", None)
            error: Any = RuntimeError(self._loss) if self._loss else end
            error.result = best  # None before there is a point
            if error is end:
                raise
            raise error from None
        finally:
            self._keeps_point = False

    @contextmanager
    def told_when_lost(self) -> Iterator[None]:
        """Say in words that futures were cancelled."""
        if self._loss:
            raise Lost(self._loss)
        try:
            yield
        except Exception as error:
            # Of the standard library, or dask's own, of one future or several.
            if not type(error).__name__.endswith("CancelledError"):
                raise
            raise self._lost(LOST) from error

    def _lost(self, why: str) -> BaseException:
        """Return what ends all that goes over these rounds."""
        self._loss = why
        return Lost(why) if self._keeps_point else RuntimeError(why)

    def wait(self, futures: Sequence[Future]) -> bool:
        """Wait until all have ended, at most some seconds; say whether they have."""
        import distributed

        seconds = LOOK_AGAIN
        if self._until is not None and (left := self._until - time.perf_counter()) > 0.0:
            seconds = min(seconds, left)
        wait: Any = distributed.wait  # which has no types
        # The user's default client may be another one, or none.
        with self.told_when_lost(), self.client.as_current():
            try:
                wait(list(futures), timeout=seconds)
            except TimeoutError:
                return False
        return True

    def look_for_workers(self) -> None:
        """Warn where there are none, and raise where they have not come in time."""
        if self.client.nthreads():
            return
        if self._until is not None and time.perf_counter() >= self._until:
            raise self._lost(NO_WORKERS)
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(WAITING, RuntimeWarning, stacklevel=stack_level())

    def map(
        self, function: Callable[..., Any], label: str, *lists: Sequence[Any], **common: object
    ) -> list[Future]:
        """Return a future for each item of the lists: ``function(*items, **common)``."""
        import dask

        number = next(self._count)
        keys = [self.key(label, f"{number}-{place}") for place in range(len(lists[0]))]
        # Coefficients of a million columns are no mistake, of which dask would warn.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            # `map` makes of a large keyword argument a task of its name alone, for all rounds.
            task = partial(function, **common)
            with self.told_when_lost():
                found = self.client.map(task, *lists, key=keys, pure=False)
        self._spent.clear()
        return list(found)

    def constant(self, value: Value, label: str) -> Future:
        """Return a handle of what tasks of many rounds get; made anew where it is lost."""
        return self.map(_same, label, [None], value=value)[0]

    def key(self, label: str, place: object) -> str:
        """Return the name of a task, of which the dashboard shows the first part."""
        return f"fastlogit-{label.replace('_', '-')}-{self._token}-{place}"

    def combine(
        self, told: Sequence[Future], n_leaves: int, combine: Combine, label: str,
        in_workers: bool = False,
    ) -> tuple[Answer, list[str | None]]:  # fmt: skip
        """Return what the answers of groups come to, and where these were asked.

        Parameters
        ----------
        told : sequence of futures of Told
        n_leaves : int
            How many partitions there are.
        combine : callable
            Of two values.
        label : str
        in_workers : bool, default False
            Whether answers are too large to come here one by one.
        """
        level = list(told)
        while in_workers and len(level) > 1:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = self.map(_together, f"{label}-sum", groups, n_leaves=n_leaves, combine=combine)
        found = self.gather(level)
        (answer,) = join_nodes([each.nodes for each in found], n_leaves, combine).values()
        assert answer is not None  # some partition has rows
        return answer, [each.worker for each in found]

    def gather(self, futures: Sequence[Future]) -> list[Any]:
        """Return what tasks gave, which comes here."""
        while not self.wait(futures):
            self.look_for_workers()
        with self.told_when_lost():
            found = list(self.client.gather(list(futures), direct=self._goes_direct))
        self._spent.extend(futures)
        return found


def _is_local(client: Client) -> bool:
    """Say whether workers can be asked without their scheduler: they are of this machine."""
    import distributed

    return isinstance(getattr(client, "cluster", None), distributed.LocalCluster)


def _same(_: None, value: Value) -> Value:
    return value


def _together(told: Sequence[Told], n_leaves: int, combine: Combine) -> Told:
    return Told(join_nodes([each.nodes for each in told], n_leaves, combine), None)


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
