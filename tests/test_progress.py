"""Callbacks of scikit-learn during a fit, where this scikit-learn has them; printed lines."""

import dataclasses
import importlib.util
import re
import time

import numpy as np
import pytest
from numba.core import event
from problems import problem, sized, three_classes
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import accuracy_score, log_loss

import fastlogit
from fastlogit import LogisticRegression
from fastlogit.clock import Clock, activity
from fastlogit.estimators.progress import CallbackSupport, ProgressLines, is_listened_to, line_of
from fastlogit.result import Progress

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

EACH_SOLVER = ["auto", "lbfgs", "newton", "newton-cg", pytest.param("gd", marks=pytest.mark.jit)]
# Between the last view and the model. Newton's method takes one step more than callbacks see, once
# what is missing of the cost is proven to be a 1e-12th of it: of the log-loss, whose slope is not 0
# where the penalty's is not, its root.
APART = {"auto": 1e-6, "newton": 1e-6, "lbfgs": 1e-9, "newton-cg": 1e-9, "gd": 1e-9}
CASES = [(2, "multinomial"), (3, "multinomial"), (3, "ovr")]


def data(n_classes):
    n_samples = sized(300, 45)
    return problem(n_samples, 3)[:2] if n_classes == 2 else three_classes(n_samples, 3)


class Recorder:
    """A callback that keeps what it is told; it may ask for the end after some iterations."""

    def __init__(self, stop_after=None):
        self.stop_after, self.begun, self.ended, self.views = stop_after, [], [], []
        self.starts = []
        self.n_setup = self.n_teardown = 0

    def setup(self, estimator, context):
        self.n_setup += 1

    def teardown(self, estimator, context):
        self.n_teardown += 1

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.begun.append((context.task_name, context.task_id, context.max_subtasks))
        if fitted_estimator is not None:
            self.starts.append(fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.ended.append((context.task_name, context.task_id, context.max_subtasks))
        if context.task_name == "iteration" and fitted_estimator is not None:
            self.views.append((X, y, metadata, fitted_estimator))
        return self.stop_after is not None and len(self.views) >= self.stop_after


def test_nobody_listens_to_a_plain_estimator() -> None:
    assert not is_listened_to(LogisticRegression())


def test_the_line_of_an_iteration() -> None:
    progress = Progress(7, 0.125, 1.5, lambda: (np.zeros(1), 0.0))
    assert line_of(progress) == "iteration 7: cost 0.125, 1.50 s"
    many = dataclasses.replace(progress, n_done=3, n_fits=50)
    assert line_of(many) == "3 of 50 fits done, iteration 7: cost 0.125, 1.50 s"


def silent_for(seconds):
    """Rows that are slow to come: a fit of which nothing is heard for a while."""

    class Rows:
        shape, dtype = (400, 3), np.dtype(float)
        values = problem(400, 3)[0]

        def __getitem__(self, rows):
            time.sleep(seconds)
            return self.values[rows]

    return Rows(), problem(400, 3)[1]


def test_a_long_fit_says_within_a_second_what_it_does() -> None:
    X, y = silent_for(0.3)
    lines = []
    with ProgressLines(lines.append) as report:
        fastlogit.fit(X, y, C=1.0, callback=report)
    told = [line for line in lines if "passes over X so far" in line]
    assert told
    # Also once the columns are standardised, in another design than the first.
    assert lines[-1].startswith("iteration") or "passes over X so far" in lines[-1]
    assert sum("looking at X and y" in line for line in lines) <= 1
    assert re.fullmatch(r"\d\.\d s: [a-zA-Z].*, \d+\.\d passes over X so far", told[0])
    assert any(line.startswith("iteration 1: cost") for line in lines)


def test_compiling_is_told_and_is_not_the_fits_time() -> None:
    lines = []
    with ProgressLines(lines.append):
        began, here = time.perf_counter(), activity()
        before = here.compile_seconds(began)
        # The lock of numba's compiler is held for the time of a long compilation.
        event.start_event("numba:compiler_lock")
        event.start_event("numba:compile", data={"dispatcher": Compiling})
        time.sleep(1.3)
        event.end_event("numba:compile", data={})
        event.end_event("numba:compiler_lock")
    assert before == 0.0
    assert 1.2 < here.compile_seconds(began) <= time.perf_counter() - began
    assert lines
    assert "compiling kernels, once: test_progress.a_kernel" in lines[0]
    clock = Clock(began, 1.0)
    assert not clock.is_late()
    assert clock.is_late(1.0)


class Compiling:
    """What numba's event of a compilation tells."""

    def py_func():
        raise NotImplementedError

    py_func.__name__ = "a_kernel"


def test_without_silence_there_are_the_callbacks_lines_only() -> None:
    X, y = data(2)
    lines = []
    with ProgressLines(lines.append, each=False) as report:
        fastlogit.fit(X, y, C=1.0, callback=report)
    assert [line for line in lines if line.startswith("iteration")] == []


if importlib.util.find_spec("sklearn.callback") is None:

    def test_without_the_protocol_there_is_no_method_for_it() -> None:
        assert not hasattr(LogisticRegression(), "set_callbacks")
        assert vars(CallbackSupport).keys().isdisjoint({"set_callbacks", "_init_callback_context"})

else:
    from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor

    @pytest.mark.parametrize("solver", EACH_SOLVER)
    @pytest.mark.parametrize(("n_classes", "multi_class"), CASES)
    def test_each_iteration_is_a_task_with_a_view_of_the_model(
        solver, n_classes, multi_class
    ) -> None:
        X, y = data(n_classes)
        weight = np.linspace(0.5, 1.5, len(y))
        recorder = Recorder()
        model = LogisticRegression(solver=solver, multi_class=multi_class, max_iter=20_000)
        model.set_callbacks(recorder).fit(X, y, weight)
        plain = clone(model).set_callbacks().fit(X, y, weight)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        assert (recorder.n_setup, recorder.n_teardown) == (1, 1)
        assert sorted(recorder.begun) == sorted(recorder.ended)
        assert recorder.begun[0] == ("fit", 0, 20_001)
        assert recorder.ended[-1] == ("fit", 0, 20_001)
        inner = [task for task in recorder.ended if task[0] == "iteration"]
        assert inner == [("iteration", number, 0) for number in range(len(inner))]
        if solver == "gd":  # it tells its bursts, and the last one when it has ended
            assert len(recorder.views) == len(inner) > 0
        else:  # the last is empty
            assert len(recorder.views) == len(inner) - 1 == model.n_iter_[0]
        costs = []
        for seen_X, seen_y, metadata, view in recorder.views:
            assert seen_X is X
            assert seen_y is y
            assert metadata["sample_weight"] is weight
            assert view.coef_.shape == model.coef_.shape
            assert view.intercept_.shape == model.intercept_.shape
            costs.append(log_loss(y, view.predict_proba(X), sample_weight=weight))
        assert view.n_iter_[0] == model.n_iter_[0]
        np.testing.assert_allclose(view.coef_, model.coef_, rtol=1e-5, atol=1e-7)
        wanted = log_loss(y, model.predict_proba(X), sample_weight=weight)
        np.testing.assert_allclose(costs[-1], wanted, rtol=APART[solver])
        if solver != "gd":
            np.testing.assert_array_equal(recorder.starts[-1].coef_, view.coef_)

    def test_no_view_is_made_for_who_does_not_ask(monkeypatch) -> None:
        monkeypatch.setattr(Progress, "coef", property(lambda progress: pytest.fail("asked")))

        class Counter(Recorder):
            def on_fit_task_begin(self, estimator, context):
                pass

            def on_fit_task_end(self, estimator, context):
                self.ended.append(context.task_name)

        counter = Counter()
        model = LogisticRegression().set_callbacks(counter).fit(*data(2))
        assert counter.ended == ["iteration"] * (model.n_iter_[0] + 1) + ["fit"]

    @pytest.mark.parametrize("solver", EACH_SOLVER[:-1])
    def test_a_callback_ends_the_fit(solver) -> None:
        X, y = data(3)
        recorder = Recorder(stop_after=2)
        model = LogisticRegression(solver=solver).set_callbacks(recorder).fit(X, y)
        assert model.n_iter_.tolist() == [2]
        assert not model.result_.converged
        assert "callback" in model.result_.message

    @pytest.mark.parametrize("solver", EACH_SOLVER)
    @pytest.mark.parametrize(("n_classes", "multi_class"), CASES)
    def test_the_scoring_monitor_of_scikit_learn(solver, n_classes, multi_class) -> None:
        X, y = data(n_classes)
        monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
        model = LogisticRegression(solver=solver, multi_class=multi_class, max_iter=20_000)
        model.set_callbacks(monitor).fit(X, y)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
        last = rows[-1]
        np.testing.assert_allclose(
            last["neg_log_loss"], -log_loss(y, model.predict_proba(X)), rtol=APART[solver]
        )
        assert last["accuracy"] == accuracy_score(y, model.predict(X))
        # The first step from the shares of the classes already tells something.
        shares = np.bincount(y) / len(y)
        assert rows[0]["neg_log_loss"] > np.sum(shares * np.log(shares))

    def test_the_scoring_monitor_takes_the_weights() -> None:
        X, y = data(2)
        weight = np.linspace(0.1, 2.0, len(y))
        monitor = ScoringMonitor(scoring="neg_log_loss")
        model = LogisticRegression().set_callbacks(monitor).fit(X, y, weight)
        wanted = -log_loss(y, model.predict_proba(X), sample_weight=weight)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
        np.testing.assert_allclose(rows[-1]["neg_log_loss"], wanted, rtol=1e-9)

    @pytest.mark.parametrize("solver", EACH_SOLVER)
    def test_the_progress_bar_of_scikit_learn(solver, capsys) -> None:
        X, y = data(3)
        LogisticRegression(solver=solver, max_iter=20_000).set_callbacks(ProgressBar()).fit(X, y)
        shown = capsys.readouterr().out
        assert "LogisticRegression - fit" in shown
        assert "100%" in shown

    def test_lines_are_printed_besides(capsys) -> None:
        recorder = Recorder()
        model = LogisticRegression(verbose=1).set_callbacks(recorder).fit(*data(2))
        assert len(recorder.views) == model.n_iter_[0]
        lines = capsys.readouterr().out.splitlines()
        assert sum("] iteration " in line for line in lines) == model.n_iter_[0]
        assert lines[-1].endswith(model.result_.message)

    class Outer(CallbackSupportMixin, BaseEstimator):
        """A meta-estimator that hands its callbacks on."""

        def __init__(self, inner):
            self.inner = inner

        def fit(self, X, y):
            from sklearn.callback._callback_support import callback_management_context

            with callback_management_context(self):
                outer = self._init_callback_context(max_subtasks=2)
                outer.call_on_fit_task_begin(estimator=self)
                for number in range(2):
                    part = outer.subcontext(task_name=f"part {number}")
                    model = clone(self.inner)
                    part.call_on_fit_task_begin(estimator=self)
                    with part.propagate_callback_context(model):
                        model.fit(X[number::2], y[number::2])
                    part.call_on_fit_task_end(estimator=self)
                outer.call_on_fit_task_end(estimator=self)
            return self

    class Propagated(Recorder):
        max_propagation_depth = None

    def test_the_tasks_are_part_of_a_meta_estimators() -> None:
        recorder = Propagated()
        Outer(LogisticRegression()).set_callbacks(recorder).fit(*data(2))
        assert (recorder.n_setup, recorder.n_teardown) == (1, 1)
        assert [task[:2] for task in recorder.ended if task[0] == "fit"] == [
            ("fit", 0), ("fit", 1), ("fit", 0),
        ]  # fmt: skip
        assert len(recorder.views) > 2

    def test_an_error_in_a_callback_is_raised_and_everything_torn_down() -> None:
        class Failing(Recorder):
            def on_fit_task_end(self, estimator, context):
                raise RuntimeError("from the callback")

        failing = Failing()
        model = LogisticRegression().set_callbacks(failing)
        with pytest.raises(RuntimeError, match="from the callback"):
            model.fit(*data(2))
        assert failing.n_teardown == 1
        assert not hasattr(model, "_callback_fit_ctx")
