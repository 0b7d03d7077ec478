"""Parquet and Arrow files: what each holds, and whether it stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from .filters import check_filter, filtered
from .finding import files_of, would_read
from .layout import is_text
from .library import Foreign, arrow, module
from .partitions import keys_of, kind_of_key, value_of_key
from .streams import Asked, Found, Stream
from .views import has_views

__all__ = ["FileStream"]

# Read of a column at a time.
BUFFER_BYTES = 2**20
CALLED = {"parquet": "Parquet", "ipc": "Arrow IPC"}


class DataFile(NamedTuple):
    """A file as it was when the source was opened."""

    path: Path
    size: int
    modified: int
    n_rows: int
    # Values of the keys of its partition, None where one has none.
    keys: dict[str, str | None]
    schema: Foreign


@dataclass(frozen=True, eq=False)
class FileStream(Stream):
    """The rows of files, one after the other.

    Attributes
    ----------
    given : object
        The path, pattern, folder, or list of them.
    form : {"parquet", "ipc"}
    files : tuple of DataFile
    schema : pyarrow.Schema
        Of the first file, with a column for each key of the partitions.
    """

    given: object
    form: str
    files: tuple[DataFile, ...]
    schema: Foreign
    is_repeatable = True

    @property
    def name(self) -> str:
        """What messages call it."""
        first = str(self.files[0].path)
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more files"

    @property
    def n_rows(self) -> int:
        """Rows of all files, by their footers."""
        return sum(file.n_rows for file in self.files)

    @classmethod
    def opened(cls, given: object, form: str) -> FileStream:
        """Look at the footers of files.

        Raises
        ------
        FileNotFoundError, ValueError
            If there are no files, or one is broken.
        """
        files = [_opened(path, base, form) for path, base in files_of(given, form)]
        keys = list(dict.fromkeys(key for file in files for key in file.keys))
        schema = _common_schema([file.schema for file in files])
        for key in keys:
            if key in schema.names:
                continue  # the column of the file has the type
            kind = kind_of_key([file.keys.get(key) for file in files])
            schema = schema.append(arrow().field(key, kind))
        return cls(given, form, tuple(files), schema)

    def refuse_differing(self, columns: Iterable[str]) -> None:
        """Raise ValueError where a column that is read is not of one type in all files."""
        for file in self.files:
            for name in columns:
                if name in file.keys:
                    continue
                if name not in file.schema.names:
                    other = next(each for each in self.files if _has(each, name))
                    raise ValueError(
                        f"{file.path} has no column {name!r}, which {other.path} has; files of one "
                        "source must have the same columns"
                    )
                own, first = file.schema.field(name).type, self.schema.field(name).type
                if not _is_alike(own, first):
                    raise ValueError(
                        f"{file.path} has the type {own} in column {name!r}, but "
                        f"{self.files[0].path} has {first}; cast it, so that all files have one"
                    )

    def refuse_to_write(self, path: Path) -> None:
        """Raise ValueError where a file to be written is, or would be, among those read."""
        if would_read(self.given, path):
            raise ValueError(
                f"{path} would lie among the files that are read, {self.name}; write it elsewhere"
            )

    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over the rows, file by file; a row of a file before those behind it."""
        for file in self.files:
            self._check(file)
            row = 0
            try:
                for batch in _scan(self.form, file, self.schema, asked):
                    yield Found(batch, file.path.name, None if asked.has_filter else row)
                    row += batch.num_rows
            except (OSError, arrow().ArrowException) as error:
                self._check(file)
                _refuse_broken(file.path, self.form, error)
            self._check(file)

    def check(self) -> None:
        """Raise ValueError for a file that is not as it was when the source was opened."""
        for file in self.files:
            self._check(file)

    def _check(self, file: DataFile) -> None:
        try:
            size, modified = _state_of(file.path)
        except OSError as error:
            raise ValueError(
                f"{file.path} was there when the source was opened, and cannot be read any more: "
                f"{error.strerror}"
            ) from None
        if (size, modified) != (file.size, file.modified):
            raise ValueError(
                f"{file.path} changed while it was read ({file.size:,} bytes before, {size:,} "
                "now); open the source again once its files stay as they are"
            )


def _has(file: DataFile, name: str) -> bool:
    return name in file.keys or name in file.schema.names


def _common_schema(schemas: Sequence[Foreign]) -> Foreign:
    """Return the first schema, with types of others for columns that are all nulls in it."""
    first = schemas[0]
    for place, field in enumerate(first):
        if arrow().types.is_null(field.type):
            others = [each.field(field.name) for each in schemas if field.name in each.names]
            known = [each for each in others if not arrow().types.is_null(each.type)]
            if known:
                first = first.set(place, known[0])
    return first


def _opened(path: Path, base: Path, form: str) -> DataFile:
    size, modified = _state_of(path)
    try:
        if form == "parquet":
            with module("parquet").ParquetFile(path) as opened:
                schema, n_rows = opened.schema_arrow, opened.metadata.num_rows
        else:
            with module("ipc").open_file(arrow().memory_map(str(path))) as opened:
                schema = opened.schema
            # Readers count rows by themselves only in later versions of pyarrow.
            n_rows = module("dataset").dataset(str(path), format="ipc").count_rows()
    except (OSError, arrow().ArrowException) as error:
        _refuse_broken(path, form, error)
    return DataFile(path, size, modified, n_rows, keys_of(path, base), schema)


def _state_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _refuse_broken(path: Path, form: str, error: Exception) -> NoReturn:
    said = " ".join(str(error).split())
    if isinstance(error, PermissionError):
        raise error
    raise ValueError(
        f"{path} cannot be read as {CALLED[form]}, it is cut off, damaged or of another kind: "
        f"{said[:300]}"
    ) from error


def _scan(form: str, file: DataFile, schema: Foreign, asked: Asked) -> Iterator[Foreign]:
    """Go over the batches of a file, with the columns of its partition."""
    keys = {
        key: value_of_key(file.path, key, value, schema.field(key).type)
        for key, value in file.keys.items()
    }
    here = [name for name in asked.columns if name not in keys]
    texts = [name for name in here if name in asked.coded and _is_plain(schema.field(name).type)]
    if form == "parquet" and here and not asked.has_filter:
        batches = _decoded(file, here, texts, asked)
    else:
        check_filter(_schema_of(file, keys), asked.filter, str(file.path))
        if asked.has_filter and has_views(file.schema):
            yield from _filtered_here(form, file, keys, schema, asked)
            return
        batches = _chosen(form, file, here, texts, keys, asked)
    for batch in batches:
        yield _with_keys(batch, keys, schema, asked)


def _decoded(
    file: DataFile, names: Sequence[str], texts: Sequence[str], asked: Asked
) -> Iterator[Foreign]:
    """Decode a Parquet file batch by batch: no row group is in memory at once.

    3,000,000 x 21 in row groups of 250,000 take 120 MB so, where a scanner takes 450.
    """
    with module("parquet").ParquetFile(
        file.path, read_dictionary=list(texts), pre_buffer=False, buffer_size=BUFFER_BYTES,
        page_checksum_verification=True,
    ) as opened:  # fmt: skip
        yield from opened.iter_batches(batch_size=asked.batch_rows, columns=list(names))


def _chosen(
    form: str, file: DataFile, names: Sequence[str], texts: Sequence[str],
    keys: dict[str, Foreign], asked: Asked,
) -> Iterator[Foreign]:  # fmt: skip
    """Go over the rows that a filter leaves, which may be none of some row groups."""
    dataset = module("dataset")
    options: dict[str, Foreign] = {
        "batch_size": asked.batch_rows,
        "batch_readahead": 1,
        "fragment_readahead": 1,
    }
    if form == "parquet":
        kind = dataset.ParquetFileFormat(dictionary_columns=list(texts))
        options["fragment_scan_options"] = dataset.ParquetFragmentScanOptions(
            pre_buffer=False, use_buffered_stream=True, page_checksum_verification=True
        )
    else:
        kind = dataset.IpcFileFormat()
    of_partition = dataset.scalar(True)
    for key, value in keys.items():
        column = dataset.field(key)
        own = column.is_null() if value.as_py() is None else column == value
        of_partition = of_partition & own
    here_on = module("fs").LocalFileSystem()
    fragment = kind.make_fragment(str(file.path), here_on, of_partition)
    own_schema = _schema_of(file, keys)
    scanner = fragment.scanner(
        schema=own_schema, columns=list(names), filter=asked.filter, **options
    )
    yield from scanner.to_batches()


def _filtered_here(
    form: str, file: DataFile, keys: dict[str, Foreign], schema: Foreign, asked: Asked
) -> Iterator[Foreign]:
    """Go over the rows that a filter leaves, where pyarrow's reader cannot filter."""
    here = [name for name in file.schema.names if name not in keys]
    whole = asked._replace(columns=(*here, *keys), filter=None)
    for batch in _chosen(form, file, here, (), keys, whole):
        every = _with_keys(batch, keys, schema, whole)
        yield from filtered(every, asked.filter, asked.columns)


def _schema_of(file: DataFile, keys: dict[str, Foreign]) -> Foreign:
    """Return the schema of a file's own columns, and those of its partition."""
    pa = arrow()
    fields = [field for field in file.schema if field.name not in keys]
    fields += [pa.field(key, value.type) for key, value in keys.items()]
    return pa.schema(fields)


def _with_keys(batch: Foreign, keys: dict[str, Foreign], schema: Foreign, asked: Asked) -> Foreign:
    """Return a batch with the columns of its partition, in the order that was asked for."""
    if not keys:
        return batch
    pa = arrow()
    arrays = []
    for name in asked.columns:
        if name not in keys:
            arrays.append(batch[name])
            continue
        column = pa.repeat(keys[name], batch.num_rows)
        is_coded = pa.types.is_dictionary(schema.field(name).type)
        arrays.append(column.dictionary_encode() if is_coded else column)
    return pa.RecordBatch.from_arrays(arrays, names=list(asked.columns))


def _is_plain(kind: Foreign) -> bool:
    """Say whether the reader of Parquet can make codes of a column itself: of text."""
    types = arrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_alike(own: Foreign, first: Foreign) -> bool:
    """Say whether two files mean the same by a column: dictionaries may have other codes."""
    types = arrow().types
    own, first = (t.value_type if types.is_dictionary(t) else t for t in (own, first))
    if types.is_null(own) or types.is_null(first):
        return True  # a column of nulls only, which the policy for nulls decides about
    return bool(own == first or (is_text(own) and is_text(first)))
