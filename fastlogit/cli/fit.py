"""The command ``fit``: a data file, and the model of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import fastlogit
from fastlogit.cli.errors import warnings_as_lines
from fastlogit.cli.options import (
    FOR_CATEGORIES,
    Data,
    Decimal,
    DropMissing,
    Na,
    Sep,
    Thousands,
    Threads,
    Verbose,
)
from fastlogit.cli.reading import read_data, without_missing
from fastlogit.cli.watching import watching

if TYPE_CHECKING:
    from fastlogit.arrays import Labels
    from fastlogit.io import Table as DataTable
    from fastlogit.result import FitResult

__all__ = ["app"]

# Its commands become those of `fastlogit.cli.commands.app`.
app = typer.Typer()


_FOR_DESCENT = "Options of gradient_descent"


@app.command()
def fit(
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(help="Column to predict.", show_default="y for .npz and svmlight"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Model file to write.", show_default="DATA's name.model.npz")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Column of sample weights.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Column to leave out (may be given again).")
    ] = None,
    C: Annotated[
        float | None,
        typer.Option(
            "--C",
            help="Inverse L2 strength as in scikit-learn: C * sum of losses + half the squares.",
            show_default="no penalty",
        ),
    ] = None,
    l1_ratio: Annotated[
        list[float] | None,
        typer.Option(
            help="Share of L1 in the penalty of --C, 0 to 1: makes coefficients exactly 0. With "
            "--cv it may be given again, and one is chosen.",
            show_default="0",
        ),
    ] = None,
    penalty_groups: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns that L1 holds together, in or out as a whole: names with commas between "
            "them (may be given again; others stand alone). Or features: each over all classes.",
        ),
    ] = None,
    l2_reg: Annotated[
        float | None,
        typer.Option(
            help="L2 strength on the scale of the mean loss, in place of --C.",
            show_default="no penalty",
        ),
    ] = None,
    solver: Annotated[
        str, typer.Option(help="auto, lbfgs, newton, newton-cg or gradient_descent.")
    ] = "auto",
    cv: Annotated[
        bool,
        typer.Option("--cv", help="Choose C among ten from 1e-4 to 1e4 by cross-validation."),
    ] = False,
    folds: Annotated[
        int | None, typer.Option(help="Number of folds of --cv.", show_default="5")
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(help="Column of groups whose rows --cv keeps in one fold, as of persons."),
    ] = None,
    fold_column: Annotated[
        str | None,
        typer.Option(
            help="Column of the folds of --cv: whole numbers, -1 for rows that are always fitted."
        ),
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option(
            help="What --cv makes large: one of scikit-learn's scorers.",
            show_default="neg_log_loss",
        ),
    ] = None,
    multi_class: Annotated[
        str, typer.Option(help="More than two classes: ovr (one-vs-all) or multinomial (softmax).")
    ] = "ovr",
    tol: Annotated[
        float | None,
        typer.Option(
            help="(cost - optimum) / optimum that must be proven; 0: until rounding ends the fit.",
            show_default="1e-12",
        ),
    ] = None,
    max_iter: Annotated[
        int | None,
        typer.Option(help="Iterations at most.", show_default="1000, gradient_descent 10000"),
    ] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds at most.")] = None,
    step_size: Annotated[
        str | None,
        typer.Option(help="A number, or auto.", show_default="auto", rich_help_panel=_FOR_DESCENT),
    ] = None,
    momentum: Annotated[
        str | None,
        typer.Option(
            help="none or nesterov.", show_default="nesterov", rich_help_panel=_FOR_DESCENT
        ),
    ] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            help="Centre and scale the columns while descending.",
            show_default="standardize",
            rich_help_panel=_FOR_DESCENT,
        ),
    ] = None,
    categories: Annotated[
        list[str] | None,
        typer.Option(
            help="Column that is categorical (may be given again, or a,b); text is anyway.",
            rich_help_panel=FOR_CATEGORIES,
        ),
    ] = None,
    coding: Annotated[
        str,
        typer.Option(
            help="full: a coefficient for each category; reference: for all but the first; auto: "
            "full with a penalty.",
            rich_help_panel=FOR_CATEGORIES,
        ),
    ] = "auto",
    handle_unknown: Annotated[
        str,
        typer.Option(
            help="What a new category is to `predict`: error, or zero (of none that there are).",
            rich_help_panel=FOR_CATEGORIES,
        ),
    ] = "error",
    interactions: Annotated[
        list[str] | None,
        typer.Option(
            help="Two categorical columns, as carrier:origin, whose pairs have a coefficient too "
            "(may be given again).",
            rich_help_panel=FOR_CATEGORIES,
        ),
    ] = None,
    coefficients: Annotated[
        bool, typer.Option("--coefficients", help="Print the coefficients and the intercept.")
    ] = False,
    summary: Annotated[
        str | None,
        typer.Option(
            help="Print standard errors, p and intervals of a fit without a penalty: nonrobust, or "
            "the robust HC0 to HC3.",
            metavar="COVARIANCE",
        ),
    ] = None,
    weights_are: Annotated[
        str | None,
        typer.Option(help="What weights are to --summary: frequency, probability or analytic."),
    ] = None,
    sep: Sep = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    na: Na = None,
    drop_missing: DropMissing = False,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Fit a model to the columns of DATA and write it to a file.

    All columns but the target, the weights, the folds' and dropped ones are features: of numbers,
    or categorical. The result is the optimum, with a proven bound on what it may lack.
    """
    from fastlogit import io
    from fastlogit.cli import columns, large
    from fastlogit.cli.choosing import Folds, cross_validate
    from fastlogit.cli.penalties import check_strengths, check_summary, column_groups
    from fastlogit.fitting.problem import Strengths
    from fastlogit.inputs.given import Given, look
    from fastlogit.model_file import Model, save_model

    ratios = l1_ratio or []
    check_strengths(cv, C, ratios, l2_reg, penalty_groups or [])
    how = Folds.asked(cv, folds, scoring, group_column, fold_column)
    check_summary(summary, weights_are, has_penalty=cv or C is not None or bool(l2_reg))
    form = io.TextFormat(sep, decimal, thousands, tuple(na or ()))
    out = Path(f"{data.name.split('.')[0]}.model.npz") if out is None else out
    io.check_writable(out, read=[data])
    asked = columns.Asked(categories or [], coding, handle_unknown, interactions or [])
    asked.check()
    with warnings_as_lines(), watching(verbose) as watcher:
        if large.is_large(data):
            if penalty_groups:
                raise ValueError(f"{data}: --penalty-groups takes files that fit in memory")
            X: Any
            X, names = large.source_of_fit(
                data, target, weights, drop or [], asked.categories, drop_missing=drop_missing,
                groups=group_column, folds=fold_column,
            )  # fmt: skip
            assert target is not None  # else there was an error
            y = sample_weight = None
            split = how.splitter(None, target)
        else:
            table = read_data(data, form, watcher)
            target = io.target_name(table, target)
            told = [target, *([weights] if weights else []), *how.columns]
            left_out = {*told, *(drop or [])}
            roles = {weights: "weights", group_column: "group", fold_column: "fold"}
            names = io.feature_names(table, left_out - set(table.extra_names), roles)
            if drop_missing:
                table = without_missing(table, (*names, *told))
            y = io.labels(table, target)
            _check_is_class(table, target, y)
            sample_weight = io.weights(table, weights) if weights else None
            split = how.splitter(table, target)
            X = columns.features_of_fit(table, names, asked.categories)
        wanted = {
            "C": C,
            "l1_ratio": (ratios if cv else ratios[0]) if ratios else None,
            "l2_reg": l2_reg,
            "tol": tol,
            "max_iter": max_iter,
            "time_limit": time_limit,
            "step_size": None if step_size is None else _number_or_text(step_size),
            "momentum": momentum,
            "standardize": standardize,
        }
        options: dict[str, Any] = {"solver": solver, "multi_class": multi_class}
        options |= {name: value for name, value in wanted.items() if value is not None}
        has_penalty = cv or Strengths(C).exist(l2_reg, None)
        of_categories = asked.options(names, has_penalty=has_penalty)
        if penalty_groups:
            groups = column_groups(penalty_groups, names)
            options["penalty_groups"] = columns.groups_of_coefficients(groups, X, of_categories)
        rows = "the" if y is None else f"{len(y):,}"
        watcher.stage(f"fitting {rows} rows x {len(names):,} columns")
        chosen = None
        if cv:
            given = Given(X, y, sample_weight, categories=of_categories)
            result, chosen = cross_validate(given, how, split, threads, options)
        else:
            given = Given(X, y, sample_weight, l2_reg=l2_reg, names=names, categories=of_categories)
            others = {name: value for name, value in options.items() if name != "l2_reg"}
            result = fastlogit.fit(
                look(given, multi_class), n_threads=threads, callback=watcher, **others
            )
        study = None
        if summary is not None:
            watcher.stage("standard errors")
            study = fastlogit.infer(
                dataclasses.replace(result, feature_names=list(result.feature_names or names)),
                X, y, sample_weight=sample_weight, weights=weights_are, cov_type=summary,
                n_threads=threads,
            )  # fmt: skip
    settings = options | {"weights": weights, "drop": list(drop or [])} | asked.settings(X)
    if cv:
        settings |= {"folds": how.number, "scoring": how.scoring}
        settings |= {name: getattr(how, name) for name in ("group_column", "fold_column")}
    save_model(Model(result, names, target, settings, fastlogit.__version__), out)
    classes = ", ".join(str(label) for label in result.classes[:10])
    more = ", ..." if len(result.classes) > 10 else ""
    n_rows = X.n_rows if y is None else len(y)
    typer.echo(f"{n_rows:,} rows, {columns.size_text(result, names)}, {target}: {classes}{more}")
    if chosen is not None:
        typer.echo(chosen)
    _print_course(result)
    if coefficients:
        _print_coefficients(result, columns.names_of_coefficients(result, names))
    if study is not None:
        typer.echo(str(study))
    typer.echo(f"model: {out}")


def _print_coefficients(result: FitResult, names: Sequence[str]) -> None:
    """Print a line for each column and the intercept: exact numbers, a column for each class."""
    import numpy as np

    table = np.vstack([result.coef.reshape(len(names), -1), np.reshape(result.intercept, (1, -1))])
    rows = [
        (name, *map(repr, values))
        for name, values in zip((*names, "(intercept)"), table.tolist(), strict=True)
    ]
    labels = [str(label) for label in result.classes]
    rows.insert(0, ("", *(labels if table.shape[1] > 1 else labels[1:])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *values in rows:
        cells = [f"{value:>{width}}" for value, width in zip(values, widths[1:], strict=True)]
        typer.echo("  ".join((f"{name:<{widths[0]}}", *cells)))


def _print_course(result: FitResult) -> None:
    """Print how a fit went and what is proven about its end."""
    import numpy as np

    bound = float(np.max(result.suboptimality))
    proven = f"at most {bound:.1e}, proven" if np.isfinite(bound) else "nothing could be proven"
    # What ended a fit early has been said already, as a warning.
    typer.echo(result.message if result.converged else "not converged")
    typer.echo(
        f"{result.n_iter:,} iterations, {result.n_passes:,.4g} passes over the rows, "
        f"{result.seconds:.3g} s"
    )
    typer.echo(f"suboptimality: {proven}")


def _number_or_text(text: str) -> float | str:
    """Return a number where the text is one; what other texts mean is for the solver to say."""
    try:
        return float(text)
    except ValueError:
        return text


def _check_is_class(table: DataTable, target: str, y: Labels) -> None:
    """Raise if the target is a quantity or an identifier, which would make thousands of classes."""
    import numpy as np

    values = np.unique(y)
    place = f"{table.path}: target column {target!r} has {len(values):,} different values"
    if len(values) > 20 and values.dtype.kind == "f" and (values % 1).any():
        raise ValueError(f"{place} with decimals: it is a quantity; fastlogit predicts classes")
    if len(values) > 50 and len(values) > len(y) // 2:
        raise ValueError(f"{place} in {len(y):,} rows: too many to be classes")
