"""What functions that do many fits of rows in memory ask, in one place and in the same words.

`fit_groups`, `scan`, `bootstrap` and `permutation` read X in place, many times over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from .. import threads
from ..arrays import Vector
from ..clock import Clock
from ..design.base import Design, readonly
from ..design.compressed import CompressedRows
from ..design.mapped import available_memory
from ..design.mixed import MixedRows, as_sparse
from ..design.sparse import SparseDesign
from ..inputs import validation
from ..inputs.batches import BatchSource
from ..inputs.given import Data, Given, look
from ..inputs.table_source import TableSource
from ..kernels.groups import all_finite
from ..options import check_strength
from ..result import Callback, Progress
from .chunks import Crew
from .small import is_plain

__all__ = [
    "check_finite",
    "check_table",
    "check_two_classes",
    "look_in_memory",
    "strength_of",
    "teller",
]


# Numbers that a thread looks at in one go: 4 MB, 0.2 ms.
LOOK_EACH = 524_288
# A table of results takes at most this share of the memory that is available, or so many bytes.
TABLE_SHARE, LEAST_TABLE = 0.5, 2**26


def look_in_memory(given: Given, name: str, multi_class: str = "ovr") -> Data:
    """Check rows, labels, weights and the rest of what a function reads in memory.

    Whether X is finite is left to `check_finite`, once all else is known to be right. A frame of
    which some columns are sparse or categorical is read as sparse rows as a whole.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value, or X is read from a stream, or a source
        whose rows are not in memory.
    """
    if isinstance(given.X, BatchSource | Design):
        raise TypeError(
            f"{name} reads rows in memory, and X is a {type(given.X).__name__}; load them into "
            "memory first"
        )
    data = look(given, multi_class)
    if isinstance(data.rows.X, MixedRows):
        rows = as_sparse(data.rows.X)
        return data._replace(rows=data.rows._replace(X=rows))
    if isinstance(given.X, TableSource) and type(data.rows.X) is not np.ndarray:
        raise ValueError(
            f"{name} reads rows in memory many times over, and those of the source are on disk, or "
            "decoded in each pass; give the source a larger memory_limit, fewer columns or a filter"
        )
    if not isinstance(data.rows.X, np.ndarray | CompressedRows):
        raise TypeError(
            f"{name} reads rows in memory, and X is a {type(data.rows.X).__name__} that is "
            "streamed; load them into memory first"
        )
    return data


def check_table(what: str, n_numbers: int) -> None:
    """Raise for a table of results, of so many float64, that memory has no room for."""
    n_bytes = 8.0 * n_numbers
    # The question for the memory that is left costs 50 us.
    if n_bytes > LEAST_TABLE and n_bytes > TABLE_SHARE * available_memory():
        raise ValueError(
            f"{what} take {n_bytes / 2**30:.3g} GiB, more than half of the memory that is left; "
            "ask for fewer at a time, or take fewer columns"
        )


def check_two_classes(data: Data, name: str) -> None:
    """Raise for labels of one class, or of more than two."""
    if data.classes.size != 2:
        raise ValueError(
            f"{name} takes two classes, and y has {data.classes.size}: "
            f"{data.classes[:10].tolist()}; compare one with the others, e.g. with (y == label)"
        )


def check_finite(data: Data, n_threads: int | None = None) -> None:
    """Raise where X, in memory, has NaN or infinity: an error that names the first place.

    Float64 in rows is read as fast as memory gives it, by `n_threads` threads: 275 x 8 rows in
    0.65 us of processor time, of which NumPy's mask takes 0.90, in one thread.
    """
    X = data.rows.X
    if isinstance(X, CompressedRows):
        validation.refuse_not_finite(SparseDesign(X, n_threads=n_threads), data.rows.names)
        return
    assert isinstance(X, np.ndarray)
    if not (is_plain(X) and X.size >= LOOK_EACH and _is_finite(X.reshape(-1), n_threads)):
        validation.check_finite(X, data.rows.names)


def _is_finite(numbers: Vector, n_threads: int | None) -> bool:
    """Look at some numbers at a time, in threads that take turns."""
    found: list[bool] = []
    seen = readonly(numbers)

    def look_at(first: int, _: None) -> None:
        # Without the JIT NumPy would warn of infinity times 0, which is what the kernel looks for.
        with np.errstate(invalid="ignore"):
            found.append(all_finite.serial(seen[first : first + LOOK_EACH]))

    pieces = range(0, seen.size, LOOK_EACH)
    crew = Crew(pieces, look_at, lambda: None, Clock(time.perf_counter(), None))
    crew.run(threads.thread_count(n_threads))
    return all(found)


def strength_of(C: float | None, data: Data) -> tuple[Vector, bool]:
    """Return the strength of each column's penalty, and whether it is that of the sum of losses.

    Raises
    ------
    ValueError
        If both `C` and `l2_reg` are given, or the penalty overflows.
    """
    strength: float | Vector = 0.0 if data.l2_reg is None else data.l2_reg
    if C is not None:
        if data.l2_reg is not None:
            raise ValueError("give C or l2_reg, not both: l2_reg = 1 / (C * sum of weights)")
        strength = 1.0 / check_strength("C", C)
        if not math.isfinite(strength):
            raise ValueError(
                f"C={C!r} is so small that the penalty overflows; a larger one is needed"
            )
    factor = 1.0 if data.penalty_factor is None else data.penalty_factor
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.array(np.broadcast_to(strength * factor, data.rows.X.shape[1]), np.float64)
    if not np.isfinite(found).all():
        raise ValueError("the penalty times penalty_factor overflows; smaller ones are needed")
    return found, C is not None


def teller(tell: Callback | None, progress: Callable[[], Progress]) -> Callable[[], object] | None:
    """Return what tells a user's callback how far the fits are; None where there is none."""
    if tell is None:
        return None
    return lambda: tell(progress())
