"""The command line's commands: each has a module of its own."""

from __future__ import annotations

from typing import Annotated

import typer

import fastlogit
from fastlogit.cli.demo import app as demo
from fastlogit.cli.errors import OneLineErrors
from fastlogit.cli.export import app as export
from fastlogit.cli.fit import app as fit
from fastlogit.cli.machine import app as machine
from fastlogit.cli.predict import app as predict

app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Logistic regression from compiled kernels: fit, predict and evaluate on data files.",
)

# In the order of the help.
for commands in (fit, predict, export, demo, machine):
    app.add_typer(commands)


def _print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"fastlogit {fastlogit.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error (may stand anywhere)."),
    ] = False,
) -> None:
    """Logistic regression from compiled kernels: fit, predict and evaluate on data files."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
