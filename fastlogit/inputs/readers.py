"""Which reader knows an object of another library: told by the names of its classes.

No library of frames is imported here. What holds no rows yet has a reader that says how to get
them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

from ..arrays import Array, ArrayLike
from .arrow_tables import arrow_column, arrow_labels, arrow_numbers, arrow_table_labels
from .coded_frame import CodedFrame
from .column_types import Foreign, refuse_column
from .pandas_tables import pandas_column, pandas_labels, pandas_numbers, pandas_table_labels
from .polars_tables import polars_column, polars_labels, polars_numbers, polars_table_labels

__all__ = ["is_frame", "reader_for", "refuse_lazy"]


_SOURCE = (
    "which fits, infer and predictions read in the place of rows and labels; here pass rows in "
    "memory, as those of "
    "pyarrow.dataset.dataset(path).to_table()"
)
# What holds no rows yet, and how to get them. {0} is the name of the argument.
LAZY = {
    ("polars", "LazyFrame"): (
        "whose rows are not computed yet; pass {0}.collect(), or fit it with target='column'"
    ),
    ("pyarrow", "RecordBatchReader"): (
        "which can be read only once; pass {0}.read_all(), or fit it with target='column'"
    ),
    ("pyarrow", "Dataset"): (
        "whose rows are not read yet; pass {0}.to_table(), or fit it with target='column'"
    ),
    ("pyarrow", "Scanner"): "whose rows are not read yet; pass {0}.to_table()",
    ("duckdb", "DuckDBPyRelation"): (
        "whose rows are not computed yet; pass {0}.df(), {0}.pl() or {0}.to_arrow_table(), or fit "
        "it with target='column'"
    ),
    ("fastlogit", "ParquetSource"): _SOURCE,
    ("fastlogit", "ArrowSource"): _SOURCE,
    ("fastlogit", "BatchSource"): (
        "which only fits read, from the first batch to the last; hand in its batches one by one"
    ),
    ("dask", "DataFrame"): (
        "whose rows are not computed yet; pass {0}.compute(), or use fastlogit.dask, where there "
        "are fit, infer and estimators of partitions"
    ),
}


class _Reader(NamedTuple):
    """How the objects of a class become arrays, from the argument's name and the object."""

    numbers: Callable[[str, Foreign], Array]
    labels: Callable[[str, Foreign], Array]


def reader_for(given: ArrayLike) -> _Reader | None:
    """Return how to read an object of a library that is known here."""
    return _reader_of(type(given))  # type: ignore[arg-type]


_LAZY_READERS: dict[tuple[str, str], _Reader] = {}


@functools.lru_cache(maxsize=256)
def _reader_of(kind: type) -> _Reader | None:
    """Return how to read objects of a class; found by the names of its library and bases."""
    for base in kind.__mro__:
        origin = base.__module__.partition(".")[0].lstrip("_"), base.__name__
        if origin in LAZY:
            refuse = functools.partial(_refuse_lazy, base, LAZY[origin])
            return _LAZY_READERS.setdefault(origin, _Reader(refuse, refuse))
        if origin in READERS:
            return READERS[origin]
    return None


def _refuse_lazy(kind: type, advice: str, name: str, given: ArrayLike) -> Array:
    library = kind.__module__.partition(".")[0].lstrip("_")
    raise TypeError(f"{name} is a {library} {kind.__name__}, {advice.format(name)}")


def is_frame(given: ArrayLike) -> bool:
    """Say whether it is a frame, table or series of a library that this module knows."""
    return reader_for(given) is not None


def refuse_lazy(name: str, value: ArrayLike) -> None:
    """Raise for what holds no rows yet: a look at its columns may already take long."""
    reader = reader_for(value)
    if reader is not None and reader in _LAZY_READERS.values():
        reader.numbers(name, value)


def _our_numbers(name: str, frame: CodedFrame) -> Array:
    if frame.coded:
        refuse_column(name, "codes", frame.columns[min(frame.coded)], None, "categories")
    return frame.numbers


READERS = {
    ("pandas", "DataFrame"): _Reader(pandas_numbers, pandas_table_labels),
    ("pandas", "Series"): _Reader(pandas_column, pandas_labels),
    ("pandas", "Index"): _Reader(pandas_column, pandas_labels),
    ("pandas", "ExtensionArray"): _Reader(pandas_column, pandas_labels),
    ("polars", "DataFrame"): _Reader(polars_numbers, polars_table_labels),
    ("polars", "Series"): _Reader(polars_column, polars_labels),
    ("pyarrow", "Table"): _Reader(arrow_numbers, arrow_table_labels),
    ("pyarrow", "RecordBatch"): _Reader(arrow_numbers, arrow_table_labels),
    ("pyarrow", "Array"): _Reader(arrow_column, arrow_labels),
    ("pyarrow", "ChunkedArray"): _Reader(arrow_column, arrow_labels),
    ("fastlogit", "CodedFrame"): _Reader(_our_numbers, _our_numbers),
}
