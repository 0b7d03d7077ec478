"""`ParquetSource` and `ArrowSource`: rows of files and tables for a fit that need not hold them."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Codes, Integers, Labels
from ..clock import Clock
from ..design.streamed import let_go
from ..inputs import validation
from ..inputs.categories import Categories
from ..inputs.column_names import differing_names
from ..inputs.rows import Readable, Rows
from ..inputs.table_source import FoldColumns, LabelledBatch, ReadTable, TableSource
from ..options import CategoryOptions, check_names, check_option
from .coding import Coding, coding_of_fit, coding_of_fitted, frame_of, named_frame_of, parts
from .converting import NULLS, Block, Converter
from .decoded import DecodedMixed, DecodedNumbers, SpooledMixed
from .files import FileStream
from .filters import check_filter, expression_of
from .finding import is_path
from .layout import Layout, Roles, layout_of, refuse_categories, refuse_parts_of_lists
from .library import Foreign
from .reading import Spooled, asked_of, blocks_of, read_stream
from .spool import PLACES, Budget, filled
from .streams import Stream
from .tables import stream_of

__all__ = ["ArrowSource", "Carrier", "ParquetSource", "Source", "check_memory"]

UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
UNITS |= {"KIB": 2.0**10, "MIB": 2.0**20, "GIB": 2.0**30, "TIB": 2.0**40}


class Carrier(NamedTuple):
    """What stands for the table where others ask for shape and names alone."""

    shape: tuple[int, int]
    columns: tuple[str, ...]


class _Kept(NamedTuple):
    """What was read last, for what is asked next."""

    spooled: Spooled
    missing_categories: bool


class Source(TableSource):
    """What `ParquetSource` and `ArrowSource` share; see there for the parameters."""

    def __init__(
        self,
        given: ArrayLike,
        *,
        target: str | None = None,
        features: Sequence[str] | None = None,
        sample_weight: str | None = None,
        offset: str | None = None,
        clusters: str | None = None,
        groups: str | None = None,
        folds: str | None = None,
        categorical: Sequence[str] = (),
        filter: object = None,
        nulls: str = "error",
        spool: str = "auto",
        memory_limit: float | str | None = None,
    ) -> None:
        self._given, self._filter = given, filter
        self.roles = Roles(
            *(
                _check_name(name, role)
                for name, role in (
                    (target, "target"), (sample_weight, "sample_weight"), (offset, "offset"),
                    (clusters, "clusters"), (groups, "groups"), (folds, "folds"),
                )
            )
        )  # fmt: skip
        self.features = None if features is None else check_names("features", features)
        self.categorical = check_names("categorical", categorical)
        self.nulls = check_option("nulls", nulls, NULLS)
        self.spool = check_option("spool", spool, PLACES)
        self.memory_limit = check_memory(memory_limit)
        self._open()

    def _open(self) -> None:
        """Sets: what is read, and that nothing is kept of it."""
        self._kept: _Kept | None = None
        self._stream, left = self._stream_of(self._given, self._filter)
        self._asked_filter = expression_of(left)
        check_filter(self.schema, self._asked_filter, self._stream.name)
        if self.spool == "never" and not self._stream.is_repeatable:
            raise ValueError(
                f"spool='never' reads in each pass, but {self._stream.name} can be read only once; "
                "use spool='auto'"
            )

    @abstractmethod
    def _stream_of(self, given: Foreign, filtered: Foreign) -> tuple[Stream, Foreign]:
        """Return what gives the rows, and the filter that it leaves to do."""

    def __getstate__(self) -> dict[str, object]:
        """Leave out what was read: it is read again."""
        left_out = {"_kept", "_stream", "_asked_filter"}
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Open the source again."""
        self.__dict__.update(state)
        self._open()

    # ---- what users ask

    @property
    def n_rows(self) -> int | None:
        """Rows that were read, without those dropped; None before the first pass."""
        return None if self._kept is None else self._kept.spooled.n_rows

    @property
    def n_dropped(self) -> int | None:
        """Rows left out for a null; None before the first pass."""
        return None if self._kept is None else self._kept.spooled.n_dropped

    def close(self) -> None:
        """Let go of the spool: what is asked next reads the source again."""
        self._kept = None

    def clusters_of_rows(self) -> Integers | None:
        """Return the cluster of each row as a whole number, None where there is no such column."""
        return None if self._kept is None else self._kept.spooled.clusters

    def folds_of_rows(self) -> FoldColumns:
        """Return what the columns of groups and folds say of each row; see `FoldColumns`."""
        if self._kept is None:
            return FoldColumns()
        of_rows = self._kept.spooled.of_rows
        return FoldColumns(of_rows.get("groups"), of_rows.get("folds"))

    @property
    def schema(self) -> Foreign:
        """The schema of all columns, as pyarrow has it."""
        return self._stream.schema

    # ---- what fits ask

    def read(
        self, categories: CategoryOptions | None, clock: Clock | None, *, shares: bool,
        features_only: bool = False,
    ) -> ReadTable:  # fmt: skip
        """Read the rows for a fit; see `TableSource`."""
        self._refresh()
        if not features_only:
            self._refuse_no_target()
        layout = self._layout(shares=shares, features_only=features_only)
        if layout.coded and categories is None:
            raise TypeError(
                f"column {layout.coded[0].name!r} of {self._stream.name} is categorical, which "
                "this function does not take; leave it out of features"
            )
        interacts = categories is not None and bool(categories.interactions)
        spooled = self._read(layout, clock, missing_categories=False, with_combinations=interacts)
        coding = None
        if layout.coded and categories is not None:
            coding = coding_of_fit(layout, spooled.seen, spooled.codes, spooled.levels, categories)
        return self._table(spooled, coding, shares)

    def _refuse_no_target(self) -> None:
        if self.roles.target is None:
            raise TypeError(
                f"target is missing: say which column of {self._stream.name} is predicted, as "
                f"{type(self).__name__}(..., target='y')"
            )

    def _layout(self, *, shares: bool = False, features_only: bool = False) -> Layout:
        """Return what becomes of the columns of this source."""
        left_out = {name for _, name in self.roles.named()} if features_only else set()
        features = self.features
        if features is None and left_out:
            features = [name for name in self.schema.names if name not in left_out]
        layout = layout_of(
            self.schema, Roles() if features_only else self.roles, features, self.categorical,
            self._stream.name, shares=shares,
        )  # fmt: skip
        refuse_parts_of_lists(layout, features)
        return layout

    def read_as_fitted(
        self, names: Sequence[str] | None, categories: Categories | None, *,
        shares: bool = False, with_target: bool = False,
    ) -> ReadTable:  # fmt: skip
        """Read rows as those of a fit were; see `TableSource`."""
        self._refresh()
        layout = self.layout_as_fitted(names, categories, with_target=with_target, shares=shares)
        spooled = self._read(layout, None, missing_categories=categories is not None)
        coding = None
        if categories is not None:
            coding = coding_of_fitted(layout, spooled.seen, spooled.levels, categories)
        return self._table(spooled, coding, shares and with_target)

    def layout_as_fitted(
        self, names: Sequence[str] | None, categories: Categories | None, *,
        with_target: bool = False, shares: bool = False,
    ) -> Layout:  # fmt: skip
        """Return which columns are those of a fit; see `TableSource.read_as_fitted`.

        Raises
        ------
        TypeError, ValueError
            If a column of the fit is missing, or of another kind.
        """
        wanted = self.features if names is None else list(names)
        if categories is not None:
            wanted = list(categories.columns)
        known = () if categories is None else categories.levels
        coded = {name for name, levels in zip(wanted or (), known, strict=False) if levels}
        taken = {name for _, name in self.roles.named()}
        if wanted is None:
            wanted = [name for name in self.schema.names if name not in taken]
        refuse_categories(self.schema, {*wanted} - coded, self._stream.name)
        layout = layout_of(
            self.schema, self.roles if with_target else Roles(), wanted, coded,
            self._stream.name, shares=shares and with_target,
        )  # fmt: skip
        expected = list(layout.columns) if names is None and categories is None else wanted
        if difference := differing_names(list(layout.columns), expected):
            raise ValueError(difference)
        return layout

    def blocks_as_fitted(
        self, names: Sequence[str] | None, categories: Categories | None
    ) -> Iterator[ArrayLike]:
        """Go over the rows block by block, as what a fitted model predicts: nothing is kept."""
        self._refresh()
        layout = self.layout_as_fitted(names, categories)
        missing = categories is not None
        for block, converter in self._blocks_of(layout, missing_categories=missing):
            yield frame_of(layout, converter, block)

    @property
    def has_offset(self) -> bool:
        """Whether a column is an offset."""
        return self.roles.offset is not None

    def labelled_batches(
        self, names: Sequence[str] | None, categories: Categories | None
    ) -> Iterator[LabelledBatch]:
        """Go over the rows batch by batch; see `TableSource`."""
        self._refresh()
        self._refuse_no_target()
        if names is None and categories is None:
            layout = self._layout()
        else:
            layout = self.layout_as_fitted(names, categories, with_target=True)
        missing = categories is not None
        for block, converter in self._blocks_of(layout, missing_categories=missing):
            assert block.target is not None  # as the layout says
            labels = converter.classes()[block.target]
            yield LabelledBatch(named_frame_of(layout, converter, block), labels, block.weight)

    def _blocks_of(
        self, layout: Layout, *, missing_categories: bool
    ) -> Iterator[tuple[Block, Converter]]:
        self._stream.refuse_differing(layout.read)
        asked = asked_of(layout, self._asked_filter, Budget(self.spool, self.memory_limit))
        converter = Converter(layout, self.nulls, missing_categories=missing_categories)
        for block in blocks_of(self._stream, asked, converter):
            if block.n_rows:
                yield block, converter

    def refuse_to_write(self, path: Path) -> None:
        """Raise ValueError where a file to be written is, or would be, among those read."""
        self._stream.refuse_to_write(path)

    # ---- how it is read

    def _read(
        self, layout: Layout, clock: Clock | None, *, missing_categories: bool,
        with_combinations: bool = False,
    ) -> Spooled:  # fmt: skip
        """Read the rows, or take what was read last."""
        if self._kept is not None and self._is_kept(layout, missing_categories, with_combinations):
            return self._kept.spooled
        stream, budget = self._stream, Budget(self.spool, self.memory_limit)
        if not stream.is_repeatable and self._kept is not None:
            raise ValueError(f"{stream.name} can be read only once, and was read for other columns")
        self._kept = None
        stream.refuse_differing(layout.read)
        converter = Converter(layout, self.nulls, missing_categories=missing_categories)
        asked = asked_of(layout, self._asked_filter, budget)
        spooled = read_stream(
            stream, layout, asked, converter, budget, clock, keep=self.spool != "never",
            with_combinations=with_combinations,
        )  # fmt: skip
        self._kept = _Kept(spooled, missing_categories)
        return spooled

    def _is_kept(self, layout: Layout, missing_categories: bool, with_combinations: bool) -> bool:
        """Say whether what was read last is what is asked for."""
        assert self._kept is not None  # else nobody asks
        kept, missing = self._kept
        same = kept.layout.features == layout.features and missing in (False, missing_categories)
        has_roles = all(
            name is None or name == own
            for name, own in zip(layout.roles, kept.layout.roles, strict=True)
        )
        other_target = layout.roles.target is not None and kept.layout.shares != layout.shares
        spooled = kept.codes is not None or kept.seen.combinations is not None
        return same and has_roles and not other_target and (spooled or not with_combinations)

    def _refresh(self) -> None:
        """Open the source anew where its files are not those that were opened."""
        try:
            self._stream.check()
        except ValueError:
            self._open()

    def _table(self, spooled: Spooled, coding: Coding | None, shares: bool) -> ReadTable:
        roles = spooled.layout.roles
        coded = None if roles.target is None or shares else _classes_of(spooled)
        columns = spooled.layout.columns
        carrier = Carrier((spooled.n_rows, len(columns)), columns)
        names, categories = list(columns), None
        if coding is not None:
            categories = coding.categories
            names = categories.feature_names
        rows = Rows(self._rows(spooled, coding), carrier, names, names, categories)
        return ReadTable(
            rows, coded, spooled.vector("shares") if shares else None, spooled.vector("weight"),
            spooled.vector("offset"),
        )  # fmt: skip

    def _rows(self, spooled: Spooled, coding: Coding | None) -> Readable:
        """Return what a design reads: arrays in memory, maps of files, or the source itself."""
        asked = asked_of(spooled.layout, self._asked_filter, Budget(self.spool, self.memory_limit))
        if self.spool == "never":
            if coding is None:
                return DecodedNumbers(self._stream, asked, spooled)
            return DecodedMixed(self._stream, asked, spooled, coding)
        numbers = spooled.numbers
        if coding is None:
            assert numbers is not None  # else there would be codes
            return numbers
        raw, codes = spooled.codes, None
        assert raw is not None  # as there is a coding
        if coding.columns is not None:
            shape = (len(coding.columns.codes), spooled.n_rows)
            codes = filled(shape, coding.columns.codes.dtype, on_disk=spooled.on_disk)
            for part in parts(raw):
                codes[:, part] = coding.coded(raw[part])
                for column in codes:
                    let_go(column[part])
        if spooled.on_disk:
            return SpooledMixed(coding, numbers, codes)
        return coding.mixed(numbers, codes)


class ParquetSource(Source):
    """Parquet files for a fit that need not hold their rows.

    ``fit(ParquetSource("data/*.parquet", target="clicked"))`` finds the certified optimum that a
    fit in memory finds. A first pass decodes the files once, finds the classes and the levels of
    categorical columns, and keeps the rows, in memory where they fit or in a temporary file; the
    passes of the fit run from there.

    Parameters
    ----------
    path : str, path or list of them
        A file, a pattern, or a folder, in which folders called ``key=value`` are columns. Files
        are read in the order of their paths as text (part-1, part-10, part-2); of a list in its
        own.
    target : str, optional
        The column of labels, or of shares with ``fractional=True``. A fit needs it.
    features : sequence of str, optional
        Columns of numbers, booleans, decimals, dictionaries (read as codes, with a coefficient for
        each level), and fixed-size lists, which are a block of columns, ``emb[0]``, ``emb[1]``. By
        default all that have no other part.
    sample_weight, offset, clusters : str, optional
        Columns of the weights, of the fixed part of the raw predictions, and of the clusters for
        `infer`.
    groups, folds : str, optional
        For `LogisticRegressionCV`: the column whose rows of one value stay together in a fold, as
        all of a customer; or the one that holds the fold of each row, whole numbers from 0 on, and
        -1 for rows that are in every training part.
    categorical : sequence of str, optional
        Columns of text or whole numbers that are categories; their levels are sorted. Those of
        dictionaries are in the order of the dictionaries.
    filter : pyarrow.dataset.Expression or list of tuples, optional
        Which rows are read, as ``[("year", ">", 2020)]``; row groups and files that have none are
        skipped.
    nulls : {"error", "drop"}, default "error"
        What a null in a column that is read is: an error that names column and row, or the row is
        left out, also for NaN, and counted in `n_dropped`.
    spool : {"auto", "memory", "disk", "never"}, default "auto"
        Where decoded rows are kept: in memory if they fit within `memory_limit`, else in a
        temporary file without a name (in TMPDIR), of which nothing is left whatever ends the
        process. "never" keeps none and decodes in each pass.
    memory_limit : int or str, optional
        Bytes, or a text as "2 GB", that the spool and the row state of a fit may take in memory.
        By default half of what is available.

    Attributes
    ----------
    n_rows, n_dropped : int or None
        Rows that were read, and rows left out for a null; None before the first pass.

    Raises
    ------
    ModuleNotFoundError
        If pyarrow is not installed.
    FileNotFoundError
        If there is no file.
    TypeError, ValueError
        If an option is wrong, a file is no Parquet, or cut off.

    Notes
    -----
    The spool is kept until `close`, another set of columns is asked for, or the source is deleted:
    `infer` and a second fit need no pass over the files. Where files have changed since, or others
    have come, they are read again; where they change while they are read, that is an error.

    Examples
    --------
    >>> import fastlogit, pyarrow as pa, pyarrow.parquet as pq, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "few.parquet"
    >>> pq.write_table(pa.table({"x": [0.5, 1.2, -0.3, 2.1], "y": [0, 1, 1, 0]}), file)
    >>> fastlogit.fit(fastlogit.ParquetSource(file, target="y"), C=1.0).converged
    True
    """

    def _stream_of(self, given: Foreign, filtered: Foreign) -> tuple[Stream, Foreign]:
        if not is_path(given):
            what = "an empty list" if given == [] else type(given).__name__
            raise TypeError(
                f"ParquetSource takes a path, a pattern, a folder, or a list of them, got {what}; "
                "ArrowSource takes tables and queries"
            )
        return FileStream.opened(given, "parquet"), filtered


class ArrowSource(Source):
    """Whatever gives batches of Arrow, for a fit that need not hold their rows.

    Parameters
    ----------
    data : object
        Paths of Arrow IPC (Feather) files, as in `ParquetSource`; a Dataset, Table, RecordBatch,
        RecordBatchReader or Scanner of pyarrow; a LazyFrame of polars; a relation of DuckDB; or
        anything with ``__arrow_c_stream__``. A reader is read once, the spool after that. The order
        of the rows is that in which they come.
    filter : optional
        As in `ParquetSource`; an expression of polars for a LazyFrame and a text of SQL for a
        relation are handed to these.
    target, features, sample_weight, offset, clusters, groups, folds
        As in `ParquetSource`.
    categorical, nulls, spool, memory_limit
        As in `ParquetSource`.

    Examples
    --------
    >>> import fastlogit, pyarrow as pa
    >>> table = pa.table({"x": [0.5, 1.2, -0.3, 2.1], "y": ["no", "yes", "yes", "no"]})
    >>> fastlogit.fit(fastlogit.ArrowSource(table, target="y"), C=1.0).classes.tolist()
    ['no', 'yes']
    """

    def _stream_of(self, given: Foreign, filtered: Foreign) -> tuple[Stream, Foreign]:
        if is_path(given):
            return FileStream.opened(given, "ipc"), filtered
        return stream_of(given, filtered)


def _classes_of(spooled: Spooled) -> tuple[Labels, Codes]:
    """Return the sorted labels that occur, and the place of each row's among them.

    A dictionary may have entries that no row has.
    """
    values, raw = spooled.converter.classes(), spooled.of_rows["target"]
    counts = np.zeros(len(values), dtype=np.int64)
    for part in parts(raw):
        counts += np.bincount(raw[part], minlength=len(values))
    used = np.flatnonzero(counts)
    classes, places = validation.encode_labels(values[used], len(used))
    table = np.zeros(len(values), dtype=places.dtype)
    table[used] = places
    codes: Codes = table[raw]
    codes.flags.writeable = False
    return classes, codes


def _check_name(name: object, role: str) -> str | None:
    if name is not None and not isinstance(name, str):
        raise TypeError(
            f"{role} must be the name of a column of the source, got {type(name).__name__}"
        )
    return name


def check_memory(given: float | str | None) -> int | None:
    """Return a limit in bytes; None for none.

    Raises
    ------
    TypeError, ValueError
        If it is no positive number of bytes.
    """
    if given is None:
        return None
    says = f"memory_limit must be a number of bytes, or a text as '2 GB', got {given!r}"
    if isinstance(given, str):
        found = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", given)
        if not found or found[2].upper() not in UNITS:
            raise ValueError(says)
        try:
            given = float(found[1]) * UNITS[found[2].upper()]
        except ValueError:
            raise ValueError(says) from None
    if isinstance(given, bool) or not isinstance(given, int | float | np.number):
        raise TypeError(says)
    if not (math.isfinite(given) and given > 0):
        raise ValueError(says)
    return int(given)
