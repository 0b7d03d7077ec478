"""Parquet and Arrow files: which there are, in which order, what each holds, and whether it stays.

Files are read in the order of their paths as text: part-1, part-10, part-2, as pyarrow, polars and
DuckDB have it. Those of a folder are all below it whose names do not begin with "_" or ".", as
Spark's and dask's own files do. Folders called ``key=value`` are columns (hive partitions): whole
numbers where all values of a key are, else categories.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import unquote

from .library import Foreign, arrow, module
from .streams import Asked, Found, Stream

__all__ = ["FileStream", "files_of", "format_of", "is_path"]

# How a folder of a partition without a value is called.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
PARTITION = re.compile(r"([^=]+)=(.*)")
# Read of a column at a time.
BUFFER_BYTES = 2**20
ENDINGS = {"parquet": (".parquet", ".pq"), "ipc": (".arrow", ".feather", ".ipc")}
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


def is_path(given: object) -> bool:
    """Say whether it is a path, or a list of paths."""
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(each, str | os.PathLike) for each in given)
    return isinstance(given, str | os.PathLike)


def format_of(given: object) -> str:
    """Return "parquet" or "ipc", by the ending of the first file."""
    paths = [path for path, _ in files_of(given, None)]
    ending = paths[0].suffix.lower()
    return "ipc" if ending in ENDINGS["ipc"] else "parquet"


def files_of(given: object, form: str | None) -> list[tuple[Path, Path]]:
    """Return the files that a path, a pattern, a folder or a list of them means, in order.

    Each with the folder from which on its folders may be partitions.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    each: Foreign = given if isinstance(given, list | tuple) else [given]
    found = [pair for path in each for pair in _files_of_one(os.fspath(path), form)]
    return found if len(each) > 1 else sorted(found, key=lambda pair: pair[0].as_posix())


def _files_of_one(path: str, form: str | None) -> list[tuple[Path, Path]]:
    if glob.has_magic(path) and not os.path.exists(path):
        fixed = Path(*Path(path).parts[: _first_magic(path)])
        matches = sorted(glob.glob(path, recursive=True))
        found = [
            (file, fixed)
            for match in matches
            for file in ([Path(match)] if os.path.isfile(match) else _below(Path(match), form))
        ]
    elif os.path.isdir(path):
        found = [(file, Path(path)) for file in _below(Path(path), form)]
    elif os.path.isfile(path):
        return [(Path(path), Path(path).parent)]
    else:
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if not found:
        raise FileNotFoundError(f"{path}: no Parquet or Arrow file matches or lies there")
    return found


def _first_magic(path: str) -> int:
    parts = Path(path).parts
    return next(place for place, part in enumerate(parts) if glob.has_magic(part))


def _below(folder: Path, form: str | None) -> list[Path]:
    endings = ENDINGS[form] if form else (*ENDINGS["parquet"], *ENDINGS["ipc"])
    found = []
    for file in folder.rglob("*"):
        inner = file.relative_to(folder).parts
        hidden = any(part.startswith(("_", ".")) for part in inner)
        if not hidden and file.suffix.lower() in endings and file.is_file():
            found.append(file)
    return sorted(found, key=lambda file: file.as_posix())


@dataclass(frozen=True, eq=False)
class FileStream(Stream):
    """The rows of files, one after the other.

    Attributes
    ----------
    form : {"parquet", "ipc"}
    files : tuple of DataFile
    schema : pyarrow.Schema
        Of the first file, with a column for each key of the partitions.
    """

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
            kind = _kind_of_key([file.keys.get(key) for file in files])
            schema = schema.append(arrow().field(key, kind))
        return cls(form, tuple(files), schema)

    def refuse_differing(self, columns: Iterable[str]) -> None:
        """Raise ValueError where a column that is read is not of one type in all files."""
        for file in self.files:
            for name in columns:
                if name in file.keys:
                    continue
                if name not in file.schema.names:
                    raise ValueError(
                        f"{file.path} has no column {name!r}, which {self.files[0].path} has; "
                        "files of one source must have the same columns"
                    )
                own, first = file.schema.field(name).type, self.schema.field(name).type
                if not _is_alike(own, first):
                    raise ValueError(
                        f"{file.path} has the type {own} in column {name!r}, but "
                        f"{self.files[0].path} has {first}; cast it, so that all files have one"
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
    return DataFile(path, size, modified, n_rows, _keys_of(path, base), schema)


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


def _keys_of(path: Path, base: Path) -> dict[str, str | None]:
    keys: dict[str, str | None] = {}
    for part in path.relative_to(base).parts[:-1]:
        found = PARTITION.fullmatch(part)
        if found:
            keys[found[1]] = None if found[2] == NO_VALUE else unquote(found[2])
    return keys


def _kind_of_key(values: Sequence[str | None]) -> Foreign:
    pa = arrow()
    if all(value is None or re.fullmatch(r"[+-]?\d{1,18}", value) for value in values):
        return pa.int64()
    return pa.dictionary(pa.int32(), pa.string())


def _scan(form: str, file: DataFile, schema: Foreign, asked: Asked) -> Iterator[Foreign]:
    """Go over the batches of a file, with the columns of its partition."""
    pa = arrow()
    keys = {}
    for key in file.keys:
        kind = schema.field(key).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        keys[key] = pa.scalar(file.keys[key]).cast(plain)
    here = [name for name in asked.columns if name not in keys]
    texts = [name for name in here if name in asked.coded and _is_plain(schema.field(name).type)]
    if form == "parquet" and here and not asked.has_filter:
        batches = _decoded(file, here, texts, asked)
    else:
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
        file.path, read_dictionary=list(texts), pre_buffer=False, buffer_size=BUFFER_BYTES
    ) as opened:
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
            pre_buffer=False, use_buffered_stream=True
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
    texts = (types.is_string, types.is_large_string)
    return bool(own == first or all(any(is_(kind) for is_ in texts) for kind in (own, first)))
