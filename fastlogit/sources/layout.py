"""What each column of a table is for, and what its Arrow type becomes: numbers, lists, codes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import DType
from ..inputs.values import DATES
from .library import Foreign, arrow

__all__ = [
    "CODES",
    "LISTS",
    "NUMBERS",
    "ColumnPlan",
    "Layout",
    "Roles",
    "layout_of",
    "refuse_categories",
    "refuse_parts_of_lists",
]

NUMBERS, LISTS, CODES = "numbers", "lists", "codes"
# pandas keeps the index of a data frame in columns of these names: no data of the user's.
INDEX = re.compile(r"__index_level_\d+__")
# A feature that is an element of a fixed-size list.
ELEMENT = re.compile(r"(.+)\[(\d+)\]")
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


class Roles(NamedTuple):
    """The columns that are no features."""

    target: str | None = None
    sample_weight: str | None = None
    offset: str | None = None
    clusters: str | None = None
    groups: str | None = None
    folds: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """Return each role that a column has, and the column."""
        return [(role, name) for role, name in self._asdict().items() if name is not None]


class ColumnPlan(NamedTuple):
    """A feature column of the table."""

    name: str
    kind: str
    # How many features it becomes, but for codes, which become one for each level.
    width: int = 1
    # Of numbers: float32 where it holds each value exactly.
    dtype: DType = DOUBLE
    # Of codes: whether the levels are sorted, or in the order of the dictionaries.
    is_sorted: bool = False


@dataclass(frozen=True)
class Layout:
    """The columns that are read, and what becomes of them.

    Attributes
    ----------
    features : tuple of ColumnPlan
    roles : Roles
    shares : bool
        Whether the target holds shares from 0 to 1 in the place of labels.
    """

    features: tuple[ColumnPlan, ...]
    roles: Roles
    shares: bool = False

    @cached_property
    def numbers(self) -> list[ColumnPlan]:
        """The columns of numbers and lists of numbers, in their order."""
        return [column for column in self.features if column.kind != CODES]

    @cached_property
    def coded(self) -> list[ColumnPlan]:
        """The categorical columns."""
        return [column for column in self.features if column.kind == CODES]

    @cached_property
    def n_numbers(self) -> int:
        """How many features the columns of numbers become."""
        return sum(column.width for column in self.numbers)

    @cached_property
    def dtype(self) -> DType:
        """What holds all numbers."""
        return np.result_type(SINGLE, *(column.dtype for column in self.numbers))

    @cached_property
    def row_bytes(self) -> int:
        """What a row takes in a spool."""
        return self.n_numbers * self.dtype.itemsize + 4 * len(self.coded)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the features, with one for each categorical column."""
        return tuple(name for column in self.features for name in _names_of(column))

    @cached_property
    def read(self) -> list[str]:
        """Names of the columns of the table that are read, each once."""
        wanted = [column.name for column in self.features]
        return list(dict.fromkeys([*wanted, *(name for _, name in self.roles.named())]))


def _names_of(column: ColumnPlan) -> list[str]:
    if column.kind != LISTS:
        return [column.name]
    return [f"{column.name}[{place}]" for place in range(column.width)]


def layout_of(
    schema: Foreign, roles: Roles, features: Sequence[str] | None, categorical: Collection[str],
    where: str, *, shares: bool = False,
) -> Layout:  # fmt: skip
    """Return what becomes of the columns of a table.

    Parameters
    ----------
    schema : pyarrow.Schema
    roles : Roles
    features : sequence of str or None
        All columns without a role by default. An element of a fixed-size list, as ``emb[3]``,
        stands for the list.
    categorical : collection of str
        Columns of text or numbers that are to be categories.
    where : str
        What messages call the table.
    shares : bool

    Raises
    ------
    TypeError
        If a feature is neither of numbers nor categorical.
    ValueError
        If there is no column of a name, or two of one, or no feature is left.
    """
    names = list(schema.names)
    for role, name in roles.named():
        _refuse_absent(name, names, where, f"{role}=")
    taken = {name for _, name in roles.named()}
    if features is None:
        features = [name for name in names if name not in taken and not INDEX.fullmatch(name)]
    chosen = list(dict.fromkeys(_column_of(name, names) for name in features))
    for name in [*chosen, *categorical]:
        _refuse_absent(name, names, where, "features=" if name in chosen else "categorical=")
    twice = [name for name in [*chosen, *taken] if names.count(name) > 1]
    if twice:
        raise ValueError(f"{where} has {names.count(twice[0])} columns called {twice[0]!r}")
    if both := [name for name in chosen if name == roles.target]:
        raise ValueError(f"{both[0]!r} is the target and a feature; leave it out of features")
    if not chosen:
        raise ValueError(f"{where} has no column for a feature beside {sorted(taken)}")
    for name in categorical:
        if name not in chosen and name not in taken:
            raise ValueError(
                f"{name!r} is named in categorical= but not in features=; add it there, or leave "
                "it out of both"
            )
    for role, name in roles.named():
        if role == "clusters" or (role == "target" and not shares):
            _check_values(schema.field(name), where, role)
    columns = []
    for name in chosen:
        is_coded = name in categorical
        columns.append(_plan(schema.field(name), is_coded, where))
    found = Layout(tuple(columns), roles, shares)
    if alike := [name for name in found.columns if found.columns.count(name) > 1]:
        raise ValueError(
            f"{where} has a column {alike[0]!r} beside the list whose element is called so; rename "
            "one, or leave it out of features"
        )
    return found


def refuse_categories(schema: Foreign, names: Collection[str], where: str) -> None:
    """Raise TypeError where a column that was one of numbers in a fit holds categories."""
    for field in schema:
        is_coded = arrow().types.is_dictionary(field.type) or is_text(field.type)
        if is_coded and field.name in names:
            raise TypeError(
                f"{where}: column {field.name!r} has the type {field.type}, but the fit had "
                "numbers there"
            )


def refuse_parts_of_lists(layout: Layout, features: Sequence[str] | None) -> None:
    """Raise ValueError where elements of a list are chosen, which is read whole."""
    for column in layout.numbers:
        if features is None or column.kind != LISTS or column.name in features:
            continue
        own = _names_of(column)
        if chosen := [name for name in features if name in own]:
            if chosen == own:
                continue
            raise ValueError(
                f"features= has {chosen[0]!r}, an element of the list {column.name!r}, which is "
                f"read whole: name {column.name!r}, or make columns of its elements first"
            )


def _column_of(name: str, names: Sequence[str]) -> str:
    """Return the column of a feature, which may be an element of a list."""
    found = ELEMENT.fullmatch(name)
    return found[1] if found and name not in names and found[1] in names else name


def _refuse_absent(name: str, names: Sequence[str], where: str, option: str) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    known = ", ".join(map(repr, names[:10])) or "no columns"
    hint = f"; did you mean {near[0]!r}?" if near else f"; it has {known}"
    raise ValueError(f"{where} has no column {name!r} ({option}){hint}")


def _plan(field: Foreign, is_coded: bool, where: str) -> ColumnPlan:
    types, name, kind = arrow().types, field.name, field.type
    if types.is_dictionary(kind) or is_coded:
        _check_values(field, where, "categorical")
        # The dictionary of a Categorical of polars is in the order of all that the process saw.
        of_process = any(key.startswith(b"_PL_CATEGORICAL") for key in field.metadata or ())
        return ColumnPlan(name, CODES, is_sorted=of_process or not types.is_dictionary(kind))
    if types.is_fixed_size_list(kind):
        dtype = number_type(kind.value_type)
        if dtype is not None and kind.list_size > 0:
            return ColumnPlan(name, LISTS, kind.list_size, dtype)
    dtype = number_type(kind)
    if dtype is not None:
        return ColumnPlan(name, NUMBERS, dtype=dtype)
    said = f"{where}: column {name!r} has the type {kind}"
    if is_text(kind):
        raise TypeError(
            f"{said}; say categorical=[{name!r}] where its texts are categories, or leave it out "
            "of features"
        )
    if types.is_temporal(kind):
        raise TypeError(f"{said}: {DATES}")
    if types.is_list(kind) or types.is_large_list(kind):
        raise TypeError(
            f"{said}: lists may differ in length; cast it to a fixed-size list, which is a block "
            "of columns"
        )
    raise TypeError(f"{said}, which is neither numbers nor categories; leave it out of features")


def _check_values(field: Foreign, where: str, role: str) -> None:
    """Raise TypeError where the values of a column are no labels or categories."""
    types, kind = arrow().types, field.type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if not (is_text(kind) or number_type(kind) is not None or types.is_temporal(kind)):
        raise TypeError(
            f"{where}: column {field.name!r} ({role}) has the type {field.type}; make texts, whole "
            "numbers or booleans of its values first"
        )


def is_text(kind: Foreign) -> bool:
    """Say whether an Arrow type is one of text."""
    types = arrow().types
    views = getattr(types, "is_string_view", lambda _: False)
    return bool(types.is_string(kind) or types.is_large_string(kind) or views(kind))


def number_type(kind: Foreign) -> DType | None:
    """Return what holds an Arrow type's numbers; None for what is no number.

    float32 where it holds each of them exactly, which halves what is read in each pass.
    """
    types = arrow().types
    if types.is_boolean(kind) or types.is_float16(kind) or types.is_float32(kind):
        return SINGLE
    if types.is_integer(kind):
        return SINGLE if kind.bit_width <= 16 else DOUBLE
    if types.is_float64(kind) or types.is_decimal(kind) or types.is_null(kind):
        return DOUBLE
    return None
