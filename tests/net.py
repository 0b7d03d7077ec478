"""What the net is made of: recipes of inputs, what must come of them, and the oracle.

A recipe is a dict of plain values that `hypothesis` draws; `Case` makes arrays, frames, labels and
weights of it, and says whether the input is sound, bad or at the edge of float64:

- sound (FINE): the call must return, and what it returns is held against the formulas in long
  double;
- bad (BAD): the call must refuse it, in words of the library's own;
- at the edge (OPEN): either.

No example may hang, leak a warning of NumPy's or change what it was given.
"""

import contextlib
import linecache
import os
import re
import signal
import time
import traceback
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.clock import activity

FINE, OPEN, BAD = 0, 1, 2
# An example takes 10 ms; one that takes longer than this, on a busy machine too, hangs. Compiling
# does not count, as far as it is known while it lasts.
GUARD_SECONDS = 60
# Of the slow tests: the processor seconds for an entry, the examples of a seed, and the first seed,
# for which the environment may have another one.
BUDGET_SECONDS = float(os.environ.get("FASTLOGIT_NET_SECONDS", "60"))
PART = 500
SEED = int(os.environ.get("FASTLOGIT_NET_SEED", "0"))
LONG = np.longdouble
EPSILON = float(np.finfo(LONG).eps)
CLASSES_MOST = 5
# Coefficients for which the oracle's own Newton method takes milliseconds.
NEWTON_MOST = 30
# Steps of the oracle for L1, and sweeps over the coordinates for each.
ORACLE_STEPS, ORACLE_SWEEPS = 12, 40

# --- recipes --------------------------------------------------------------------------------

COLUMNS_FINE = (
    "normal", "whole", "binary", "few", "constant", "zero", "copy", "sum", "near 1e-3", "near 1e-7",
    "near 1e-12", "cauchy", "far 1e4", "far 1e8", "times 1e-6", "times 1e6", "times 1e-150",
    "times 1e150", "first row only", "skewed",
)  # fmt: skip
COLUMNS_RARE = (
    "times 1e-300",
    "times 1e300",
    "times 1e306",
    "denormal",
    "mixed sizes",
    "nan",
    "inf",
)
# Each of NumPy's types that has kernels of its own costs seconds of compiling.
DTYPES_FEW = ("f8",) * 8 + ("f4", "f4", "f2", "O", "g")
DTYPES_ALL = (
    *DTYPES_FEW,
    "?",
    "?",
    "i8",
    "i8",
    "i1",
    "i2",
    "i4",
    "u1",
    "u2",
    "u4",
    "u8",
    "decimal",
)
# Of these an entry meets one, which the first seed changes, and int64 for the others: all of them
# for each entry would be most of the time, and all of it compiling.
DTYPES_WHOLE_RARE = ("i1", "i2", "i4", "u1", "u2", "u4", "u8")
LAYOUTS = ("C",) * 5 + (
    "F",
    "strided",
    "reversed",
    "read-only",
    "swapped",
    "broadcast",
    "unaligned",
)
CARRIERS = ("numpy",) * 8 + (
    "list", "pandas", "pandas nullable", "pandas arrow", "pandas mixed", "polars", "pyarrow",
)  # fmt: skip
CARRIERS_RARE = ("1-D", "3-D", "text", "complex", "dates", "masked")
LABELS_FINE = (
    "ints", "ints", "signed", "huge", "uint64", "floats", "bools", "text", "object text",
    "object ints", "nullable ints", "nullable text", "categorical", "polars", "pyarrow", "list",
    "int8", "swapped",
)  # fmt: skip
LABELS_RARE = (
    "halves", "missing", "none", "dates", "mixed", "nan", "2-D", "short", "long", "bytes",
    "intervals", "complex", "scalar", "objects",
)  # fmt: skip
WEIGHTS_FINE = (None,) * 8 + (
    "ones", "whole", "some zeros", "four orders", "list", "pandas", "nullable", "float16", "polars",
)  # fmt: skip
WEIGHTS_RARE = (
    "huge", "tiny", "mixed sizes", "negative", "nan", "inf", "zeros", "short", "2-D", "of classes",
    "text", "scalar", "overflow", "one row only", "one class only",
)  # fmt: skip
OFFSETS_FINE = (None,) * 8 + ("normal", "constant 50", "constant -300", "mixed", "1e5", "list")
OFFSETS_RARE = ("1e300", "nan", "short", "other shape", "text")


def mostly(common: Any, rare: Any, share: int = 8) -> Any:
    """Draw a common value, and once in `share` times a rare one.

    (`one_of` draws equal strategies as one.)
    """
    often = max(1, round((share - 1) * len(rare) / len(common)))
    return st.sampled_from([*common] * often + [*rare])


# Where an example may have what is rare; most have it nowhere, so that most calls return.
TROUBLES = (None,) * 7 + (
    "rows", "columns", "carrier", "labels", "weights", "offset", "options", "options", "all",
)  # fmt: skip


def recipes(dtypes: Any, options: Any = None, **more: Any) -> Any:
    """Draw recipes.

    Parameters
    ----------
    dtypes : sequence of str
    options : dict of str to (values, bad values), optional
        Options of the call, of which a few are drawn.
    more
        Further keys with their strategies, in place of those that stand here.
    """
    kinds = {trouble: _recipes(dtypes, options or {}, more, trouble) for trouble in TROUBLES}
    return st.sampled_from(TROUBLES).flatmap(kinds.__getitem__)


def _recipes(dtypes: Any, options: Any, more: Any, trouble: str | None) -> Any:
    def of(place: str, common: Any, rare: Any) -> Any:
        if trouble == place:
            return mostly(common, rare, 2)
        return mostly(common, rare) if trouble == "all" else st.sampled_from(common)

    column = (
        mostly(COLUMNS_FINE, COLUMNS_RARE)
        if trouble in ("columns", "all")
        else st.sampled_from(COLUMNS_FINE)
    )
    return st.fixed_dictionaries(
        {
            "rows": of("rows", tuple(range(8, 41)), (0, 1, 2, 3, 4)),
            "columns": st.one_of(
                *[st.lists(column, min_size=1, max_size=most) for most in (2, 3, 4, 5)],
                st.lists(column, min_size=5, max_size=10),
                *[st.just([])] * (trouble == "rows"),
            ),
            "dtype": st.sampled_from(dtypes),
            "layout": st.sampled_from(LAYOUTS),
            "carrier": of("carrier", CARRIERS, CARRIERS_RARE),
            "seed": st.integers(0, 10**6),
            "relation": st.sampled_from(("noisy", "noisy", "noisy", "none", "separable", "rare")),
            "classes": of("labels", (2, 2, 2, 3, CLASSES_MOST), (1, 30)),
            "labels": of("labels", LABELS_FINE, LABELS_RARE),
            "weights": of("weights", WEIGHTS_FINE, WEIGHTS_RARE),
            "offset": of("offset", OFFSETS_FINE, OFFSETS_RARE),
            "options": _options(options, trouble in ("options", "all")),
            **more,
        }
    )


def _options(choices: Any, with_bad: bool) -> Any:
    """Draw some options, each with the verdict on it."""
    return st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(
                [(FINE, value) for value in (*fine, *fine, *fine)]
                + [(BAD, value) for value in bad] * with_bad
            )
            for name, (fine, bad) in choices.items()
        },
    )


def plain(chosen: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the verdict on options, and their values."""
    values = {name: value for name, (_, value) in chosen.items()}
    return max([FINE, *(verdict for verdict, _ in chosen.values())]), values


# --- cases ----------------------------------------------------------------------------------


class Case:
    """Inputs of a recipe.

    `X, y, weights, offset` are what the user hands in; `values, codes, n_classes, w, o` are the
    same as float64 and class numbers, None where there are none that an oracle could use.
    """

    def __init__(self, recipe: dict[str, Any], *, softmax: bool = False) -> None:
        self.recipe = recipe
        self.rng = np.random.default_rng(recipe["seed"])
        self.verdict = FINE
        self.n = recipe["rows"]
        self._features()
        self._labels()
        self._weights()
        self._offset(softmax)
        if self.n < 2 or self.values is None or self.values.shape[1] == 0:
            self.judge(BAD)

    def judge(self, verdict: int) -> None:
        self.verdict = max(self.verdict, verdict)

    def _features(self) -> None:
        kinds, dtype = self.recipe["columns"], self.recipe["dtype"]
        X = np.empty((self.n, len(kinds)))
        for place, kind in enumerate(kinds):
            X[:, place] = self._column(kind, X[:, :place])
        if self.recipe["layout"] == "broadcast" and self.n:
            X[:] = X[0]  # one row in memory, seen n times
        self.base = X  # what the labels depend on
        with np.errstate(all="ignore"):
            if dtype in ("O", "decimal"):
                stored = np.empty(X.shape, dtype=object)
                make = float if dtype == "O" or not np.isfinite(X).all() else Decimal
                stored[...] = np.vectorize(make, otypes=[object])(X) if X.size else X
            elif np.dtype(dtype).kind in "iub":
                whole = np.clip(np.nan_to_num(np.round(X)), 0 if dtype[0] == "u" else -100, 100)
                stored = (whole > 0) if dtype == "?" else whole.astype(dtype)
            else:
                stored = X.astype(dtype)
        self.values = stored.astype(np.float64) if X.size else X
        sizes = np.abs(self.values[self.values != 0.0])
        if not np.isfinite(sizes).all():
            self.judge(BAD)
        elif sizes.size and (sizes.max() > 1e280 or sizes.min() < 1e-280):
            self.judge(OPEN)
        self.X = self._carried(self._laid_out(stored))

    def _column(self, kind: str, others: Any) -> Any:
        rng, n = self.rng, self.n
        normal = rng.standard_normal(n)
        first = others[:, 0] if others.shape[1] else normal
        name, _, number = kind.partition(" ")
        if name == "times":
            return normal * float(number)
        if name == "far":
            return normal + float(number)
        if name == "near":
            return first + float(number) * normal
        special = normal.copy()
        special[rng.integers(max(n, 1)) :][:1] = {"nan": np.nan, "inf": np.inf}.get(kind, 0.0)
        return {
            "normal": normal,
            "whole": np.round(3.0 * normal),
            "binary": (normal > 0.0) * 1.0,
            "few": rng.integers(0, 3, n) / 2.0,
            "constant": np.full(n, rng.choice([7.0, 0.1, -1e8])),
            "zero": np.zeros(n),
            "copy": first,
            "sum": others.sum(axis=1) if others.shape[1] else normal,
            "cauchy": rng.standard_cauchy(n),
            "first": (np.arange(n) == 0) * 1.0,
            "skewed": np.exp(3.0 * normal),
            "denormal": normal * 5e-320,
            "mixed": normal * 10.0 ** rng.uniform(-290, 290, n),
            "nan": special,
            "inf": special,
        }[name]

    def _laid_out(self, stored: Any) -> Any:
        layout = self.recipe["layout"]
        if layout == "F":
            return np.asfortranarray(stored)
        if layout == "strided":
            wide = np.zeros((2 * stored.shape[0], 3 * stored.shape[1]), dtype=stored.dtype)
            wide[::2, ::3] = stored
            return wide[::2, ::3]
        if layout == "reversed":
            return stored[::-1, ::-1].copy()[::-1, ::-1]
        if layout == "broadcast" and self.n:
            return np.broadcast_to(stored[0], stored.shape)
        if stored.dtype.kind in "fiu" and stored.dtype.char != "g":
            if layout == "swapped":
                return stored.astype(stored.dtype.newbyteorder())
            if layout == "unaligned":
                raw = bytearray(b"\0" + stored.tobytes())
                return np.frombuffer(raw, stored.dtype, offset=1).reshape(stored.shape)
        stored = stored.copy()
        stored.flags.writeable = layout != "read-only"
        return stored

    def _carried(self, stored: Any) -> Any:
        carrier = self.recipe["carrier"]
        names = [f"c{i}" for i in range(stored.shape[1])]
        simple = stored.dtype.char in "?bhilqBHILQfd" and stored.dtype.isnative
        if carrier == "list":
            return stored.tolist() if stored.size else stored
        if carrier in CARRIERS_RARE and stored.size:
            self.judge(BAD)
            if carrier == "masked":
                return np.ma.masked_array(stored, mask=False)
            if carrier in ("1-D", "3-D"):
                return stored[:, 0] if carrier == "1-D" else stored[:, :, None]
            kind = {"text": str, "complex": complex, "dates": "M8[s]"}[carrier]
            return np.ones(stored.shape, dtype=np.int64).astype(kind)
        if carrier == "numpy" or carrier in CARRIERS_RARE or not simple or not stored.size:
            return stored
        if carrier == "scipy":
            make = scipy.sparse.csr_array if self.n % 2 else scipy.sparse.csc_matrix
            return make(stored)
        if carrier == "pandas mixed":
            frame = pd.DataFrame({name: stored[:, i] for i, name in enumerate(names)})
            frame["c0"] = frame["c0"].astype(object)
            return frame
        if carrier.startswith("pandas"):
            frame = pd.DataFrame(stored, columns=names)
            if carrier == "pandas":
                return frame
            backend = "pyarrow" if carrier == "pandas arrow" else "numpy_nullable"
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pandas' own, of infinities
                return frame.convert_dtypes(dtype_backend=backend, convert_integer=False)
        columns = {name: np.ascontiguousarray(stored[:, i]) for i, name in enumerate(names)}
        return pl.DataFrame(columns) if carrier == "polars" else pa.table(columns)

    def _labels(self) -> None:
        rng, n, kind = self.rng, self.n, self.recipe["labels"]
        wanted = 2 if kind == "bools" else min(self.recipe["classes"], max(n, 1))
        with np.errstate(all="ignore"):
            spread = np.nan_to_num(self.base, posinf=0.0, neginf=0.0)
            units = np.abs(spread - spread.mean(axis=0)).max(axis=0) if n else np.ones(1)
            scaled = spread / np.where(units > 0.0, units, 1.0)
            z = np.nan_to_num(scaled).sum(axis=1)
        noise = {"noisy": 0.7, "none": 1e9, "separable": 0.0, "rare": 0.3}[self.recipe["relation"]]
        z = z + noise * rng.logistic(size=n)
        ranks = np.argsort(np.argsort(z)) if n else np.zeros(0, int)
        codes = ranks * wanted // max(n, 1)
        if self.recipe["relation"] == "rare":
            codes = np.minimum(codes, np.maximum(0, ranks - n + wanted))
        present, codes = np.unique(codes, return_inverse=True)
        K = self.n_classes = present.size
        self.codes = codes.astype(int)
        if K < 2:
            self.judge(BAD)
        self.labels = self._label_values(kind, K)
        y = self.labels[self.codes] if n else np.zeros(0)
        self.y = self._label_carrier(kind, y)
        if kind == "bytes" and n:
            self.labels = np.char.encode(self.labels.astype(str), "utf-8")

    def _label_values(self, kind: str, K: int) -> Any:
        """Return the labels, sorted."""
        count = np.arange(K)
        if kind == "signed":
            return count * 3 - 4
        if kind == "huge":
            return 2**60 + count
        if kind == "uint64":
            return np.uint64(2**63) + count.astype(np.uint64)
        if kind == "floats":
            return count * 2.0 - 1.0
        if kind == "halves":
            if K > 2:
                self.judge(BAD)
            return count + 0.5
        if kind == "bools":
            return np.array([False, True])[:K]
        if "text" in kind or kind in ("categorical", "bytes"):
            return np.array([f"{chr(97 + i % 26)}{i:02d} \u00e4" for i in range(K)], dtype=str)[
                np.argsort([f"{chr(97 + i % 26)}{i:02d}" for i in range(K)])
            ]
        return count

    def _label_carrier(self, kind: str, y: Any) -> Any:
        n = len(y)
        if kind in ("object text", "object ints"):
            return y.astype(object)
        if kind == "int8":
            return y.astype(np.int8)
        if kind == "swapped":
            return y.astype(">i8")
        if kind in ("nullable ints", "nullable text"):
            return pd.Series(y).convert_dtypes()
        if kind == "categorical":
            return pd.Series(pd.Categorical(y)) if n else y
        if kind in ("polars", "pyarrow"):
            return pl.Series(y) if kind == "polars" else pa.array(y)
        if kind == "list":
            return y.tolist()
        if kind == "bytes":
            self.judge(OPEN)
            return np.char.encode(y.astype(str), "utf-8") if n else y
        if kind in LABELS_RARE and kind != "halves":
            self.judge(BAD)
        if kind == "missing":
            return pd.Series(y, dtype="Int64").where(np.arange(n) != n // 2)
        if kind == "none":
            return [None, *y[1:].tolist()]
        if kind == "dates":
            return y.astype("M8[D]")
        if kind == "mixed":
            return np.array([*y[:-1].tolist(), "a"], dtype=object) if n > 1 else y
        if kind == "nan":
            return np.where(np.arange(n) == n - 1, np.nan, y * 1.0)
        if kind == "2-D":
            return np.column_stack([y, y])
        if kind == "short":
            return y[:-1]
        if kind == "long":
            return np.append(y, y[:1]) if n else np.zeros(3)
        if kind == "intervals":
            return pd.Series(pd.IntervalIndex.from_breaks(range(n + 1)))
        if kind == "complex":
            return y + 0j
        if kind == "scalar":
            return 1
        if kind == "objects":
            return np.array([{} for _ in range(n)], dtype=object)
        return y

    def _weights(self) -> None:
        rng, n, kind = self.rng, self.n, self.recipe["weights"]
        self.weights = self.w = None
        if kind is None:
            return
        w = rng.uniform(0.5, 2.0, n)
        if kind in ("ones", "list", "pandas", "polars"):
            w = np.ones(n) if kind == "ones" else w
        elif kind in ("whole", "nullable"):
            w = rng.integers(1, 4, n)
        elif kind == "float16":
            w = w.astype(np.float16)
        elif kind == "some zeros":
            w = rng.integers(0, 3, n) * 1.0
            self.judge(OPEN)
        elif kind == "four orders":
            w = 10.0 ** rng.uniform(-4, 4, n)
        elif kind in ("huge", "tiny"):
            w = w * (1e300 if kind == "huge" else 1e-300)
            self.judge(OPEN)
        elif kind == "mixed sizes":
            w = 10.0 ** rng.uniform(-150, 150, n)
            self.judge(OPEN)
        elif kind == "one row only":
            w = (np.arange(n) == 0) * 1.0
            self.judge(BAD)
        elif kind == "one class only":
            w = (self.codes == 0) * 1.0
            self.judge(BAD)
        elif kind == "of classes":
            w = rng.uniform(0.5, 2.0, (n, self.n_classes))
            self.judge(OPEN)
        else:
            self.judge(BAD)
            w = {
                "negative": np.where(np.arange(n) == n // 2, -1.0, w),
                "nan": np.where(np.arange(n) == n // 2, np.nan, w),
                "inf": np.where(np.arange(n) == n // 2, np.inf, w),
                "zeros": np.zeros(n),
                "short": w[:-1],
                "2-D": w[:, None],
                "text": np.full(n, "a"),
                "scalar": 2.0,
                "overflow": np.full(n, 1e308),
            }[kind]
        if n < 2 or kind == "overflow":
            self.judge(OPEN)
        self.w = np.asarray(w, dtype=float) if self.verdict < BAD else None
        self.weights = {
            "list": lambda w: w.tolist(),
            "pandas": pd.Series,
            "nullable": lambda w: pd.Series(w, dtype="Int64"),
            "polars": pl.Series,
        }.get(kind, lambda w: w)(w)

    def _offset(self, softmax: bool) -> None:
        rng, n, kind, K = self.rng, self.n, self.recipe["offset"], self.n_classes
        self.offset = self.o = None
        if kind is None:
            return
        several = softmax and K > 2
        shape: Any = (n, K) if several or (K > 2 and self.recipe["seed"] % 2) else (n,)
        o = rng.standard_normal(shape)
        name, _, number = kind.partition(" ")
        if name == "constant":
            o = np.full(shape, float(number))
            if several:
                o[:, 1:] = 0.0
        elif kind == "mixed":
            o = o * 10.0 ** rng.uniform(-5, 4, shape)
        elif kind in ("1e5", "1e300"):
            o = o * float(kind)
            if kind == "1e300":
                self.judge(OPEN)
        elif kind in OFFSETS_RARE:
            self.judge(BAD)
            o = {
                "nan": np.where(o == o.ravel()[:1], np.nan, o) if o.size else o,
                "short": o[:-1],
                "other shape": np.zeros((n, K + 1)),
                "text": np.full(shape, "a"),
            }[kind]
        self.o = o if self.verdict < BAD else None
        self.offset = o.tolist() if kind == "list" else o

    def frozen(self) -> list[bytes]:
        """Return the bytes of what must not change."""
        given = (self.X, self.y, self.weights, self.offset)
        return [a.tobytes() for a in given if isinstance(a, np.ndarray) and a.dtype.kind != "O"]


# --- the run of an example ------------------------------------------------------------------


class _Late(BaseException):
    """An example took too long; no `except Exception` of the library hides it."""


@contextlib.contextmanager
def guard(seconds: float = GUARD_SECONDS) -> Any:
    """Fail where the work takes longer; seconds of compiling do not count."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    began = time.perf_counter()

    def ring(*_: Any) -> None:
        now = activity()
        if now.compiling or time.perf_counter() - began - now.compile_seconds(began) < seconds:
            signal.alarm(5)
            return
        raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(int(seconds) + 1)
    try:
        yield
    except _Late as late:
        raise AssertionError(f"an example took more than {seconds} s") from late
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# What others than the library say.
INTERNAL = re.compile(
    r"broadcast|operands|[Ss]ingular|has no attribute|out of bounds|unsupported operand|"
    r"not subscriptable|truth value|setting an array element|inhomogeneous|not supported between|"
    r"unhashable|not iterable|cannot unpack|Traceback|object is not|unexpected keyword"
)
ERRORS = (ValueError, TypeError)


def assert_in_words(error: BaseException) -> None:
    """Check that an error was raised on purpose, of the right type and with a message."""
    text = str(error)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    right = type(error) in ERRORS or kinds & {"InvalidParameterError", "NotFittedError"}
    assert right, f"{type(error).__name__}: {text}"
    assert not INTERNAL.search(text), text
    assert len(re.findall(r"[A-Za-z]{2,}", text)) >= 3, f"a message without words: {text!r}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    # `raise kind(...) from None` in place of what NumPy raised, or a `raise` of the library's.
    assert line.startswith("raise"), f"{last.filename}:{last.lineno}: {line}: {text}"


FOLDS = (
    "The least populated class",
    "The number of unique classes",
    "the training rows of fold",
)


def is_allowed(category: type[Warning], text: str) -> bool:
    """Say whether a warning is one that the documentation names."""
    return issubclass(category, ConvergenceWarning | fastlogit.SeparationWarning) or (
        # of folds and of classes, most of them scikit-learn's own
        issubclass(category, UserWarning)
        and text.startswith(
            (
                "The least populated class",
                "The number of unique classes",
                "the training rows",
                "no row of class",
            )
        )
    )


def run(call: Any, verdict: int, errors: Any = ()) -> tuple[Any, list[type[Warning]]]:
    """Run a call; return what it gave and the warnings, or None where it was refused in words.

    `errors` are those that the documentation names besides ValueError and TypeError.
    """
    with guard(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("error")
        warnings.simplefilter("always", UserWarning)
        try:
            found = call()
        except errors:
            return None, []
        except ERRORS as error:
            refusal: Exception | None = error
        else:
            refusal = None
    if refusal is not None:
        assert_in_words(refusal)
        assert verdict != FINE, f"sound input was refused: {refusal}"
        return None, []
    for warning in seen:
        assert is_allowed(warning.category, str(warning.message)), warning
    assert verdict != BAD, "bad input was not refused"
    return found, [warning.category for warning in seen]


# --- the oracle -----------------------------------------------------------------------------


def raw_prediction(values: Any, coef: Any, intercept: Any, offset: Any) -> Any:
    """Return raw predictions in long double, (n_samples, n_models)."""
    coef = np.asarray(coef, dtype=LONG).reshape(values.shape[1], -1)
    with np.errstate(all="ignore"):
        raw = values.astype(LONG) @ coef + np.asarray(intercept, dtype=LONG)
    if offset is None:
        return raw
    offset = np.asarray(offset, dtype=LONG)
    return raw + (offset[:, None] if offset.ndim == 1 else offset)


def losses(raw: Any, codes: Any, softmax: bool) -> Any:
    """Return losses in long double: (n_samples, n_models), softmax (n_samples, 1)."""
    with np.errstate(all="ignore"):
        if softmax:
            own = raw[np.arange(len(codes)), codes]
            others = raw - own[:, None]
            top = others.max(axis=1)
            sure = np.exp(others)
            sure[np.arange(len(codes)), codes] = 0.0
            small = np.log1p(sure.sum(axis=1))
            large = top + np.log(np.exp(others - top[:, None]).sum(axis=1))
            return np.where(top > 1.0, large, small)[:, None]
        hits = codes[:, None] == (np.ones(1) if raw.shape[1] == 1 else np.arange(raw.shape[1]))
        z = np.where(hits, -raw, raw)
        return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0)


def costs(
    case: Case, coef: Any, intercept: Any, l2_reg: Any, softmax: bool, l1_reg: Any = None
) -> Any:
    """Return the cost of each model in long double, shape (n_models,)."""
    coef = np.asarray(coef, dtype=LONG).reshape(case.values.shape[1], -1)
    each = losses(raw_prediction(case.values, coef, intercept, case.o), case.codes, softmax)
    w = np.ones(case.n) if case.w is None else case.w
    w = (w if w.ndim == 2 else w[:, None]).astype(LONG)
    w = w / w.max(axis=0)
    l2_reg, l1_reg = (_by_model(own) for own in (l2_reg, 0.0 if l1_reg is None else l1_reg))
    with np.errstate(all="ignore"):
        part = l2_reg * coef**2 / 2 + l1_reg * np.abs(coef)
        penalty = np.where(coef == 0.0, 0.0, part).sum(axis=0)
        return (w * each).sum(axis=0) / w.sum(axis=0) + (penalty.sum() if softmax else penalty)


def _by_model(strengths: Any) -> Any:
    strengths = np.asarray(strengths, dtype=LONG)
    return strengths.reshape(-1, 1) if strengths.ndim < 2 else strengths


def rounding(case: Case, coef: Any, intercept: Any) -> float:
    """Return how large the numbers are whose sum a raw prediction is."""
    if not case.values.size:
        return 1.0
    coef = np.abs(np.asarray(coef, dtype=LONG)).reshape(case.values.shape[1], -1)
    with np.errstate(all="ignore"):
        sizes = np.abs(case.values).astype(LONG) @ coef
        size = float(sizes.max() + np.abs(np.asarray(intercept, dtype=LONG)).max())
    return size + (0.0 if case.o is None else float(np.abs(case.o).max())) + 1.0


def rivals(case: Case, result: Any, softmax: bool, held: bool) -> Any:
    """Yield other coefficients, some of which should be as good as those of a fit at most."""
    coef, intercept = np.asarray(result.coef, LONG), np.asarray(result.intercept, LONG)
    for factor in (0.0, 0.5, 0.999, 1.001, 2.0, 30.0):
        yield coef * factor, (intercept if held else intercept * factor)
        yield coef * factor, intercept
    if result.l1_reg is not None:
        if not softmax:
            yield from rivals_under_l1(case, result, held)
        return
    too_many = np.size(coef) + case.n_classes > NEWTON_MOST
    sizes = np.abs(case.values[case.values != 0.0])
    extreme = sizes.size > 0 and (sizes.max() > 1e100 or sizes.min() < 1e-100)
    if np.ndim(case.w) > 1 or np.ndim(result.l2_reg) > 1 or too_many or extreme:
        return
    offset = case.o
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        w = None if case.w is None else case.w / case.w.max()
        try:
            if softmax:
                found = reference.multinomial_newton(
                    case.values, case.codes, case.n_classes, result.l2_reg, w, offset,
                    fit_intercept=not held,
                )  # fmt: skip
                yield found[:2]
            elif case.n_classes == 2:
                fixed = float(intercept) if held else None
                found = reference.newton(case.values, case.codes, result.l2_reg, w, offset, fixed)
                yield found[:2]
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return


def rivals_under_l1(case: Case, result: Any, held: bool) -> Any:
    """Yield what steps of the oracle come to, from the coefficients of a fit and from 0."""
    coef, intercept = np.asarray(result.coef, LONG), np.asarray(result.intercept, LONG)
    if np.ndim(case.w) > 1:
        return
    for start in (coef, 0.0 * coef):
        found, level = start.copy(), intercept.copy()
        for k in range(level.size):
            place = (slice(None), k) if level.ndim else slice(None)
            l1, l2 = (a[place] if a.ndim > 1 else a for a in (result.l1_reg, result.l2_reg))
            hits = case.codes == (k if level.ndim else 1)
            own = _descend(case, hits, (start[place], level.ravel()[k]), (l1, l2), k, held)
            found[place], level.reshape(-1)[k] = own
        yield found, level


def _descend(case: Case, hits: Any, start: Any, strengths: Any, model: int, held: bool) -> Any:
    """Return where some proximal Newton steps in long double lead; each lowers the cost."""
    w = np.ones(case.n, LONG) if case.w is None else case.w.astype(LONG) / case.w.max()
    w /= w.sum()
    Z = case.values.astype(LONG)
    center = 0.0 * w @ Z if held else w @ Z
    Z = Z - center
    scale = np.abs(Z).max(axis=0)
    scale[scale == 0.0] = 1.0
    Z = np.column_stack([Z / scale, np.ones(case.n)])
    l1, l2 = np.append(strengths[0] / scale, 0.0), np.append(strengths[1] / scale**2, 0.0)
    o = 0.0 if case.o is None else case.o[:, model] if case.o.ndim > 1 else case.o
    theta = np.append(start[0] * scale, start[1] + center @ start[0])

    def cost_at(theta: Any) -> Any:
        z = np.where(hits, -1.0, 1.0) * (Z @ theta + o)
        loss = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0)
        return w @ loss + l1 @ np.abs(theta) + l2 @ theta**2 / 2

    with np.errstate(all="ignore"):
        cost = cost_at(theta)
        for _ in range(ORACLE_STEPS):
            raw = Z @ theta + o
            proba = 1.0 / (1.0 + np.exp(-raw))
            slopes = Z.T @ (w * (proba - hits)) + l2 * theta
            matrix = (Z * (w * proba / (1.0 + np.exp(raw)))[:, None]).T @ Z + np.diag(l2)
            target = _model_minimum(matrix, slopes, theta, l1, len(theta) - held)
            for size in 0.25 ** np.arange(9):
                new = np.where(size == 1.0, target, theta + size * (target - theta))
                if cost_at(new) < cost:
                    break
            else:
                break
            theta, cost = new, cost_at(new)
    coef = theta[:-1] / scale
    return coef, start[1] if held else theta[-1] - center @ coef


def _model_minimum(matrix: Any, slopes: Any, start: Any, l1: Any, n_free: int) -> Any:
    """Return about the minimum of the quadratic model plus L1, by its coordinates."""
    theta, slopes = start.copy(), slopes.copy()
    for _ in range(ORACLE_SWEEPS):
        for j in np.flatnonzero(np.diag(matrix)[:n_free] > 0.0):
            pull = theta[j] * matrix[j, j] - slopes[j]
            new = np.sign(pull) * max(abs(pull) - l1[j], 0.0) / matrix[j, j]
            slopes += (new - theta[j]) * matrix[j]
            theta[j] = new
    return theta


def assert_true_bound(case: Case, result: Any, *, softmax: bool, held: bool = False) -> None:
    """Check that no other coefficients are better than the proven bound allows."""
    assert np.isfinite(result.coef).all(), result
    assert np.isfinite(result.intercept).all(), result
    bound = np.atleast_1d(result.suboptimality)
    assert not np.isnan(bound).any(), result
    assert (bound >= 0.0).all(), result
    several = softmax and case.n_classes > 2
    own = costs(case, result.coef, result.intercept, result.l2_reg, several, result.l1_reg)
    slack = 100 * EPSILON * rounding(case, result.coef, result.intercept)
    last = np.atleast_1d(result.history[-1])
    noise = 1e-13 * rounding(case, result.coef, result.intercept)
    assert (own <= last * (1.0 + 1e-9) + noise).all(), f"cost {own}, history says {last}"
    for coef, intercept in rivals(case, result, several, held):
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            continue
        other = costs(case, coef, intercept, result.l2_reg, several, result.l1_reg)
        with np.errstate(all="ignore"):
            noise = slack + 100 * EPSILON * rounding(case, coef, intercept)
            limit = other * (1.0 + bound) + noise * (1.0 + other)
        wrong = np.isfinite(other) & np.isfinite(bound) & ~(own <= limit)
        if wrong.any():
            k = int(np.argmax(wrong))
            lie = float((own[k] - other[k]) / other[k]) if other[k] else np.inf
            raise AssertionError(
                f"{lie:.3g} above the cost of {coef!r}, {intercept!r}, but said to be within "
                f"{bound[k]:.3g}: {result.message}"
            )


def assert_probabilities(
    case: Case, proba: Any, coef: Any, intercept: Any, kind: str, offset: Any = None
) -> None:
    """Check probabilities: "binary", "softmax", "ovr" (hypotheses) or "ovr shares"."""
    raw = raw_prediction(case.values, coef, intercept, offset)
    noise = 1e-14 * rounding(case, coef, intercept)
    with np.errstate(all="ignore"):
        if kind == "softmax":
            right = np.exp(raw - raw.max(axis=1, keepdims=True))
            right = right / right.sum(axis=1, keepdims=True)
        else:
            right = np.where(raw > 0, 1 / (1 + np.exp(-raw)), np.exp(raw) / (1 + np.exp(raw)))
            right = np.where(raw < -10000, 0.0, right)
            if kind == "binary":
                right = np.column_stack([1 / (1 + np.exp(raw[:, 0])), right[:, 0]])
            elif kind == "ovr shares":
                right = right / right.sum(axis=1, keepdims=True)
    assert proba.shape == (case.n, case.n_classes)
    assert np.isfinite(proba).all()
    assert ((proba >= 0.0) & (proba <= 1.0)).all()
    if kind != "ovr":
        assert np.abs(proba.sum(axis=1) - 1.0).max() < (
            1e-6 if proba.dtype == np.float32 else 1e-12
        )
    if kind == "ovr shares":  # where all underflow, or nearly, rounding decides
        keep = raw.max(axis=1) > -600
        proba, right = proba[keep], right[keep]
    near = 1e-6 if proba.dtype == np.float32 else 1e-10
    wrong = ~(np.abs(proba - right) <= near + 2.0 * noise)
    assert not wrong.any(), (proba[wrong], right[wrong])


# --- the throws -----------------------------------------------------------------------------


def with_one_rare_type(recipe: dict[str, Any], entry: int) -> dict[str, Any]:
    """Return a recipe with int64 for whole numbers of the types that others of the entries meet."""
    own = DTYPES_WHOLE_RARE[(entry + SEED) % len(DTYPES_WHOLE_RARE)]
    if recipe.get("dtype") in DTYPES_WHOLE_RARE and recipe["dtype"] != own:
        return recipe | {"dtype": "i8"}
    return recipe


def throw_at(check: Any, draw: Any, n_examples: int, first: int | None) -> None:
    """Let hypothesis draw so many examples from a seed; None is the same ones each time."""
    thrown = given(draw)(check)
    if first is not None:
        thrown = seed(first)(thrown)
    settings(
        max_examples=n_examples, deadline=None, database=None, print_blob=False,
        suppress_health_check=list(HealthCheck), derandomize=first is None,
    )(thrown)()  # fmt: skip


class Budget:
    """Processor seconds that examples may take; those that compile something cost nothing.

    So the same examples run beside other work, and from an empty cache.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.left = seconds

    @contextlib.contextmanager
    def spent(self) -> Any:
        """Count the block in."""
        before, began = activity().n_compiled, time.process_time()
        yield
        if activity().n_compiled == before:
            self.left -= time.process_time() - began


def say_how_many(count: int, wanted: int, budget: Budget) -> None:
    """Skip where the time ended before all examples had run: pytest's summary then says so."""
    if budget.left <= 0.0:
        pytest.skip(f"no fault in the {count} of {wanted} examples that the time allowed")
    assert count >= wanted
