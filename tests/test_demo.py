"""The demonstration's numbers: what it claims about the models is so."""

import contextlib
import dataclasses
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from fastlogit import demo, plots, threads
from fastlogit.demo import studies
from fastlogit.kernels import policy

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit


@pytest.fixture(scope="module", autouse=True)
def short_timings():
    """Time the NumPy loops for 2 ms each: the speed itself is no test's business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo.numpy_loop, "TIMING_SECONDS", 0.002)
        yield


@pytest.fixture(scope="module")
def far_out():
    return demo.far_out.far_out()


@pytest.fixture(scope="module")
def descent():
    return demo.descent.descent()


@pytest.fixture(scope="module")
def circles():
    return demo.boundaries.circles()


@pytest.fixture(scope="module")
def digits():
    return demo.one_vs_all.digits()


def draws(draw, record):
    """Tell that a picture can be drawn and is not blank."""
    figure = Figure(layout="constrained")
    draw(record, figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    return len(np.unique(pixels.reshape(-1, 4), axis=0)) > 20


def test_split_sets_the_same_rows_aside_each_time():
    X, y = demo.data.tumours()
    first, second = demo.data.split(X, y), demo.data.split(X, y)
    np.testing.assert_array_equal(first.X_test, second.X_test)
    assert len(first.y_test) == 171
    assert abs(first.y.mean() - first.y_test.mean()) < 0.01
    assert first.X.flags.c_contiguous


def test_tumours_are_1_where_malignant():
    X, y = demo.data.tumours("mean radius")
    assert X.shape == (569, 1)
    assert y.sum() == 212
    assert X[y == 1].mean() > X[y == 0].mean()


@pytest.mark.jit
def test_hypothesis_predicts_1_exactly_where_x1_plus_x2_is_at_least_3():
    study = demo.hypothesis.hypothesis()
    np.testing.assert_array_equal(study.y, study.X.sum(axis=1) >= 3)
    assert draws(demo.hypothesis.draw_hypothesis, study)


@pytest.mark.jit
def test_one_slip_drags_least_squares_along_and_logistic_regression_stays(far_out):
    linear, logistic = zip(*far_out.boundaries.values(), strict=True)
    assert linear[1] - linear[0] > 4
    assert abs(logistic[1] - logistic[0]) < 0.01
    accuracies = {(row.data, row.model): row.accuracy for row in far_out.rows}
    assert accuracies["tumours (1)", "linear regression"] > 0.85
    assert accuracies["one slip (1)", "linear regression"] < 0.7
    assert accuracies["tumours (1)", "logistic"] == accuracies["one slip (1)", "logistic"]
    assert draws(demo.far_out.draw_far_out, far_out)


@pytest.mark.jit
def test_the_tutorial_says_what_its_picture_shows(far_out):
    page = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
    said = re.findall(r"# -> predict malignant from ([\d.]+)", page)
    assert said == [f"{linear:.1f}" for linear, _ in far_out.boundaries.values()]
    said = re.findall(r"# -> boundary ([\d.]+)", page)
    assert said == [f"{logistic:.1f}" for _, logistic in far_out.boundaries.values()]
    malignant = far_out.x["as measured"][far_out.y == 1]
    figure = Figure()
    demo.far_out.draw_far_out(far_out, figure)
    shown = [
        text.get_text().rpartition(" ")[2]
        for ax in figure.axes
        for text in ax.get_legend().get_texts()
        if "boundary" in text.get_text()
    ]
    drawn = [f"{value:.1f}" for pair in far_out.boundaries.values() for value in pair]
    assert shown == drawn
    missed = np.mean(malignant < far_out.boundaries["one slip"][0])
    assert 0.75 < missed < 0.8
    assert re.search(r"Nearly four malignant\s+tumours in five are then missed", page)


@pytest.mark.jit
def test_one_slip_changes_one_value(far_out):
    changed = far_out.x["one slip"] != far_out.x["as measured"]
    assert changed.sum() == 1
    assert far_out.y[changed].tolist() == [1]


@pytest.mark.jit
def test_both_descents_arrive_the_accelerated_one_sooner_and_newton_at_once(descent):
    for result in (descent.plain, descent.accelerated):
        assert result.converged
        assert result.history[-1] - descent.exact.history[-1] < 1e-6
    assert descent.accelerated.n_iter < descent.plain.n_iter / 5
    assert descent.exact.n_iter < descent.accelerated.n_iter / 20
    assert np.all(np.diff(descent.plain.history) <= 1e-12)
    assert draws(demo.descent.draw_descent, descent)


@pytest.mark.jit
def test_descent_arrives_where_scikit_learn_does(descent):
    data = demo.data.standardized(demo.data.split(*demo.data.tumours()))
    peer = LogisticRegression(C=1 / (0.001 * len(data.y)), tol=1e-10, max_iter=10_000)
    peer.fit(data.X, data.y)
    np.testing.assert_allclose(descent.accelerated.coef, peer.coef_[0], atol=2e-3)
    np.testing.assert_allclose(descent.exact.coef, peer.coef_[0], atol=1e-5)


@pytest.mark.jit
def test_where_the_optimum_is_wanted_it_is_proven(far_out, descent, circles, digits):
    results = [*far_out.logistic.values(), descent.exact, *circles.results.values(), digits.result]
    assert [result.converged for result in results] == [True] * len(results)
    assert max(np.max(result.suboptimality) for result in results) <= 1e-12


@pytest.mark.jit
def test_a_circle_is_learnt_with_squares_and_not_without(circles):
    line, conic = circles.rows
    assert line.accuracy < 0.6
    assert conic.accuracy > 0.95
    centre, rim = np.zeros((1, 2)), np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    predict = circles.results[2].predict
    assert predict(circles.transforms[2](centre)).tolist() == [1]
    assert predict(circles.transforms[2](rim)).tolist() == [0, 0, 0, 0]
    assert draws(demo.boundaries.draw_circles, circles)


@pytest.mark.jit
def test_tumour_boundaries():
    study = demo.boundaries.tumour_boundaries()
    assert [row.accuracy > 0.85 for row in study.rows] == [True, True]
    assert study.rows[1].log_loss < study.rows[0].log_loss
    assert draws(demo.boundaries.draw_tumour_boundaries, study)


@pytest.mark.jit
def test_iris():
    study = demo.one_vs_all.iris()
    assert study.class_names == ("setosa", "versicolor", "virginica")
    assert [row.accuracy > 0.9 for row in study.rows] == [True, True]
    assert draws(demo.one_vs_all.draw_iris, study)


@pytest.mark.jit
def test_digits(digits):
    (row,) = digits.rows
    assert digits.result.converged
    assert row.accuracy > 0.94
    assert row.accuracy == pytest.approx(np.trace(digits.confusion) / digits.confusion.sum())
    assert digits.result.coef.shape == (64, 10)
    assert draws(demo.one_vs_all.draw_digits, digits)


@pytest.mark.jit
def test_cross_validation_finds_the_middle_of_its_grid():
    study = demo.cross_validation.cross_validation()
    (row,) = study.rows
    assert demo.cross_validation.CS[4] < study.model.C_ < demo.cross_validation.CS[-4]
    assert study.model.grid_.converged.all()
    assert row.n_passes > study.model.result_.n_passes
    assert row.accuracy > 0.94
    assert row.log_loss < 0.12
    assert draws(demo.cross_validation.draw_cross_validation, study)


@pytest.mark.jit
def test_every_row_of_a_logistic_model_has_all_numbers(far_out, descent, circles, digits):
    rows = [row for study in (far_out, descent, circles, digits) for row in study.rows]
    for row in rows:
        assert 0 <= row.accuracy <= 1
        if row.model == "linear regression":
            assert row.log_loss is row.n_passes is row.suboptimality is row.speedup is None
        else:
            assert row.log_loss > 0
            assert row.n_passes > 0
            assert 0 <= row.suboptimality < 1e-5
            assert row.seconds > 0
            assert row.speedup > 0


@pytest.mark.jit
def test_times_numpy_of_several_classes_and_of_momentum():
    data = demo.data.standardized(
        demo.data.split(*demo.data.tumours("mean radius", "mean texture"))
    )
    assert demo.numpy_loop.times_numpy(data.X, data.y, "nesterov") > 0
    assert demo.numpy_loop.times_numpy(data.X, np.arange(len(data.X)) % 3) > 0


def test_run_makes_the_directory_and_its_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "STUDIES", studies.STUDIES[:1])
    lines = plots._grid_lines
    monkeypatch.setattr(plots, "_grid_lines", lambda values, n_grid: lines(values, 20))
    out = tmp_path / "deep" / "pictures"
    ((study, rows, picture),) = studies.run(out)
    assert study.title == "sigmoid and decision boundary"
    assert rows == ()
    assert picture == out / "1-hypothesis.png"
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_study_runs_and_is_drawn_in_one_thread(tmp_path, monkeypatch):
    pool = threads.thread_count(None)
    seen = []

    def compute():
        seen.append(threads.thread_count(None))
        return demo.hypothesis.hypothesis()

    def draw(record, figure):
        seen.append(threads.thread_count(None))

    study = dataclasses.replace(studies.STUDIES[0], compute=compute, draw=draw)
    monkeypatch.setattr(studies, "STUDIES", (study, study))
    monkeypatch.setattr(studies, "compile_kernels", lambda: None)
    for _ in studies.run(tmp_path):
        seen.append(threads.thread_count(None))
    assert seen == [1, 1, pool] * 2


def test_one_thread_is_given_back_after_an_error():
    before = numba.get_num_threads()
    with contextlib.suppress(KeyError), studies.one_thread():
        assert numba.get_num_threads() == 1
        raise KeyError
    assert numba.get_num_threads() == before


# --- compiling


@pytest.fixture
def two_processors(monkeypatch):
    monkeypatch.setattr(threads, "usable_cpus", lambda: 2)


class Helper:
    """Stands for the process that compiles, and notes what becomes of it."""

    def __init__(self, command, **options):
        self.command, self.options, self.fate = command, options, []
        Helper.made.append(self)

    def wait(self):
        self.fate.append("waited for")
        return 0

    def kill(self):
        self.fate.append("killed")


@pytest.fixture
def helpers(monkeypatch, two_processors):
    Helper.made = []
    monkeypatch.setattr(subprocess, "Popen", Helper)
    return Helper.made


def compile_with(monkeypatch, n_compiled):
    """Let `compile_kernels` find so many functions to compile for narrow rows; return its calls."""
    kinds = []

    def compile_kind(kind):
        kinds.append(kind)
        if kind == "narrow":
            activity.n_compiled += n_compiled

    activity = demo.compiling.activity()
    monkeypatch.setattr(activity, "n_compiled", activity.n_compiled)
    monkeypatch.setattr(demo.compiling, "compile_kind", compile_kind)
    demo.compiling.compile_kernels()
    return kinds


@pytest.mark.parametrize("n_compiled", [0, 3])
def test_another_process_compiles_and_is_waited_for_only_if_there_is_something_to_compile(
    monkeypatch, helpers, n_compiled
):
    assert compile_with(monkeypatch, n_compiled) == ["narrow", "wide"]
    (helper,) = helpers
    assert helper.command[0] == sys.executable
    assert helper.command[-1] == "wide"
    assert helper.fate == ["waited for"] * (n_compiled > 0) + ["killed", "waited for"]


def test_another_process_ends_when_this_one_is_interrupted(monkeypatch, helpers):
    def interrupted(kind):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.compiling, "compile_kind", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.compiling.compile_kernels()
    assert helpers[0].fate == ["killed", "waited for"]


def test_no_other_process_where_none_is_of_use(monkeypatch, helpers):
    with monkeypatch.context() as patch:
        patch.setattr(threads, "usable_cpus", lambda: 1)
        assert compile_with(patch, 3) == ["narrow", "wide"]
    with monkeypatch.context() as patch:
        patch.setattr(demo.compiling, "cache_folder", lambda: None)
        assert compile_with(patch, 3) == ["narrow", "wide"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "")
        assert compile_with(patch, 3) == ["narrow", "wide"]
    assert helpers == []


def test_one_process_is_enough_if_no_other_can_be_started(monkeypatch, two_processors):
    def refused(*command, **options):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refused)
    assert compile_with(monkeypatch, 3) == ["narrow", "wide"]


@pytest.mark.skipif(policy.cache_folder() is None, reason="nothing is kept on the disk")
def test_another_process_finds_this_package_and_its_cache(monkeypatch, two_processors, tmp_path):
    demo.compiling.compile_kind("wide")  # so that there is nothing to compile, only to load
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo.compiling, "_COMPILE", demo.compiling._COMPILE + TELLS)
    with demo.compiling._process_that_compiles("wide") as helper:
        assert helper.wait() == 0
    folder, n_compiled = (tmp_path / "told").read_text("utf-8").split("\n")
    assert folder == str(policy.cache_folder())
    assert int(n_compiled) == 0


TELLS = """
from fastlogit.clock import activity
from fastlogit.kernels.policy import cache_folder
with open("told", "w", encoding="utf-8") as told:
    told.write(f"{cache_folder()}\\n{activity().n_compiled}")
"""


def shortened(solve):
    """Return a solver that takes three steps and does not complain that they are few."""

    def short(X, y, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return solve(X, y, **options | {"max_iter": 3})

    return short


def few_rows(data):
    """Return a split with about 90 of its rows: ten classes are all among them."""
    rows = slice(None, None, max(1, len(data.y) // 90))
    return demo.data.Split(data.X[rows].copy(), data.y[rows], data.X_test, data.y_test)


@pytest.mark.parametrize("study", studies.STUDIES, ids=lambda study: study.picture)
def test_every_study_is_drawn_whatever_came_out_of_it(study, monkeypatch):
    split = demo.data.split
    for module in (demo.far_out, demo.descent, demo.boundaries, demo.one_vs_all):
        monkeypatch.setattr(module, "fit", shortened(module.fit))
        monkeypatch.setattr(module, "split", lambda X, y: few_rows(split(X, y)))
    descent = shortened(demo.descent.gradient_descent)
    monkeypatch.setattr(demo.descent, "gradient_descent", descent)
    monkeypatch.setattr(demo.numpy_loop, "gradient_descent", descent)
    monkeypatch.setattr(demo.cross_validation, "split", lambda X, y: few_rows(split(X, y)))
    monkeypatch.setattr(demo.cross_validation, "MAX_ITER", 1)
    monkeypatch.setattr(demo.cross_validation, "CS", [0.01, 1.0])
    lines = plots._grid_lines
    monkeypatch.setattr(plots, "_grid_lines", lambda values, n_grid: lines(values, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        record = study.compute()
    assert draws(study.draw, record)
