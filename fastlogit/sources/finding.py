"""Which files a path, a pattern, a folder or a list of them means, and in which order.

Files are read in the order of their paths as text: part-1, part-10, part-2, as pyarrow, polars and
DuckDB have it. Those of a folder are all below it whose names do not begin with "_" or ".", as
Spark's and dask's own files do.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .library import Foreign

__all__ = ["ENDINGS", "files_of", "format_of", "is_path", "would_read"]

ENDINGS = {"parquet": (".parquet", ".pq"), "ipc": (".arrow", ".feather", ".ipc")}


def is_path(given: object) -> bool:
    """Say whether it is a path, or a list of paths."""
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(each, str | os.PathLike) for each in given)
    return isinstance(given, str | os.PathLike)


def format_of(given: object) -> str:
    """Return "parquet" or "ipc", by the endings of the files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or there are files of both kinds.
    """
    paths = [path for path, _ in files_of(given, None)]
    of_ipc = [path.suffix.lower() in ENDINGS["ipc"] for path in paths]
    if any(of_ipc) and not all(of_ipc):
        one, other = paths[of_ipc.index(True)], paths[of_ipc.index(False)]
        raise ValueError(
            f"{one} and {other} are files of two kinds: say which with ArrowSource(...) or "
            "ParquetSource(...), or a pattern such as '*.parquet'"
        )
    return "ipc" if all(of_ipc) else "parquet"


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


def would_read(given: object, path: Path) -> bool:
    """Say whether a file of this path is among those that `files_of` finds, or would be."""
    each: Foreign = given if isinstance(given, list | tuple) else [given]
    return any(_would_read(os.path.expanduser(one), path.resolve()) for one in each)


def _would_read(given: str, path: Path) -> bool:
    if glob.has_magic(given) and not os.path.exists(given):
        fixed, _ = _pattern(given)
        pattern = Path(given).parts[len(fixed.parts) :]
    else:
        fixed, pattern = Path(given), ()
    if not path.is_relative_to(fixed.resolve()):
        return False
    parts = path.relative_to(fixed.resolve()).parts
    below = _below_match(parts, pattern)
    endings = (*ENDINGS["parquet"], *ENDINGS["ipc"])
    is_seen = path.suffix.lower() in endings and not _is_hidden(Path(*parts))
    return below == 0 or (below is not None and is_seen)


def _below_match(parts: Sequence[str], pattern: Sequence[str]) -> int | None:
    """Return how deep a path lies below what a pattern matches; None where it does not."""
    if not pattern:
        return len(parts)
    if pattern[0] == "**":
        rest = (_below_match(parts[k:], pattern[1:]) for k in range(len(parts) + 1))
        return min((depth for depth in rest if depth is not None), default=None)
    if not parts or not fnmatchcase(parts[0], pattern[0]):
        return None
    return _below_match(parts[1:], pattern[1:])


def _files_of_one(path: str, form: str | None) -> list[tuple[Path, Path]]:
    path = os.path.expanduser(path)
    if glob.has_magic(path) and not os.path.exists(path):
        fixed, pattern = _pattern(path)
        found = []
        for match in sorted(glob.glob(pattern, recursive=True)):
            file = Path(match)
            if not file.is_file():
                found += [(each, fixed) for each in _below(file, form)]
            elif not _is_hidden(file.relative_to(fixed)) or _is_hidden(Path(path)):
                found.append((file, fixed))
    elif os.path.isdir(path):
        found = [(file, Path(path)) for file in _below(Path(path), form)]
    elif os.path.isfile(path):
        return [(Path(path), Path(path).parent)]
    else:
        raise FileNotFoundError(f"{path}: there is no such file or folder{_remote(path)}")
    if not found:
        said = f"{path}: no Parquet or Arrow file matches or lies there"
        raise FileNotFoundError(f"{said}{_remote(path)}")
    return found


def _remote(path: str) -> str:
    """Say what to do about an address."""
    if "://" not in path:
        return ""
    return (
        "; of addresses give pyarrow's data set, as "
        "ArrowSource(pyarrow.dataset.dataset('s3://...'), target=...)"
    )


def _pattern(path: str) -> tuple[Path, str]:
    """Return the folder where a pattern begins, and the pattern.

    A folder whose name has "[" or "*" in it is itself, where it exists.
    """
    fixed, parts = Path(), list(Path(path).parts)
    while parts and (not glob.has_magic(parts[0]) or (fixed / parts[0]).exists()):
        fixed /= parts.pop(0)
    return fixed, os.path.join(glob.escape(str(fixed)), *parts)


def _is_hidden(path: Path) -> bool:
    """Say whether it is one of the files that writers put beside theirs, or in such a folder."""
    return any(part.startswith(("_", ".")) and part not in (".", "..") for part in path.parts)


def _below(folder: Path, form: str | None) -> list[Path]:
    endings = ENDINGS[form] if form else (*ENDINGS["parquet"], *ENDINGS["ipc"])
    found = []
    for file in folder.rglob("*"):
        hidden = _is_hidden(file.relative_to(folder))
        if not hidden and file.suffix.lower() in endings and file.is_file():
            found.append(file)
    return sorted(found, key=lambda file: file.as_posix())
