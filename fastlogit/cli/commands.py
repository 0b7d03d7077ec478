"""The commands: fit, predict, evaluate, demo, warmup, info; and export, which has its module."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import fastlogit
from fastlogit.cli.errors import OneLineErrors, say, warnings_as_lines
from fastlogit.cli.export import app as export
from fastlogit.cli.watching import Watcher, watching

if TYPE_CHECKING:
    from fastlogit.arrays import Indices, Integers, Labels, Matrix
    from fastlogit.demo.data import Row
    from fastlogit.io import Table as DataTable
    from fastlogit.io import TextFormat
    from fastlogit.model_file import Model
    from fastlogit.result import FitResult

app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Logistic regression from compiled kernels: fit, predict and evaluate on data files.",
)

_DATA_HELP = (
    "CSV, Parquet (or a folder of it), Feather, .npz (arrays X, y, or a sparse matrix) or svmlight "
    "file."
)
Data = Annotated[Path, typer.Argument(metavar="DATA", help=_DATA_HELP, show_default=False)]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A file that `fit` wrote.", show_default=False)
]
_FOR_DESCENT = "Options of gradient_descent"
Threads = Annotated[
    int | None, typer.Option(help="Number of threads.", show_default="what the process may use")
]
_FOR_CSV = "How a CSV file is written"
Sep = Annotated[
    str | None,
    typer.Option(
        "--sep",
        help="Separator of the columns; tab for tabulators.",
        show_default="found in the file",
        rich_help_panel=_FOR_CSV,
    ),
]
Decimal = Annotated[
    str,
    typer.Option("--decimal", help="What stands before the decimals.", rich_help_panel=_FOR_CSV),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        "--thousands",
        help="What stands between groups of three digits.",
        show_default="nothing",
        rich_help_panel=_FOR_CSV,
    ),
]
Na = Annotated[
    list[str] | None,
    typer.Option(
        "--na",
        help="Text that means no value, besides NA, NaN, null and an empty cell (may be given "
        "again).",
        rich_help_panel=_FOR_CSV,
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out the rows that lack a value.")
]
_FOR_CATEGORIES = "Categorical columns"
HandleUnknown = Annotated[
    str | None,
    typer.Option(
        help="What a category is that the fit had not, or a missing one: error, or zero (of none).",
        show_default="as in the fit",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print on stderr what goes on, a line a second.")
]


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


# --- fit -----------------------------------------------------------------------------------


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
            rich_help_panel=_FOR_CATEGORIES,
        ),
    ] = None,
    coding: Annotated[
        str,
        typer.Option(
            help="full: a coefficient for each category; reference: for all but the first; auto: "
            "full with a penalty.",
            rich_help_panel=_FOR_CATEGORIES,
        ),
    ] = "auto",
    handle_unknown: Annotated[
        str,
        typer.Option(
            help="What a new category is to `predict`: error, or zero (of none that there are).",
            rich_help_panel=_FOR_CATEGORIES,
        ),
    ] = "error",
    interactions: Annotated[
        list[str] | None,
        typer.Option(
            help="Two categorical columns, as carrier:origin, whose pairs have a coefficient too "
            "(may be given again).",
            rich_help_panel=_FOR_CATEGORIES,
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

    All columns but the target, the weights and dropped ones are features: of numbers, or
    categorical. The result is the optimum, with a proven bound on what it may lack.
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
    how = Folds.asked(cv, folds, scoring)
    check_summary(summary, weights_are, has_penalty=cv or C is not None or bool(l2_reg))
    form = io.TextFormat(sep, decimal, thousands, tuple(na or ()))
    out = Path(f"{data.name.split('.')[0]}.model.npz") if out is None else out
    io.check_writable(out)
    asked = columns.Asked(categories or [], coding, handle_unknown, interactions or [])
    asked.check()
    with warnings_as_lines(), watching(verbose) as watcher:
        if large.is_large(data):
            if penalty_groups:
                raise ValueError(f"{data}: --penalty-groups takes files that fit in memory")
            X: Any
            X, names = large.source_of_fit(
                data, target, weights, drop or [], asked.categories, drop_missing=drop_missing
            )
            assert target is not None  # else there was an error
            y = sample_weight = None
        else:
            table = _read(data, form, watcher)
            target = io.target_name(table, target)
            left_out = {target, *(drop or []), *([weights] if weights else [])}
            names = io.feature_names(table, left_out - set(table.extra_names))
            if drop_missing:
                table = _without_missing(table, (*names, target, *([weights] if weights else [])))
            y = io.labels(table, target)
            _check_is_class(table, target, y)
            sample_weight = io.weights(table, weights) if weights else None
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
            result, chosen = cross_validate(given, how, threads, options)
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


def _without_missing(table: DataTable, names: Sequence[str]) -> DataTable:
    """Leave out the rows that lack a value of these columns, and say how many there are."""
    from fastlogit import io

    kept = io.complete_rows(table, names)
    if kept.n_rows < table.n_rows:
        say(f"note: {table.n_rows - kept.n_rows:,} of {table.n_rows:,} rows lack a value")
    return kept


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


def _read(path: Path, form: TextFormat, watcher: Watcher, texts: Sequence[str] = ()) -> DataTable:
    """Read a data file; a large one shows that something is going on."""
    from fastlogit import io

    watcher.stage(f"reading {path.name}")
    return io.read_table(path, form, texts=texts)


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


# --- predict, evaluate ---------------------------------------------------------------------


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
        io.check_writable(out, io.WRITABLE)
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
            table = _without_missing(table, (*loaded.feature_names, name))
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
    return loaded, _read(data, form, watcher, coded_names(loaded))


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


# --- export --------------------------------------------------------------------------------

app.add_typer(export)


# --- demo ----------------------------------------------------------------------------------


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


# --- warmup, info --------------------------------------------------------------------------


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
