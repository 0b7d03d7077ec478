"""Compiling ahead: what is compiled, who compiles it, and that first calls then compile nothing."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

import fastlogit
from fastlogit import threads, warming
from fastlogit.design.dense import DenseDesign
from fastlogit.kernels.passes import Layout

pytestmark = pytest.mark.jit

ROOT = Path(__file__).parents[1]


@pytest.fixture
def steps_done(monkeypatch):
    """Let no step compile anything; return those that were run."""
    done = []
    monkeypatch.setattr(warming, "_run_step", done.append)
    return done


def test_groups_contain_each_other(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda n_threads: 2)
    taken = [warming._steps(kinds)[0] for kinds in warming.GROUPS]
    assert [len(steps) for steps in taken] == sorted({len(steps) for steps in taken})
    for kinds, steps in zip(warming.GROUPS, taken, strict=True):
        left = warming._steps(kinds)[1]
        assert set(steps).isdisjoint(left)
        assert {*steps, *left} == set(warming._all_steps())
        assert len(steps) == len(set(steps))
    quick = {step.kind for step in taken[0]}
    assert quick == {warming.WIDE, warming.OTHER, None}


def test_without_threads_nothing_is_compiled_for_them(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda n_threads: 1)
    steps = warming._steps("all")[0]
    assert not any(step.parallel for step in steps)
    assert len(steps) == len({(step.kind, step.part) for step in steps})


def test_functions_are_compiled_for_threads_unless_named_serial():
    parallel = {step.part: step.parallel for step in warming._all_steps() if step.kind is None}
    assert parallel == {part: part not in warming.SERIAL_PARTS for part in warming.FUNCTIONS}
    assert set(warming.SERIAL_PARTS) < set(warming.FUNCTIONS)
    for part, (one_thread, with_threads) in warming.SECONDS.items():
        assert (one_thread == with_threads) == (part in warming.SERIAL_PARTS)


@pytest.mark.parametrize("kind", sorted({s.kind for s in warming._all_steps() if s.kind}))
def test_each_kind_is_what_it_says(kind):
    X = warming._data(kind)
    design = DenseDesign(X)
    found = numba.typeof(design._rows.X)
    is_direct = design._layout is Layout.DIRECT
    assert is_direct == (kind is not warming.OTHER)
    assert str(found.dtype) == (kind.dtype if is_direct else "uint8")
    assert not found.mutable  # as users' arrays are seen
    assert (found.ndim, found.layout) == (1, "C")


def test_all_other_kinds_are_one_to_the_compiler():
    tables = [
        np.ones((9, 3), dtype) for dtype in ["?", "i1", "u1", "i2", ">u4", "i8", "f4", "f8", ">f8"]
    ]
    tables += [np.asfortranarray(np.ones((9, 12))), np.ones((9, 24))[:, ::2], np.ones((1, 1))]
    kinds = {numba.typeof(tuple(DenseDesign(X)._rows)) for X in tables}
    assert len(kinds) == 1


def test_says_what_it_does_and_what_it_leaves_out(steps_done, monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda n_threads: 2)
    lines = []
    done = fastlogit.warmup("quick", n_processes=1, verbose=lines.append)
    assert len(steps_done) == 5
    assert lines[0].startswith("1 of 5: float64, rows of 8 columns or more: fit: there already")
    assert lines[-1] == done.summary()
    assert done.compiled == done.failed == ()
    assert len(done.present) == 5
    assert done.n_processes == 1
    left = dict(done.left_out)
    # Those who take "quick" for lack of time see what that costs later.
    assert left["float32, rows of 8 columns or more"] > 10.0
    assert left["sparse rows"] > 5.0
    assert "left out" in lines[-1]
    assert "float32, rows" in lines[-1]
    assert "scan" in lines[-1]


def test_prints_unless_told_not_to(steps_done, capsys):
    fastlogit.warmup("quick", n_processes=1, verbose=False)
    assert capsys.readouterr().out == ""
    fastlogit.warmup("quick", n_processes=1)
    assert "5 of 5: " in capsys.readouterr().out


def test_counts_what_is_compiled(monkeypatch):
    def run(step):
        if step.kind is warming.WIDE:
            warming.activity().n_compiled += 3

    monkeypatch.setattr(warming, "_run_step", run)
    done = fastlogit.warmup("quick", n_processes=1, verbose=False)
    assert done.n_functions == 6
    assert {name.partition(":")[0] for name in done.compiled} == {warming.WIDE.name}
    assert {name.partition(":")[0] for name in done.present} == {warming.OTHER.name, "small fits"}


def test_a_step_that_fails_does_not_end_the_others(monkeypatch):
    def run(step):
        if step.part == "predict":
            raise RuntimeError("no such processor")

    monkeypatch.setattr(warming, "_run_step", run)
    done = fastlogit.warmup("quick", n_processes=1, verbose=False)
    assert (len(done.present), len(done.failed)) == (3, 2)
    assert all(text.endswith("predict: RuntimeError: no such processor") for text in done.failed)
    assert "failed: " in done.summary()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"kinds": "quik"}, ValueError, "kinds must be one of .*did you mean 'quick'"),
        ({"n_processes": 0}, ValueError, "n_processes must be at least 1"),
        ({"n_processes": 1.5}, TypeError, "n_processes must be a whole number"),
    ],
)
def test_refuses_bad_arguments(arguments, error, text, steps_done):
    with pytest.raises(error, match=text):
        fastlogit.warmup(**arguments)
    assert steps_done == []


# --- other processes; what they serve is replaced, so that they compile nothing

SERVE_NOTHING = """
import json, sys
sys.stdin.readline()
for line in sys.stdin:
    {what}
"""
ANSWER = "print(json.dumps([json.loads(line)[0], 0.5, '']), flush=True)"


def serve(monkeypatch, what):
    monkeypatch.setattr(warming, "_SERVE", SERVE_NOTHING.format(what=what))


def test_steps_are_dealt_out_to_processes(steps_done, monkeypatch):
    serve(monkeypatch, ANSWER)
    monkeypatch.setattr(threads, "thread_count", lambda n_threads: 2)
    lines = []
    done = fastlogit.warmup("common", n_processes=2, verbose=lines.append)
    assert steps_done == []
    assert lines[0].startswith("compiling in 2 processes")
    steps = warming._steps("common")[0]
    # Each was asked for by its own number: the answer is that number as the count of functions.
    numbers = {step[:3]: place for place, step in enumerate(warming._all_steps())}
    assert done.n_functions == sum(numbers[step[:3]] for step in steps)
    assert len(done.compiled) + len(done.present) == len(steps)
    assert done.compile_seconds == 0.5 * len(done.compiled)


def test_a_process_that_ends_is_named_and_this_one_goes_on(steps_done, monkeypatch):
    serve(monkeypatch, "sys.exit(1)")
    done = fastlogit.warmup("quick", n_processes=2, verbose=False)
    assert len(done.failed) == 2
    assert all("the process that compiled it ended" in text for text in done.failed)
    assert len(steps_done) == len(done.present) == 3


def test_without_other_processes_this_one_compiles(steps_done, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    done = fastlogit.warmup("quick", n_processes=2, verbose=False)
    assert len(steps_done) == len(done.present) == 5


def test_without_a_cache_no_process_is_started(steps_done, monkeypatch):
    monkeypatch.setattr(warming, "cache_folder", lambda: None)
    monkeypatch.setattr(warming, "_start_workers", None)
    done = fastlogit.warmup("quick", n_processes=2, verbose=False)
    assert (done.n_processes, done.folder) == (1, None)
    assert "each process compiles anew" in done.summary()


def test_without_the_jit_nothing_runs(steps_done, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    done = fastlogit.warmup("all", n_processes=2, verbose=False)
    assert steps_done == []
    assert done.present == done.left_out == ()


def test_an_interrupt_ends_the_processes(steps_done, monkeypatch):
    serve(monkeypatch, ANSWER)
    started = []
    real = warming._start_workers
    monkeypatch.setattr(
        warming, "_start_workers", lambda count: started.extend(real(count)) or list(started)
    )

    def interrupt(line):
        if line.startswith("1 of "):
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fastlogit.warmup("all", n_processes=2, verbose=interrupt)
    assert len(started) == 2
    assert all(worker.poll() is not None for worker in started)
    assert threading.active_count() == before


# --- real compilations

# Runs the code of its first argument and prints what was compiled meanwhile.
FIRST_CALL = """
import sys, warnings
warnings.simplefilter("ignore")
from fastlogit import clock
compiled = []
real = clock._LISTENER.on_start
clock._LISTENER.on_start = lambda event: (
    event.kind == "numba:compile" and compiled.append(clock._name_of(event.data)), real(event)
)
import numpy as np
import fastlogit
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_iris
irises, kinds = load_iris(return_X_y=True)
tumours, malign = load_breast_cancer(return_X_y=True)
tables = {
    "narrow": irises, "wide": tumours, "F": np.asfortranarray(tumours),
    "float32": tumours.astype(np.float32), "slice": irises[:, :2],
    "int64": irises.astype(np.int64), "bool": irises > 2.0,
}
try:
    exec(sys.argv[1])
except SystemExit as end:
    assert not end.code, end.code
print(*compiled, file=sys.stderr)
"""
FIRST_CALLS = {
    "fits": """
for name in tables:
    X, y = tables[name], malign if len(tables[name]) > 500 else kinds
    fitted = fastlogit.fit(X, y > 0, C=1.0)
    fitted.predict(X), fitted.predict_proba(X)
    fastlogit.fit(X, y, C=1.0, multi_class="multinomial" if y is kinds else "ovr")
    fastlogit.cost_gradient(X, (y > 0) * 1, np.zeros(X.shape[1]))
    fitted.predictor()(X[0])
    problem = fastlogit.Problem(X, y > 0, C=1.0)
    problem.cost_gradient(problem.start()), problem.hessian(problem.start())
    problem.hessian_product(problem.start(), problem.start())
""",
    "estimator": """
for name in tables:
    X, y = tables[name], malign if len(tables[name]) > 500 else kinds
    model = fastlogit.LogisticRegression().fit(X, y)
    model.predict(X), model.predict_proba(X), model.predict_log_proba(X), model.score(X, y)
fastlogit.LogisticRegression(multi_class="ovr").fit(irises, kinds).predict_proba(irises)
""",
    "solvers": """
for X, y in ((irises, kinds), (tumours, malign)):
    for solver in ("lbfgs", "newton-cg", "gradient_descent"):
        fastlogit.fit(X, y, C=1.0, solver=solver, max_iter=30)
        fastlogit.fit(X, y, C=1.0, solver=solver, max_iter=30, multi_class="multinomial")
fastlogit.gradient_descent(tumours, malign, max_iter=30)
weights = np.linspace(0.5, 1.5, len(kinds))
fastlogit.fit(irises, kinds, C=1.0, sample_weight=weights, offset=weights)
fastlogit.fit(irises[:100], kinds[:100])
digits = np.random.default_rng(0).normal(size=(300, 200))
fastlogit.fit(digits, np.arange(300) % 10, C=1.0, multi_class="multinomial", tol=1e-6)
many = np.random.default_rng(0).normal(size=(600, 10))
fastlogit.fit(many, np.arange(600) % 300, C=1.0, max_iter=3)
""",
    "CV": """
for X, y in ((irises, kinds), (tumours, malign), (tables["F"], malign)):
    fastlogit.LogisticRegressionCV(Cs=3, cv=3).fit(X, y).predict_proba(X)
fastlogit.logistic_path(tumours, malign, Cs=3)
""",
    "batches": """
model = fastlogit.LogisticRegression()
for start in (0, 50, 100):
    model.partial_fit(irises[start:start + 50], kinds[start:start + 50], classes=[0, 1, 2])
model = fastlogit.LogisticRegression().partial_fit(tumours, malign, classes=[0, 1])
model.predict_proba(tumours)
parts = [(irises[::2], kinds[::2]), (irises[1::2], kinds[1::2])]
source = fastlogit.BatchSource(lambda: iter(parts))
fastlogit.fit(source, C=1.0, multi_class="multinomial")
fastlogit.fit(source, C=1.0)
for multi_class in ("ovr", "multinomial"):
    fitted = fastlogit.fit(irises, kinds, C=1.0, multi_class=multi_class)
    fastlogit.leave_one_out(fitted, irises, kinds)
""",
    "functions": """
for values in (np.linspace(0.1, 0.9, 9), np.linspace(0.1, 0.9, 9, dtype=np.float32), 0.5):
    for name in ("sigmoid", "log1p_exp", "log_sigmoid", "logit"):
        getattr(fastlogit, name)(values)
""",
    "groups": """
tens = np.arange(len(tumours)) // 10
fitted = fastlogit.fit_groups(tumours[:, :3], malign, tens, C=1.0, prior_mean="pooled")
fitted.predict_proba(tumours[:, :3], tens, handle_unknown="nan")
fastlogit.fit_groups(tables["F"], malign, tens.astype(str), C=1.0, sample_weight=tens + 1.0)
rows = csr_array(tumours * (tumours > np.median(tumours, axis=0)))
fitted = fastlogit.fit_groups(rows, malign, tens, C=1.0, prior_mean="pooled")
fitted.predict_proba(rows, tens, handle_unknown="nan")
fastlogit.fit_groups(rows, malign, np.arange(len(tumours)) % 40, C=1.0)
""",
    "bootstrap": """
rows = csr_array(tumours * (tumours > np.median(tumours, axis=0)))
for X in (tumours[:, :5], rows):
    fastlogit.bootstrap(X, malign, 5, C=1.0, random_state=0)
    fastlogit.permutation(X, malign, n=5, C=1.0, random_state=0)
""",
    "inference": """
tens = np.arange(len(tumours)) // 10
more = np.column_stack([tumours[:, :5], np.random.default_rng(0).normal(size=(569, 4))])
for X in (tumours[:, :5], tumours[:, :5].copy(), more, np.asfortranarray(more)):
    fitted = fastlogit.fit(X, malign, C=np.inf)
    found = fastlogit.infer(fitted, X, malign)
    found.summary(), found.score_test(np.eye(2, 1 + X.shape[1]))
    found.marginal_effects(), found.average_predictions(by=tens % 3), found.predict(X)
    for cov_type in ("HC1", "HC3", "CR1", "CR2"):
        fastlogit.infer(
            fitted, X, malign, cov_type=cov_type, clusters=tens if cov_type[0] == "C" else None
        )
    fitted = fastlogit.fit(X, tens % 3, C=np.inf, multi_class="multinomial")
    fastlogit.infer(fitted, X, tens % 3, cov_type="CR1", clusters=tens)
""",
    "sparse": """
rows = csr_array(tumours * (tumours > np.median(tumours, axis=0)))
fastlogit.LogisticRegression().fit(rows, malign).predict_proba(rows)
fastlogit.LogisticRegression().fit(csr_array(irises), kinds).predict(csr_array(irises))
fastlogit.LogisticRegression(l1_ratio=1.0).fit(rows, malign)
""",
    "L1 and bounds": """
fastlogit.LogisticRegression(l1_ratio=0.5).fit(tumours, malign)
fastlogit.LogisticRegression(l1_ratio=1.0).fit(irises, kinds)
fastlogit.fit(tumours, malign, C=1.0, coef_bounds=(None, 0.0))
fastlogit.fit(tumours, malign, C=1.0, l1_ratio=1.0, penalty_groups=np.arange(30) % 10)
""",
    "paths of L1": """
genes = np.random.default_rng(0).normal(size=(100, 400))
ill = genes[:, 0] + np.random.default_rng(1).normal(size=100) > 0.0
few = csr_array(genes * (genes > 1))
for X in (genes, genes.astype(np.float32), np.asfortranarray(genes), few):
    fastlogit.logistic_path(X, ill, Cs=4, l1_ratio=1.0)
    fastlogit.logistic_path(X, ill, Cs=4, l1_ratio=0.5)
    fastlogit.LogisticRegressionCV(Cs=3, l1_ratios=[1.0], cv=3).fit(X, ill)
    fastlogit.fit(X, ill, C=10.0, l1_ratio=1.0)
fastlogit.logistic_path(tumours, malign, Cs=4, l1_ratio=1.0)
fastlogit.LogisticRegressionCV(Cs=3, l1_ratios=[1.0], cv=3).fit(irises, kinds)
""",
    "categories": """
import pandas
frame = pandas.DataFrame({"size": tumours[:, 0], "kind": pandas.Categorical(np.arange(569) % 5)})
fastlogit.LogisticRegression().fit(frame, malign).predict_proba(frame)
""",
    "frames": """
import pandas
frame = pandas.DataFrame(tumours).add_prefix("c")
fastlogit.LogisticRegression().fit(frame, malign).predict_proba(frame.iloc[:9])
""",
    "command line, fit": """
from fastlogit.cli import main
frame = "\\n".join(["a,b,c,d,kind"] + [
    ",".join([*map(str, row), f"k{kind}"]) for row, kind in zip(irises, kinds)
])
open("irises.csv", "w").write(frame)
sys.argv = "fastlogit fit irises.csv --target kind --C 1 --out model.npz".split()
main()
""",
    "command line, predict": """
from fastlogit.cli import main
sys.argv = "fastlogit predict model.npz irises.csv --out found.csv".split()
main()
""",
}
LARGE = """
X = np.random.default_rng(0).normal(size=(80_000, 12))
y = np.random.default_rng(0).normal(size=len(X)) > X[:, 0]
fastlogit.LogisticRegression().fit(X, y).predict_proba(X)
import numba
assert numba.threading_layer()
"""


def fresh(folder, *arguments, n_threads=1):
    """Run Python in a fresh process with a cache of its own; return what it wrote to stderr."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "NUMBA_DISABLE_JIT": "0",
        "NUMBA_NUM_THREADS": str(n_threads),
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=folder, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr.strip()


def kept(folder):
    return sorted((folder / "cache").rglob("*.nbc"))


@pytest.mark.slow(seconds=120)
def test_after_the_command_first_calls_compile_nothing(tmp_path):
    fresh(tmp_path, "-m", "fastlogit", "warmup")
    before = kept(tmp_path)
    assert before
    compiled = {name: fresh(tmp_path, "-c", FIRST_CALL, code) for name, code in FIRST_CALLS.items()}
    assert compiled == dict.fromkeys(FIRST_CALLS, "")
    assert kept(tmp_path) == before
    # A second run finds all there.
    code = "print(*fastlogit.warmup(verbose=False).compiled, file=sys.stderr)"
    assert fresh(tmp_path, "-c", FIRST_CALL, code) == ""

    # With threads: the same steps, of which one kind is enough here.
    if threads.usable_cpus() == 1:
        return
    code = """
from fastlogit import warming
for step in warming._steps("quick")[0]:
    if step.kind is warming.WIDE:
        assert step.parallel
        warming._run_step(step)
compiled.clear()
"""
    assert fresh(tmp_path, "-c", FIRST_CALL, code, n_threads=2) == ""
    before = kept(tmp_path)
    assert fresh(tmp_path, "-c", FIRST_CALL, LARGE, n_threads=2) == ""
    assert kept(tmp_path) == before


@pytest.mark.slow
def test_compiling_takes_nothing_from_a_time_limit(tmp_path):
    """From an empty cache a fit compiles for many times its limit, and converges all the same."""
    code = """
import time
began = time.perf_counter()
fitted = fastlogit.fit(irises, kinds, C=1.0, multi_class="multinomial", time_limit=1.0)
assert time.perf_counter() - began > 3.0  # else this says nothing
assert fitted.converged, fitted.message
search = fastlogit.LogisticRegressionCV(Cs=2, cv=3, time_limit=1.0).fit(irises, kinds)
assert search.result_.converged, search.result_.message
assert compiled
compiled.clear()
"""
    assert fresh(tmp_path, "-c", FIRST_CALL, code) == ""
