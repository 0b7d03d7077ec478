"""Memory maps that fit in memory: they are read in place, as the arrays they are."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..arrays import ArrayLike, DType

__all__ = ["available_memory", "in_place"]

# A map is read in place if it takes at most this share of the memory that is available, ...
SHARE = 0.5
# ... or at most so much: a block of a streamed pass takes as much (16 MB). To ask for the memory
# takes 0.2 ms, as long as a prediction of 3,000 rows.
SMALL_BYTES = 2**24
# Where the system does not say how much is available.
UNKNOWN_BYTES = 2.0**31
# Kinds of file systems whose files lie in memory; joblib keeps its maps in such a one (/dev/shm).
IN_MEMORY = frozenset({"tmpfs", "ramfs", "hugetlbfs"})
MOUNTS = Path("/proc/self/mounts")
MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/proc/self/cgroup")
GROUP_ROOT = Path("/sys/fs/cgroup")
# Files of a control group, versions 2 and 1: limit, use, and of this what the system can take back.
GROUP_FILES = {
    2: ("memory.max", "memory.current", ("inactive_file", "active_file")),
    1: (
        "memory.limit_in_bytes", "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
}  # fmt: skip


def in_place(X: ArrayLike) -> ArrayLike:
    """Return a memory map that fits in memory as the array it is; anything else as it came.

    It fits if the bytes from its first to its last value are at most half of the memory that is
    available (`available_memory`), or if its file lies in memory already, as in /dev/shm. Its pages
    are brought into memory here, 16 MB at a time: Ctrl-C is answered between two of them, not after
    a whole pass over a slow disk. The system may take them back at any time.

    Parameters
    ----------
    X : object

    Returns
    -------
    object
        For a map that fits an `ndarray` over the same memory, else X itself.
    """
    if not isinstance(X, np.memmap):
        return X
    mapped = getattr(X, "_mmap", None)  # none where it is a copy in memory
    if mapped is None or X.size == 0:
        return X
    base = np.frombuffer(mapped, np.uint8)
    low, high = (bound - base.ctypes.data for bound in np.lib.array_utils.byte_bounds(X))
    if high - low > SMALL_BYTES:
        if high - low > SHARE * available_memory() and not _lies_in_memory(X):
            return X
        for start in range(low, high, SMALL_BYTES):
            base[start : min(start + SMALL_BYTES, high) : mmap.PAGESIZE].max()
    return np.asarray(X)


def available_memory() -> float:
    """Return how many bytes this process can still take without swapping.

    Those of the machine, or of a control group of this process where it allows less (a container,
    a batch job). What the system keeps of files counts as available.

    Returns
    -------
    float
    """
    return min([_of_machine(), *_of_groups()])


def _of_machine() -> float:
    fields = _fields(MEMINFO)
    if "MemAvailable:" in fields:
        return 1024.0 * fields["MemAvailable:"]
    try:  # half of what there is: macOS, for instance, does not say what is free
        return 0.5 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN_BYTES


def _of_groups() -> Iterator[float]:
    """Yield what each control group of this process and those above it leave."""
    for line in _text(GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            version, root = 2, GROUP_ROOT
        elif "memory" in controllers.split(","):
            version, root = 1, GROUP_ROOT / "memory"
        else:
            continue
        limit_file, use_file, freeable = GROUP_FILES[version]
        folder = root / path.lstrip("/")
        for group in [folder, *folder.parents]:
            limit, use = _number(group / limit_file), _number(group / use_file)
            if math.isfinite(limit) and math.isfinite(use):
                kept = _fields(group / "memory.stat")
                yield max(0.0, limit - use + sum(kept.get(name, 0.0) for name in freeable))
            if group == root:
                break


def _lies_in_memory(X: np.memmap[tuple[int, ...], DType]) -> bool:
    """Say whether the file of a map is on a file system that keeps its files in memory."""
    if X.filename is None:
        return False
    file = Path(os.path.realpath(X.filename))
    kinds = {}
    for line in _text(MOUNTS).splitlines():
        _, folder, kind, *_ = line.split(" ")
        if file.is_relative_to(folder):
            kinds[len(folder)] = kind
    return bool(kinds) and kinds[max(kinds)] in IN_MEMORY


def _fields(path: Path) -> dict[str, float]:
    """Return the numbers of a file of lines "name number"; none where it cannot be read."""
    lines = [line.split() for line in _text(path).splitlines()]
    return {line[0]: float(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def _number(path: Path) -> float:
    """Return the number in a file; infinity for "max", and where it cannot be read."""
    text = _text(path).strip()
    return float(text) if text.isdigit() else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeError):
        return ""
