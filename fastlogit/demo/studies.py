"""All studies, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba

from fastlogit.demo.boundaries import (
    circles,
    draw_circles,
    draw_tumour_boundaries,
    tumour_boundaries,
)
from fastlogit.demo.compiling import compile_kernels
from fastlogit.demo.cross_validation import cross_validation, draw_cross_validation
from fastlogit.demo.data import N_THREADS, Row
from fastlogit.demo.descent import descent, draw_descent
from fastlogit.demo.far_out import draw_far_out, far_out
from fastlogit.demo.hypothesis import draw_hypothesis, hypothesis
from fastlogit.demo.one_vs_all import digits, draw_digits, draw_iris, iris

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Study:
    """A part of the demonstration: what it is, how to compute and how to draw it."""

    title: str
    picture: str
    size: tuple[float, float]
    compute: Callable[[], Any]
    draw: Callable[[Any, Figure], object]


STUDIES = (
    Study("sigmoid and decision boundary", "1-hypothesis", (10, 4.2), hypothesis, draw_hypothesis),
    Study("why not linear regression", "2-far-out-point", (9, 6), far_out, draw_far_out),
    Study("gradient descent", "3-gradient-descent", (7, 4.5), descent, draw_descent),
    Study(
        "a line and a curve through two features",
        "4-tumour-boundaries",
        (10, 4.4),
        tumour_boundaries,
        draw_tumour_boundaries,
    ),
    Study("a circle", "5-circle", (10, 4.8), circles, draw_circles),
    Study("one-vs-all: irises", "6-iris", (7, 5), iris, draw_iris),
    Study("one-vs-all: digits", "7-digits", (11, 4.5), digits, draw_digits),
    Study(
        "C by cross-validation",
        "8-cross-validation",
        (11, 4.5),
        cross_validation,
        draw_cross_validation,
    ),
)


def run(out: Path) -> Iterator[tuple[Study, tuple[Row, ...], Path]]:
    """Run all studies, one at each step of the iteration, and draw their pictures.

    Parameters
    ----------
    out : Path
        Directory for the PNG pictures; it is made if need be.

    Yields
    ------
    study : Study
        What was done.
    rows : tuple of Row
        Its lines of the table.
    path : Path
        Its picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    compile_kernels()
    for study in STUDIES:
        with one_thread():
            record = study.compute()
            path = _save(study, record, out / f"{study.picture}.png")
        yield study, record.rows, path


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the many points of a picture be predicted in one thread too.

    The kernels for several threads would be compiled for them alone: 13 of 72 processor seconds.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(N_THREADS)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _save(study: Study, record: object, path: Path) -> Path:
    """Draw a picture into a file, without matplotlib's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=study.size, dpi=110, layout="constrained")
    study.draw(record, figure)
    figure.savefig(path)
    return path
