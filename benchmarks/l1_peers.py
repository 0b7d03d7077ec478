"""Libraries that fit paths of logistic regression with L1, for `benchmarks.l1_path`.

This file runs in an environment of its own, as `benchmarks.peers` does, and needs only NumPy, SciPy
and the library it is asked for, never fastlogit. `python -m benchmarks.l1_peers serve PEER FOLDER`
reads X, y, Cs and the training rows of folds from FOLDER, fits all folds for every tolerance that
it reads, a line each, leaves coefficients there, and says the seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

MANY = 100_000


def by_celer(X: Any, y: Any, Cs: Any, tol: float) -> Any:
    """Celer's own path: duality gap below tol times the cost of no coefficients."""
    from celer import celer_path

    _, coefs, *_ = celer_path(
        X, 2.0 * y - 1.0, pb="logreg", alphas=1.0 / Cs, tol=tol, max_iter=1_000, max_epochs=MANY
    )
    return coefs.T


def by_skglm(X: Any, y: Any, Cs: Any, tol: float) -> Any:
    """Its proximal Newton, each C from the one before."""
    from skglm.estimators import SparseLogisticRegression

    model = SparseLogisticRegression(fit_intercept=False, warm_start=True, tol=tol, max_iter=1_000)
    found = []
    for C in Cs:
        model.alpha = 1.0 / (C * len(y))
        found.append(model.fit(X, y).coef_[0].copy())
    return np.array(found)


def by_liblinear(X: Any, y: Any, Cs: Any, tol: float) -> Any:
    """Through scikit-learn, each C for itself: it has no warm starts."""
    from sklearn.linear_model import LogisticRegression

    options = {"solver": "liblinear", "l1_ratio": 1.0, "fit_intercept": False, "random_state": 0}
    return np.array(
        [LogisticRegression(C=C, tol=tol, max_iter=MANY, **options).fit(X, y).coef_[0] for C in Cs]
    )


Path_ = Callable[[Any, Any, Any, float], Any]
# The name of its distribution, and tolerances from the loosest one on.
FINE = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10)
PEERS: dict[str, tuple[str, Path_, tuple[float, ...]]] = {
    "celer": ("celer", by_celer, FINE),
    "skglm": ("skglm", by_skglm, FINE),
    "scikit-learn liblinear": ("scikit-learn", by_liblinear, FINE),
}


def load(folder: Path) -> tuple[Any, Any, Any, Any]:
    sparse, dense = folder / "X.npz", folder / "X.npy"
    X = scipy.sparse.load_npz(sparse) if sparse.exists() else np.load(dense)
    return X, np.load(folder / "y.npy"), np.load(folder / "Cs.npy"), np.load(folder / "folds.npy")


def serve(name: str, folder: Path) -> None:
    """Tell the version, then fit once for each line, which holds a tolerance."""
    distribution, path, _ = PEERS[name]
    X, y, Cs, folds = load(folder)
    # Celer and skglm work column by column: laid out so before the clock starts.
    X = X.tocsc() if scipy.sparse.issparse(X) else np.asfortranarray(X)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path(X[:20], np.arange(20) % 2, Cs[:1], 1e-1)  # compiled
        print(json.dumps({"version": metadata.version(distribution)}), flush=True)
    except Exception as error:  # a library that is not there, or is broken
        print(json.dumps({"reason": f"{type(error).__name__}: {error}"}), flush=True)
        return
    for line in sys.stdin:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = time.perf_counter()
            parts = ((X, y) if rows.all() else (X[rows], y[rows]) for rows in folds)
            coefs = np.array([path(*part, Cs, float(line)) for part in parts])
            seconds = time.perf_counter() - began
        np.save(folder / "coefs.npy", coefs)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[2], Path(sys.argv[3]))
