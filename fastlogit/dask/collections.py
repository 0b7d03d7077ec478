"""Dask arrays, data frames and delayed objects -> one delayed table for each partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from ..inputs.values import show
from ..options import check_names
from .rounds import Client, Collection
from .tables import chosen, labels_of

__all__ = [
    "Asked",
    "Delayed",
    "Partitions",
    "blocks_beside",
    "blocks_of_array",
    "delayed_of",
    "is_array",
    "is_delayed_list",
    "is_frame",
    "partitions_of",
    "y_of",
]

# dask has no types that strict checking could use.
Delayed: TypeAlias = Any

HOW = (
    "a dask array, a dask DataFrame, or a list of delayed partitions or futures (tables, or tuples "
    "(X, y) or (X, y, sample_weight))"
)


# What may be a feature as well: it says which rows belong together.
LABELS = ("clusters",)


class Asked(NamedTuple):
    """Which columns of a frame are what; of arrays none has a name."""

    # What is a column, as "y" or "sample_weight", and its name.
    names: dict[str, str]
    features: tuple[str, ...] | None

    def features_of(self, columns: Sequence[str]) -> Sequence[str]:
        """Return which of the columns of a frame are features."""
        beside = self.names.values()
        if self.features is not None:
            return self.features
        return [name for name in columns if name not in beside]


class Partitions(NamedTuple):
    """Delayed X of each partition, and what lies beside it; not what is a column of X."""

    X: list[Delayed]
    # Labels, weights and so on by their names, each of as many partitions.
    beside: dict[str, list[Delayed]]
    # Names of the columns, as far as they are known without a look at the rows.
    asked: Asked

    def held(self, client: Client) -> dict[str, list[Any]] | None:
        """Return futures that workers have already, of "X" and what is beside; None if some lack.

        The same for all partitions.
        """
        found = {name: _held(parts, client) for name, parts in {"X": self.X, **self.beside}.items()}
        if any(futures is None for futures in found.values()):
            return None
        return {name: futures for name, futures in found.items() if futures is not None}

    def of_partition(self, number: int) -> tuple[Delayed, dict[str, Delayed]]:
        """Return X of a partition and what lies beside it."""
        return self.X[number], {name: parts[number] for name, parts in self.beside.items()}


def _held(parts: Sequence[Delayed], client: Client) -> list[Any] | None:
    """Return the futures that delayed objects stand for, as of a persisted collection."""
    from distributed import Future

    graphs: dict[int, dict[Any, Any]] = {}  # of an array all have one
    found = []
    for part in parts:
        graph = part.__dask_graph__()
        tasks = graphs.setdefault(id(graph), {})
        if not tasks:
            tasks.update(graph.items())
        task = tasks.get(part.key)
        if part.key not in tasks and part.key in client.futures:
            # Blocks of a persisted array are delayed objects without a task of their own.
            task = Future(part.key, client)
        if not _is_future(task):
            return None
        found.append(task)
    return found


def is_array(X: object) -> bool:
    """Say whether X is a dask array."""
    return hasattr(X, "__dask_graph__") and hasattr(X, "chunks") and hasattr(X, "to_delayed")


def is_frame(X: object) -> bool:
    """Say whether X is a dask data frame."""
    return _is_of_frames(X) and getattr(X, "ndim", 0) == 2


def _is_series(X: object) -> bool:
    return _is_of_frames(X) and getattr(X, "ndim", 0) == 1


def _is_of_frames(X: object) -> bool:
    return hasattr(X, "__dask_graph__") and hasattr(X, "npartitions") and hasattr(X, "divisions")


def _is_delayed(X: object) -> bool:
    return hasattr(X, "__dask_graph__") and type(X).__name__ in ("Delayed", "DelayedLeaf")


def is_delayed_list(X: object) -> TypeGuard[list[Delayed]]:
    """Say whether X is a list of delayed objects, or of futures."""
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(_is_delayed(part) or _is_future(part) for part in X)
    )


def _is_future(X: object) -> bool:
    kind = type(X)
    return kind.__name__ == "Future" and kind.__module__.partition(".")[0] == "distributed"


def delayed_of(X: Sequence[Delayed]) -> list[Delayed]:
    """Return delayed objects: futures as such, which are partitions that workers have already."""
    from dask.delayed import delayed

    return [delayed(part) if _is_future(part) else part for part in X]


def y_of(y: Collection, target: object) -> Collection:
    """Return the labels: a collection, or the name of their column.

    Raises
    ------
    TypeError
        If both are given, or what should be a name is none.
    """
    if target is None:
        return y
    if y is not None:
        raise TypeError("give y or target=, not both")
    if not isinstance(target, str):
        raise TypeError(
            f"target must be the name of a column as text, got {show(target)} "
            f"({type(target).__name__}); a column that is called by a number is named by its text, "
            "as target='4', and a collection of labels is y"
        )
    return target


def partitions_of(
    X: object, given: Mapping[str, object], features: Sequence[str] | None
) -> Partitions:
    """Return the partitions of what the user gave.

    Parameters
    ----------
    X : dask array, dask DataFrame or list of delayed
    given : mapping of str to str, dask array, dask Series or None
        "y", "sample_weight" and others: names of columns of a frame, or collections of the same
        partitions.
    features : sequence of str or None
        The columns of a frame that are taken; None for all that are not the others.

    Raises
    ------
    TypeError, ValueError
        If they do not fit together, as far as that is known before anything is computed.
    """
    names = {name: value for name, value in given.items() if isinstance(value, str)}
    others = {
        name: value
        for name, value in given.items()
        if value is not None and not isinstance(value, str)
    }
    asked = Asked(names, None if features is None else tuple(check_names("features", features)))
    if asked.features == ():
        raise ValueError("features is empty; name the columns that are taken, or leave it out")
    if is_delayed_list(X):
        return _of_delayed(delayed_of(X), others, asked)
    if is_frame(X):
        blocks = _of_frame(X, asked)
    elif is_array(X):
        if features is not None or names:
            raise TypeError(
                "a dask array has no names of columns: give y and sample_weight as dask arrays of "
                "the same chunks, and no features"
            )
        blocks = blocks_of_array(X)
    else:
        raise TypeError(
            f"X must be {HOW}, got a {type(X).__name__}; what is in memory goes to "
            "fastlogit.fit, fastlogit.infer and so on"
        )
    if given.get("y") is None:
        raise TypeError("y is missing: a dask array or Series, or the name of a column (target=)")
    return Partitions(
        blocks,
        {name: blocks_beside(name, value, len(blocks)) for name, value in others.items()},
        asked,
    )


def _of_delayed(parts: list[Delayed], others: Mapping[str, object], asked: Asked) -> Partitions:
    for name in others:
        tuples = ": tuples (X, y) or (X, y, sample_weight)"
        of_tuple = ", or a part of what each gives" + tuples
        raise TypeError(
            f"{name} of delayed partitions is the name of a column"
            f"{of_tuple if name in ('y', 'sample_weight') else ''}"
        )
    return Partitions(parts, {}, asked)


def _of_frame(X: Collection, asked: Asked) -> list[Delayed]:
    """Return the partitions of a frame, of the columns that are used alone."""
    labels = labels_of(X) or {}
    names = list(labels)
    wanted = list(asked.features_of(names))
    for name in (*wanted, *asked.names.values()):
        if name not in labels:
            raise ValueError(f"X has no column {name!r}; its columns are {names[:10]}")
    both = [name for what, name in asked.names.items() if name in wanted and what not in LABELS]
    if both:
        raise ValueError(f"column {both[0]!r} cannot be a feature as well")
    used = dict.fromkeys([*wanted, *asked.names.values()])
    return list(chosen(X, used, labels).to_delayed())


def blocks_of_array(X: Collection) -> list[Delayed]:
    """Return blocks of whole rows."""
    if X.ndim != 2:
        raise ValueError(f"X must have 2 dimensions (rows, columns), found {X.ndim}")
    whole = X.rechunk({1: -1}) if len(X.chunks[1]) > 1 else X
    return list(whole.to_delayed().ravel())


def blocks_beside(name: str, given: object, n_parts: int) -> list[Delayed]:
    """Return the partitions of labels, weights and so on, beside those of X."""
    if _is_series(given):
        blocks = list(given.to_delayed())  # type: ignore[attr-defined]  # as was looked at
    elif is_array(given):
        if given.ndim != 1:  # type: ignore[attr-defined]
            raise ValueError(f"{name} must have 1 dimension, found {given.ndim}")  # type: ignore[attr-defined]
        blocks = list(given.to_delayed())  # type: ignore[attr-defined]
    else:
        raise TypeError(
            f"{name} must be a dask array or Series of the partitions of X, or the name of a "
            f"column of X, got a {type(given).__name__}; an array in memory becomes "
            "one by dask.array.from_array(array, chunks=X.chunks[0])"
        )
    if len(blocks) != n_parts:
        raise ValueError(
            f"{name} has {len(blocks)} partitions, but X has {n_parts}; rechunk one like the "
            "other (dask may read columns of one file in other partitions: take y by its name)"
        )
    return blocks
