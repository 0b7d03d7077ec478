"""The commands ``warmup`` and ``info``: the compile cache, and what there is on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

import fastlogit
from fastlogit.cli.errors import say

__all__ = ["app"]

# Its commands become those of `fastlogit.cli.commands.app`.
app = typer.Typer()


@app.command()
def warmup(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only float64 rows, of few and of many columns.")
    ] = False,
    all_kinds: Annotated[
        bool, typer.Option("--all", help="Every number type and layout, with threads too.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Processes that compile beside each other, of up to 700 MB; with --all more.",
            show_default="one for each processor, at most 4",
        ),
    ] = None,
) -> None:
    """Compile what first calls need, so that later ones start at once.

    Without options: the kinds of data that most users bring. What is there already is not compiled
    again.
    """
    if quick and all_kinds:
        raise typer.BadParameter("--quick and --all exclude each other; give one of them")
    kinds = "quick" if quick else "all" if all_kinds else "common"
    done = fastlogit.warmup(kinds, n_processes=processes, verbose=typer.echo)
    if done.folder is None:
        say("warning: no folder for the cache can be written: each process compiles anew")
    if done.failed:
        raise typer.Exit(1)


@app.command()
def info() -> None:
    """Show versions, threads, the threading layer and the cache folder."""
    from fastlogit.cli.facts import facts

    for name, value in facts().items():
        typer.echo(f"{name:<16} {value}")
