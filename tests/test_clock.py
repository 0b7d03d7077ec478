"""Time limits: the clock, what numba compiles meanwhile, and limits that come at any moment."""

import time
import warnings

import numpy as np
import pytest
from numba.core import event
from problems import grid_of, problem, sized, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit.clock import GRACE, Clock, TimeUp, activity, part_of

pytestmark = pytest.mark.jit


@pytest.fixture(autouse=True)
def nothing_compiled_before(monkeypatch):
    monkeypatch.setattr(activity(), "_stays", [])


def ago(seconds):
    return time.perf_counter() - seconds


def compile_for(seconds):
    event.start_event("numba:compiler_lock")
    event.start_event("numba:compiler_lock")  # nested, as for a function inside another
    time.sleep(seconds)
    event.end_event("numba:compiler_lock")
    event.end_event("numba:compiler_lock")


def test_a_clock_without_limit_never_ends() -> None:
    clock = Clock(ago(1e6), None)
    clock.check(1e9)
    assert clock.left() is None
    assert not clock.is_late(1e9)


def test_what_would_end_too_late_does_not_begin() -> None:
    clock = Clock(ago(1.0), 11.0)
    clock.check(9.0)
    clock.check(10.0 + 0.5 * GRACE)
    with pytest.raises(TimeUp):
        clock.check(11.0)
    assert 9.0 < clock.left() <= 10.0
    with pytest.raises(TimeUp):
        Clock(ago(1.0), 0.5).check()


def test_the_conclusion_has_a_little_time_and_ends_quietly() -> None:
    clock = Clock(ago(10.0), 10.0 - 0.5 * GRACE)
    went = []
    with clock.conclusion():
        clock.check()
        went.append("on")
        raise TimeUp
    assert went == ["on"]
    assert clock.is_late()
    with clock.stopped():
        clock.check(1e9)
    assert clock.is_late()


def test_the_seconds_of_compiling_are_not_those_of_the_limit() -> None:
    began = time.perf_counter()
    compile_for(0.2)
    assert 0.2 <= activity().compile_seconds(began) <= time.perf_counter() - began
    assert activity().compile_seconds(time.perf_counter()) == 0.0
    assert not Clock(began, 0.15).is_late()
    assert Clock(began, 0.15).is_late(0.15)


def test_a_real_compilation_is_counted() -> None:
    import numba

    began, before = time.perf_counter(), activity().n_compiled
    numba.njit(lambda x: x + 1.0)(1.0)
    assert 0.0 < activity().compile_seconds(began) <= time.perf_counter() - began
    assert activity().n_compiled == before + 1
    assert activity().compiling == []


def test_a_function_without_a_module_is_compiled_like_any_other() -> None:
    import numba

    before, names = activity().n_compiled, {"__builtins__": {}}
    exec("def plus(x):\n    return x + 2.0", names)  # as other libraries make code
    names["plus"].__module__ = None
    assert numba.njit(names["plus"])(1.0) == 3.0
    assert activity().n_compiled == before + 1


def test_parts_count_from_where_the_whole_began() -> None:
    with part_of(ago(5.0), 0.5):
        assert Clock(time.perf_counter(), 9.0).is_late()
        assert not Clock(time.perf_counter(), 11.0).is_late()
    assert not Clock(time.perf_counter(), 9.0).is_late()


class Countdown:
    """Makes the time limit come after so many looks at the clock."""

    def __init__(self, monkeypatch, looks):
        self.left = looks
        monkeypatch.setattr(Clock, "is_late", self.is_late)

    def is_late(self, ahead=0.0):
        self.left -= 1
        return self.left < 0


CASES = [
    ("newton", "ovr", 50.0), ("lbfgs", "ovr", 10.0), ("newton-cg", "multinomial", 10.0),
    ("newton", "multinomial", 1.0), ("newton-cg", "ovr", 10.0), ("gradient_descent", "ovr", 1.0),
]  # fmt: skip


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.parametrize(("solver", "multi_class", "C"), CASES)
def test_a_limit_may_come_at_any_moment(solver, multi_class, C, monkeypatch) -> None:
    X, y = three_classes(sized(240, 60), 4)
    options = {"C": C, "multi_class": multi_class, "solver": solver}
    best = np.asarray(fastlogit.fit(X, y, tol=1e-13, **options).history)[-1]
    ends = set()
    for looks in range(0, 200, 7):
        with monkeypatch.context() as patched, warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            Countdown(patched, looks)
            result = fastlogit.fit(X, y, time_limit=3.0, tol=1e-10, **options)
        ends.add(result.converged)
        assert np.isfinite(result.coef).all()
        assert result.converged or "time_limit=3.0 s" in result.message
        # Never smaller than true.
        lacks = np.asarray(result.history)[-1] / best - 1.0
        assert (np.asarray(result.suboptimality) >= lacks - 1e-12).all()
    assert False in ends


def test_a_limit_may_come_at_any_moment_of_a_grid(monkeypatch) -> None:
    X, y = three_classes(sized(240, 60), 4)
    folds = np.ones((2, len(y)))
    folds[0, ::2] = folds[1, 1::2] = 0.0
    full = grid_of(X, y, [0.1, 10.0], fold_weights=folds)
    for looks in range(0, 200, 7):
        with monkeypatch.context() as patched, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Countdown(patched, looks)
            grid = grid_of(X, y, [0.1, 10.0], fold_weights=folds, time_limit=3.0)
        assert np.isfinite(grid.coef).all()
        if not grid.converged.all():
            assert "time_limit=3 s ended the fits" in str(caught[0].message)
        np.testing.assert_allclose(
            grid.coef[grid.converged], full.coef[grid.converged], atol=1e-4, rtol=1e-4
        )


def test_a_last_fit_without_time_says_so() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fastlogit.LogisticRegressionCV(
            time_limit=1e-9, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False
        ).fit(X, y)
    assert {warning.category for warning in caught} == {ConvergenceWarning}
    texts = [str(warning.message) for warning in caught]
    assert texts[0].startswith("time_limit=1e-09 s ended the fits: 0 of 50 fits converged")
    assert texts[-1].startswith("time_limit=1e-09 s left nothing for the last fit")
    assert {warning.filename for warning in caught} == {__file__}
    assert "chosen where 0 of 50 fits had converged" in model.result_.message
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.slow
def test_large_work_ends_near_its_limit() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 300))
    y = (X @ rng.normal(size=(300, 10)) * 0.3 + rng.gumbel(size=(20_000, 10))).argmax(axis=1)
    for limit in (0.3, 1.0):
        began = time.perf_counter()
        with pytest.warns(ConvergenceWarning, match="time_limit"):
            fastlogit.fit(X, y, C=1.0, multi_class="multinomial", tol=1e-14, time_limit=limit)
        spent = time.perf_counter() - began - activity().compile_seconds(began)
        assert spent < limit + 2.0  # 0.2 on a quiet machine, where the proof took 6
