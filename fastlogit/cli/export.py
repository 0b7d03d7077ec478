"""The command ``export``: a model file in the words of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastlogit.model_file import Model

__all__ = ["app"]

# Its commands become those of `fastlogit.cli.commands.app`.
app = typer.Typer()

_FOR_SQL, _FOR_ONNX = "With --sql", "With --onnx"


@app.command()
def export(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A file that `fit` wrote.", show_default=False)
    ],
    sql: Annotated[
        str | None,
        typer.Option(
            help="Write the probability as SQL: duckdb, sqlite, postgres or bigquery.",
            show_default=False,
            metavar="DIALECT",
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX graph.")] = False,
    pmml: Annotated[bool, typer.Option("--pmml", help="Write PMML.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="the standard output; MODEL's name.onnx"),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="The class whose probability it is.",
            show_default="the second of two, else all",
            rich_help_panel=_FOR_SQL,
        ),
    ] = None,
    boolean: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of numbers that is boolean in the table, for postgres and bigquery (may "
            "be given again).",
            rich_help_panel=_FOR_SQL,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="double or float; float has errors of some 1e-7.",
            show_default="double",
            rich_help_panel=_FOR_ONNX,
        ),
    ] = None,
) -> None:
    """Write MODEL as SQL, ONNX, PMML or JSON, for scoring without fastlogit.

    SQL is one expression over the columns of a table; of more than two classes a list of them, for
    SELECT.
    """
    from fastlogit import io
    from fastlogit.model_file import load_model

    if (sql is not None) + onnx + pmml + json != 1:
        raise ValueError("give one of --sql DIALECT, --onnx, --pmml and --json")
    if sql is None and (label is not None or boolean):
        raise ValueError(f"{'--boolean' if label is None else '--label'} is of --sql")
    if precision is not None and not onnx:
        raise ValueError("--precision is of --onnx")
    if onnx and out is None:
        out = Path(f"{model.name.removesuffix('.npz').removesuffix('.model')}.onnx")
    if out is not None:
        io.check_writable(out, read=[model])
    loaded = load_model(model)
    if onnx:
        from fastlogit.export import to_onnx

        assert out is not None  # set above
        out.write_bytes(to_onnx(loaded, precision or "double").SerializeToString())
        typer.echo(f"ONNX graph: {out}")
        return
    if sql is not None:
        text = _as_sql(loaded, sql, label, boolean or [])
    else:
        from fastlogit.export import to_json, to_pmml

        text = to_pmml(loaded) if pmml else to_json(loaded)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")


def _as_sql(model: Model, dialect: str, label: str | None, booleans: list[str]) -> str:
    """Return an expression, or a list of them with names, of all of more than two classes."""
    from fastlogit.export import to_sql, to_sql_columns

    if label is not None or len(model.result.classes) == 2:
        return to_sql(model, dialect, label, booleans=booleans)
    columns = to_sql_columns(model, dialect, booleans=booleans)
    return ",\n".join(f"{expression} AS {name}" for name, expression in columns.items())
