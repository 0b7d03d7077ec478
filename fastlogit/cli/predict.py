"""The commands ``predict`` and ``evaluate``: a model file, and rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from fastlogit.cli.errors import say
from fastlogit.cli.options import (
    Data,
    Decimal,
    DropMissing,
    HandleUnknown,
    ModelPath,
    Na,
    Sep,
    Thousands,
    Threads,
    Verbose,
)
from fastlogit.cli.reading import read_data, without_missing
from fastlogit.cli.watching import Watcher, watching

if TYPE_CHECKING:
    from fastlogit.arrays import Indices, Integers, Labels, Matrix
    from fastlogit.io import Table as DataTable
    from fastlogit.io import TextFormat
    from fastlogit.model_file import Model

__all__ = ["app"]

# Its commands become those of `fastlogit.cli.commands.app`.
app = typer.Typer()


@app.command()
def predict(
    model: ModelPath,
    data: Data,
    proba: Annotated[bool, typer.Option("--proba", help="Write probabilities as well.")] = False,
    threshold: Annotated[
        float, typer.Option(help="Two classes: the second from this probability on.")
    ] = 0.5,
    out: Annotated[
        Path | None,
        typer.Option(help="CSV, Parquet or .npz file.", show_default="CSV on the standard output"),
    ] = None,
    sep: Sep = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    na: Na = None,
    handle_unknown: HandleUnknown = None,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Predict the class of each row of DATA.

    Columns are found by name, whatever their order.
    """
    from fastlogit import io
    from fastlogit.cli import large
    from fastlogit.cli.columns import features_of_model

    if out is not None:
        io.check_writable(out, io.WRITABLE, read=[model, data])
    form = io.TextFormat(sep, decimal, thousands, tuple(na or ()))
    if large.is_large(data):
        from fastlogit.model_file import load_model

        with watching(verbose) as watcher:
            watcher.stage(f"predicting {data.name}")
            large.predict_large(
                load_model(model), data, out, handle_unknown, proba=proba, threshold=threshold,
                threads=threads,
            )  # fmt: skip
        return
    with watching(verbose) as watcher:
        loaded, table = _open(model, data, form, watcher)
        result, X = features_of_model(loaded, table, handle_unknown)
        _note_unused(loaded, table, loaded.target)
        watcher.stage(f"predicting {table.n_rows:,} rows")
        columns = {"prediction": result.predict(X, threshold, n_threads=threads)}
        if proba:
            values = result.predict_proba(X, n_threads=threads)
            columns |= {f"proba_{label}": values[:, k] for k, label in enumerate(result.classes)}
    io.write_columns(out, columns)


@app.command()
def evaluate(
    model: ModelPath,
    data: Data,
    target: Annotated[
        str | None, typer.Option(help="Column to compare with.", show_default="as in the fit")
    ] = None,
    sep: Sep = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    na: Na = None,
    drop_missing: DropMissing = False,
    handle_unknown: HandleUnknown = None,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Compare the predictions for DATA with a column of known classes."""
    from fastlogit import io
    from fastlogit.cli.columns import features_of_model

    form = io.TextFormat(sep, decimal, thousands, tuple(na or ()))
    with watching(verbose) as watcher:
        loaded, table = _open(model, data, form, watcher)
        name = loaded.target if target is None else target
        if drop_missing and not table.absent(loaded.feature_names):
            io.target_name(table, name)
            table = without_missing(table, (*loaded.feature_names, name))
        result, X = features_of_model(loaded, table, handle_unknown)
        _note_unused(loaded, table, name)
        name = io.target_name(table, name)
        codes = _codes(table, name, io.labels(table, name), loaded.result.classes.tolist())
        watcher.stage(f"predicting {table.n_rows:,} rows")
        values = result.predict_proba(X, n_threads=threads)
    _print_scores(codes, values, [str(label) for label in loaded.result.classes])


def _open(model: Path, data: Path, form: TextFormat, watcher: Watcher) -> tuple[Model, DataTable]:
    """Load a model and read a data file."""
    from fastlogit.cli.columns import coded_names
    from fastlogit.model_file import load_model

    loaded = load_model(model)
    return loaded, read_data(data, form, watcher, coded_names(loaded))


def _note_unused(model: Model, table: DataTable, target: str) -> None:
    """Note the columns that a model does not know."""
    from fastlogit import io

    unused = io.unused_names(table, (*model.feature_names, target))
    if unused:
        say(f"note: columns that the model does not use: {', '.join(map(repr, unused))}")


def _codes(table: DataTable, name: str, y: Labels, classes: list[object]) -> Indices:
    """Return the number of each label's class."""
    import numpy as np

    labels, places = np.unique(y, return_inverse=True)
    unknown = [label for label in labels.tolist() if label not in classes]
    if unknown:
        raise ValueError(
            f"{table.path}: column {name!r} has the label {unknown[0]!r}, which the model does "
            f"not know; its classes are {', '.join(map(repr, classes[:10]))}"
        )
    return np.array([classes.index(label) for label in labels.tolist()])[places]


def _print_scores(codes: Indices, proba: Matrix, names: list[str]) -> None:
    """Print accuracy, log-loss, area under the curve and the confusion matrix."""
    import numpy as np
    from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

    predicted = proba[:, 1] >= 0.5 if len(names) == 2 else proba.argmax(axis=1)
    # The one-vs-all hypotheses of a row need not add up to 1; the log-loss is of their shares.
    shares = proba / np.maximum(proba.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    typer.echo(f"rows            {len(codes):,}")
    typer.echo(f"accuracy        {np.mean(predicted == codes):.4f}")
    typer.echo(f"log-loss        {log_loss(codes, shares, labels=range(len(names))):.4f}")
    if len(names) == 2 and len(np.unique(codes)) == 2:
        typer.echo(f"area under ROC  {roc_auc_score(codes, proba[:, 1]):.4f}")
    if len(names) <= 20:
        matrix = confusion_matrix(codes, predicted, labels=range(len(names)))
        typer.echo("\nrows: true class; columns: predicted class")
        Console().print(_confusion_table(matrix, names))


def _confusion_table(matrix: Integers, names: list[str]) -> Table:
    """Return the confusion matrix: a row per true class, a column per predicted one."""
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in names:
        table.add_column(Text(name), justify="right")
    for name, counts in zip(names, matrix, strict=True):
        table.add_row(Text(name), *(f"{count:,}" if count else "·" for count in counts))
    return table
