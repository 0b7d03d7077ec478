"""The demonstration: logistic regression on real data, with its numbers and pictures.

Each study is a pair of functions: one computes and returns a plain record, which tests can check,
the other draws that record.  Accuracies and log-losses are of rows that the fit has not seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_circles
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from fastlogit import plots, reference, threads
from fastlogit.clock import activity
from fastlogit.displays import CVScoreDisplay, RegularizationPathDisplay
from fastlogit.estimators.cross_validation import LogisticRegressionCV
from fastlogit.fitting.fit import fit, gradient_descent
from fastlogit.kernels.policy import cache_folder, numba_setting
from fastlogit.objective.penalties import L2
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Array = NDArray[Any]

#: The seed of every split and every made-up data set.
SEED = 0

#: All data here are small; waiting for a second thread on a busy machine would cost more.
N_THREADS = 1

#: The grid of the cross-validation, and the iterations that a fit of it may take.
CS = np.logspace(-4, 4, 17)
MAX_ITER = 1000

#: Seconds that one timing of the NumPy loop takes, about.
TIMING_SECONDS = 0.05


@dataclass(frozen=True)
class Row:
    """One line of the table: a model on a data set, measured on unseen rows.

    `suboptimality` is the proven bound of the worst class; `speedup` the time that a step of
    gradient descent takes in plain NumPy over ours, same step and data.
    """

    data: str
    model: str
    accuracy: float
    log_loss: float | None = None
    n_passes: float | None = None
    suboptimality: float | None = None
    seconds: float | None = None
    speedup: float | None = None


@dataclass(frozen=True)
class Split:
    """Rows to fit to and rows to judge by."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array


def split(X: Array, y: Array) -> Split:
    """Set three rows in ten aside, the same ones each time, with the same mix of classes."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
    # Rows that lie one after the other are what the kernels read fastest.
    return Split(np.ascontiguousarray(X), y, np.ascontiguousarray(X_test), y_test)


def standardized(data: Split) -> Split:
    """Centre and scale the columns by the mean and deviation of the rows to fit to."""
    scaler = StandardScaler().fit(data.X)
    return Split(scaler.transform(data.X), data.y, scaler.transform(data.X_test), data.y_test)


def tumours(*columns: str) -> tuple[Array, Array]:
    """Return the Wisconsin tumour data: some columns, or all 30, and 1 for malignant."""
    data = load_breast_cancer()
    names = data.feature_names.tolist()
    chosen = [names.index(column) for column in columns] if columns else slice(None)
    return data.data[:, chosen], 1 - data.target


def judged(
    name: str, model: str, data: Split, result: FitResult, speedup: float | None = None
) -> Row:
    """Return the line of the table for a fit."""
    proba = result.predict_proba(data.X_test)
    accuracy = float(np.mean(result.predict(data.X_test) == data.y_test))
    # The one-vs-all hypotheses of a row need not add up to 1; the log-loss is of their shares.
    loss = float(log_loss(data.y_test, proba / proba.sum(axis=1, keepdims=True)))
    bound = float(np.max(result.suboptimality))
    return Row(name, model, accuracy, loss, result.n_passes, bound, result.seconds, speedup)


# --- the speed beside NumPy ----------------------------------------------------------------


def times_numpy(X: Array, y: Array, momentum: str = "none", l2_reg: float = 0.0) -> float:
    """Return how many times faster a step of gradient descent is than the same loop in NumPy.

    Both take the same number of steps of the same fixed size; the best of three timings each.
    The steps are tiny, so that neither loop arrives while it is timed.
    """
    X = np.ascontiguousarray(X)
    classes, codes = np.unique(y, return_inverse=True)
    bound = float(0.25 * np.linalg.norm(np.column_stack([np.ones(len(X)), X]), 2) ** 2 / len(X))
    step = 1e-3 / (bound + l2_reg)
    in_numpy = _numpy_loop(X, codes, len(classes), step, momentum, l2_reg)
    n_iter = 8
    while n_iter < 100_000 and (seconds := _timed(in_numpy, n_iter)) < TIMING_SECONDS:
        n_iter *= 2 if seconds > TIMING_SECONDS / 4 else 4

    def ours(steps: int) -> None:
        gradient_descent(
            X,
            y,
            step_size=step,
            momentum="none" if momentum == "none" else "nesterov",
            tol=0.0,
            max_iter=steps,
            standardize=False,
            l2_reg=l2_reg,
            n_threads=N_THREADS,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop at max_iter is the plan
        fast = min(_timed(ours, n_iter) for _ in range(3))
    return min(_timed(in_numpy, n_iter) for _ in range(3)) / fast


def _numpy_loop(
    X: Array, codes: Array, n_classes: int, step: float, momentum: str, l2_reg: float
) -> Callable[[int], object]:
    """Return the plain NumPy loop as a function of the number of iterations."""
    if n_classes > 2:
        return lambda steps: reference.one_vs_all(X, codes, n_classes, step, steps, l2_reg=l2_reg)
    return lambda steps: reference.gradient_descent(
        X, codes, step, steps, momentum=momentum, l2_reg=l2_reg
    )


def _timed(action: Callable[[int], object], steps: int) -> float:
    """Return the seconds that an action takes."""
    began = time.perf_counter()
    action(steps)
    return time.perf_counter() - began


# --- study 1: sigmoid and boundary ---------------------------------------------------------


@dataclass(frozen=True)
class Hypothesis:
    """The model -3 + x1 + x2 and points that it decides about."""

    rows: tuple[Row, ...]
    result: FitResult
    X: Array
    y: Array


def hypothesis() -> Hypothesis:
    """Take the model with intercept -3 and coefficients 1, 1 and let it judge random points."""
    X = np.random.default_rng(SEED).uniform(0, 3, (60, 2))
    result = known_model(np.ones(2), -3.0)
    return Hypothesis((), result, X, result.predict(X))


def known_model(coef: Array, intercept: float) -> FitResult:
    """Return a model whose coefficients are given, not fitted."""
    return FitResult(
        coef=coef,
        intercept=intercept,
        classes=np.array([0, 1]),
        n_iter=0,
        n_passes=0,
        converged=True,
        message="coefficients were given",
        history=np.zeros(1),
        gradient_norm=0.0,
        suboptimality=np.inf,
        seconds=0.0,
        solver="none",
    )


def draw_hypothesis(study: Hypothesis, figure: Figure) -> None:
    """Draw the sigmoid, and the line x1 + x2 = 3."""
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    plots.plot_sigmoid(left)
    left.set_title("The sigmoid turns z into a probability")
    plots.plot_decision_boundary(study.result, study.X, study.y, right)
    right.set(title="z = -3 + x1 + x2", aspect="equal")
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    right.text(0.75, 0.75, "predict 0", ha="center", va="center", bbox=box)
    right.text(2.25, 2.25, "predict 1", ha="center", va="center", bbox=box)
    right.text(1.5, 1.5, "x1 + x2 = 3", ha="center", va="bottom", rotation=-45, bbox=box)


# --- study 2: why not linear regression ----------------------------------------------------


@dataclass(frozen=True)
class FarOut:
    """One feature with and without a far-out value: least squares beside logistic regression.

    The mappings are by case, "as measured" and "one slip"; `boundaries` holds the feature
    values from which (linear, logistic) regression predict malignant.
    """

    rows: tuple[Row, ...]
    x: Mapping[str, Array]
    y: Array
    linear: Mapping[str, LinearRegression]
    logistic: Mapping[str, FitResult]
    boundaries: Mapping[str, tuple[float, float]]


def far_out() -> FarOut:
    """Fit both models to the mean radius, then again with one radius typed ten times too large.

    Picture and boundaries are those of all rows, as in the tutorial; accuracies are judged by rows
    set aside.
    """
    X, y = tumours("mean radius")
    data = split(X, y)
    speedup = times_numpy(standardized(data).X, data.y)
    rows: list[Row] = []
    x, linear, logistic, boundaries = {}, {}, {}, {}
    names = {"as measured": "tumours (1)", "one slip": "one slip (1)"}
    for case, name in names.items():
        whole, part = (
            (_slipped(X, y), _slipped(data.X, data.y)) if case == "one slip" else (X, data.X)
        )
        x[case] = whole[:, 0]
        line = linear[case] = LinearRegression().fit(whole, y)
        curve = logistic[case] = fit(whole, y, n_threads=N_THREADS)
        boundaries[case] = (
            float((0.5 - line.intercept_) / line.coef_[0]),
            float(-np.asarray(curve.intercept) / curve.coef[0]),
        )
        predicted = LinearRegression().fit(part, data.y).predict(data.X_test) >= 0.5
        rows.append(Row(name, "linear regression", float(np.mean(predicted == data.y_test))))
        fitted = fit(part, data.y, n_threads=N_THREADS)
        rows.append(judged(name, "logistic", data, fitted, speedup))
    return FarOut(tuple(rows), x, y, linear, logistic, boundaries)


def _slipped(X: Array, y: Array) -> Array:
    """Return X with the first malignant tumour's radius typed ten times too large."""
    slipped = X.copy()
    slipped[np.argmax(y)] *= 10.0
    return slipped


def _second_proba(result: FitResult, X: Array) -> Array:
    """Return the probability of the second of two classes."""
    return np.asarray(result.predict_proba(X)[:, 1])


def _on_column(predict: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of the values of one feature."""
    return lambda x: predict(x[:, np.newaxis])


def draw_far_out(study: FarOut, figure: Figure) -> None:
    """Draw both cases one above the other, on the same scale."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    right = 1.6 * float(study.x["as measured"].max())
    for ax, case in zip((upper, lower), study.x, strict=True):
        line, curve = study.linear[case], study.logistic[case]
        plots.plot_one_feature(
            study.x[case],
            study.y,
            {
                "linear regression": _on_column(line.predict),
                "logistic regression": _on_column(partial(_second_proba, curve)),
            },
            ax,
            limits=(5.0, right),
            feature_name="mean radius of the cell nuclei",
            class_names=("benign", "malignant"),
        )
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.12), frameon=False)
    slip = float(study.x["one slip"].max())
    upper.set(title="Tumours as measured", xlabel="")
    lower.set_title(f"One malignant tumour's radius, {slip / 10:.4g}, typed as {slip:.4g}")
    lower.annotate(
        f"the slip: {slip:.4g}",
        (right, 1.08),
        (0.87 * right, 1.08),
        ha="right",
        va="center",
        arrowprops={"arrowstyle": "->"},
    )


# --- study 3: gradient descent, plain and accelerated, and the certified optimum ------------


@dataclass(frozen=True)
class Descent:
    """The same cost descended twice, and its optimum with the steps that `fit` takes to it."""

    rows: tuple[Row, ...]
    plain: FitResult
    accelerated: FitResult
    exact: FitResult


def descent(l2_reg: float = 0.001) -> Descent:
    """Fit all 30 features of the tumours by two descents, and by what `fit` chooses."""
    data = standardized(split(*tumours()))
    linear = LinearRegression().fit(data.X, data.y)
    accuracy = float(np.mean((linear.predict(data.X_test) >= 0.5) == data.y_test))
    rows = [Row("tumours (30)", "linear regression", accuracy)]
    steps: dict[str, Any] = {"l2_reg": l2_reg, "max_iter": 100_000, "n_threads": N_THREADS}
    plain = gradient_descent(data.X, data.y, momentum="none", **steps)
    accelerated = gradient_descent(data.X, data.y, momentum="nesterov", **steps)
    exact = fit(data.X, data.y, l2_reg=l2_reg, n_threads=N_THREADS)
    speedup = times_numpy(data.X, data.y, "none", l2_reg)
    momentum_speedup = times_numpy(data.X, data.y, "nesterov", l2_reg)
    rows += [
        judged("tumours (30)", "descent, plain", data, plain, speedup),
        judged("tumours (30)", "accelerated", data, accelerated, momentum_speedup),
        judged("tumours (30)", "fit's choice", data, exact, speedup),
    ]
    return Descent(tuple(rows), plain, accelerated, exact)


def draw_descent(study: Descent, figure: Figure) -> None:
    """Draw the three cost curves."""
    ax = figure.subplots()
    plots.plot_cost_history(
        {
            f"plain, {study.plain.n_iter:,} iterations": study.plain,
            f"accelerated (Nesterov), {study.accelerated.n_iter:,} iterations": study.accelerated,
            f"{study.exact.solver}, {study.exact.n_iter:,} iterations": study.exact,
        },
        ax,
        best=float(study.exact.history.min()),
    )
    ax.set_title("The way to the optimum: tumour data, 30 features")


# --- studies 4 and 5: boundaries -----------------------------------------------------------


@dataclass(frozen=True)
class Boundaries:
    """Two features with one fit for each polynomial degree.

    `transforms` takes the two features to those of the fit of that degree.
    """

    rows: tuple[Row, ...]
    X: Array
    y: Array
    results: Mapping[int, FitResult]
    transforms: Mapping[int, Callable[[Array], Array]]


def boundaries(
    name: str, X: Array, y: Array, degrees: tuple[int, ...], l2_reg: float
) -> Boundaries:
    """Fit two features, and their products up to each degree."""
    data = split(X, y)
    rows = []
    results, transforms = {}, {}
    for degree in degrees:
        steps = make_pipeline(
            StandardScaler(), PolynomialFeatures(degree, include_bias=False), StandardScaler()
        ).fit(data.X)
        transforms[degree] = steps.transform
        made = Split(steps.transform(data.X), data.y, steps.transform(data.X_test), data.y_test)
        results[degree] = fit(made.X, made.y, l2_reg=l2_reg, n_threads=N_THREADS)
        model = "line" if degree == 1 else f"degree {degree}"
        speedup = times_numpy(made.X, made.y, l2_reg=l2_reg)
        rows.append(judged(name, model, made, results[degree], speedup))
    return Boundaries(tuple(rows), data.X, data.y, results, transforms)


_TWO_FEATURES = ("mean texture", "mean concave points")


def tumour_boundaries() -> Boundaries:
    """Separate the tumours by two features, with a line and with a curve."""
    return boundaries("tumours (2)", *tumours(*_TWO_FEATURES), (1, 3), 1e-4)


def circles() -> Boundaries:
    """Separate a disc from the ring round it: no line can, a conic does."""
    X, y = make_circles(400, noise=0.13, factor=0.5, random_state=SEED)
    return boundaries("circles (2)", X, y, (1, 2), 1e-4)


def draw_tumour_boundaries(study: Boundaries, figure: Figure) -> None:
    """Draw line and curve side by side."""
    _draw_degrees(study, figure, _TWO_FEATURES, ("benign", "malignant"))


def draw_circles(study: Boundaries, figure: Figure) -> None:
    """Draw line and conic side by side."""
    for ax in _draw_degrees(study, figure, ("x1", "x2"), ("ring", "disc")):
        ax.set_aspect("equal")


def _draw_degrees(
    study: Boundaries, figure: Figure, features: tuple[str, str], classes: tuple[str, str]
) -> list[Axes]:
    """Draw one panel per degree."""
    axes = list(figure.subplots(1, len(study.results), sharey=True))
    for ax, degree, row in zip(axes, study.results, study.rows, strict=True):
        plots.plot_decision_boundary(
            study.results[degree],
            study.X,
            study.y,
            ax,
            transform=study.transforms[degree],
            feature_names=features,
            class_names=classes,
        )
        kind = "A line" if degree == 1 else f"Polynomial of degree {degree}"
        ax.set_title(f"{kind}: {row.accuracy:.1%} of unseen rows right")
    axes[1].set_ylabel("")
    _legend(axes[0])
    return axes


# --- studies 6 and 7: one-vs-all -----------------------------------------------------------


@dataclass(frozen=True)
class OneVsAll:
    """A fit of several classes; `flat` is a fit of two columns, which a picture can show."""

    rows: tuple[Row, ...]
    data: Split
    result: FitResult
    class_names: tuple[str, ...]
    confusion: Array


def iris() -> OneVsAll:
    """Fit three kinds of iris: by two features, which the picture shows, and by all four."""
    source = load_iris()
    names = tuple(str(name) for name in source.target_names)
    labels = source.target_names[source.target]
    shown, shown_row = _one_vs_all("iris (2)", split(source.data[:, 2:], labels), 1e-3)
    _, row = _one_vs_all("iris (4)", standardized(split(source.data, labels)), 1e-3)
    data = split(source.data[:, 2:], labels)
    return OneVsAll((shown_row, row), data, shown, names, _confusion(data, shown))


def digits() -> OneVsAll:
    """Fit the ten digits from pictures of 8 x 8 pixels."""
    source = load_digits()
    data = split(source.data / 16.0, source.target)
    result, row = _one_vs_all("digits (64)", data, 1e-3)
    names = tuple(str(label) for label in result.classes)
    return OneVsAll((row,), data, result, names, _confusion(data, result))


def _one_vs_all(name: str, data: Split, l2_reg: float) -> tuple[FitResult, Row]:
    """Fit one hypothesis per class, all in the same passes over X."""
    result = fit(data.X, data.y, l2_reg=l2_reg, n_threads=N_THREADS)
    speedup = times_numpy(data.X, data.y, l2_reg=l2_reg)
    return result, judged(name, f"one-vs-all, K={len(result.classes)}", data, result, speedup)


def _confusion(data: Split, result: FitResult) -> Array:
    """Count the unseen rows by true class (rows) and predicted class (columns)."""
    matrix: Array = confusion_matrix(data.y_test, result.predict(data.X_test))
    return matrix


def draw_iris(study: OneVsAll, figure: Figure) -> None:
    """Draw the three regions."""
    ax = figure.subplots()
    plots.plot_decision_boundary(
        study.result,
        study.data.X,
        study.data.y,
        ax,
        feature_names=("petal length (cm)", "petal width (cm)"),
    )
    ax.set_title("One-vs-all: the largest of three hypotheses wins")
    _legend(ax)


def draw_digits(study: OneVsAll, figure: Figure) -> None:
    """Draw what each of the ten hypotheses looks for, and which digits are mixed up."""
    left, right = cast(
        "tuple[SubFigure, SubFigure]", figure.subfigures(1, 2, width_ratios=(1.35, 1))
    )
    axes = left.subplots(2, 5)
    coef = study.result.coef
    limit = float(np.quantile(np.abs(coef), 0.99))
    for k, ax in enumerate(axes.flat):
        image = plots.plot_coef_image(coef[:, k], (8, 8), ax, limit=limit)
        ax.set_title(study.class_names[k])
    bar = left.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, extend="both")
    bar.set_label("coefficient: ink here speaks against (-) or for (+) the digit")
    left.suptitle("What each hypothesis looks for")
    ax = right.subplots()
    plots.plot_confusion(study.confusion, study.class_names, ax)
    ax.set_title(f"{study.rows[0].accuracy:.1%} of {study.confusion.sum()} unseen digits right")


# --- study 8: cross-validation -------------------------------------------------------------


@dataclass(frozen=True)
class CrossValidation:
    """The tumours by all 30 columns, with the C that five folds choose."""

    rows: tuple[Row, ...]
    model: LogisticRegressionCV


def cross_validation() -> CrossValidation:
    """Choose C among 17 by the log-loss of rows that each of five folds leaves out."""
    data = standardized(split(*tumours()))
    model = LogisticRegressionCV(
        Cs=CS,
        l1_ratios=(0,),
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        max_iter=MAX_ITER,
        n_jobs=N_THREADS,
    ).fit(data.X, data.y)
    row = judged("tumours (30)", f"C={model.C_:.2g}, by 5 folds", data, model.result_)
    grid = model.grid_  # of the 85 fits before the last
    n_passes, seconds = model.result_.n_passes + grid.n_passes, model.result_.seconds + grid.seconds
    row = replace(row, n_passes=n_passes, seconds=seconds)
    return CrossValidation((row,), model)


def draw_cross_validation(study: CrossValidation, figure: Figure) -> None:
    """Draw the score and the coefficients against C."""
    left, right = figure.subplots(1, 2)
    CVScoreDisplay.from_estimator(study.model, ax=left, negate_score=True)
    left.set_title("Rows that a fold left out")
    names = [str(name) for name in load_breast_cancer().feature_names]
    RegularizationPathDisplay.from_estimator(study.model, ax=right, feature_names=names)
    right.set_title("Coefficients, the mean over the folds")


def _legend(ax: Axes) -> None:
    """Put a legend over the points that hides none of the colours."""
    ax.legend(loc="best", framealpha=0.9, edgecolor="none")


# --- all of it -----------------------------------------------------------------------------


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


#: Rows of fewer than eight columns and of more have kernels of their own.
KINDS: dict[str, tuple[str, ...]] = {"narrow": ("mean radius",), "wide": ()}


def compile_kernels() -> None:
    """Fit and predict, so that no study's time includes that of the compiler.

    From an empty cache another process compiles for wide rows at the same time: numba's compiler
    holds a lock, so that threads would wait for each other.
    """
    before = activity().n_compiled
    with _process_that_compiles("wide") as helper:
        compile_kind("narrow")
        if helper is not None and activity().n_compiled > before:
            helper.wait()  # else all is on the disk, also what the other process looks for
    compile_kind("wide")


def compile_kind(kind: str) -> None:
    """Call what the studies call, on rows of one kind, in one thread.

    Small data have a kernel of their own, the same for both kinds; digits take the other way, as
    fits with a penalty that is an object do.
    """
    data = split(*tumours(*KINDS[kind]))
    gradient_descent(data.X, data.y, tol=1.0, n_threads=N_THREADS)
    penalty = L2(1.0, data.X.shape[1]) if kind == "wide" else None
    fitted = fit(data.X, data.y, penalty=penalty, solver="newton", n_threads=N_THREADS)
    fitted.predict_proba(data.X, n_threads=N_THREADS)


# What the other process runs: it finds this very package, whatever its own path would be.
_COMPILE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from fastlogit.demo import compile_kind; compile_kind(sys.argv[2])"
)


@contextlib.contextmanager
def _process_that_compiles(kind: str) -> Iterator[subprocess.Popen[bytes] | None]:
    """Start a process that fills the cache on the disk, for the block; None where it is of no use.

    If it fails, this process compiles what it did not.
    """
    folder = cache_folder()
    helper = None
    if sys.executable and folder is not None and threads.usable_cpus() > 1:
        settings = dict(os.environ)
        if numba_setting("CACHE_DIR"):
            settings["NUMBA_CACHE_DIR"] = str(numba_setting("CACHE_DIR"))
        command = [sys.executable, "-c", _COMPILE, json.dumps(sys.path), kind]
        silent = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            helper = subprocess.Popen(
                command, env=settings, stdin=silent, stdout=silent, stderr=silent
            )
    try:
        yield helper
    finally:  # Ctrl-C too
        if helper is not None:
            helper.kill()
            helper.wait()


def _save(study: Study, record: Any, path: Path) -> Path:
    """Draw a picture into a file, without matplotlib's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=study.size, dpi=110, layout="constrained")
    study.draw(record, figure)
    figure.savefig(path)
    return path
