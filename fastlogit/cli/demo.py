"""The command ``demo``: a table on the terminal, pictures in a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from fastlogit.demo.data import Row

__all__ = ["app"]

# Its commands become those of `fastlogit.cli.commands.app`.
app = typer.Typer()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the pictures.")] = Path("fastlogit-demo"),
) -> None:
    """Show logistic regression at work on real data: a table here, pictures in a directory."""
    _need_matplotlib()
    from fastlogit.demo import studies

    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"cannot write pictures to {out}: it is not a directory")
    began = time.perf_counter()
    console = Console()
    rows: list[Row] = []
    pictures: list[Path] = []
    with Console(stderr=True).status("compiling, or loading what is compiled") as status:
        for study, new_rows, picture in studies.run(out):
            status.update(f"done: {study.title}")
            rows.extend(new_rows)
            pictures.append(picture)
    console.print(_demo_table(rows))
    console.print("(30): number of features; one slip: one radius typed ten times too large")
    console.print("accuracy, log-loss: on rows set aside before the fit")
    console.print("passes: over all rows; proven: bound on (cost - optimum) / optimum")
    console.print("x NumPy: speed of a step of gradient descent, on one thread, beside NumPy's")
    for picture in pictures:
        console.print(str(picture), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(pictures)} pictures, {time.perf_counter() - began:.1f} s in all")


def _need_matplotlib() -> None:
    """Raise, saying what to install, if there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the demo draws with matplotlib; install it with: pip install 'fastlogit[all]'"
        ) from error


def _demo_table(rows: list[Row]) -> Table:
    """Return the table of the demo; a line is drawn where another data set begins."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("data", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for name in ("accuracy", "log-loss", "passes", "proven", "seconds", "x NumPy"):
        table.add_column(name, justify="right", no_wrap=True)
    for k, row in enumerate(rows):
        is_last = k + 1 == len(rows) or rows[k + 1].data != row.data
        is_first = k == 0 or rows[k - 1].data != row.data
        table.add_row(
            row.data if is_first else "",
            row.model,
            f"{row.accuracy:.1%}",
            _cell(row.log_loss, "{:.3f}"),
            _cell(row.n_passes, "{:,.0f}"),
            _cell(row.suboptimality, "{:.0e}"),
            _cell(row.seconds, "{:.4f}"),
            _cell(row.speedup, "{:.1f}"),
            end_section=is_last,
        )
    return table


def _cell(value: float | None, form: str) -> str:
    """Return a number as text, or a dash where there is none."""
    return "-" if value is None else form.format(value)
