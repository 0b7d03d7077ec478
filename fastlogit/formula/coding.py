"""Terms -> columns: dense, sparse and coded blocks side by side, for the fit and for new rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..arrays import Array, Features, Indices, Integers
from ..design.codes import CodedColumns, code_columns
from ..design.mixed import MixedRows
from ..inputs.sparse import compressed_rows
from .factors import Block, Factor, Values, fit_factor
from .parsing import Expression, Term
from .scopes import Scope, scopes_of

__all__ = ["Coding", "expressions_of", "fit_coding"]

# Products with numbers are stored sparse where a row has at most this share of the columns.
SPARSE_SHARE = 0.2


class Encoded(NamedTuple):
    """What a term has in each row: `values` at columns `start + shifts`, or 1 at one column."""

    # (n_rows,): where the codes begin, -1 for nowhere; None where all rows begin at 0.
    start: Integers | None
    # (n_rows, n_values), or None for ones.
    values: Features | None
    # (n_values,)
    shifts: Indices


@dataclass(frozen=True)
class Part:
    """A scope and the columns that it became."""

    scope: Scope
    # Which starts have columns, sorted; None where all begin at 0.
    starts: Indices | None
    # Of all columns that there would be, those that are kept, sorted: each start plus each shift.
    columns: Indices
    names: tuple[str, ...]


@dataclass(frozen=True)
class Coding:
    """How the terms of a formula become features, for any rows.

    Attributes
    ----------
    factors : mapping of str to Factor
        By their text.
    expressions : tuple of Expression
    parts : tuple of Part
    handle_unknown : {"error", "zero"}
    """

    factors: Mapping[str, Factor]
    expressions: tuple[Expression, ...]
    parts: tuple[Part, ...]
    handle_unknown: str

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [name for part in self.parts for name in part.names]

    @property
    def terms(self) -> list[str]:
        """The term of each feature."""
        return [part.scope.term for part in self.parts for _ in part.names]

    def rows(self, values: Mapping[str, Values], n_rows: int) -> MixedRows:
        """Return the features of rows, from the values of each factor."""
        widths = [len(part.names) for part in self.parts]
        firsts = np.cumsum([0, *widths])
        dense, stored, coded = [], [], []
        for part, first in zip(self.parts, firsts, strict=False):
            found = self._encoded(part.scope, values)
            places = np.arange(first, first + len(part.names))
            if found.values is None:
                coded.append((self._codes(part, found), places))
            elif found.start is None:
                dense.append((found.values, places))
            elif len(found.shifts) <= SPARSE_SHARE * len(part.names):
                stored.append((_sparse_of(part, found), places))
            else:
                dense.append((_dense_of(part, found), places))
        numbers = _joined_numbers([block for block, _ in dense], n_rows)
        compressed = None
        if stored:
            compressed = compressed_rows(sparse.hstack([block for block, _ in stored], "csr"))
        codes = _joined_codes([block for block, _ in coded], [len(own) for _, own in coded])
        kinds = [kind for kind in (dense, stored, coded) if kind]
        places_of = tuple(np.concatenate([own for _, own in kind]) for kind in kinds)
        return MixedRows(numbers, compressed, codes, places_of)

    def _encoded(self, scope: Scope, values: Mapping[str, Values]) -> Encoded:
        return _product([
            self.factors[text].block(values[text], reduced, self.handle_unknown)
            for text, reduced in zip(scope.factors, scope.reduced, strict=True)
        ])  # fmt: skip

    def _codes(self, part: Part, found: Encoded) -> Integers:
        """Return which feature is 1 in each row, as many as there are for none."""
        assert part.starts is not None
        assert found.start is not None
        return _places(part.starts, found.start)

    def with_rule(self, handle_unknown: str) -> Coding:
        """Return the same with another rule for levels that were not in the fit."""
        return replace(self, handle_unknown=handle_unknown)


def expressions_of(terms: Sequence[Term]) -> tuple[Expression, ...]:
    """Return the factors of terms, each once."""
    return tuple({each.text: each for term in terms for each in term.factors}.values())


def fit_coding(
    terms: Sequence[Term], values: Mapping[str, Values], *, has_intercept: bool,
    handle_unknown: str,
) -> Coding:  # fmt: skip
    """Return how terms become features, from the values of each factor in the rows of a fit.

    Raises
    ------
    ValueError
        If a factor has one level only, or nothing is left that has a coefficient.
    """
    factors = {text: fit_factor(text, own) for text, own in values.items()}
    coding = Coding(factors, expressions_of(terms), (), handle_unknown)
    scopes = scopes_of(
        terms, lambda text: factors[text].spans_intercept, has_intercept=has_intercept
    )
    parts = [_part(scope, coding, values) for scope in scopes]
    return replace(coding, parts=tuple(part for part in parts if part.names))


def _part(scope: Scope, coding: Coding, values: Mapping[str, Values]) -> Part:
    """Return a scope with its columns: of products of levels those that occur."""
    blocks = [
        coding.factors[text].block(values[text], reduced, "error")
        for text, reduced in zip(scope.factors, scope.reduced, strict=True)
    ]
    found = _product(blocks)
    starts: Indices | None = None
    columns = np.sort(found.shifts)
    if found.start is not None:
        starts = np.unique(found.start[found.start >= 0]).astype(np.intp)
        columns = np.sort((starts[:, None] + found.shifts).reshape(-1))
    sizes = [len(block.names) for block in blocks]
    names = []
    for column in columns.tolist():
        own = []
        for block, size in zip(blocks, sizes, strict=True):
            column, place = divmod(column, size)
            own.append(block.names[place])
        names.append(":".join(own))
    return Part(scope, starts, columns, tuple(names))


def _product(blocks: Sequence[Block]) -> Encoded:
    """Return the products of all columns of the blocks; those of the first block follow fastest."""
    strides = np.cumprod([1, *[len(block.names) for block in blocks]])
    start: Array | None = None
    numbers: list[tuple[Features, Indices]] = []
    for block, stride in zip(blocks, strides, strict=False):
        if block.codes is None:
            assert block.numbers is not None
            numbers.append((block.numbers, stride * np.arange(len(block.names))))
            continue
        here = block.codes * stride
        none = block.codes < 0
        if start is not None:
            none |= start < 0
            here = here + start
        start = np.where(none, -1, here)
    if not numbers:
        return Encoded(start, None, np.zeros(1, dtype=np.intp))
    values, shifts = numbers[0]
    for own, further in numbers[1:]:
        pairs = itertools.product(range(own.shape[1]), range(values.shape[1]))
        values = np.column_stack([own[:, a] * values[:, b] for a, b in pairs])
        shifts = (further[:, None] + shifts).reshape(-1)
    return Encoded(start, values, shifts)


def _places(known: Indices, wanted: Array) -> Array:
    """Return the place of each number among sorted ones, as many as there are for none of them."""
    if not len(known):
        return np.zeros(len(wanted), dtype=np.intp)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, places, len(known))


def _by_row(part: Part, found: Encoded) -> tuple[Indices, Array]:
    """Return the rows that have values in a product with levels, and the columns of these."""
    assert part.starts is not None
    assert found.start is not None
    rows = np.flatnonzero(_places(part.starts, found.start) < len(part.starts))
    return rows, np.searchsorted(part.columns, found.start[rows][:, None] + found.shifts)


def _dense_of(part: Part, found: Encoded) -> Features:
    assert found.values is not None
    rows, columns = _by_row(part, found)
    out = np.zeros((len(found.values), len(part.names)), dtype=found.values.dtype)
    out[rows[:, None], columns] = found.values[rows]
    return out


def _sparse_of(part: Part, found: Encoded) -> sparse.csr_array:
    assert found.values is not None
    rows, columns = _by_row(part, found)
    n_rows, n_values = found.values.shape
    counts = np.zeros(n_rows, dtype=np.int64)
    counts[rows] = n_values
    pointers = np.concatenate([[0], np.cumsum(counts)])
    order = np.argsort(columns, axis=1)
    data = np.take_along_axis(found.values[rows], order, axis=1)
    indices = np.take_along_axis(columns, order, axis=1)
    shape = (n_rows, len(part.names))
    return sparse.csr_array((data.reshape(-1), indices.reshape(-1), pointers), shape=shape)


def _joined_numbers(blocks: Sequence[Features], n_rows: int) -> Features | None:
    """Return blocks of numbers side by side: of float32 where all are."""
    if not blocks:
        return None
    kind = np.result_type(*blocks)
    out = np.empty((n_rows, sum(block.shape[1] for block in blocks)), dtype=kind)
    np.concatenate(blocks, axis=1, out=out)
    out.flags.writeable = False
    return out


def _joined_codes(blocks: Sequence[Integers], sizes: Sequence[int]) -> CodedColumns | None:
    """Return codes as columns; the last one of each is of rows without a level."""
    if not blocks:
        return None
    coded = code_columns(blocks, [size + 1 for size in sizes], drop_first=False)
    firsts = np.cumsum([0, *[size + 1 for size in sizes]])
    levels = np.concatenate(
        [first + np.arange(size) for first, size in zip(firsts, sizes, strict=False)]
    )
    levels.flags.writeable = False
    return replace(coded, levels=levels)
