"""The engine's table and the peers: adapters, worker processes, the judge, the table itself."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def load(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def tiny(n_samples: int = 300, n_features: int = 4, n_classes: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n_samples, n_features)) * np.exp(rng.uniform(-1, 1, n_features))
    raw_prediction = X @ rng.standard_normal((n_features, n_classes))
    noisy = raw_prediction + rng.gumbel(size=raw_prediction.shape)
    return X, noisy.argmax(axis=1)


def gap(X: Any, y: Any, C: float, coef: Any, intercept: Any) -> float:
    optimum = load("optimum")
    least = optimum.objective_value(X, y, *optimum.optimum(X, y, C), C)
    return float(optimum.objective_value(X, y, coef, intercept, C) / least - 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    X, y = tiny()
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    return tmp_path


def test_objective_is_that_of_the_formula() -> None:
    X, y = tiny(20)
    coef, intercept, C = np.array([0.5, -1.0, 2.0, 0.1]), 0.3, 2.5
    h = 1.0 / (1.0 + np.exp(-(X @ coef + intercept)))
    expected = -C * np.sum(np.where(y == 1, np.log(h), np.log(1.0 - h))) + 0.5 * np.sum(coef**2)
    found = load("optimum").objective_value(X, y, coef, intercept, C)
    assert found == pytest.approx(expected, rel=1e-12)


def test_objective_of_classes_is_the_sum_of_one_against_the_rest() -> None:
    objective_value = load("optimum").objective_value
    X, y = tiny(40, n_classes=3)
    coef, intercept = np.random.default_rng(0).standard_normal((4, 3)), np.array([0.1, 0.2, -1.0])
    parts = [objective_value(X, y == k, coef[:, k], intercept[k], 0.7) for k in range(3)]
    assert objective_value(X, y, coef, intercept, 0.7) == pytest.approx(sum(parts), rel=1e-14)


def test_objective_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    optimum = load("optimum")
    X, y = tiny()
    whole = optimum.objective_value(X, y, np.ones(4), 0.5, 1.0)
    monkeypatch.setattr(optimum, "BLOCK_ELEMENTS", 28)
    assert optimum.objective_value(X, y, np.ones(4), 0.5, 1.0) == pytest.approx(whole, rel=1e-14)


def test_softmax_objective_is_that_of_the_formula() -> None:
    X, y = tiny(30, n_classes=3)
    rng = np.random.default_rng(0)
    coef, intercept, C = rng.standard_normal((4, 3)), rng.standard_normal(3), 0.7
    odds = np.exp(X @ coef + intercept)
    own = (odds / odds.sum(axis=1, keepdims=True))[np.arange(30), y]
    expected = -C * np.log(own).sum() + 0.5 * np.sum(coef**2)
    found = load("optimum").softmax_value(X, y, coef, intercept, C)
    assert found == pytest.approx(expected, rel=1e-12)


def test_softmax_optimum_is_the_least_and_its_excess_is_bounded() -> None:
    optimum = load("optimum")
    X, y = tiny(200, n_classes=3)
    best = optimum.softmax_optimum(X, y, 1.5)
    least = optimum.softmax_value(X, y, *best, 1.5)
    assert optimum.softmax_excess(X, y, *best, 1.5) <= 1e-12 * least
    assert np.abs(best[0].sum(axis=1)).max() <= 1e-10
    again = optimum.softmax_optimum(X, y, 1.5, best)
    np.testing.assert_allclose(again[0], best[0], atol=1e-7)
    rng = np.random.default_rng(1)
    for size in (1e-4, 1e-2, 1.0):
        point = best[0] + size * rng.standard_normal((4, 3)), best[1]
        excess = optimum.softmax_value(X, y, *point, 1.5) - least
        assert 0.0 < excess <= optimum.softmax_excess(X, y, *point, 1.5)
    # Where intercepts alone are off, the bound is half the squared decrement of a small step.
    point = best[0], best[1] + [1e-3, 0.0, -1e-3]
    excess = optimum.softmax_value(X, y, *point, 1.5) - least
    assert optimum.softmax_excess(X, y, *point, 1.5) == pytest.approx(excess, rel=1e-2)


@pytest.mark.parametrize("name", ["newton-cg", "lbfgs", "newton-cholesky"])
def test_peers_of_a_softmax_find_its_optimum(name: str) -> None:
    optimum, peers = load("optimum"), load("peers")
    X, y = tiny(200, n_classes=3)
    fit = peers.find(f"scikit-learn {name}, softmax").fit
    least = optimum.softmax_value(X, y, *optimum.softmax_optimum(X, y, 1.5), 1.5)
    assert optimum.softmax_value(X, y, *fit(X, y, 1.5, 1e-8), 1.5) <= least * (1.0 + 1e-8)


@pytest.mark.parametrize("shape", [(300, 4), (12, 30)], ids=["by features", "by rows"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_optimum_has_no_gradient(shape: tuple[int, int], n_classes: int) -> None:
    X, y = tiny(*shape, n_classes=n_classes)
    coef, intercept = load("optimum").optimum(X, y, 1.5)
    positive = np.array([1]) if n_classes == 2 else np.arange(n_classes)
    h = 1.0 / (1.0 + np.exp(-(X @ coef + intercept)))
    residual = 1.5 * (h - (y[:, None] == positive))
    np.testing.assert_allclose(X.T @ residual + coef, 0.0, atol=1e-6)
    np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-6)


def test_optimum_from_that_of_every_tenth_row(monkeypatch: pytest.MonkeyPatch) -> None:
    optimum = load("optimum")
    X, y = tiny(10_000)
    found = optimum.optimum(X, y, 1.0)
    monkeypatch.setattr(optimum, "ROWS_PER_FEATURE", 10_000)
    np.testing.assert_allclose(found[0], optimum.optimum(X, y, 1.0)[0], rtol=1e-7)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "newton-cg", "liblinear", "saga"])
@pytest.mark.parametrize("C", [1.0, 0.02])
def test_adapters_of_scikit_learn_minimise_the_objective(solver: str, C: float) -> None:
    X, y = tiny()
    coef, intercept = load("peers").fit_sklearn(X, y, C, 1e-9, solver=solver)
    assert coef.shape == (4,)
    assert abs(gap(X, y, C, coef, intercept)) <= 1e-8


def test_classes_are_fitted_one_by_one() -> None:
    peers = load("peers")
    X, y = tiny(n_classes=3)
    coef, intercept = peers.fit_models(peers.fit_sklearn, X, y, 1.0, 1e-9)
    assert (coef.shape, intercept.shape) == ((4, 3), (3,))
    assert abs(gap(X, y, 1.0, coef, intercept)) <= 1e-8


def test_a_penalised_intercept_is_near_enough_to_a_free_one() -> None:
    peers, optimum = load("peers"), load("optimum")
    for n_samples, C in ((300, 1.0), (4_000, 0.01), (20_000, 1.0)):
        X, y = tiny(n_samples)
        y[: n_samples // 2] = 1
        scale = peers.intercept_scale(n_samples, C)
        # In units of `scale` its coefficient has the penalty of all others.
        coef, none = optimum.optimum(X, y, C)
        found = peers.fit_sklearn(
            np.column_stack([X, np.full(n_samples, scale)]), y, C, 1e-10, "liblinear"
        )
        total = found[0][-1] * scale + found[1]
        assert abs(gap(X, y, C, found[0][:-1], total)) <= 1e-8
        assert (coef.shape, none.shape) == ((4, 1), (1,))


@pytest.fixture
def broken_library(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a peer whose library is there but fails to fit."""
    peers = load("peers")

    def fail(X: Any, y: Any, C: float, tol: float) -> Any:
        raise ValueError("no such luck")

    monkeypatch.setitem(peers.PEERS, "broken", peers.Peer("numpy", "numpy", fail, (1.0,)))
    return "broken"


def served(name: str, folder: Path, tolerances: str) -> list[dict[str, Any]]:
    answers = io.StringIO()
    load("peers").serve(name, folder, 1.0, io.StringIO(tolerances), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_a_worker_answers_each_tolerance(folder: Path) -> None:
    hello, loose, fine = served("scikit-learn lbfgs", folder, "1e-1\n1e-9\n")
    assert hello == {"version": importlib.import_module("sklearn").__version__}
    assert min(loose["seconds"], fine["seconds"]) > 0.0
    assert 0.0 <= fine["others"]
    rows = np.load(fine["coef"])
    X, y = tiny()
    assert abs(gap(X, y, 1.0, rows[:-1], rows[-1])) <= 1e-8


def test_a_worker_tells_what_went_wrong(folder: Path, broken_library: str) -> None:
    assert served(broken_library, folder, "1e-1\n")[1] == {"error": "ValueError: no such luck"}


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = load("peers")
    absent = peers.Peer("no_such_library", "no-such-library", peers.fit_torch, (1.0,))
    monkeypatch.setitem(peers.PEERS, "absent", absent)
    (hello,) = served("absent", Path(), "1.0\n")
    assert hello["reason"].startswith("ModuleNotFoundError: No module named 'no_such_library'")


def test_liblinear_gets_pairs_of_column_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    class Node(ctypes.Structure):
        _fields_ = (("index", ctypes.c_int), ("value", ctypes.c_double))

    class Problem(ctypes.Structure):
        _fields_ = (
            ("l", ctypes.c_int),
            ("n", ctypes.c_int),
            ("y", ctypes.POINTER(ctypes.c_double)),
            ("x", ctypes.POINTER(ctypes.POINTER(Node))),
            ("bias", ctypes.c_double),
        )

    # As the C library declares them; it is not installed here.
    library = types.SimpleNamespace(feature_node=Node, problem=Problem)
    monkeypatch.setitem(sys.modules, "liblinear", types.ModuleType("liblinear"))
    monkeypatch.setitem(sys.modules, "liblinear.liblinear", library)
    X, y = tiny(5)
    found = load("peers").liblinear_problem(X, y)
    assert (found.l, found.n, found.bias) == (5, 4, -1.0)
    assert found.y[:5] == list(y)
    for row in range(5):
        nodes = [found.x[row][column] for column in range(6)]
        assert [node.index for node in nodes] == [1, 2, 3, 4, -1, -1]
        assert [node.value for node in nodes[:4]] == list(X[row])


@pytest.fixture
def rules() -> Any:
    return load("contest").Rules(sys.executable, threads=1, limit=60.0)


def judge(coef: Any, intercept: Any) -> float:
    return gap(*tiny(), 1.0, coef, intercept)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load("contest"), "BLAS_PAUSE", 0.0)


def test_the_first_tolerance_that_reaches_the_optimum_counts(folder: Path, rules: Any) -> None:
    said: list[Any] = []
    names = ["scikit-learn lbfgs", "scikit-learn newton-cholesky"]
    standings = load("contest").contest(names, folder, 1.0, judge, rules, said.append)
    assert [s.peer for s in said] == names
    assert sorted(s.peer for s in standings) == names
    assert standings[0].seconds <= standings[1].seconds
    for standing in standings:
        assert 0.0 < standing.fastest <= standing.seconds
        assert standing.suboptimality <= 1e-8
        assert standing.tol in load("peers").PEERS[standing.peer].ladder


def test_a_peer_that_comes_nowhere_near_says_how_far_it_came(folder: Path, rules: Any) -> None:
    contest = load("contest")
    standing = contest.enter("scikit-learn lbfgs", folder, 1.0, lambda coef, b: 0.25, rules)
    assert standing.seconds is None
    assert standing.suboptimality == 0.25
    assert standing.note.startswith("reached 2.5e-01 in ")
    assert standing.note.endswith("at tol=0.001")


def test_a_peer_that_takes_too_long_is_stopped(folder: Path, rules: Any) -> None:
    contest = load("contest")
    with contest.Worker("scikit-learn lbfgs", folder, 1.0, rules) as worker:
        worker.receive(contest.STARTING)
        with pytest.raises(contest.TooSlowError):
            worker.fit(1e-3, 0.0)
    assert worker.process.returncode is not None


def test_a_worker_that_dies_leaves_its_last_words(folder: Path, rules: Any) -> None:
    contest = load("contest")
    standing = contest.enter("no such peer", folder, 1.0, judge, rules)
    assert standing.note.startswith("could not start: its process ended with 2: ")
    assert "invalid choice" in standing.note
    assert contest.missing([standing]) == [f"no such peer: {standing.note}"]


@pytest.mark.parametrize("name", ["wide_scales", "standardised", "few_rows", "digits", "tumours"])
def test_workloads_are_what_they_say_and_always_the_same(name: str, tmp_path: Path) -> None:
    workloads = load("workloads")
    first, again = (workloads.WORKLOADS[name](workloads.Source(2_000), tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert first.X.flags.c_contiguous
    assert np.unique(first.y).size == (10 if name == "digits" else 2)
    assert f"{first.X.shape[0]:,} x {first.X.shape[1]} float64" in first.setting


def test_the_model_behind_the_data_is_right_for_four_rows_of_five() -> None:
    workloads, optimum = load("workloads"), load("optimum")
    workload = workloads.normal(workloads.Source(50), (1_000_000, 20), correlated=True)
    coef, intercept = optimum.optimum(workload.X, workload.y, 1.0)
    right = ((workload.X @ coef + intercept)[:, 0] > 0.0) == workload.y
    assert 0.78 <= right.mean() <= 0.82
    correlations = np.corrcoef(workload.X, rowvar=False)
    assert np.diag(correlations, 1).min() >= 0.88
    assert workload.X.std(axis=0).max() / workload.X.std(axis=0).min() >= 3.0


@pytest.mark.parametrize("by_fold", [False, True], ids=["one process", "processes"])
def test_folds_of_a_peer_are_models_side_by_side(by_fold: bool) -> None:
    X, y = tiny(100)
    coef, intercept = load("peers").fit_cv(X, y, np.nan, 1e-8, "newton-cholesky", by_fold)
    assert coef.shape == (4, 50)
    assert intercept.shape == (50,)
    train = next(iter(StratifiedKFold(5).split(X, y)))[0]
    for index, C in ((0, 1e-4), (9, 1e4)):
        assert abs(gap(X[train], y[train], C, coef[:, index], intercept[index])) <= 1e-8


def test_a_worker_is_ended_with_those_it_started(tmp_path: Path, folder: Path) -> None:
    contest = load("contest")
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\nsleep 60 &\necho "{\\"version\\": \\"$!\\"}"\nwait\n', "utf-8")
    script.chmod(0o755)
    with contest.Worker("cyanure", folder, 1.0, contest.Rules(str(script), 1)) as worker:
        child = int(worker.receive(20.0)["version"])
        assert runs(child)
    assert not runs(child)


def runs(process: int) -> bool:
    """Say whether a process is there and has not ended, after a moment to end."""
    state = Path(f"/proc/{process}/stat")
    for _ in range(50):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        if state.exists() and state.read_text("utf-8").rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.01)
    return True


def quick(rows: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    only = [word for row in rows for word in ("--only", row)]
    load("engine").main(["--quick", "--no-peers", "--threads", "1", *only])
    return capsys.readouterr().out


@pytest.mark.jit
def test_engine_measures_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    printed = quick(["small", "pass"], capsys)
    assert "| small | fit, relative suboptimality | 400 x 20 float64" in printed
    assert "| pass | one pass | 2,000 x 100 float64, K = 10, 1 threads |" in printed
    assert "- small: " in printed


@pytest.mark.jit
@pytest.mark.slow
def test_engine_measures_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    engine = load("engine")
    printed = quick(list(engine.ROWS), capsys)
    for row in engine.ROWS:
        assert f"\n| {row} | " in printed
    for kind in ("in memory", "streamed"):
        assert f"{kind} | before the fit | <= 5 % of X above |" in printed
    for line in printed.splitlines():
        assert "relative suboptimality |" not in line or "| yes |" in line


@pytest.mark.jit
def test_engine_with_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, peers = load("engine"), load("peers")
    few = {name: peers.PEERS[name] for name in ("scikit-learn lbfgs", "snapml dual")}
    monkeypatch.setattr(peers, "PEERS", few)
    run = engine.Run(repeat=1, threads=1, shrink=500, peers_python=sys.executable)
    content = engine.measure(["small"], run)
    row = content["rows"]["small"]
    best = next(figure for figure in row["figures"] if figure["baseline"].startswith("best peer"))
    assert best["baseline"] == "best peer to 1e-08: scikit-learn lbfgs"
    assert best["measured"] > 0.0
    assert best["seconds"]["scikit-learn lbfgs"] > 0.0
    printed = engine.table(content)
    # snapml is not installed here: reported by name, with the reason.
    assert "snapml dual: not available: ModuleNotFoundError" in printed
    assert "| small | scikit-learn lbfgs " in printed


@pytest.fixture
def content() -> dict[str, Any]:
    engine, speed = load("engine"), load("speed")
    figure = speed.Figure(
        "small", "fit", "here", "a|b", 4.0, False, "times faster", 5.0, {"read": 0.1}, "2026-01-02"
    )
    row = {"figures": [vars(figure)], "standings": [], "notes": ["small: a note"]}
    return {"machine": engine.machine(), "rows": {"small": row}}


def test_the_page_gets_the_engines_table(tmp_path: Path, content: dict[str, Any]) -> None:
    engine = load("engine")
    figures, page, place = tmp_path / "engine.json", tmp_path / "benchmarks.md", engine.PLACE
    engine.merged(figures, content)
    page.write_text(f"above\n{place.begin}\nold\n{place.end}\nbelow\n", "utf-8")
    for _ in range(2):
        engine.main(["--table", "--json", str(figures), "--write", str(page)])
    text = page.read_text("utf-8")
    assert text.startswith(f"above\n{place.begin}\nMeasured 2026-01-02 on ")
    assert text.endswith(f"- small: a note\n{place.end}\nbelow\n")
    line = "| small | fit | here | a/b | >= 4 times faster | 5 | yes | read 100 ms |"
    assert text.count(line) == 1
    assert "old" not in text


def test_rows_not_measured_stay(tmp_path: Path, content: dict[str, Any]) -> None:
    engine, path = load("engine"), tmp_path / "engine.json"
    engine.merged(path, content)
    other = {**content, "rows": {"wide_scales": content["rows"]["small"]}}
    assert list(engine.merged(path, other)["rows"]) == ["wide_scales", "small"]
    other["machine"] = {**content["machine"], "cpu": "another one"}
    with pytest.raises(SystemExit, match="another machine"):
        engine.merged(path, other)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--peers-python PATH or --no-peers"),
        (["--table"], "--table needs --json"),
        (["--quick", "--no-peers", "--json", "x.json"], "not worth keeping"),
        (["--only", "small", "--no-peers", "--write", "x.md"], "would lose the other rows"),
    ],
)
def test_contradictory_options_are_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load("engine").main(arguments)
    assert text in capsys.readouterr().err
