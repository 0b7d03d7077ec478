"""The command line: what it writes, what it says, and how it fails."""

import builtins
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

import fastlogit
from fastlogit import io, warming
from fastlogit.cli import commands, facts, main, watching
from fastlogit.demo import studies
from fastlogit.demo.data import Row
from fastlogit.fitting import fit as fitting
from fastlogit.kernels import policy
from fastlogit.model_file import load_model

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

TUMOURS = load_breast_cancer()
IRIS = load_iris()
FLOWERS, KINDS = IRIS.data[::3].copy(), IRIS.target[::3]
ROWS = np.ascontiguousarray(TUMOURS.data[:150, :5])
COLUMNS = dict(zip(TUMOURS.feature_names.tolist()[:5], ROWS.T, strict=True))
LABELS = TUMOURS.target_names[TUMOURS.target[:150]]
# These columns separate the flowers: a penalty gives them an optimum.
QUICK = ["--l2-reg", "1e-4"]
QUICKLY = {"l2_reg": 1e-4}
# Few enough to write down: the first column separates the classes, the second does not.
SEPARABLE = {"age": np.arange(8.0), "height": np.arange(8) % 3.0, "kind": np.arange(8) // 4}


def run(*words):
    """Run the command line in this process; the result has exit_code, stdout and stderr."""
    return CliRunner().invoke(commands.app, [str(word) for word in words])


def succeed(*words):
    """Run the command line and return what it printed."""
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def fail(code, *words):
    """Run the command line, which must fail with one line, and return that line."""
    result = run(*words)
    assert result.exit_code == code, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.stderr
    return lines[0]


@pytest.fixture(autouse=True)
def in_own_directory(tmp_path, monkeypatch):
    """Run each test in an empty directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tumours():
    """Write five columns of the tumour data and the diagnosis."""
    io.write_columns(Path("tumours.csv"), COLUMNS | {"diagnosis": LABELS})
    return "tumours.csv"


@pytest.fixture
def irises():
    """Write the iris data with text labels."""
    columns = dict(zip(IRIS.feature_names, FLOWERS.T, strict=True))
    io.write_columns(Path("irises.parquet"), columns | {"kind": IRIS.target_names[KINDS]})
    return "irises.parquet"


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory):
    """Fit the tumour data, once for all tests."""
    folder = tmp_path_factory.mktemp("model")
    io.write_columns(folder / "tumours.csv", COLUMNS | {"diagnosis": LABELS})
    words = ["fit", folder / "tumours.csv", "--target", "diagnosis", *QUICK]
    succeed(*words, "--out", folder / "model.npz")
    return (folder / "model.npz").read_bytes()


@pytest.fixture
def model(tumours, model_bytes):
    """Have a model of the tumour data."""
    Path("tumours.model.npz").write_bytes(model_bytes)
    return "tumours.model.npz"


# --- fit


@pytest.mark.jit
def test_fit_writes_the_model_of_the_library(tumours):
    succeed("fit", tumours, "--target", "diagnosis", *QUICK)
    expected = fastlogit.fit(ROWS, LABELS, **QUICKLY)
    saved = load_model("tumours.model.npz")
    np.testing.assert_array_equal(saved.result.coef, expected.coef)
    assert saved.result.intercept == expected.intercept
    assert saved.result.classes.tolist() == ["benign", "malignant"]
    assert saved.feature_names == tuple(COLUMNS)
    assert saved.target == "diagnosis"
    assert saved.fastlogit_version == fastlogit.__version__


def test_fit_says_what_it_did(tumours):
    output = succeed("fit", tumours, "--target", "diagnosis", *QUICK, "--out", "m.npz")
    result = load_model("m.npz").result
    rows, message, course, bound, model = output.splitlines()
    assert rows == "150 rows, 5 features, diagnosis: benign, malignant"
    assert message == result.message
    assert message.startswith("converged by newton (one compiled call, for small data)")
    assert course.startswith(f"{result.n_iter} iterations, {result.n_passes:.4g} passes over ")
    assert bound == f"suboptimality: at most {result.suboptimality:.1e}, proven"
    assert model == "model: m.npz"


def test_fit_options_of_gradient_descent_reach_it(tumours):
    succeed(
        "fit", tumours, "--target", "diagnosis", "--solver", "gradient_descent",
        "--step-size", "0.5", "--momentum", "nesterov", "--tol", "1e-3", "--max-iter", "5000",
        "--l2-reg", "0.01", "--threads", "1", "--standardize", "--drop", "mean radius",
        "--drop", "mean area", "--time-limit", "100", "--out", "m.npz",
    )  # fmt: skip
    X = np.ascontiguousarray(ROWS[:, [1, 2, 4]])
    expected = fastlogit.fit(
        X, LABELS, solver="gradient_descent", step_size=0.5, momentum="nesterov", tol=1e-3,
        max_iter=5000, l2_reg=0.01,
    )  # fmt: skip
    saved = load_model("m.npz")
    np.testing.assert_array_equal(saved.result.coef, expected.coef)
    assert saved.result.solver == "gradient_descent"
    assert saved.feature_names == ("mean texture", "mean perimeter", "mean smoothness")
    assert json.dumps(saved.settings["drop"]) == '["mean radius", "mean area"]'
    assert saved.settings["step_size"] == 0.5


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "newton-cg"])
def test_fit_with_c_and_each_solver(tumours, solver):
    words = ["--C", "0.5", "--solver", solver, "--tol", "1e-10", "--drop", "mean area"]
    output = succeed("fit", tumours, "--target", "diagnosis", *words, "--out", "m.npz")
    result = load_model("m.npz").result
    X = ROWS[:, [0, 1, 2, 4]].copy()
    expected = fastlogit.fit(X, LABELS, C=0.5)
    np.testing.assert_allclose(result.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    assert result.converged
    assert result.suboptimality <= 1e-10
    assert f"converged by {result.solver} (" in output
    assert (result.solver == solver) or solver == "auto"


def test_l1_ratio_leaves_few_coefficients(tumours):
    said = succeed(
        "fit", tumours, "--target", "diagnosis", "--C", 0.01, "--l1-ratio", 1, "--out", "m.npz"
    )
    expected = fastlogit.fit(ROWS, LABELS, C=0.01, l1_ratio=1.0)
    np.testing.assert_array_equal(load_model("m.npz").result.coef, expected.coef)
    assert f"{np.count_nonzero(expected.coef)} of 5 coefficients are not 0" in said


def test_cv_chooses_the_share_of_l1_too(tumours):
    words = ["--target", "diagnosis", "--cv", "--folds", 3, "--l1-ratio", 1, "--l1-ratio", 0.2]
    said = succeed("fit", tumours, *words, "--out", "m.npz")
    expected = fastlogit.LogisticRegressionCV(
        l1_ratios=(1, 0.2), cv=3, scoring="neg_log_loss", use_legacy_attributes=False
    ).fit(ROWS, LABELS)
    model = load_model("m.npz")
    np.testing.assert_array_equal(model.result.coef, expected.coef_[0])
    assert model.settings["l1_ratio"] == expected.l1_ratio_
    assert model.settings["C"] == expected.C_
    best = expected.scores_.mean(axis=0).max()
    assert f"C = {expected.C_:.4g} of 10, l1_ratio = {expected.l1_ratio_:g} of 2, by 3" in said
    assert f"mean neg_log_loss {best:.4f}" in said


def test_groups_of_columns(tumours):
    names = list(COLUMNS)[:5]
    group = f"{names[0]}, {names[3]}"
    words = ["--target", "diagnosis", "--l1-ratio", 1, "--penalty-groups", group]
    succeed("fit", tumours, *words, "--C", 0.01, "--out", "m.npz")
    labels = np.array([0, 1, 2, 0, 4])
    expected = fastlogit.fit(ROWS, LABELS, C=0.01, l1_ratio=1.0, penalty_groups=labels)
    result = load_model("m.npz").result
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-5)
    together = f"{names[0]} + {names[3]}"
    assert sorted(result.groups) == sorted([together, names[1], names[2], names[4]])
    succeed("fit", tumours, *words, "--cv", "--folds", 2, "--out", "m.npz")
    chosen = load_model("m.npz")
    assert chosen.result.penalty_groups.tolist().count(together) == 2
    assert chosen.settings["penalty_groups"] == chosen.result.penalty_groups.tolist()


def test_features_are_groups_over_all_classes(irises):
    words = ["--target", "kind", "--multi-class", "multinomial", "--C", 0.05, "--l1-ratio", 1]
    succeed("fit", irises, *words, "--penalty-groups", "features", "--out", "m.npz")
    coef = load_model("m.npz").result.coef
    np.testing.assert_array_equal((coef != 0.0).any(axis=1), (coef != 0.0).all(axis=1))
    assert not coef.all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--l1-ratio", 1], "--l1-ratio is the share of L1 in the penalty of --C: give --C too"),
        (["--l1-ratio", 2, "--C", 1], "--l1-ratio must be"),
        (["--l1-ratio", 1, "--l1-ratio", 0.5, "--C", 1], "--l1-ratio is given 2 times: --cv"),
        (["--C", 1, "--penalty-groups", "mean radius"], "give --l1-ratio above 0 too"),
        (["--C", 1, "--l1-ratio", 1, "--penalty-groups", "x,y"], "names 'x', which is no column"),
        (
            ["--C", 1, "--l1-ratio", 1, *["--penalty-groups", "mean radius"] * 2],
            "has the column 'mean radius' twice",
        ),
        (["--cv", "--C", 1, "--l1-ratio", 1], "--cv chooses the strength of the penalty"),
    ],
)
def test_penalties_that_do_not_go_together(tumours, words, message):
    assert message in fail(2, "fit", tumours, "--target", "diagnosis", *words)


def test_c_and_l2_reg_are_the_same_penalty(tumours):
    for k, words in enumerate((["--C", "2"], ["--l2-reg", str(1 / (2 * len(LABELS)))])):
        succeed("fit", tumours, "--target", "diagnosis", *words, "--out", f"{k}.npz")
    one, other = (load_model(f"{k}.npz").result for k in (0, 1))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-6)


def test_separable_classes_are_one_line_that_names_the_columns():
    io.write_columns(Path("s.csv"), SEPARABLE)
    result = run("fit", "s.csv", "--target", "kind")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: the classes are completely separable: column age alone does. ")
    assert line.endswith("(--C or --l2-reg; --drop)")
    assert "\nnot converged\n" in result.stdout
    assert "\nsuboptimality: nothing could be proven\n" in result.stdout
    assert "separable" in load_model("s.model.npz").result.message
    assert run("fit", "s.csv", "--target", "kind", "--C", "1").stderr == ""


def test_help_names_the_defaults_of_the_library():
    text = succeed("fit", "--help")
    assert f"({fastlogit.fit.__kwdefaults__['tol']:g})" in text
    assert str(fitting.OTHER_MAX_ITER) in text
    assert str(fitting.MAX_ITER["gradient_descent"]) in text
    assert [solver for solver in fitting.SOLVERS if solver not in text] == []


def test_models_of_version_0_1_0_are_read(model, tumours):
    """They had no suboptimality, whole passes, and more settings."""
    with np.load(model) as file:
        arrays = dict(file)
    meta = json.loads(arrays["meta"].item())
    del meta["result"]["suboptimality"]
    meta["result"]["n_passes"] = 12
    meta["settings"] |= {"step_size": "auto", "standardize": True, "tol": 1e-6}
    np.savez("old.npz", **arrays | {"meta": np.array(json.dumps(meta))})
    assert load_model("old.npz").result.suboptimality == np.inf
    assert succeed("predict", "old.npz", tumours) == succeed("predict", model, tumours)


def test_a_negative_weight_is_named_by_its_line():
    Path("w.csv").write_text("a,y,count\n1,0,1\n2,1,-2.50\n3,0,1\n")
    assert fail(2, "fit", "w.csv", "--target", "y", "--weights", "count") == (
        "error: w.csv: column 'count' is negative in line 3: -2.50; weights must be >= 0"
    )


def test_fit_with_weights_leaves_their_column_out(tumours):
    weights = np.random.default_rng(0).integers(0, 3, len(LABELS))
    io.write_columns(Path("w.csv"), COLUMNS | {"diagnosis": LABELS, "count": weights})
    succeed("fit", "w.csv", "--target", "diagnosis", "--weights", "count", *QUICK)
    expected = fastlogit.fit(ROWS, LABELS, **QUICKLY, sample_weight=weights)
    saved = load_model("w.model.npz")
    np.testing.assert_array_equal(saved.result.coef, expected.coef)
    assert saved.feature_names == tuple(COLUMNS)


def test_fit_npz_with_weights_beside_x():
    X, y = ROWS, TUMOURS.target[:150]
    weights = np.linspace(0, 1, len(y))
    np.savez("t.npz", X=X, y=y, importance=weights)
    descent = ["--solver", "gradient_descent", "--no-standardize", "--max-iter", "10"]
    succeed("fit", "t.npz", "--weights", "importance", *descent)
    with pytest.warns(ConvergenceWarning):
        expected = fastlogit.fit(
            X, y, solver="gradient_descent", sample_weight=weights, standardize=False, max_iter=10
        )
    np.testing.assert_array_equal(load_model("t.model.npz").result.coef, expected.coef)


def test_fit_not_converged_is_one_warning_line(tumours):
    result = run("fit", tumours, "--target", "diagnosis", *QUICK, "--max-iter", "3")
    assert result.exit_code == 0
    assert "\nnot converged\n3 iterations, " in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: ")
    assert "max_iter" in line
    assert not load_model("tumours.model.npz").result.converged


def test_fit_shows_progress_to_a_terminal(tumours, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    result = run("fit", tumours, "--target", "diagnosis", *QUICK)
    assert result.exit_code == 0
    assert "fitting" in result.stderr
    assert "reading tumours.csv" in result.stderr


def test_a_sparse_matrix_with_labels_beside_it():
    rng = np.random.default_rng(0)
    words = scipy.sparse.random_array((300, 40), density=0.1, rng=0, format="csr")
    y = np.where(words @ rng.standard_normal(40) + 0.1 * rng.standard_normal(300) > 0, "a", "b")
    scipy.sparse.save_npz("words.npz", words)
    assert "labels of a sparse matrix stand in words.y.npy" in fail(2, "fit", "words.npz")
    np.save("words.y.npy", y)
    assert succeed("fit", "words.npz", "--C", "1").startswith("300 rows, 40 features, y: a, b")
    result = load_model("words.model.npz").result
    expected = fastlogit.fit(words, y, C=1.0)
    np.testing.assert_array_equal(result.coef, expected.coef)
    assert "rows            300\n" in succeed("evaluate", "words.model.npz", "words.npz")
    assert "C = " in succeed("fit", "words.npz", "--cv", "--folds", "2", "--out", "cv.npz")
    Path("words.y.npy").unlink()  # predictions need none
    succeed("predict", "words.model.npz", "words.npz", "--out", "p.csv")
    assert Path("p.csv").read_text().split()[1:] == expected.predict(words).tolist()


@pytest.mark.parametrize("zero_based", [True, False])
def test_svmlight_from_fit_to_evaluation(zero_based):
    dump_svmlight_file(FLOWERS, KINDS, "i.svmlight", zero_based=zero_based)
    succeed("fit", "i.svmlight", *QUICK)
    assert load_model("i.model.npz").result.classes.tolist() == [0.0, 1.0, 2.0]
    assert "accuracy        1.0000\n" in succeed("evaluate", "i.model.npz", "i.svmlight")


@pytest.mark.parametrize("words", [["--verbose"], ["-v"]])
def test_verbose_prints_what_goes_on_without_a_terminal(tumours, words, monkeypatch):
    monkeypatch.setattr(watching, "SECONDS", 0.0)
    result = run("fit", tumours, "--target", "diagnosis", *QUICK, *words)
    lines = result.stderr.splitlines()
    assert all(re.fullmatch(r"\[ *\d+\.\d\d s\] .+", line) for line in lines)
    assert lines[0].endswith("] reading tumours.csv")
    assert lines[1].endswith("] fitting 150 rows x 5 columns")
    assert "fitting 150 rows x 5 columns: iteration 1, cost 0." in result.stderr
    assert (
        run("predict", "tumours.model.npz", tumours, *words)
        .stderr.splitlines()[1]
        .endswith("] predicting 150 rows")
    )


def test_without_verbose_and_terminal_nothing_is_shown(tumours):
    assert run("fit", tumours, "--target", "diagnosis", *QUICK).stderr == ""


def test_compilations_are_shown_while_they_run(capsys):
    """Each is said before it begins; functions that are compiled inside another are not."""

    @numba.njit
    def inner(x):
        return x + 1

    @numba.njit
    def _outer(x):
        return inner(x) * 2

    with watching.watching(verbose=True) as watcher:
        watcher.stage("fitting")
        assert _outer(1.0) == 4.0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("] ")[2] for line in lines] == [
        "fitting", "compiling kernels, once: outer (1)",
    ]  # fmt: skip


def test_verbose_says_that_silent_work_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(watching, "SECONDS", 0.01)
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.02)
    with watching.watching(verbose=True) as watcher:
        watcher.stage("fitting")
        said = threading.Event()
        monkeypatch.setattr(watching, "say", lambda text: said.set())
        assert said.wait(30)


def test_coefficients_on_request(tumours, irises):
    output = succeed("fit", tumours, "--target", "diagnosis", *QUICK, "--coefficients")
    result = load_model("tumours.model.npz").result
    lines = [line.rsplit(maxsplit=1) for line in output.splitlines()[4:11]]
    assert lines[0] == ["malignant"]
    assert [line[0] for line in lines[1:]] == [*COLUMNS, "(intercept)"]
    assert [float(line[1]) for line in lines[1:]] == [*result.coef.tolist(), result.intercept]
    output = succeed("fit", irises, "--target", "kind", *QUICK, "--coefficients")
    result = load_model("irises.model.npz").result
    lines = [line.split() for line in output.splitlines()[4:10]]
    assert lines[0] == ["setosa", "versicolor", "virginica"]
    assert [float(value) for value in lines[1][-3:]] == result.coef[0].tolist()
    assert [float(value) for value in lines[5][-3:]] == result.intercept.tolist()
    assert "(intercept)" not in succeed("fit", irises, "--target", "kind", *QUICK)


def test_cross_validation_chooses_c(tumours):
    weights = np.linspace(0.5, 1.5, len(LABELS))
    io.write_columns(Path("w.csv"), COLUMNS | {"diagnosis": LABELS, "w": weights})
    words = ["--cv", "--folds", "3", "--scoring", "accuracy", "--tol", "1e-8", "--weights", "w"]
    output = succeed("fit", "w.csv", "--target", "diagnosis", *words)
    expected = fastlogit.LogisticRegressionCV(
        l1_ratios=(0,), use_legacy_attributes=False, cv=3, scoring="accuracy", tol=1e-4,
        multi_class="ovr",
    ).fit(ROWS, LABELS, weights)  # fmt: skip
    saved = load_model("w.model.npz")
    np.testing.assert_array_equal(saved.result.coef, expected.coef_[0])
    assert saved.result.classes.tolist() == ["benign", "malignant"]
    assert saved.settings["C"] == expected.C_
    assert saved.settings["folds"] == 3
    best = expected.scores_.mean(axis=(0, 1)).max()
    line = f"C = {expected.C_:.4g} of 10, by 3-fold cross-validation: mean accuracy {best:.4f}"
    assert output.splitlines()[1].startswith(line)
    assert "accuracy  " in succeed("evaluate", "w.model.npz", "w.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--C", "1"], "leave --C and --l2-reg out"),
        (["--folds", "1"], "--folds must be at least 2"),
        (["--scoring", "acuracy"], "did you mean 'accuracy'?"),
        (["--scoring", "r2"], "--scoring r2 judges regressions, not classes; there are for them:"),
        (["--scoring", "rand_score"], "--scoring rand_score judges clusterings, not classes"),
        (["--scoring", "f1_samples"], "does not fit a target of the 2 classes 'benign', 'malig"),
        (["--scoring", "top_k_accuracy"], "will result in a perfect score and is therefore"),
        (["--step-size", "1"], "--step-size is an option of fits without --cv"),
        (["--threads", "0"], "n_threads"),
        (["--folds", "1000"], "1000"),
    ],
)
def test_cross_validation_bad_input(tumours, words, message):
    line = fail(2, "fit", tumours, "--target", "diagnosis", "--cv", *words)
    assert message in line
    assert len(line) < 1500
    assert "squared" not in line  # a scorer of regressions


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folds", "3"], "--folds is for --cv: give --cv too, or leave it out"),
        (["--scoring", "accuracy"], "--scoring is for --cv"),
        (["--folds", "5", "--scoring", "x"], "--folds and --scoring are for --cv"),
        (["--summary", "HC9"], "--summary must be one of 'nonrobust', 'HC0'"),
        (["--summary", "HC1", "--C", "1"], "--summary is of fits without a penalty"),
        (["--weights-are", "frequency"], "--weights-are is for --summary"),
    ],
)
def test_options_that_need_others(tumours, words, message):
    assert message in fail(2, "fit", tumours, "--target", "diagnosis", *words)


def test_the_summary_is_that_of_infer():
    rows = ['kind,"dose, mg",age']
    rows += [f"{'ab'[k * 7 % 11 > 5]},{k * 13 % 17},{k % 5}" for k in range(60)]
    Path("trial.csv").write_text("\n".join(rows) + "\n")
    printed = succeed("fit", "trial.csv", "--target", "kind", "--summary", "HC3")
    X = np.array([[k * 13 % 17, k % 5] for k in range(60)], dtype=float)
    y = np.array(["ab"[k * 7 % 11 > 5] for k in range(60)])
    found = fastlogit.infer(fastlogit.fit(X, y, C=np.inf), X, y, cov_type="HC3")
    line = next(line for line in printed.splitlines() if line.startswith("dose, mg "))
    shown = [float(word) for word in line.split()[2:4]]
    assert shown == pytest.approx([found.coef[1], found.standard_errors[1]], rel=1e-3)
    groups = ["--C", "1", "--l1-ratio", "1", "--penalty-groups", "dose, mg,age"]
    assert "of 1 groups" in succeed("fit", "trial.csv", "--target", "kind", *groups)


@pytest.mark.parametrize(
    ("target", "fitting", "others"),
    [
        ("diagnosis", ["f1", "roc_auc"], ["top_k_accuracy", "f1_samples"]),
        ("kind", ["f1_macro", "roc_auc_ovr", "top_k_accuracy"], ["f1", "roc_auc"]),
    ],
)
def test_scorers_that_fit_the_classes(tumours, irises, target, fitting, others):
    data = {"diagnosis": tumours, "kind": irises}[target]
    for name in others:
        line = fail(2, "fit", data, "--target", target, "--cv", "--scoring", name)
        listed = line.partition("those that do: ")[2].split(", ")
        assert {repr(each) for each in fitting} <= set(listed)
        assert not {repr(each) for each in others} & set(listed)
    for name in fitting:
        succeed("fit", data, "--target", target, "--cv", "--folds", "2", "--scoring", name)


def test_a_separator_that_the_shell_took(tumours):
    line = fail(2, "fit", tumours, "--target", "diagnosis", "--sep")
    assert "requires an argument; put the separator in quotes, for a shell ends" in line


def test_a_file_of_another_country_from_fit_to_evaluation(tumours, model):
    frame = pd.read_csv(tumours)
    frame.to_csv("de.csv", sep=";", decimal=",", index=False)
    line = fail(2, "fit", "de.csv", "--target", "diagnosis")
    assert line.endswith("say how it is written: --decimal ,")
    words = ["--sep", ";", "--decimal", ","]
    succeed("fit", "de.csv", "--target", "diagnosis", *QUICK, *words)
    np.testing.assert_array_equal(
        load_model("de.model.npz").result.coef, load_model(model).result.coef
    )
    assert run("predict", model, "de.csv", *words).stdout == run("predict", model, tumours).stdout
    assert succeed("evaluate", model, "de.csv", *words) == succeed("evaluate", model, tumours)


def test_rows_that_lack_a_value_are_left_out_on_request(tumours, model):
    frame = pd.read_csv(tumours)
    frame.loc[[3, 10], "mean area"] = np.nan
    frame.loc[7, "diagnosis"] = None
    frame.to_csv("m.csv", index=False, na_rep="?")
    line = fail(2, "fit", "m.csv", "--target", "diagnosis")
    assert "'mean area' (line 5: '?'); " in line
    assert "--na '?'" in line
    line = fail(2, "fit", "m.csv", "--target", "diagnosis", "--na", "?")
    assert "column 'diagnosis' has no value ('?') in line 9" in line
    result = run("fit", "m.csv", "--target", "diagnosis", *QUICK, "--na", "?", "--drop-missing")
    assert result.stderr == "note: 3 of 150 rows lack a value\n"
    kept = np.setdiff1d(np.arange(150), [3, 7, 10])
    expected = fastlogit.fit(ROWS[kept], LABELS[kept], **QUICKLY)
    np.testing.assert_array_equal(load_model("m.model.npz").result.coef, expected.coef)
    result = run("evaluate", model, "m.csv", "--na", "?", "--drop-missing")
    assert "rows            147\n" in result.stdout
    X = ROWS.copy()
    X[[3, 10], 2] = np.nan
    np.savez("m.npz", X=X, y=LABELS)
    succeed("fit", "m.npz", *QUICK, "--drop-missing", "--out", "n.npz")
    expected = fastlogit.fit(
        np.delete(ROWS, [3, 10], axis=0), np.delete(LABELS, [3, 10]), **QUICKLY
    )
    np.testing.assert_array_equal(load_model("n.npz").result.coef, expected.coef)
    frame["mean area"] = np.nan
    frame.to_csv("m.csv", index=False)
    line = fail(2, "fit", "m.csv", "--target", "diagnosis", "--drop-missing")
    assert "every row lacks a value" in line


# --- predict


def test_predict_to_the_standard_output(model, tumours):
    lines = run("predict", model, tumours).stdout.splitlines()
    result = load_model(model).result
    assert lines[0] == "prediction"
    assert lines[1:] == result.predict(ROWS).tolist()


def test_predict_probabilities_are_exact(model, tumours):
    lines = run("predict", model, tumours, "--proba").stdout.splitlines()
    assert lines[0] == "prediction,proba_benign,proba_malignant"
    written = np.array([[float(value) for value in line.split(",")[1:]] for line in lines[1:]])
    np.testing.assert_array_equal(written, load_model(model).result.predict_proba(ROWS))


def test_predict_threshold(model, tumours):
    def malignant(*options):
        return run("predict", model, tumours, *options).stdout.count("malignant")

    assert malignant("--threshold", "0.1") > malignant() > malignant("--threshold", "0.9")


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.npz"])
def test_predict_to_a_file(irises, name):
    succeed("fit", irises, "--target", "kind", *QUICK)
    assert succeed("predict", "irises.model.npz", irises, "--proba", "--out", name) == ""
    if name.endswith(".npz"):
        with np.load(name) as file:
            columns = {key: file[key] for key in file.files}
    else:
        table = io.read_table(name)
        columns = {key: table.column(key) for key in table.names}
    kinds = ["setosa", "versicolor", "virginica"]
    assert list(columns) == ["prediction", *(f"proba_{kind}" for kind in kinds)]
    proba = np.column_stack([columns[f"proba_{kind}"] for kind in kinds])
    assert columns["prediction"].tolist() == [kinds[k] for k in proba.argmax(axis=1)]


def test_predict_takes_columns_by_name_and_notes_extra_ones(model):
    shuffled = dict(reversed(COLUMNS.items())) | {"clinic": np.arange(len(LABELS))}
    io.write_columns(Path("new.csv"), shuffled)
    result = run("predict", model, "new.csv")
    assert result.exit_code == 0
    assert result.stderr == "note: columns that the model does not use: 'clinic'\n"
    assert result.stdout == run("predict", model, "tumours.csv").stdout


def test_predict_names_missing_columns_and_near_names(model):
    renamed = {name.replace("mean radius", "mean_radius"): v for name, v in COLUMNS.items()}
    io.write_columns(Path("new.csv"), renamed)
    line = fail(2, "predict", model, "new.csv")
    assert "lacks 1 of the model's 5 columns: 'mean radius' (did you mean 'mean_radius'?)" in line


# --- evaluate


def test_evaluate_two_classes(model, tumours):
    output = succeed("evaluate", model, tumours)
    result = load_model(model).result
    right = np.mean(result.predict(ROWS) == LABELS)
    assert f"accuracy        {right:.4f}\n" in output
    assert "rows            150\n" in output
    assert "log-loss" in output
    assert "area under ROC" in output
    assert "malignant" in output


def test_evaluate_several_classes_and_another_target_column(irises):
    succeed("fit", irises, "--target", "kind", *QUICK)
    kinds = IRIS.target_names[KINDS]
    columns = dict(zip(IRIS.feature_names, FLOWERS.T, strict=True)) | {"truth": kinds}
    io.write_columns(Path("new.csv"), columns)
    result = run("evaluate", "irises.model.npz", "new.csv", "--target", "truth")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "accuracy        1.0000\n" in result.stdout
    assert "area under ROC" not in result.stdout
    assert "versicolor" in result.stdout


def test_evaluate_rows_of_one_class_only(model):
    rows = LABELS == "benign"
    some = {name: values[rows] for name, values in COLUMNS.items()}
    io.write_columns(Path("some.csv"), some | {"diagnosis": LABELS[rows]})
    output = succeed("evaluate", model, "some.csv")
    assert f"rows            {rows.sum()}\n" in output
    assert "area under ROC" not in output


def test_evaluate_unknown_label(model):
    io.write_columns(Path("new.csv"), COLUMNS | {"diagnosis": np.where(LABELS == "benign", 0, 1)})
    line = fail(2, "evaluate", model, "new.csv")
    assert "has the label 0, which the model does not know" in line
    assert "'benign', 'malignant'" in line


# --- bad input: one line, exit code 2

DESCEND = ["fit", "tumours.csv", "--target", "diagnosis", "--solver", "gradient_descent"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "tumours.csv"], "--target is needed"),
        (["fit", "tumours.csv", "--target", "diagnosi"], "did you mean 'diagnosis'?"),
        (["fit", "tumour.csv", "--target", "x"], "did you mean 'tumours.csv'?"),
        (["fit", "tumours.xls", "--target", "x"], "unknown kind of file"),
        (["fit", "tumours.csv", "--target", "mean radius"], "it is a quantity"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--weights", "w"], "column 'w' is not in"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--drop", "no"], "column 'no' is not in"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--solver", "sag"], "gradient_descent"),
        ([*DESCEND, "--step-size", "-1"], "step_size"),
        ([*DESCEND, "--step-size", "big"], "step_size"),
        ([*DESCEND, "--momentum", "heavy"], "nesterov"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--momentum", "none"], "gradient descent"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--no-standardize"], "gradient descent"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--C", "0"], "C must be"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--C", "1", "--l2-reg", "1"], "not both"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--max-iter", "-1"], "max_iter"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--tol", "-1"], "tol"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--tol", "small"], "--tol"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--threads", "0"], "n_threads"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--out", "no/m.npz"], "no directory no"),
        (["predict", "no.npz", "tumours.csv"], "no such model file"),
        (["predict", "tumours.csv", "tumours.csv"], "is not a fastlogit model file"),
        (["predict", "no.npz", "tumours.csv", "--out", "p.xls"], "must end in"),
        (["demo", "--out", "tumours.csv"], "it is not a directory"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--sep", ";;"], "--sep must be one"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--sep", ";"], "is --sep , meant?"),
        (["fit", "tumours.csv", "--target", "diagnosis", "--decimal", "1"], "--decimal must be"),
        (["fit"], "DATA"),
        (["ft"], "'ft'"),
        (["fit", "tumours.csv", "--targt", "diagnosis"], "--targt"),
        (["--nonsense"], "--nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(tumours, words, message):
    assert message in fail(2, *words)


def test_text_and_missing_values_in_features(tumours):
    towns = np.where(LABELS == "benign", "Oslo", "2")
    io.write_columns(Path("a.csv"), COLUMNS | {"town[red]": towns, "diagnosis": LABELS})
    line = fail(2, "fit", "a.csv", "--target", "diagnosis")
    assert "not numeric: 'town[red]' (line 21: 'Oslo')" in line
    assert "read the column as categories with --categories" in line
    succeed("fit", "a.csv", "--target", "diagnosis", "--drop", "town[red]", *QUICK)
    holes = COLUMNS["mean area"].copy()
    holes[[7, 9]] = np.nan
    io.write_columns(Path("b.csv"), COLUMNS | {"mean area": holes, "diagnosis": LABELS})
    line = fail(2, "fit", "b.csv", "--target", "diagnosis")
    assert "column 'mean area' has no value ('nan') in line 9" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("a,b\n", "has no rows"), ("a\n1\n2\n", "no column is left")],
)
def test_files_of_nothing(text, message):
    Path("a.csv").write_text(text)
    assert message in fail(2, "fit", "a.csv", "--target", "a")


def test_one_class_only(tumours):
    io.write_columns(Path("a.csv"), COLUMNS | {"diagnosis": np.full(len(LABELS), "x")})
    assert "class" in fail(2, "fit", "a.csv", "--target", "diagnosis")


def test_identifiers_are_no_classes(tumours):
    io.write_columns(Path("a.csv"), COLUMNS | {"id": np.arange(len(LABELS))})
    line = fail(2, "fit", "a.csv", "--target", "id")
    assert "has 150 different values in 150 rows: too many to be classes" in line


def test_truncated_files(model, tumours):
    Path(model).write_bytes(Path(model).read_bytes()[:300])
    assert "damaged or truncated" in fail(2, "predict", model, tumours)
    Path("t.csv").write_text(Path(tumours).read_text()[:5000].rsplit(",", 2)[0])
    assert "is the file truncated?" in fail(2, "fit", "t.csv", "--target", "diagnosis")


# --- failures: one line, exit code 1


def test_divergence_names_a_step_size(tumours):
    line = fail(1, *DESCEND, "--step-size", "1e6")
    assert "step size" in line
    assert not Path("tumours.model.npz").exists()


def test_unexpected_error_is_one_line_too(tumours, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a\nb")

    monkeypatch.setattr(fastlogit, "fit", broken)
    line = fail(1, "fit", tumours, "--target", "diagnosis")
    assert line == "error: RuntimeError: a b (unexpected; --debug shows where)"


@pytest.mark.parametrize(
    ("error", "message"),
    [(MemoryError(), "MemoryError"), (OSError(28, "No space left on device"), "No space left")],
)
def test_the_machine_fails(tumours, monkeypatch, error, message):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(fastlogit, "fit", broken)
    assert message in fail(1, "fit", tumours, "--target", "diagnosis")


@pytest.mark.parametrize("words", [["--debug", "fit"], ["fit", "--debug"]])
def test_debug_shows_the_traceback(words):
    result = run(*words, "none.csv", "--target", "y")
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1] == "error: no such file: none.csv"


def test_interrupt_writes_nothing(tumours, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fastlogit, "fit", interrupted)
    result = run("fit", tumours, "--target", "diagnosis")
    assert result.exit_code == 130
    assert result.stderr == "interrupted; nothing was written\n"
    assert not Path("tumours.model.npz").exists()


# --- missing extras


def hide(monkeypatch, *hidden):
    """Make importing a package fail as if it were not installed."""
    real_import = builtins.__import__

    def no_import(name, *args, **kwargs):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_import)


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_typer_or_rich_one_line_says_what_to_install(package):
    code = f"import sys; sys.modules[{package!r}] = None; from fastlogit.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"error: the command line needs {package}; install it with: pip install 'fastlogit[cli]'\n"
    )


def test_python_m_is_the_command_line():
    ended = subprocess.run(
        [sys.executable, "-m", "fastlogit", "--help"], capture_output=True, text=True
    )
    assert ended.returncode == 0
    assert "Usage: fastlogit" in ended.stdout
    code = (
        "import sys, runpy; sys.modules['typer'] = None; "
        "runpy.run_module('fastlogit', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == (
        "error: the command line needs typer; install it with: pip install 'fastlogit[cli]'\n"
    )


def test_main_without_typer(monkeypatch, capsys):
    for module in ("fastlogit.cli.commands", "fastlogit.cli.errors"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "needs typer" in capsys.readouterr().err


def test_main_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fastlogit", "--version"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert capsys.readouterr().out == f"fastlogit {fastlogit.__version__}\n"


def test_another_missing_package_is_not_blamed_on_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastlogit.cli.commands", None)
    with pytest.raises(ModuleNotFoundError, match="commands"):
        main()


def test_demo_without_matplotlib(monkeypatch):
    hide(monkeypatch, "matplotlib")
    assert "pip install 'fastlogit[all]'" in fail(1, "demo")


def test_parquet_without_pyarrow(irises, monkeypatch):
    hide(monkeypatch, "pyarrow")
    assert "pip install 'fastlogit[all]'" in fail(1, "fit", irises, "--target", "kind")


# --- demo, warmup, info, version, help


def test_demo_prints_its_table_and_pictures(monkeypatch):
    rows = (
        Row("tumours (30)", "linear regression", 0.942),
        Row("tumours (30)", "accelerated", 0.947, 0.118, 14_407.2, 2e-9, 0.0173, 7.2),
    )
    study = studies.STUDIES[2]

    def one_study(out):
        yield study, rows, out / "3-gradient-descent.png"

    monkeypatch.setattr(studies, "run", one_study)
    output = succeed("demo", "--out", "pictures")
    assert "linear regression    94.2%        -      -      -       -       -" in output
    assert "accelerated          94.7%    0.118 14,407  2e-09  0.0173     7.2" in output
    assert str(Path("pictures", "3-gradient-descent.png")) in output
    assert "1 pictures" in output


def without_compiling(monkeypatch):
    """Let no step of a warm-up compile; return those that were run."""
    done = []
    monkeypatch.setattr(warming, "_run_step", done.append)
    return done


@pytest.mark.parametrize(
    ("options", "kinds"), [([], "common"), (["--quick"], "quick"), (["--all"], "all")]
)
def test_warmup_says_what_it_does_and_where(options, kinds, monkeypatch):
    done = without_compiling(monkeypatch)
    output = succeed("warmup", "--processes", "1", *options)
    steps = warming._steps(kinds)[0]
    assert done == steps
    assert f"{len(steps)} of {len(steps)}: " in output
    assert f"cache: {policy.cache_folder()}" in output


def test_warmup_takes_one_set_of_kinds():
    assert "--quick and --all exclude each other" in fail(2, "warmup", "--quick", "--all")


def test_warmup_that_fails_says_so(monkeypatch):
    def run_step(step):
        raise RuntimeError("no such processor")

    monkeypatch.setattr(warming, "_run_step", run_step)
    result = run("warmup", "--quick", "--processes", "1")
    assert result.exit_code == 1
    assert "failed: RuntimeError: no such processor" in result.stdout


def test_warmup_without_a_cache_folder(monkeypatch):
    without_compiling(monkeypatch)
    monkeypatch.setattr(warming, "cache_folder", lambda: None)
    result = run("warmup", "--quick")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: no folder for the cache can be written")


def test_info():
    output = succeed("info")
    facts = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert facts["fastlogit"] == fastlogit.__version__
    assert facts["numpy"] == np.__version__
    assert "cache folder" in output
    assert "threading layer" in output


def test_info_names_what_is_not_installed(monkeypatch):
    import importlib.metadata

    real_version = importlib.metadata.version

    def version(name):
        if name == "pyarrow":
            raise importlib.metadata.PackageNotFoundError(name)
        return real_version(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(facts, "_threading_layer", lambda: "none")
    assert "pyarrow          not installed (optional)\n" in succeed("info")


def test_version_and_help():
    assert succeed("--version") == f"fastlogit {fastlogit.__version__}\n"
    assert "predict" in succeed()
    assert "--no-standardize" in succeed("fit", "--help")


# --- real processes

PROGRAM = [sys.executable, "-c", "from fastlogit.cli import main; main()"]


def test_a_real_process_fits_and_predicts(tumours):
    words = ["fit", tumours, "--target", "diagnosis", *QUICK, "--out", "m.npz"]
    ended = subprocess.run([*PROGRAM, *words], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    words = ["fit", tumours, "--target", "diagnos"]
    ended = subprocess.run([*PROGRAM, *words], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: target column 'diagnos' is not in tumours.csv")
    assert ended.stderr.count("\n") == 1


@pytest.mark.jit
def test_a_closed_pipe_is_quiet(model, tumours):
    shell = ["predict", model, tumours, "--proba"]
    process = subprocess.Popen(
        [*PROGRAM, *shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.jit
def test_ctrl_c_during_a_real_fit(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # with its progress bar we see when the fit begins
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 50))
    np.savez("big.npz", X=X, y=(X[:, 0] + rng.standard_normal(len(X)) > 0) * 1)
    words = ["fit", "big.npz", "--tol", "0", "--max-iter", "100000000", "--step-size", "1e-6"]
    words += ["--solver", "gradient_descent"]
    process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = b""
    while b"fitting" not in seen and (more := process.stderr.read1()):
        seen += more
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert errors.endswith(b"interrupted; nothing was written\n"), errors
    assert output == b""
    assert not Path("big.model.npz").exists()


def test_softmax_from_the_command_line(irises):
    fitted = "fit", irises, "--target", "kind", "--C", "1", "--multi-class"
    assert "suboptimality: at most" in succeed(*fitted, "multinomial")
    assert succeed("predict", "irises.model.npz", irises, "--proba", "--out", "p.npz") == ""
    kinds = ["setosa", "versicolor", "virginica"]
    with np.load("p.npz") as file:
        proba = np.column_stack([file[f"proba_{kind}"] for kind in kinds])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    table = io.read_table(irises)
    X = io.features(table, [name for name in table.names if name != "kind"])
    peer = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
    np.testing.assert_allclose(proba, peer.fit(X, KINDS).predict_proba(X), atol=1e-5)
    assert "multi_class" in fail(2, *fitted, "softmax")
