"""What a user hands in is looked at once: the calls from every door to the first pass."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import memory_mapped, problem, three_classes
from typer.testing import CliRunner

import fastlogit
from fastlogit import LogisticRegression, LogisticRegressionCV
from fastlogit.cli.commands import app
from fastlogit.design.blockwise import BlockwiseDesign
from fastlogit.design.dense import DenseDesign
from fastlogit.design.few import PackedModels
from fastlogit.inputs import validation
from fastlogit.inputs.given import Given, Start, look
from fastlogit.kernels.policy import Twins
from fastlogit.kernels.small import binomial, pieces, softmax, softmax_cg
from fastlogit.kernels.small import l1 as small_l1

PACKAGE = Path(fastlogit.__file__).parent
PASSES = ("evaluate", "gram", "grams", "hypotheses", "row_blocks")
QUIET = {"l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}
X, y = problem(60, 3)[:2]
WEIGHT = np.linspace(0.5, 2.0, 60)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


class FirstPassError(Exception):
    """Ends a call where its first pass over X begins."""


@functools.cache
def room(file: str) -> str:
    """Return the room that a file of the package is in; empty for any other."""
    path = Path(file)
    return path.relative_to(PACKAGE).parts[0] if path.is_relative_to(PACKAGE) else ""


def entries(call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch | None = None) -> list[str]:
    """Return the functions of `inputs/` that other rooms call, before the first pass over X or all.

    What `inputs/` has others call while it looks is part of the look.
    """
    found: list[str] = []

    def stop(*_: Any, **__: Any) -> Any:
        raise FirstPassError

    for name in fastlogit.__all__:  # a module that is loaded later would keep what is patched
        getattr(fastlogit, name)
    if monkeypatch is not None:
        monkeypatch.setattr(binomial, "fit_small", Twins(stop, stop))
        monkeypatch.setattr(small_l1, "fit_small_l1", Twins(stop, stop))
        monkeypatch.setattr(softmax, "fit_small_softmax", Twins(stop, stop))
        monkeypatch.setattr(softmax_cg, "fit_small_softmax_cg", Twins(stop, stop))
        for kind in (DenseDesign, BlockwiseDesign):
            for name in PASSES:
                monkeypatch.setattr(kind, name, stop)
        monkeypatch.setattr(pieces, "cost_gradient_small", Twins(stop, stop))
        monkeypatch.setattr(PackedModels, "hypotheses", stop)

    def follow(frame: Any, event: str, _: Any) -> None:
        place = frame.f_code.co_filename
        # How a list of numbers or an argument is read and shown is no look at the data.
        if event != "call" or room(place) != "inputs" or Path(place).name == "values.py":
            return
        above = frame.f_back
        while above is not None:
            if room(above.f_code.co_filename) == "inputs":
                return
            above = above.f_back
        found.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(follow)
    try:
        if monkeypatch is None:
            call()
        else:
            with pytest.raises(FirstPassError):
                call()
    finally:
        sys.setprofile(before)
    return found


SOURCES: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "array": lambda _: (X, y),
    "list": lambda _: (X.tolist(), y.tolist()),
    "frame": lambda _: (FRAME, pd.Series(y)),
    "map": lambda folder: (memory_mapped(X, folder), y),
    "objects": lambda _: (X.astype(object), np.array(["no", "yes"], dtype=object)[y]),
    "three classes": lambda _: three_classes(60, 3),
}
FITS: dict[str, Callable[[Any, Any], Any]] = {
    "fit": lambda X, y: fastlogit.fit(X, y, C=1.0),
    "fit, softmax": lambda X, y: fastlogit.fit(
        X, y, l2_reg=[0.1, 0.2, 0.3], sample_weight=WEIGHT, multi_class="multinomial"
    ),
    "gradient_descent": lambda X, y: fastlogit.gradient_descent(X, y, sample_weight=list(WEIGHT)),
    "solver gradient_descent": lambda X, y: fastlogit.fit(X, y, solver="gradient_descent"),
    "logistic_path": lambda X, y: fastlogit.logistic_path(X, y, penalty_factor=[1, 0, 1]),
    "LogisticRegression": lambda X, y: LogisticRegression().fit(X, y),
    "LogisticRegression, all": lambda X, y: LogisticRegression(
        class_weight="balanced", multi_class="ovr", verbose=1
    ).fit(X, y, WEIGHT, penalty_factor=[1, 0, 1], offset=WEIGHT),
    "LogisticRegressionCV": lambda X, y: LogisticRegressionCV(cv=2, **QUIET).fit(X, y),
    "LogisticRegressionCV, all": lambda X, y: LogisticRegressionCV(
        cv=2, class_weight="balanced", multi_class="ovr", **QUIET
    ).fit(X, y, WEIGHT, penalty_factor=[1, 0, 1]),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("fit", FITS)
def test_a_fit_enters_inputs_once_before_its_first_pass(fit, source, tmp_path, monkeypatch) -> None:
    given = SOURCES[source](tmp_path)
    found = entries(lambda: FITS[fit](*given), monkeypatch)
    assert found == ["look_for" if "Regression" in fit else "look"]


@pytest.mark.jit
def test_a_cross_validation_takes_batches_as_a_fit_does() -> None:
    source = fastlogit.BatchSource(
        lambda: iter([(FRAME[:30], y[:30], WEIGHT[:30]), (FRAME[30:], y[30:], WEIGHT[30:])])
    )
    found = LogisticRegressionCV(cv=2, Cs=3, **QUIET).fit(source)
    wanted = LogisticRegressionCV(cv=2, Cs=3, **QUIET).fit(FRAME, y, WEIGHT)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-6)
    # Of blocks of rows the means are added up.
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-14)
    assert found.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(TypeError, match="y must be left out"):
        LogisticRegressionCV(cv=2, **QUIET).fit(source, y)


@pytest.mark.parametrize("refit", [True, False])
def test_weights_of_one_class_are_refused_by_every_cross_validation(refit) -> None:
    with pytest.raises(ValueError, match="one class only among the rows whose sample_weight"):
        LogisticRegressionCV(cv=2, refit=refit, **QUIET).fit(X, y, (y == 1) * 1.0)


@pytest.mark.parametrize("fit", [fastlogit.fit, LogisticRegression().fit])
def test_a_fit_of_batches_too(fit, monkeypatch) -> None:
    source = fastlogit.BatchSource(lambda: iter([(FRAME[:30], y[:30]), (FRAME[30:], y[30:])]))
    assert entries(lambda: fit(source), monkeypatch) in (["look"], ["look_for"])


@pytest.mark.jit
@pytest.mark.parametrize("given", [(X, y), (FRAME, y), three_classes(60, 3)])
def test_a_fit_does_not_come_back_later(given) -> None:
    assert entries(lambda: fastlogit.fit(*given, C=1.0)) == ["look"]
    assert entries(lambda: LogisticRegression().fit(*given)) == ["look_for"]


@pytest.mark.jit
def test_a_class_without_weight_is_not_looked_at_again() -> None:
    rows, codes = three_classes(60, 3)
    weight = (codes != 1) * 1.0
    with pytest.warns(UserWarning, match="no row of class 1"):
        found = entries(
            lambda: fastlogit.fit(
                rows, codes, C=1.0, sample_weight=weight, multi_class="multinomial"
            )
        )
    assert found == ["look"]


@pytest.mark.parametrize("options", [[], ["--cv", "--folds", "2"]])
def test_the_command_line_enters_inputs_once(options, tmp_path, monkeypatch) -> None:
    data = tmp_path / "data.csv"
    FRAME.assign(y=y).to_csv(data, index=False)
    told = ["fit", str(data), "--target", "y", "--out", str(tmp_path / "m.model.npz"), *options]

    def command() -> None:
        ended = CliRunner().invoke(app, ["--debug", *told])
        assert "FirstPassError" in ended.output
        raise FirstPassError

    assert entries(command, monkeypatch) == ["look_for" if options else "look"]


def test_costs_and_predictions_look_at_x_once(monkeypatch) -> None:
    model = LogisticRegression().fit(X, y)
    coef, result = model.coef_[0], model.result_
    named = fastlogit.fit(FRAME, y, C=1.0)
    balanced = LogisticRegression(class_weight="balanced").fit(FRAME, y, WEIGHT)
    free = fastlogit.fit(FRAME, y, C=np.inf)
    for call, wanted in (
        (lambda: fastlogit.cost(FRAME, y, coef), ["look_at_cost"]),
        (lambda: fastlogit.raw_prediction(FRAME, coef), ["look_at_model"]),
        (lambda: fastlogit.predict_proba(FRAME, coef, offset=WEIGHT), ["look_at_model"]),
        (lambda: result.predict(X[:, ::-1]), ["look_at_model"]),
        # Few rows that kernels read as they are.
        (lambda: result.predict(X), []),
        (lambda: named.predict(FRAME), ["look_at_model"]),
        (lambda: named.predict_proba(FRAME), ["look_at_model"]),
        (lambda: named.raw_prediction(FRAME), ["look_at_model"]),
        (lambda: fastlogit.leave_one_out(named, FRAME, pd.Series(y)), ["look_at_fitted"]),
        (
            lambda: fastlogit.leave_one_out(balanced, FRAME, list(y), sample_weight=list(WEIGHT)),
            ["look_at_fitted"],
        ),
        (lambda: fastlogit.infer(free, FRAME, pd.Series(y)), ["look_at_fitted"]),
        (lambda: model.predict_proba(X), ["is_plain"]),
        # `look_at_model` looks at the coefficients, which users may set.
        (lambda: model.predict_proba(X[:, ::-1]), ["is_plain", "look_at_model"]),
        (lambda: model.predict_proba(X.tolist()), ["is_plain", "look_at_new_rows"]),
        (
            lambda: model.predict_proba(X[:, ::-1].tolist() * 200),
            ["is_plain", "look_at_new_rows", "look_at_model"],
        ),
    ):
        assert entries(call, monkeypatch) == wanted


@pytest.mark.jit
def test_a_stream_looks_at_each_batch_once() -> None:
    model = LogisticRegression(class_weight={0: 2.0, 1: 1.0})
    found = entries(lambda: model.partial_fit(FRAME, pd.Series(y), [0, 1], WEIGHT))
    # The labels that will ever come are looked at by the new learner too.
    assert found == ["look_at_labelled_rows", "as_labels", "encode_labels"]
    found = entries(lambda: model.partial_fit(FRAME, pd.Series(y), sample_weight=WEIGHT))
    assert found == ["look_at_labelled_rows"]


def test_a_way_that_comes_back_is_seen(monkeypatch) -> None:
    def twice() -> None:
        validation.check_features(X)
        fastlogit.fit(X, y)

    assert entries(twice, monkeypatch) == ["check_features", "look"]


def test_things_are_looked_at_in_one_order() -> None:
    """Where all is wrong the first is named; mended, the next."""
    mended = [
        ("X", X, "X must have 2 dimensions"),
        ("y", y, "y has 59 values"),
        ("sample_weight", None, "sample_weight has 3 values"),
        ("l2_reg", 0.1, "l2_reg must be finite"),
        ("penalty_factor", None, "penalty_factor has shape"),
        ("offset", None, "offset has shape"),
        ("start", None, "start was fitted to other classes"),
    ]
    bad = Given(
        X[0], y[:59], np.ones(3), np.ones(3), -1.0, np.ones(4),
        Start(np.ones(3), 0.0, classes=np.array([5, 6])),
    )  # fmt: skip
    for name, value, words in mended:
        with pytest.raises(ValueError, match=words):
            look(bad, "ovr")
        bad = bad._replace(**{name: value})
    look(bad, "ovr")


def test_what_a_look_finds() -> None:
    rows, codes = three_classes(60, 3)
    labels = np.array(["low", "mid", "top"])[codes]
    frame = pd.DataFrame(rows, columns=["a", "b", 3])
    data = look(Given(frame, labels, l2_reg=[1, 2, 3], offset=np.ones((60, 3))), "multinomial")
    assert data.rows.carrier is frame
    assert (data.rows.names, data.rows.text_names) == (["a", "b", "3"], None)
    assert data.classes.tolist() == ["low", "mid", "top"]
    np.testing.assert_array_equal(data.codes, codes)
    assert data.offset.shape == (3, 60)
    assert data.weights.size == 0
    assert data.l2_reg.tolist() == [1.0, 2.0, 3.0]
    assert data.penalty_factor is data.start is None
    assert data.seconds > 0.0
    named = look(Given(rows, labels, names=("p", "q", "r")), "ovr")
    assert named.rows.X is named.rows.carrier is rows
    assert named.rows.names == named.rows.text_names == ["p", "q", "r"]


def test_a_class_without_weight_is_refused_where_that_is_asked_for() -> None:
    rows, codes = three_classes(60, 3)
    given = Given(rows, codes, (codes != 1) * 1.0)
    assert look(given, "multinomial").weights.size == 60
    with pytest.raises(ValueError, match="class 1 has no row of positive weight"):
        look(given, "multinomial", every_class=True)


@pytest.mark.jit
def test_the_look_is_part_of_the_time_of_a_fit() -> None:
    data = look(Given(X, y), "ovr")._replace(seconds=100.0)
    assert fastlogit.fit(data, C=1.0).seconds > 100.0
