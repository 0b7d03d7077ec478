"""The words of a fault in a file, and checks that several kinds of file share."""

from __future__ import annotations

import csv
import difflib
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn the many errors of a decoder into one that names the file."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, csv.Error,
            UnicodeDecodeError) as error:  # fmt: skip
        raise ValueError(damaged_file(path, kind, error)) from error
    except OSError as error:
        if error.errno is not None:  # permission, disk: the system's own message is the clear one
            raise
        raise ValueError(damaged_file(path, kind, error)) from error


def damaged_file(path: Path, kind: str, error: Exception) -> str:
    """Say that a file cannot be decoded."""
    detail = str(error).strip().splitlines()
    reason = detail[0] if detail else type(error).__name__
    return f"{path} is damaged, truncated or not a {kind} file: {reason}"


def not_utf8(path: Path, open_bytes: Callable[[Path], IO[bytes]]) -> str:
    """Say where a text file is not UTF-8, and what it may be instead."""
    with open_bytes(path) as file:
        start = file.read(4096)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return f"{path} is UTF-16 text, but UTF-8 is needed; save it as UTF-8 (CSV UTF-8)"
        if b"\0" in start:
            return (
                f"{path} is damaged, truncated or not a CSV file: it holds bytes that no text has"
            )
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return (
                    f"{path} is not UTF-8 text: byte 0x{byte:02X} in line {number}, which Latin-1 "
                    f"reads as {bytes([byte]).decode('latin-1')!r}; save it as UTF-8, e.g. with: "
                    f"iconv -f latin1 -t utf-8 {path} > new.csv"
                )
    return f"{path} is damaged, truncated or not a CSV file"


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise unless every column has a name of its own."""
    if not names:
        raise ValueError(f"{path} has no columns")
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} has no name; name it in the header "
            "(pandas writes such a column unless index=False is given)"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: more than one column is called {quoted(twice)}")


def comment(path: Path, start: str) -> str:
    """Say of a line of a CSV file that it looks like a comment, and what to do."""
    return (
        f"begins with {start[:20]!r}: if that is a comment, leave such lines out, e.g. with: "
        f"grep -v '^ *#' {path} > new.csv"
    )


def near_names(name: str, known: Iterable[str], *, else_list: bool = True) -> str:
    """Return " (did you mean ...?)" with the nearest known names, or else the known names."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if near:
        return f" (did you mean {' or '.join(repr(by_lower[key]) for key in near)}?)"
    if else_list and by_lower:
        return f" (there are: {quoted(list(by_lower.values()))})"
    return ""


def quoted(names: Sequence[str], limit: int = 8) -> str:
    """Return a few names in quotes."""
    more = f", ... {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more
