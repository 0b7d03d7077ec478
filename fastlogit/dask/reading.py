"""A partition as its worker finds it -> what it holds, in short, and its rows for a fit."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import ArrayLike, Codes, DType, Floats, Integers, Labels, Vector
from ..design.base import Design
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.categories import Categories, missing_category, rows_of_fit
from ..inputs.coded_frame import Level
from ..inputs.column_names import feature_names
from ..inputs.conversion import as_numbers, refuse_special
from ..inputs.frames import categorical_places, columns_at, read_column, rows_of
from ..inputs.given import look_at_rows
from ..inputs.groups import Groups, encode_groups
from ..inputs.hashed_folds import MOST_FOLDS
from ..objective.labelled_rows import LabelledRows
from ..objective.losses import Loss
from .allocation import keeping_memory
from .collections import Asked, Partitions
from .placement import Values
from .rounds import Future, Rounds, Table, Told
from .stamps import stamp_of_rows, stamp_of_values
from .tables import chosen, labels_of
from .tree import Answer, Node, fold
from .work import Held, Kept, Place, here, items_of, size_of

__all__ = [
    "Facts",
    "Fault",
    "Plan",
    "Taken",
    "build",
    "build_group",
    "design_like",
    "facts_of",
    "look_at",
    "merged",
    "take",
    "take_group",
    "taken",
    "within",
    "without_rows",
]

NO_LABELS: Mapping[str, Any] = {}
# What labels of groups are that are not all of one kind.
SEVERAL = "several kinds"


class Fault(NamedTuple):
    """What is wrong with a partition: of several the first is told, whichever came first."""

    number: int
    kind: type[Exception]
    message: str

    def raised(self) -> Exception:
        """Return the error."""
        return self.kind(f"partition {self.number}: {self.message}")


class Taken(NamedTuple):
    """What a partition holds: X as it came, labels and what else is of its rows.

    X, labels, weights and offset are None where it is empty or they are not given.
    """

    number: int
    X: ArrayLike
    y: Labels | None
    weights: Vector | None
    offset: Vector | None = None
    # Labels of the rows that are none of the fit, as clusters, by what they are: see `READERS`.
    labels: Mapping[str, Any] = NO_LABELS


class Columns(NamedTuple):
    """The values of a categorical column: as it declares them, and which of them occur."""

    declared: tuple[Level, ...]
    used: frozenset[Level]


@dataclass(frozen=True)
class Facts:
    """What is known of partitions, none of which is empty.

    Attributes
    ----------
    numbers, sizes, stamps : list of int
        Which partition each is, its rows, and a checksum (`stamps.py`).
    n_columns : int
    names : tuple of str or None
    coded : dict of int to Columns
        Categorical columns by their places.
    classes : ndarray
        Labels that occur.
    weights, counts : ndarray of shape (n_classes,)
        The weight of the rows of each, and how many have any.
    dtype : dtype or None
        Of the columns of numbers.
    n_values : float
        Values that a pass reads.
    weighted, has_offset : bool
    kinds : mapping of str to str
        Of what kind labels of clusters and groups are.
    first : Taken
        The first row: a design of it is of the kind of all.
    """

    numbers: list[int]
    sizes: list[int]
    stamps: list[int]
    n_columns: int
    names: tuple[Any, ...] | None
    coded: dict[int, Columns]
    classes: Labels
    weights: Vector
    counts: Vector
    dtype: DType
    n_values: float
    weighted: bool
    has_offset: bool
    kinds: Mapping[str, str]
    first: Taken


class Plan(NamedTuple):
    """How partitions become rows of a fit."""

    categories: Categories | None
    classes: Labels
    loss: Loss
    positive: tuple[int, ...]
    fit_intercept: bool
    # What weights are multiplied by: a number for each class, or a row of these for each output.
    factors: Floats | None = None


def taken(rounds: Rounds, given: Partitions) -> list[Future]:
    """Return futures of the partitions, taken apart in their workers."""
    from dask.delayed import delayed as later

    taking = later(take, pure=False)
    delayed = [
        taking(
            number, *given.of_partition(number), given.asked,
            dask_key_name=rounds.key("partition", number),
        )
        for number in range(len(given.X))
    ]  # fmt: skip
    return list(rounds.client.compute(delayed))


@keeping_memory()
def take_group(
    members: Sequence[int], X: Sequence[Table], *beside: Sequence[Table],
    names: Sequence[str], asked: Asked, n_leaves: int,
) -> Kept:  # fmt: skip
    """Return the partitions of a group taken apart, which stay here, with what they hold."""
    found = [
        take(number, own, dict(zip(names, others, strict=True)), asked)
        for number, own, *others in zip(members, X, *beside, strict=True)
    ]
    return Kept.of(found, sizeof, look_at(members, found, n_leaves))


def take(number: int, X: Table, beside: Mapping[str, Table], asked: Asked) -> Taken | Fault:
    """Return a partition taken apart: columns by name, or parts of a tuple."""
    return _told(number, lambda: _take(number, X, dict(beside), asked))


def _take(number: int, X: Table, beside: dict[str, Table], asked: Asked) -> Taken:
    if isinstance(X, tuple):
        if len(X) not in (2, 3) or "y" in asked.names:
            raise TypeError(
                "it must be a table with a column target=, or a tuple (X, y) or (X, y, "
                f"sample_weight), got a tuple of {len(X)}"
            )
        beside |= dict(zip(("y", "sample_weight"), X[1:], strict=False))
        X = X[0]
    labels = labels_of(X)
    wanted = [] if labels is None else list(asked.features_of(list(labels)))
    for what, name in (*asked.names.items(), *(("feature", name) for name in wanted)):
        if labels is None or name not in labels:
            raise TypeError(f"{type(X).__name__} has no column {name!r} ({what})")
    beside |= {what: X[(labels or {})[name]] for what, name in asked.names.items()}
    if labels is not None:
        X = chosen(X, wanted, labels)
    elif not hasattr(X, "tocsr"):
        refuse_special("X", X)  # a mask would be lost
        X = np.asarray(X)
    n_rows = int(X.shape[0]) if X.shape else 0
    if beside.get("y") is None:
        raise TypeError("it has no labels: give target=, or tuples (X, y)")
    if n_rows == 0:
        return Taken(number, None, None, None)
    y = validation.check_target_vector(beside.pop("y"), n_rows)
    weights = _weights_of(beside.pop("sample_weight", None), n_rows)
    offset = beside.pop("offset", None)
    fixed = None if offset is None else validation.check_offset(offset, n_rows)
    others = {
        what: READERS[what](what, values, n_rows)
        for what, values in beside.items()
        if values is not None
    }
    return Taken(number, X, y, weights, fixed, others)


def _groups_of(what: str, values: Table, n_rows: int) -> Groups:
    """Return labels of any kind, and each row's place among them."""
    try:
        return encode_groups(values, n_rows)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("groups", what)) from None


def _folds_of(what: str, values: Table, n_rows: int) -> Integers:
    """Return the folds that a column holds."""
    column = as_numbers(what, values)
    if column.shape != (n_rows,):
        raise ValueError(f"{what} has shape {column.shape}, but X has {n_rows} rows")
    whole = bool((column == np.floor(column)).all())
    if not whole or not (column.min() >= -1 and column.max() < MOST_FOLDS):
        raise ValueError(
            f"{what} must hold the fold of each row, whole numbers from 0 on, or -1 for rows that "
            "are in every training part"
        )
    return column.astype(np.int64)


# What labels of the rows are for -> how a partition's are read.
READERS: Mapping[str, Callable[[str, Table, int], Any]] = {
    "clusters": _groups_of, "groups": _groups_of, "folds": _folds_of,
}  # fmt: skip


def _weights_of(given: Table, n_rows: int) -> Vector | None:
    """Return the weights of a partition, all of which may be 0."""
    if given is None:
        return None
    weights = as_numbers("sample_weight", given)
    if not weights.any():
        zeros = np.zeros(n_rows)
        if weights.shape == zeros.shape:
            return zeros
    return validation.check_weights(weights, n_rows)


def sizeof(what: Taken | Fault) -> int:
    """Return the bytes of a partition that was taken apart."""
    from dask.sizeof import sizeof as of_any

    return int(of_any(tuple(what)))


def without_rows(taken: Taken) -> Taken:
    """Return what a partition holds beside X."""
    return taken._replace(X=None)


def facts_of(taken: Taken | Fault) -> Answer:
    """Return what a partition holds, in a list: none of one that is empty."""
    if isinstance(taken, Fault):
        return Answer([taken], 0)
    if taken.y is None:
        return Answer([], 0)
    return Answer([_told(taken.number, lambda: _facts_of(taken))], 0)


@keeping_memory()
def look_at(members: Sequence[int], chunks: Sequence[Taken | Fault], n_leaves: int) -> Told:
    """Return what the partitions of a group hold: those of their numbers."""
    leaves = zip((Node(0, member) for member in members), map(facts_of, chunks), strict=True)
    return Told(fold(leaves, n_leaves, merged), here())


def _facts_of(taken: Taken) -> Facts:
    X, y = taken.X, taken.y
    assert y is not None
    coded: dict[int, Columns] = {}
    names = feature_names(X)
    kind: DType = np.dtype(np.float64)
    n_values = 0.0
    places = [] if names is None else categorical_places(X)
    for place in places:
        column = read_column(X, place)
        if column.codes.min() < 0:
            raise missing_category(int(np.argmax(column.codes < 0)), place, names or [])
        used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.values)))
        coded[place] = Columns(
            tuple(column.values), frozenset(column.values[code] for code in used)
        )
    shape: tuple[int, ...] = X.shape  # type: ignore[attr-defined]  # a table, as was looked at
    if not coded:
        rows: Any = look_at_rows(X).X
        kind, n_values = np.dtype(rows.dtype), open_rows(rows, None).density * np.prod(rows.shape)
    else:
        n_values = float(np.prod(shape))
        others = [place for place in range(shape[1]) if place not in coded]
        if others:  # a row tells columns that hold no numbers
            look_at_rows(rows_of(columns_at(X, others), np.zeros(1, dtype=np.int64)))
    classes, weights, counts = _weights_of_classes(y, taken.weights)
    return Facts(
        [taken.number], [int(shape[0])], [_stamp(taken)], int(shape[1]),
        None if names is None else tuple(names), coded, classes, weights, counts, kind,
        float(n_values),
        taken.weights is not None, taken.offset is not None,
        {what: _kind_of_groups(own.labels) for what, own in taken.labels.items()
         if isinstance(own, Groups)},
        _first_row(taken),
    )  # fmt: skip


def _weights_of_classes(y: Labels, weights: Vector | None) -> tuple[Labels, Vector, Vector]:
    """Return the labels that occur, sorted, their weights, and their rows of positive weight."""
    # A sort takes ten times as long, and so does a count of other than booleans.
    two = validation.two_classes(y) if y.dtype.kind in "fbiu" else None
    if two is not None and weights is None:
        n_high = float(np.count_nonzero(two[1].view(bool)))
        counts = np.array([y.size - n_high, n_high])
        return two[0], counts, counts
    classes = np.unique(y) if two is None else two[0]
    codes = validation.encode_known_labels(y, y.size, classes) if two is None else two[1]
    counts = np.bincount(codes, None if weights is None else weights > 0.0, classes.size)
    own = counts if weights is None else np.bincount(codes, weights, classes.size)
    return classes, own.astype(np.float64), counts.astype(np.float64)


def _first_row(taken: Taken) -> Taken:
    """Return a copy of the first row, with its label alone."""
    X: Any = taken.X
    if hasattr(X, "tocsr"):
        row = X.tocsr()[:1]
    else:
        row = rows_of(X, np.zeros(1, dtype=np.int64)) if labels_of(X) is not None else X[:1].copy()
    assert taken.y is not None
    return Taken(taken.number, row, taken.y[:1].copy(), None)


def merged(lists: Sequence[list[Facts | Fault]]) -> list[Facts | Fault]:
    """Return what is known of all partitions: a list of one, of the first fault, or of none."""
    found = [facts for each in lists for facts in each]
    parts: list[Facts] = []
    for facts in found:
        if isinstance(facts, Fault):
            return [facts]
        parts.append(facts)
    if not parts:
        return []
    first = parts[0]
    for other in parts[1:]:
        number = other.numbers[0]
        said = _told(number, partial(_refuse_unlike, first, other))
        if isinstance(said, Fault):
            return [said]
    joined = _told(first.numbers[0], lambda: _classes_of(parts))
    if isinstance(joined, Fault):
        return [joined]
    classes, places = np.unique(joined, return_inverse=True)
    weights, counts = np.zeros((2, classes.size))
    np.add.at(weights, places.reshape(-1), np.concatenate([part.weights for part in parts]))
    np.add.at(counts, places.reshape(-1), np.concatenate([part.counts for part in parts]))
    coded = {}
    for place in first.coded:
        declared = dict.fromkeys(v for part in parts for v in part.coded[place].declared)
        used = frozenset().union(*(part.coded[place].used for part in parts))
        coded[place] = Columns(tuple(declared), used)
    return [
        replace(
            first,
            numbers=[n for part in parts for n in part.numbers],
            sizes=[n for part in parts for n in part.sizes],
            stamps=[n for part in parts for n in part.stamps],
            coded=coded,
            classes=classes,
            weights=weights,
            counts=counts,
            dtype=np.result_type(*(part.dtype for part in parts)),
            n_values=sum(part.n_values for part in parts),
        )
    ]


def _classes_of(parts: Sequence[Facts]) -> Labels:
    """Return the labels of partitions, of a type that holds all of them as they are."""
    own = [part.classes for part in parts]
    joined: Labels = np.concatenate(own)
    if joined.dtype.kind == "f" and any(
        each.dtype.kind in "iu" and (each.astype(joined.dtype).astype(object) != each).any()
        for each in own
    ):
        if all(each.dtype.kind in "iu" and each.min() >= 0 for each in own):
            return np.concatenate([each.astype(np.uint64) for each in own])
        raise TypeError(
            "labels of this and other partitions are of several number types, none of which holds "
            "them all; make them one, or texts, as by astype(str)"
        )
    return joined


def _refuse_unlike(first: Facts, other: Facts) -> None:
    """Raise for partitions that are not of one table."""
    one = f"partition {first.numbers[0]}"
    if first.n_columns != other.n_columns:
        raise ValueError(
            f"it has {other.n_columns} columns, but {one} has {first.n_columns}; all must have the "
            "same"
        )
    if first.names != other.names:
        raise ValueError(
            f"it has columns {list(other.names or [])[:10]}, but {one} "
            f"{list(first.names or [])[:10]}; all must have the same, in the same order"
        )
    unlike = sorted(set(first.coded) ^ set(other.coded))
    if unlike:
        name = "" if first.names is None else f" ({first.names[unlike[0]]!r})"
        is_, was = ("not ", "") if unlike[0] in first.coded else ("", "not ")
        raise TypeError(
            f"column {unlike[0]}{name} is {is_}categorical, but {was or 'it is '}in {one}; make it "
            "categorical in all, as by ddf.astype({'column': 'category'})"
        )
    if first.weighted != other.weighted:
        raise ValueError(f"of this one and {one} only one has sample_weight")
    kinds = {_kind_of(first.classes), _kind_of(other.classes)}
    if len(kinds) > 1:
        raise TypeError(
            f"y is of {_kind_of(other.classes)}, but of {_kind_of(first.classes)} in {one}"
        )

    for what, kind in other.kinds.items():
        was = first.kinds.get(what, kind)
        if SEVERAL not in (kind, was) and kind != was:
            raise TypeError(
                f"{what} are of {kind}, but of {was} in {one}: what is equal is one of them, and "
                "1 and '1' are not; make them alike"
            )


def _kind_of_groups(labels: Labels) -> str:
    """Return of what kind labels are."""
    plain = {str: "text", numbers.Number: "numbers"}
    listed = labels.tolist() if labels.dtype.kind == "O" else labels[:1].tolist()
    kinds = {
        next(
            (kind for base, kind in plain.items() if isinstance(label, base)), type(label).__name__
        )
        for label in listed
    }
    return kinds.pop() if len(kinds) == 1 else SEVERAL


def _kind_of(labels: Labels) -> str:
    return validation.text_kind(labels.dtype) or "numbers"


@keeping_memory()
def build_group(chunks: Held, sizes: Sequence[int], stamps: Sequence[int], plan: Plan) -> Values:
    """Return the rows of the partitions of a group for a fit."""
    return Values(list(map(partial(build, plan=plan), items_of(chunks), sizes, stamps)), size_of)


def build(taken: Taken, n_rows: int, stamp: int, plan: Plan) -> Place:
    """Return the rows of a partition for a fit.

    Raises
    ------
    RuntimeError
        If it is not the partition that was looked at first: a lost one is made anew.
    """
    if taken.y is None or len(taken.y) != n_rows or _stamp(taken) != stamp:
        raise RuntimeError(
            f"partition {taken.number} has other rows than before: it was made anew, as a worker "
            "was lost, and what makes it gives other rows each time; persist it on more workers, "
            "or give random numbers a seed"
        )
    return within(taken.number, lambda: _build(taken, plan))


def design_like(first: Taken, plan: Plan) -> Design:
    """Return a design of one row, of the kind of all."""
    return _build(first, plan._replace(factors=None)).rows.design


def _build(taken: Taken, plan: Plan) -> Place:
    X = taken.X
    if plan.categories is None:
        rows: Any = look_at_rows(X).X
    else:
        rows = rows_of_fit(X, plan.categories)
    design = open_rows(rows, None)
    n_rows = design.shape[0]
    codes = _codes_of(taken.y, plan.classes, n_rows)
    weights = np.empty(0) if taken.weights is None else taken.weights
    if plan.factors is not None:
        # A column of weights for each output has rows of its own.
        factors = plan.factors[..., codes]
        weights = np.ascontiguousarray(factors * weights if weights.size else factors)
    return Place(
        LabelledRows(
            design, plan.loss, codes, plan.positive, weights, taken.offset, plan.fit_intercept
        )
    )


def _codes_of(y: Labels | None, classes: Labels, n_rows: int) -> Codes:
    """Return each row's class."""
    if y is not None and y.size == n_rows and y.dtype == classes.dtype and y.dtype.kind in "fbiu":
        two = validation.two_classes(y)
        if two is not None and np.array_equal(two[0], classes):
            return two[1]  # in a third of the time
    return validation.encode_known_labels(y, n_rows, classes)


def _stamp(taken: Taken) -> int:
    """Return a checksum of what lies beside X, and of some rows of it."""
    others = [
        own.codes if isinstance(own, Groups) else own for _, own in sorted(taken.labels.items())
    ]
    beside = stamp_of_values((taken.y, taken.weights, taken.offset, *others))
    return stamp_of_rows(taken.X, beside)


def _told(number: int, work: Callable[[], Any]) -> Any:
    """Return what `work` does, or what is wrong with the partition."""
    try:
        return work()
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        return Fault(number, kind, str(error))


def within(number: int, work: Callable[[], Any]) -> Any:
    """Return what `work` does, and say of which partition an error is."""
    found = _told(number, work)
    if isinstance(found, Fault):
        raise found.raised()
    return found
