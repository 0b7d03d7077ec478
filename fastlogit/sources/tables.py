"""What gives batches of Arrow: tables, readers, data sets, lazy frames, relations, streams in C."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .filters import filtered
from .library import Foreign, arrow
from .streams import Asked, Found, Stream
from .views import has_views

__all__ = ["is_table", "stream_of"]

# Frames whose rows are not computed yet, and what gives their batches.
LAZY = ("LazyFrame", "DuckDBPyRelation")
# What can be read once only.
ONCE = ("RecordBatchReader",)


def is_table(given: object) -> bool:
    """Say whether rows can be had from it as batches of Arrow."""
    kinds = {base.__name__ for base in type(given).__mro__}
    if kinds & {*LAZY, *ONCE, "Scanner"}:
        return True
    if kinds & {"Dataset", "Table", "RecordBatch"} and hasattr(given, "schema"):
        return True
    return hasattr(given, "__arrow_c_stream__")


def stream_of(given: Foreign, filtered: Foreign) -> tuple[Stream, Foreign]:
    """Return the rows of a table or of a query as a stream, and the filter that it leaves to do.

    Parameters
    ----------
    given : object
        See `is_table`.
    filtered : object
        The filter: polars' expressions and DuckDB's SQL are handed to their own library.

    Raises
    ------
    TypeError
        If there is no way to read it.
    """
    kinds = {base.__name__ for base in type(given).__mro__}
    if "LazyFrame" in kinds:
        if filtered is not None and type(filtered).__name__ == "Expr":
            given, filtered = given.filter(filtered), None
        return _LazyFrame(given), filtered
    if "DuckDBPyRelation" in kinds:
        if isinstance(filtered, str):
            given, filtered = given.filter(filtered), None
        return _Relation(given), filtered
    if "Dataset" in kinds:
        return _Dataset(given), filtered
    if "RecordBatchReader" in kinds:
        return _Once(given, "RecordBatchReader"), filtered
    if "Scanner" in kinds:
        return _Once(given.to_reader(), "Scanner"), filtered
    if "RecordBatch" in kinds and hasattr(given, "num_rows"):
        return _Table(arrow().Table.from_batches([given])), filtered
    if "Table" in kinds and hasattr(given, "to_batches"):
        return _Table(given), filtered
    if hasattr(given, "__arrow_c_stream__"):
        if hasattr(given, "__len__"):  # rows in memory: a frame, a table
            return _Table(_as_table(given, "the table")), filtered
        return _Once(arrow().RecordBatchReader.from_stream(given), type(given).__name__), filtered
    raise TypeError(
        f"ArrowSource got {type(given).__module__.partition('.')[0]}.{type(given).__name__}; it "
        "takes paths of Arrow files, a Dataset, Table or RecordBatchReader of pyarrow, a LazyFrame "
        "of polars, a relation of DuckDB, or anything with __arrow_c_stream__"
    )


def _as_table(frame: Foreign, where: str) -> Foreign:
    """Return a frame as a table of Arrow.

    Raises
    ------
    TypeError
        If a column is of a type that Arrow has not; names it.
    """
    pa = arrow()
    try:
        return pa.table(frame)
    except pa.ArrowException as error:
        for name in getattr(frame, "columns", ()):
            try:
                pa.table(frame[[name]])
            except pa.ArrowException:
                raise TypeError(
                    f"{where}: column {name!r} has a type that Arrow has not "
                    f"({frame[name].dtype}); cast it, or leave it out with select"
                ) from None
        raise TypeError(f"{where} cannot be read as Arrow: {error}") from None


def _chosen(batches: Iterable[Foreign], asked: Asked) -> Iterator[Found]:
    """Go over batches: their columns that are read, the rows that the filter leaves."""
    row = 0
    for batch in batches:
        n_rows = batch.num_rows
        if asked.has_filter:
            yield from map(Found, filtered(batch, asked.filter, asked.columns))
        else:
            chosen = batch.select(list(asked.columns))
            for start in range(0, n_rows, asked.batch_rows):
                part = chosen.slice(start, asked.batch_rows)
                yield Found(part, "", row + start)
        row += n_rows


class _Table(Stream):
    """A table in memory."""

    is_repeatable = True

    def __init__(self, table: Foreign) -> None:
        self._table = table
        self.schema = table.schema

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the table"

    @property
    def n_rows(self) -> int:
        """How many rows it has."""
        return int(self._table.num_rows)

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over its chunks."""
        return _chosen(self._table.to_batches(), asked)


class _Dataset(Stream):
    """A data set of pyarrow's, in its own order."""

    is_repeatable = True
    # Its rows are not counted: their number is in no footer where a filter of its own is set.
    n_rows = None

    def __init__(self, dataset: Foreign) -> None:
        self._dataset = dataset
        self.schema = dataset.schema

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the data set"

    def refuse_to_write(self, path: Path) -> None:
        """Raise ValueError where a file to be written is one of those read."""
        files = getattr(self._dataset, "files", ())
        if any(Path(file).resolve() == path.resolve() for file in files):
            raise ValueError(f"{path} is a file of {self.name}, which is read; write it elsewhere")

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over its rows by a scanner that reads little ahead."""
        is_left = asked.has_filter and has_views(self.schema)  # the scanner filters no views
        scanner = self._dataset.scanner(
            columns=None if is_left else list(asked.columns),
            filter=None if is_left else asked.filter,
            batch_size=asked.batch_rows, batch_readahead=1, fragment_readahead=1,
        )  # fmt: skip
        batches = scanner.to_batches()
        return _chosen(batches, asked) if is_left else map(Found, batches)


class _Once(Stream):
    """A reader, which gives its rows once."""

    is_repeatable = False
    n_rows = None

    def __init__(self, reader: Foreign, kind: str) -> None:
        self._reader, self._kind, self._is_read = reader, kind, False
        self.schema = reader.schema

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the {self._kind}"

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over its rows, once."""
        if self._is_read:
            raise ValueError(
                f"{self.name} can be read only once, and has been; make a new one for another fit"
            )
        self._is_read = True
        return _chosen(self._reader, asked)


class _LazyFrame(Stream):
    """A query of polars, computed by its streaming engine."""

    is_repeatable = True
    n_rows = None

    def __init__(self, frame: Foreign) -> None:
        self._frame = frame
        self.schema = _as_table(frame.head(0).collect(), self.name).schema

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the LazyFrame"

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over the rows in their order; columns are chosen before the query runs."""
        frame, pa = self._frame, arrow()
        if not asked.has_filter:
            frame = frame.select(list(asked.columns))
        if hasattr(frame, "collect_batches"):
            parts = frame.collect_batches(chunk_size=asked.batch_rows, maintain_order=True)
        else:  # polars before 1.34
            parts = [_collected(frame)]
        return _chosen((each for part in parts for each in pa.table(part).to_batches()), asked)


def _collected(frame: Foreign) -> Foreign:
    """Return the rows of a query, by the streaming engine where this version of polars has it."""
    try:
        return frame.collect(engine="streaming")
    except ValueError:  # polars before 1.23
        return frame.collect()


class _Relation(Stream):
    """A relation or query of DuckDB's."""

    is_repeatable = True
    n_rows = None

    def __init__(self, relation: Foreign) -> None:
        self._relation = relation
        self.schema = _reader_of(relation.limit(0), 1).schema

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the relation"

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Run the query and go over its rows; its connection is busy until the last one."""
        relation = self._relation
        if not asked.has_filter:
            relation = relation.project(", ".join(map(_quoted, asked.columns)))
        return _chosen(_reader_of(relation, asked.batch_rows), asked)


def _reader_of(relation: Foreign, batch_rows: int) -> Foreign:
    for name in ("to_arrow_reader", "fetch_arrow_reader", "fetch_record_batch"):
        if hasattr(relation, name):
            return getattr(relation, name)(batch_rows)
    raise TypeError("this version of DuckDB gives no batches of Arrow; update it")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
