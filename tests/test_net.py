"""A net under every public entry: random inputs are answered rightly, or refused in words.

`python -m pytest tests/test_net.py` throws a few hundred examples, always the same; with
``-m slow`` 20,000 within a time budget. CONTRIBUTING.md says how to throw more of them.
"""

import copy
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from net import (
    BAD,
    BUDGET_SECONDS,
    CARRIERS_RARE,
    COLUMNS_FINE,
    COLUMNS_RARE,
    DTYPES_ALL,
    DTYPES_FEW,
    FINE,
    LONG,
    OPEN,
    PART,
    SEED,
    Budget,
    Case,
    assert_probabilities,
    assert_true_bound,
    costs,
    mostly,
    plain,
    raw_prediction,
    recipes,
    rounding,
    run,
    say_how_many,
    throw_at,
    with_one_rare_type,
)
from problems import TWO_THREADS
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.fitting.online import OnlineLogistic
from fastlogit.model_file import Model, load_model, save_model

# Hundreds of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

INF, NAN = float("inf"), float("nan")
NOT_NUMBERS = ("a", None, [1.0], 1j, True)
SOLVERS = ("auto", "auto", "newton", "lbfgs", "newton-cg", "gradient_descent")
FIT_OPTIONS = {
    "C": ((1.0, 1.0, 1e-4, 1e4, INF, 1, np.float32(2.0), 1e12), (0.0, -1.0, NAN, "a", True, [1.0])),
    "tol": ((1e-12, 1e-8, 1e-3, 0.0, 0, 0.5), (-1.0, NAN, INF, "a", None)),
    "max_iter": ((None, 0, 1, 5, 100, np.int64(50)), (-1, 1.5, "a", True)),
    "multi_class": (("ovr", "multinomial"), ("softmax", None, 3)),
    "n_threads": ((None, 1, TWO_THREADS), (0, -1, 1.5, "a", 10**9)),
    "time_limit": ((None, 10, 1e-9, 0.003), (0, -1.0, NAN, "a")),
    "solver": (SOLVERS, ("liblinear", None, 3, "Newton")),
    "callback": ((None, bool, lambda progress: progress.n_iter > 2), (3, "a")),
}
# How categorical columns are read, of which these X have none.
CATEGORY_OPTIONS = {
    "categories": (("auto", "full", "reference"), ("onehot", None, 3)),
    "handle_unknown": (("error", "zero"), ("ignore", None, True)),
    "interactions": ((None, []), ("a", 3, [("c0",)], [("c0", "c1")], [("c0", "c0")])),
}
INTERCEPTS = (("fit", "fit", None, 0.0, 3.0, -40.0), ("no", NAN, INF, True, [1.0]))


# For entries of many fits.
FEW = {
    "columns": st.lists(mostly(COLUMNS_FINE, COLUMNS_RARE, 20), min_size=1, max_size=7),
    "classes": mostly((2, 2, 3, 5), (1,), 12),
}


# --- fit, gradient_descent ------------------------------------------------------------------


def fits(dtypes: Any) -> Any:
    return recipes(
        dtypes,
        options={
            **FIT_OPTIONS,
            **CATEGORY_OPTIONS,
            "intercept": INTERCEPTS,
            "unknown": ((None,), ("penalty", "Solver", "alpha")),
        },
        penalty=mostly(
            (None,) * 6
            + ("number", "columns", "factor", "zero factor", "strong")
            + ("ratio", "L1", "L1 columns", "L1 factor", "L1 weak", "L1 strong"),
            ("bad", "long", "bad L1", "long L1", "bad ratio", "ratio alone", "L1 and C"),
            20,
        ),
        start=mostly(
            (None,) * 8 + ("near", "far", "huge"), ("result", "shape", "nan", "text", "other"), 20
        ),
    )


def leave_out_C(case: Case, chosen: dict[str, Any]) -> None:
    """Leave out C beside another strength, but for one that has to be refused."""
    if case.recipe["options"].get("C", (FINE,))[0] == FINE:
        chosen.pop("C", None)


def add_penalty(case: Case, kind: Any, chosen: dict[str, Any]) -> None:
    p = case.values.shape[1]
    if kind in ("number", "columns", "strong", "bad", "long"):
        leave_out_C(case, chosen)
        chosen["l2_reg"] = {
            "number": 0.1,
            "columns": np.linspace(0.0, 1.0, p),
            "strong": 1e8,
            "bad": case.rng.choice([-1.0, NAN, INF]),
            "long": np.ones(p + 1),
        }[kind]
    elif kind in ("factor", "zero factor"):
        chosen["penalty_factor"] = case.rng.integers(0, 3, p) * (kind == "factor")
    if kind in ("bad", "long"):
        case.judge(BAD)
    elif kind and ("L1" in kind or "ratio" in kind):
        add_l1(case, kind, chosen)


def leave_room_for_l1(recipe: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Choose of most examples with L1 what goes with it."""
    seed = recipe["seed"]
    if any(word in (recipe["penalty"] or "") for word in ("L1", "ratio")):
        if seed % 8:
            chosen.pop("multi_class", None)
        if seed % 7 and "solver" in chosen:
            chosen["solver"] = "proximal-newton" if seed % 2 else "auto"
        if recipe["offset"] == "1e5":  # thousands of iterations, where one row has all curvature
            chosen["max_iter"] = min(chosen.get("max_iter") or 30, 30)


def add_l1(case: Case, kind: str, chosen: dict[str, Any]) -> None:
    """Add L1 or an elastic net."""
    p, seed = case.values.shape[1], case.recipe["seed"]
    if kind == "L1 and C":
        chosen.setdefault("C", 1.0)
    elif "ratio" not in kind:
        leave_out_C(case, chosen)
    if kind == "ratio":
        chosen.setdefault("C", 0.5)
        chosen["l1_ratio"] = (1.0, 0.5, 1e-3)[seed % 3]
    elif "ratio" in kind:
        leave_out_C(case, chosen)
        chosen["l1_ratio"] = 0.5 if kind == "ratio alone" else case.rng.choice([-0.1, 1.1, NAN])
    else:
        chosen["l1_reg"] = {
            "L1": 0.03,
            "L1 and C": 0.03,
            "L1 factor": 0.1,
            "L1 columns": 0.1 * case.rng.integers(0, 3, p) * 10.0 ** case.rng.integers(-3, 3, p),
            "L1 weak": 1e-6,
            "L1 strong": np.where(np.arange(p) % 2, 1e300, 0.05),
            "bad L1": case.rng.choice([-1.0, NAN, INF]),
            "long L1": np.ones(p + 1),
        }[kind]
        if kind == "L1 factor":
            chosen["penalty_factor"] = case.rng.integers(0, 3, p)
        if seed % 3 == 0:
            chosen["l2_reg"] = 0.01 if kind != "L1 and C" else None
    if kind in ("bad L1", "long L1", "bad ratio", "ratio alone", "L1 and C"):
        case.judge(BAD)
        return
    has_l1 = chosen.get("C") != INF and bool(np.any(chosen.get("l1_reg", 1.0)))
    if has_l1 != (chosen.get("solver", "auto") == "proximal-newton") and "solver" in chosen:
        case.judge(FINE if chosen["solver"] == "auto" else BAD)


def add_start(case: Case, kind: Any, chosen: dict[str, Any]) -> None:
    if kind is None:
        return
    p, K = case.values.shape[1], case.n_classes
    shape: Any = (p,) if K <= 2 else (p, K)
    coef, intercept = case.rng.standard_normal(shape), case.rng.standard_normal(shape[1:])
    size = {"far": 1e3, "huge": 1e300}.get(kind, 1.0)
    start: Any = (coef * size, intercept)
    if kind == "huge":
        case.judge(OPEN)
    if kind == "result":
        X = np.random.default_rng(0).standard_normal((20, max(p, 1)))
        start = fastlogit.fit(X, np.arange(20) % 2, C=1.0)
        if K != 2 or p == 0 or not np.array_equal(case.labels, [0, 1]):
            case.judge(BAD)
    elif kind in ("shape", "nan", "text", "other"):
        case.judge(BAD)
        start = {
            "shape": (np.zeros((p + 1, K)), intercept),
            "nan": (coef * NAN, intercept),
            "text": "near",
            "other": (coef, intercept, 3),
        }[kind]
    if p == 0 or K < 2:
        case.judge(BAD)
    chosen["start"] = start


def check_fit(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    if verdict == FINE:
        leave_room_for_l1(recipe, chosen)
    softmax = chosen.get("multi_class") == "multinomial"
    case = Case(recipe, softmax=softmax)
    case.judge(verdict)
    unknown = chosen.pop("unknown", None)
    if unknown:
        chosen[unknown] = "l2"
    add_penalty(case, recipe["penalty"], chosen)
    add_start(case, recipe["start"], chosen)
    before = case.frozen()
    result, seen = run(
        lambda: fastlogit.fit(
            case.X, case.y, sample_weight=case.weights, offset=case.offset, **chosen
        ),
        case.verdict,
    )
    assert case.frozen() == before
    if result is None:
        return
    held = chosen.get("intercept", "fit")
    assert_right(case, result, softmax, seen, held, chosen.get("tol", 1e-12))
    if "callback" not in chosen:
        assert result.converged or seen


def assert_right(
    case: Case, result: Any, softmax: bool, seen: Any, held: Any = "fit", tol: float | None = None
) -> None:
    """Check what a fit says about itself, and what it predicts."""
    softmax = softmax and case.n_classes > 2
    np.testing.assert_array_equal(result.classes, case.labels)
    if held != "fit":
        assert (np.atleast_1d(result.intercept) == (held or 0.0)).all()
    assert_true_bound(case, result, softmax=softmax, held=held != "fit")
    if tol is not None and result.converged:
        bound = np.max(result.suboptimality)
        assert np.isfinite(bound)
        assert bound <= tol or tol == 0.0
    assert not (result.converged and ConvergenceWarning in seen)
    raw = run(lambda: result.raw_prediction(case.X), OPEN)[0]
    right = raw_prediction(case.values, result.coef, result.intercept, None)
    with np.errstate(all="ignore"):
        wide = bool(np.isfinite(right.astype(float)).all())
    size = rounding(case, result.coef, result.intercept)
    if raw is not None and size < INF:
        np.testing.assert_allclose(
            raw.reshape(right.shape), right.astype(float), rtol=1e-12, atol=1e-13 * size
        )
    else:
        assert size > 1e300
    if raw is None or not size < INF or not wide:
        return
    proba = result.predict_proba(case.X)
    kind = "binary" if case.n_classes == 2 else "softmax" if softmax else "ovr"
    assert_probabilities(case, proba, result.coef, result.intercept, kind)
    labels = result.predict(case.X)
    best = np.take_along_axis(proba, np.searchsorted(result.classes, labels)[:, None], 1)[:, 0]
    assert (best >= proba.max(axis=1) - 1e-10 - 1e-13 * size).all()
    assert repr(result).startswith("FitResult(")
    assert "<table>" in result._repr_html_()


def descents(dtypes: Any) -> Any:
    shared = ("tol", "n_threads", "time_limit")
    return recipes(
        dtypes,
        options={
            **{name: FIT_OPTIONS[name] for name in shared},
            "intercept": INTERCEPTS,
            "max_iter": ((0, 1, 10, 300, 2000), (-1, 2.5, None)),
            "step_size": (("auto", 0.1, 1, 1e-3, 1e3, 1e300), (0.0, -1.0, NAN, "big", None)),
            "momentum": (("none", "nesterov"), ("heavy", None, True)),
            "standardize": ((True, False, np.bool_(True)), (None, "yes", 1)),
            "l2_reg": ((0.0, 0.1, 10), (-1.0, NAN, "a")),
        },
    )


def check_gradient_descent(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    case = Case(recipe)
    case.judge(verdict)
    # Without standardisation the columns' sizes are the step's business.
    if chosen.get("standardize", True) not in (True, np.True_):
        case.judge(OPEN)
    before = case.frozen()
    result, seen = run(
        lambda: fastlogit.gradient_descent(
            case.X, case.y, sample_weight=case.weights, offset=case.offset, **chosen
        ),
        case.verdict,
        fastlogit.DivergenceError,
    )
    assert case.frozen() == before
    if result is not None:
        assert_right(case, result, False, seen, chosen.get("intercept", "fit"))


# --- functions of coefficients --------------------------------------------------------------


def functions(dtypes: Any) -> Any:
    return recipes(
        dtypes,
        models=st.sampled_from((None, None, 1, 3)),
        sizes=mostly((1.0, 1.0, 0.0, 30.0, 1e-8), (1e5, 1e150, 1e300, -INF, NAN), 10),
        targets=st.sampled_from(("codes", "codes", "bool", "table", "labels")),
        options={
            "n_threads": FIT_OPTIONS["n_threads"],
            "l2_reg": ((0.0, 1.0, 0, 1e-3), (-1.0, NAN, "a")),
            "threshold": ((0.5, 0.1, 0, 1.0), (-0.1, 1.1, NAN, "a", None)),
            "multi_class": (("ovr", "multinomial"), ("both", None)),
        },
    )


def _coefficients(case: Case, recipe: dict[str, Any]) -> tuple[Any, Any]:
    p, models, size = case.values.shape[1], recipe["models"], recipe["sizes"]
    shape: Any = (p,) if models is None else (p, models)
    coef = case.rng.standard_normal(shape) * size
    if not np.isfinite(size):
        case.judge(BAD if p else OPEN)
    elif size > 100 or rounding(case, coef, 0.0) > 1e150:
        case.judge(OPEN)
    return coef, case.rng.standard_normal(shape[1:])


def check_cost(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    chosen = {name: chosen[name] for name in ("n_threads", "l2_reg") if name in chosen}
    verdict = plain({n: v for n, v in recipe["options"].items() if n in chosen})[0]
    recipe = recipe | {"labels": "ints", "classes": 2}
    case = Case(recipe)
    if case.n_classes < 2 and case.verdict == BAD:
        case.verdict = OPEN  # costs of one class are costs
    case.judge(verdict)
    with np.errstate(all="ignore"):
        coef, intercept = _coefficients(case, recipe)
    targets, models = recipe["targets"], recipe["models"]
    y = case.codes.astype(bool) if targets == "bool" else case.codes
    if targets == "table":
        y = np.column_stack([case.codes] * (models or 1))
    if targets == "labels":
        y = case.codes + 1
        case.judge(BAD if case.n_classes > 1 else OPEN)
    if recipe["weights"] in ("one row only", "one class only", "2-D", "of classes"):
        case.verdict = OPEN
    call = fastlogit.cost_gradient
    found, _ = run(
        lambda: call(
            case.X, y, coef, intercept, sample_weight=case.weights, offset=case.offset, **chosen
        ),
        case.verdict,
    )
    if found is None:
        return
    value, gradient, slope = found
    assert np.shape(gradient) == coef.shape
    assert np.shape(slope) == np.shape(intercept) == np.shape(value)
    if case.w is None and case.weights is not None:
        return
    l2_reg = chosen.get("l2_reg", 0.0)
    with np.errstate(all="ignore"):
        right = np.array(
            [
                costs(case, c, b, l2_reg, False)[0]
                for c, b in zip(coef.reshape(coef.shape[0], -1).T, np.ravel(intercept), strict=True)
            ]
        )
    size = rounding(case, coef, intercept)
    if size < 1e290:
        assert not np.isnan(value).any()
        assert np.isfinite(gradient).all() or size > 1e140
        near = np.abs(np.atleast_1d(value) - right) <= 1e-12 * np.abs(right) + 1e-14 * size
        assert near.all() or (right > 1e307).any(), (value, right)
        again = fastlogit.cost(
            case.X, y, coef, intercept, sample_weight=case.weights, offset=case.offset, **chosen
        )
        np.testing.assert_array_equal(again, value)


def check_prediction(recipe: dict[str, Any]) -> None:
    case = Case(recipe | {"labels": "ints", "weights": None})
    if case.n_classes < 2 and case.verdict == BAD:
        case.verdict = min(case.verdict, OPEN)
    with np.errstate(all="ignore"):
        coef, intercept = _coefficients(case, recipe)
    n, models = case.n, recipe["models"]
    offset = case.offset
    if offset is not None and np.shape(offset) != (n,):
        case.judge(OPEN)
    before, threads = case.verdict, recipe["options"].get("n_threads", (FINE, None))
    case.judge(threads[0])
    raw, _ = run(
        lambda: fastlogit.raw_prediction(
            case.X, coef, intercept, offset=offset, n_threads=threads[1]
        ),
        case.verdict,
    )
    several = models is not None
    if raw is not None:
        o = None if offset is None else np.asarray(offset)
        right = raw_prediction(case.values, coef, intercept, o)
        assert raw.shape == ((n, models) if several else (n,))
        assert not np.isnan(raw).any()
        size = rounding(case, coef, intercept)
        if size < 1e290:
            np.testing.assert_allclose(
                raw.reshape(right.shape), right.astype(float), rtol=1e-12, atol=1e-14 * size
            )
    kind = recipe["options"].get("multi_class", (FINE, "ovr"))
    case.verdict = before
    if several:
        case.judge(kind[0])
    elif kind[0] == BAD:
        case.judge(OPEN)
    proba, _ = run(
        lambda: fastlogit.predict_proba(
            case.X, coef, intercept, offset=offset, multi_class=kind[1]
        ),
        case.verdict,
    )
    if proba is not None:
        assert not np.isnan(proba).any()
        assert ((proba >= 0.0) & (proba <= 1.0)).all()
        if not several or kind[1] == "multinomial":
            assert np.abs(proba.sum(axis=1) - 1.0).max() < 1e-12
    threshold = recipe["options"].get("threshold", (FINE, 0.5))
    case.verdict = max(before if recipe["offset"] is None else OPEN, threshold[0])
    if several and threshold[1] != 0.5:
        case.judge(BAD)
    if recipe["offset"] is not None and case.verdict == BAD:
        case.verdict = OPEN  # the offset was what is bad
    codes, _ = run(
        lambda: fastlogit.predict(case.X, coef, intercept, threshold=threshold[1]), case.verdict
    )
    if codes is not None:
        assert codes.shape == (n,)
        assert ((codes >= 0) & (codes < max(models or 2, 2))).all()


# --- element by element ---------------------------------------------------------------------


def elements(dtypes: Any) -> Any:
    numbers = st.one_of(
        st.floats(width=64),
        st.floats(-40, 40),
        st.floats(0, 1),
        st.sampled_from((0.0, -0.0, 710)),
    )
    return st.fixed_dictionaries(
        {
            "name": st.sampled_from(("sigmoid", "log1p_exp", "log_sigmoid", "logit")),
            "numbers": st.lists(numbers, max_size=12),
            "dtype": mostly(
                ("f8", "f8", "f8", "f4", "f4", ">f8", "f2", "i8", "?", "O", "g"),
                ("U3", "M8[s]", "c16"),
            ),
            "shape": st.sampled_from(("flat", "scalar", "column", "strided", "F", "list", "3-D")),
            "out": mostly((None, None, "new", "same"), ("shape", "dtype", "frozen", "list")),
            "n_threads": mostly((None, 1, TWO_THREADS), (0, -1, 1.5, "a")),
        }
    )  # fmt: skip


def check_elementwise(recipe: dict[str, Any]) -> None:
    name, dtype, shape = recipe["name"], recipe["dtype"], recipe["shape"]
    verdict = BAD if recipe["n_threads"] in (0, -1, 1.5, "a") else FINE
    given_numbers = np.array(recipe["numbers"], dtype=np.float64)
    with np.errstate(all="ignore"):
        if dtype == "M8[s]":
            x = np.zeros(given_numbers.size, dtype=dtype)
        elif dtype in ("i8", "?"):
            x = np.nan_to_num(np.clip(given_numbers, -100, 100)).astype(dtype)
        else:
            x = given_numbers.astype(dtype)
    if dtype in ("U3", "M8[s]", "c16"):
        verdict = BAD
    x = {
        "flat": lambda: x,
        "scalar": lambda: x.reshape(-1)[0] if x.size else x,
        "column": lambda: x[:, None],
        "strided": lambda: np.repeat(x, 2)[::-2],
        "F": lambda: np.asfortranarray(np.stack([x, x])),
        "list": lambda: x.tolist(),
        "3-D": lambda: x.reshape(1, -1, 1),
    }[shape]()
    if shape in ("scalar", "list") and verdict == BAD and not np.size(x):
        verdict = OPEN
    if dtype == "?" and shape in ("scalar",):
        verdict = max(verdict, OPEN)
    kept = np.asarray(x)
    single = kept.dtype == np.float32
    right_type = np.float32 if single else np.float64
    out: Any = None
    if recipe["out"] is not None:
        out = np.empty(kept.shape, dtype=right_type)
        if recipe["out"] == "same":
            out = x
            if not isinstance(x, np.ndarray) or kept.dtype != right_type or not kept.dtype.isnative:
                verdict = max(verdict, OPEN)
        elif recipe["out"] != "new":
            verdict = BAD
            frozen = out.copy()
            frozen.flags.writeable = False
            out = {
                "shape": np.empty((*kept.shape, 2)),
                "dtype": np.empty(kept.shape, dtype=np.float16),
                "frozen": frozen,
                "list": [0.0],
            }[recipe["out"]]
    with np.errstate(all="ignore"):
        z = kept.astype(LONG) if verdict < BAD and kept.dtype.kind in "fbiuO" else None
    kwargs = {} if out is None else {"out": out}
    found, _ = run(
        lambda: getattr(fastlogit, name)(x, n_threads=recipe["n_threads"], **kwargs), verdict
    )
    if found is None:
        return
    if out is not None:
        assert found is out
    assert np.shape(found) == np.shape(kept)
    with np.errstate(all="ignore"):
        t = np.exp(-np.abs(z))
        right = {
            "sigmoid": np.where(z >= 0, 1 / (1 + t), t / (1 + t)),
            "log1p_exp": np.maximum(z, 0) + np.log1p(t),
            "log_sigmoid": np.minimum(z, 0) - np.log1p(t),
            # Near a half p / (1 - p) loses the digits that its logarithm needs.
            "logit": np.where(
                (z > 0.25) & (z < 0.75), 2 * np.arctanh(2 * z - 1), np.log(z) - np.log1p(-z)
            ),
        }[name].astype(right_type)
        ulp = np.abs(np.spacing(right))
        same = (found == right) | (np.isnan(found) & np.isnan(right))
        assert (same | (np.abs(found - right) <= 4 * ulp)).all(), (x, found, right)


# --- estimators -----------------------------------------------------------------------------

ESTIMATOR_OPTIONS = {
    "C": ((1.0, 0.01, 1e4, INF, 1), (0, -1.0, NAN, "a", None)),
    "tol": FIT_OPTIONS["tol"],
    "max_iter": ((100, 0, 1, 5), (-1, 1.5, "a", None)),
    "fit_intercept": ((True, False), ("yes", None, 3.5)),
    "solver": (("auto", "lbfgs", "newton-cholesky", "liblinear", "saga", "gd"), ("best", None)),
    "multi_class": (("multinomial", "ovr"), ("auto", None)),
    "class_weight": ((None, "balanced", {}), ("even", 3, [1.0])),
    "n_jobs": ((None, 1, -1, 2), (0, "a", 1.5)),
    "time_limit": ((None, 10.0, 1e-9), (0, -1.0, "a")),
    "warm_start": ((True, False), ("yes",)),
    "random_state": ((None, 0), ("a",)),
    **CATEGORY_OPTIONS,
}


def estimators(dtypes: Any) -> Any:
    return recipes(
        dtypes,
        options=ESTIMATOR_OPTIONS,
        act=st.sampled_from(("predict", "predict", "again", "pickle", "frame", "partial")),
    )


def sound_for_estimators(case: Case, recipe: dict[str, Any]) -> None:
    """Say where scikit-learn's checks are stricter or laxer than `fit`'s."""
    if recipe["labels"] in ("2-D", "halves", "bytes", "mixed", "objects", "complex"):
        case.judge(OPEN)
    if recipe["weights"] in ("scalar", "of classes"):  # a number is the weight of all rows
        case.verdict = OPEN
    if recipe["dtype"] in ("O", "decimal", "g"):
        case.judge(OPEN)
    if recipe["carrier"] in ("text", "1-D", "dates"):
        case.judge(OPEN)


def check_estimator(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    softmax = chosen.get("multi_class", "multinomial") == "multinomial"
    case = Case(recipe, softmax=softmax)
    case.judge(verdict)
    sound_for_estimators(case, recipe)
    model = LogisticRegression(**chosen)
    before = case.frozen()
    fitted, seen = run(
        lambda: model.fit(case.X, case.y, sample_weight=case.weights, offset=case.offset),
        case.verdict,
    )
    assert case.frozen() == before
    if fitted is None:
        return
    result = model.result_
    if chosen.get("class_weight") != "balanced" and recipe["weights"] != "scalar":
        assert_true_bound(case, result, softmax=softmax, held=not chosen.get("fit_intercept", True))
    assert result.converged or seen
    np.testing.assert_array_equal(np.asarray(model.classes_), case.labels)
    rows = 1 if case.n_classes == 2 else case.n_classes
    assert model.coef_.shape == (rows, case.values.shape[1])
    act = recipe["act"]
    if act == "again":
        model.set_params(warm_start=True)
        run(lambda: model.fit(case.X, case.y, case.weights, offset=case.offset), OPEN)
    elif act == "pickle":
        model = pickle.loads(pickle.dumps(model))
        clone(model)
    elif act == "partial":
        run(lambda: clone(model).partial_fit(case.X, case.y, case.labels, case.weights), OPEN)
    assert_predicts(case, model, softmax)


def assert_predicts(case: Case, model: Any, softmax: bool) -> None:
    """Check what an estimator predicts for its own rows."""
    proba = run(lambda: model.predict_proba(case.X), OPEN)[0]
    if proba is None:
        assert rounding(case, model.coef_.T, model.intercept_) > 1e300
        return
    coef, intercept = model.coef_.T, model.intercept_
    K = case.n_classes
    kind = "binary" if K == 2 else "softmax" if softmax else "ovr shares"
    assert_probabilities(case, proba, coef, intercept, kind)
    log_proba = model.predict_log_proba(case.X)
    assert not np.isnan(log_proba).any()
    assert (log_proba <= 0.0).all()
    raw = model.decision_function(case.X)
    assert not np.isnan(raw).any()
    predicted = model.predict(case.X)
    assert predicted.shape == (case.n,)
    assert set(np.asarray(predicted).tolist()) <= set(case.labels.tolist())
    best = proba[np.arange(case.n), np.searchsorted(case.labels, np.asarray(predicted))]
    noise = 1e-6 + 1e-13 * rounding(case, coef, intercept)
    assert (best >= proba.max(axis=1) - noise).all()
    # Scores of probabilities have demands of their own on labels.
    if getattr(model, "scoring", None) in (None, "accuracy", "warn"):
        assert 0.0 <= model.score(case.X, case.labels[case.codes]) <= 1.0


def searches(dtypes: Any) -> Any:
    names = ("fit_intercept", "solver", "multi_class", "class_weight", "tol")
    return recipes(
        dtypes,
        **FEW,
        options={
            **{name: ESTIMATOR_OPTIONS[name] for name in names},
            "Cs": ((2, [0.1, 1.0], [1e4], (1.0, INF)), (0, [], [-1.0], "a", [[1.0]], [NAN])),
            "cv": ((2, 3, None), (1, "a", 2.5)),
            "scoring": (
                (None, "accuracy", "neg_log_loss", "neg_brier_score", "roc_auc_ovr"), ("best", 3),
            ),
            "refit": ((True, False), ("yes",)),
            "use_legacy_attributes": ((True, False), ()),
            "max_iter": ((50, 0), (-1, "a")),
        },
    )  # fmt: skip


def check_search(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    chosen = {"Cs": [0.1, 1.0], "cv": 2, "scoring": None, "use_legacy_attributes": False} | chosen
    chosen["l1_ratios"] = (0,)
    softmax = chosen.get("multi_class", "multinomial") == "multinomial"
    case = Case(recipe | {"offset": None}, softmax=softmax)
    case.judge(verdict)
    sound_for_estimators(case, recipe)
    folds = chosen["cv"] if isinstance(chosen["cv"], int) else 5
    if case.n and np.bincount(case.codes).min() < folds:
        case.judge(OPEN)
    if case.n_classes > 2 or chosen["scoring"] == "roc_auc_ovr":
        case.judge(OPEN)  # scikit-learn's scorers and splitters have demands of their own
    model = LogisticRegressionCV(**chosen)
    fitted, _ = run(lambda: model.fit(case.X, case.y, case.weights), case.verdict)
    if fitted is None:
        return
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert_predicts(case, model, softmax)


def streams(dtypes: Any) -> Any:
    return recipes(
        dtypes,
        options={
            "C": ((1.0, 0.01, 1e4, INF), (0, -1.0, "a")),
            "fit_intercept": ((True, False), ()),
            "multi_class": (("multinomial", "ovr"), ("auto",)),
            "window_rows": ((None, 0, 1, 5, 1000), (-1, 1.5, "a")),
        },
        pieces=st.lists(st.integers(0, 12), min_size=1, max_size=4),
        entry=st.sampled_from(("online", "partial_fit", "batches", "batches estimator")),
    )


def _pieces(case: Case, recipe: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows cut into batches."""
    ends = np.append(np.minimum(np.cumsum(recipe["pieces"]), case.n), case.n)
    X, y, w = case.X, case.y, case.weights
    batches, start = [], 0
    for end in ends.tolist():
        rows = slice(start, end)
        batches.append((X[rows], y[rows], *([] if w is None else [w[rows]])))
        start = end
    return batches


def check_stream(recipe: dict[str, Any]) -> None:
    recipe = recipe | {"offset": None}
    if recipe["carrier"] not in ("numpy", "list", "pandas", "polars"):
        recipe["carrier"] = "numpy"
    if recipe["labels"] == "scalar" or recipe["weights"] in ("scalar", "of classes"):
        recipe |= {"labels": "ints", "weights": None}
    verdict, chosen = plain(recipe["options"])
    softmax = chosen.get("multi_class", "multinomial") == "multinomial"
    case = Case(recipe, softmax=softmax)
    case.judge(verdict)
    case.judge(OPEN)
    entry = recipe["entry"]
    batches = run(lambda: _pieces(case, recipe), OPEN)[0]
    if batches is None:
        return
    if entry.startswith("batches"):
        if recipe["labels"] in ("polars", "list", "none", "object text", "object ints", "mixed"):
            return  # pieces of a list have types of their own
        chosen.pop("window_rows", None)
        case.verdict = OPEN
        source = BatchSource(lambda: iter(batches))
        if entry == "batches":
            intercept = "fit" if chosen.pop("fit_intercept", True) else None
            result, seen = run(lambda: fastlogit.fit(source, intercept=intercept, **chosen), OPEN)
            if result is not None:
                softmax = chosen.get("multi_class") == "multinomial"
                assert_right(case, result, softmax, seen, intercept, 1e-12)
        else:
            model = LogisticRegression(**chosen)
            if run(lambda: model.fit(source), OPEN)[0] is not None:
                assert_predicts(case, model, softmax)
        return
    case.verdict = OPEN
    if entry == "online":
        learner = run(lambda: OnlineLogistic(case.values.shape[1], case.labels, **chosen), OPEN)[0]
        learn = learner and learner.update
    else:
        chosen.pop("window_rows", None)
        learner = LogisticRegression(**chosen)
        learn = lambda X, y, w=None: learner.partial_fit(X, y, case.labels, w)  # noqa: E731
    done = False
    for batch in batches if learn else []:
        done |= run(lambda batch=batch: learn(*batch), OPEN)[0] is not None
    if not done:
        return
    if entry == "online":
        assert np.isfinite(learner.coef).all()
        assert np.isfinite(learner.intercept).all()
    else:
        assert np.isfinite(learner.coef_).all()
        if case.values is not None and np.isfinite(case.values).all():
            assert_predicts(case, learner, softmax)


# --- paths, leave-one-out, model files ------------------------------------------------------


def paths(dtypes: Any) -> Any:
    names = ("solver", "multi_class", "tol", "n_threads", "time_limit")
    return recipes(
        dtypes,
        **FEW,
        options={
            **{name: FIT_OPTIONS[name] for name in names},
            "Cs": (
                (2, [1.0], [1e4, 1e-4], [INF, 0.1], np.float32([1, 2])), (0, [], [0.0], "a", [NAN])
            ),
            "fit_intercept": ((True, False), ()),
            "max_iter": ((0, 1, 1000), (-1, "a")),
        },
    )  # fmt: skip


def check_path(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    chosen = {"Cs": [0.1, 10.0]} | chosen
    softmax = chosen.get("multi_class", "multinomial") == "multinomial"
    case = Case(recipe, softmax=softmax)
    case.judge(verdict)
    if chosen.get("solver") == "gradient_descent" and {"times 1e-150", "times 1e150"} & {
        *recipe["columns"]
    }:
        case.judge(OPEN)  # one scale for penalties of all sizes: their curvature may overflow
    found, seen = run(
        lambda: fastlogit.logistic_path(
            case.X, case.y, sample_weight=case.weights, offset=case.offset, **chosen
        ),
        case.verdict,
    )
    if found is None:
        return
    n_models = 1 if case.n_classes == 2 else case.n_classes
    assert found.coefs.shape == (len(found.Cs), n_models, case.values.shape[1])
    assert found.converged.all() or seen
    total = case.n if case.w is None else case.w.sum(axis=0)
    for k, C in enumerate(found.Cs):
        with np.errstate(all="ignore"):
            l2_reg = 0.0 if C == INF else np.float64(1.0) / (C * total)
        one = fastlogit.FitResult(
            coef=found.coefs[k, 0] if n_models == 1 else found.coefs[k].T,
            intercept=found.intercepts[k, 0] if n_models == 1 else found.intercepts[k],
            classes=found.classes, n_iter=0, n_passes=0, converged=bool(found.converged[k]),
            message=found.message, history=np.array([INF]), gradient_norm=0.0,
            suboptimality=found.suboptimality[k], seconds=0.0, solver="auto", l2_reg=l2_reg,
        )  # fmt: skip
        if np.ndim(l2_reg) == 0:
            assert_true_bound(
                case, one, softmax=softmax, held=not chosen.get("fit_intercept", True)
            )


def boots(dtypes: Any) -> Any:
    shared = ("C", "multi_class", "n_threads", "time_limit")
    return recipes(
        dtypes,
        options={
            **{name: FIT_OPTIONS[name] for name in shared},
            "tol": ((1e-12, 1e-8, 1e-3, 0.0), (-1.0, NAN, "a", None)),
            "intercept": INTERCEPTS,
            "n": ((1, 3), (0, 2.5, "a")),
            "weights": (("multinomial", "bayesian"), ("exponential", None)),
            "stratify": ((False, True), (1, "y")),
            "groups": ((None, "four"), ("short",)),
        },
        **FEW,
    )


def check_bootstrap(recipe: dict[str, Any]) -> None:
    verdict, chosen = plain(recipe["options"])
    softmax = chosen.get("multi_class") == "multinomial"
    case = Case(recipe, softmax=softmax)
    case.judge(verdict)
    chosen = {"C": 1.0, "n": 2, **chosen}
    kind = chosen.pop("groups", None)
    if kind is not None:
        case.judge(OPEN)  # all rows may be of one cluster, or clusters of several classes
        chosen["groups"] = np.arange(case.n if kind == "four" else case.n + 1) // 4
    if chosen["C"] == INF or np.ndim(case.w) > 1 or case.n < 3:
        case.judge(OPEN)  # there may be no optimum
    before = case.frozen()
    found, _ = run(
        lambda: fastlogit.bootstrap(
            case.X, case.y, sample_weight=case.weights, offset=case.offset, random_state=0, **chosen
        ),
        case.verdict,
    )
    assert case.frozen() == before
    if found is None:
        return
    missing = np.isnan(found.coef.reshape(len(found), -1)).any(axis=1)
    np.testing.assert_array_equal(missing, found.status >= fastlogit.GroupStatus.SEPARABLE)
    for replicate in np.flatnonzero(~missing):
        own = copy.copy(case)
        own.w = found.replicate_weights(replicate)
        with np.errstate(all="ignore"):
            l2_reg = 0.0 if chosen["C"] == INF else np.float64(1.0) / (chosen["C"] * own.w.sum())
        one = fastlogit.FitResult(
            coef=found.coef[replicate], intercept=found.intercept[replicate],
            classes=found.classes, n_iter=0, n_passes=0, converged=bool(found.converged[replicate]),
            message=repr(found), history=np.array([INF]), gradient_norm=0.0,
            suboptimality=float(found.suboptimality[replicate]), seconds=0.0, solver="auto",
            l2_reg=l2_reg,
        )  # fmt: skip
        if np.isfinite(l2_reg):
            held = chosen.get("intercept", "fit") != "fit"
            assert_true_bound(own, one, softmax=softmax, held=held)


def leaves(dtypes: Any) -> Any:
    return recipes(dtypes, options={"multi_class": (("ovr", "multinomial"), ())})


def check_leave_one_out(recipe: dict[str, Any]) -> None:
    softmax = plain(recipe["options"])[1].get("multi_class") == "multinomial"
    case = Case(recipe, softmax=softmax)
    given = {"sample_weight": case.weights, "offset": case.offset}
    kind = "multinomial" if softmax else "ovr"
    result, _ = run(
        lambda: fastlogit.fit(case.X, case.y, C=1.0, multi_class=kind, **given), case.verdict
    )
    if result is None:
        return
    if recipe["offset"] == "1e5" or not result.converged:
        case.judge(OPEN)  # rows may be so certain that no Hessian is left, which is said in words
    found, _ = run(lambda: fastlogit.leave_one_out(result, case.X, case.y, **given), case.verdict)
    if found is None:
        return
    assert np.isfinite(found.log_loss), recipe
    assert found.log_loss >= 0.0
    assert 0.0 <= found.accuracy <= 1.0
    assert np.isfinite(found.raw_prediction).all()
    assert np.isfinite(found.leverage).all()
    most = 1.0 if case.n_classes == 2 or not softmax else case.n_classes - 1.0
    assert (found.leverage >= 0.0).all()
    assert (found.leverage <= most * (1.0 + 1e-9)).all()


def model_files(dtypes: Any) -> Any:
    return recipes(
        dtypes,
        options={"multi_class": (("ovr", "multinomial"), ()), "C": ((1.0, None), ())},
        damage=st.one_of(
            st.none(),
            st.tuples(
                st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(("set", "cut", "put"))
            ),
            st.binary(max_size=60),
        ),
    )  # fmt: skip


def check_model_file(recipe: dict[str, Any], folder: Path) -> None:
    recipe = recipe | {"weights": None, "offset": None}
    case = Case(recipe)
    _, chosen = plain(recipe["options"])
    result, _ = run(lambda: fastlogit.fit(case.X, case.y, **chosen), case.verdict)
    if result is None:
        return
    names = result.feature_names or [f"x{i}" for i in range(len(result.coef))]
    path = folder / "a.model.npz"
    settings_kept = {name: value for name, value in chosen.items() if value is not None}
    save_model(Model(result, tuple(names), "y", settings_kept, "0"), path)
    damage = recipe["damage"]
    if damage is not None:
        whole = path.read_bytes()
        if isinstance(damage, bytes):
            path.write_bytes(damage)
        else:
            place, byte, how = damage
            place %= len(whole)
            rest = {"set": whole[place + 1 :], "cut": b"", "put": whole[place:]}[how]
            path.write_bytes(whole[:place] + bytes([byte]) * (how != "cut") + rest)
    found, _ = run(lambda: load_model(path), FINE if damage is None else OPEN)
    if found is None:
        return
    assert found.feature_names == tuple(names)
    for name in ("coef", "intercept", "classes", "history", "bounds", "l2_reg"):
        np.testing.assert_array_equal(getattr(found.result, name), getattr(result, name))
    np.testing.assert_array_equal(found.result.predict(case.values), result.predict(case.values))


# --- the throws -----------------------------------------------------------------------------


class Entry(NamedTuple):
    """A property, what draws its examples, and how many of 20,000 it gets (files get 900)."""

    check: Any
    draw: Any
    share: int


# The first ten meet all of DTYPES_WHOLE_RARE between them.
ENTRIES = {
    "fit": Entry(check_fit, fits, 2000),
    "gradient_descent": Entry(check_gradient_descent, descents, 900),
    "cost": Entry(check_cost, functions, 3000),
    "prediction": Entry(check_prediction, functions, 3500),
    "estimator": Entry(check_estimator, estimators, 1200),
    "search": Entry(check_search, searches, 150),
    "stream": Entry(check_stream, streams, 900),
    "path": Entry(check_path, paths, 300),
    "bootstrap": Entry(check_bootstrap, boots, 800),
    "leave_one_out": Entry(check_leave_one_out, leaves, 800),
    "model_file": Entry(check_model_file, model_files, 850),
    "elementwise": Entry(check_elementwise, elements, 5500),
}


# Those that take sparse rows.
SPARSE = (
    "fit", "gradient_descent", "cost", "prediction", "estimator", "search", "path", "leave_one_out",
)  # fmt: skip

# Recipes that once went wrong; what they lack stands in `PLAIN`.
PLAIN: dict[str, Any] = {
    "rows": 20, "columns": ["normal", "whole"], "dtype": "f8", "layout": "C", "carrier": "numpy",
    "seed": 0, "relation": "noisy", "classes": 2, "labels": "ints", "weights": None,
    "offset": None, "options": {}, "penalty": None, "start": None, "models": None, "sizes": 1.0,
    "targets": "codes", "act": "predict", "damage": None,
}  # fmt: skip
KEPT: list[tuple[str, dict[str, Any]]] = [
    ("cost", {"rows": 8, "columns": ["constant"], "weights": "huge"}),
    ("stream", {"rows": 8, "labels": "bytes", "pieces": [0], "entry": "partial_fit"}),
    ("stream", {"rows": 8, "labels": "nan", "pieces": [0], "entry": "batches estimator"}),
    ("stream", {"rows": 8, "labels": "bytes", "pieces": [0], "entry": "online"}),
    ("stream", {"rows": 8, "labels": "bytes", "pieces": [0], "entry": "batches"}),
    (
        "leave_one_out",
        {
            "rows": 30, "seed": 166580, "offset": "1e5", "columns": ["times 1e6", "far 1e8"],
            "classes": 3, "labels": "polars", "dtype": "i8", "carrier": "pandas",
        },
    ),
    (
        "leave_one_out",
        {
            "rows": 8, "seed": 2152, "relation": "rare", "layout": "unaligned",
            "columns": [
                "times 1e300", "normal", "skewed", "zero", "times 1e-150", "mixed sizes",
                "near 1e-12",
            ],
        },
    ),
    (
        "path",
        {
            "rows": 26, "classes": 5, "seed": 1003, "relation": "none", "offset": "1e5",
            "layout": "swapped",
            "columns": [
                "far 1e4", "near 1e-7", "times 1e150", "times 1e150", "times 1e150", "far 1e8",
                "binary",
            ],
        },
    ),
    ("gradient_descent", {"rows": 8, "seed": 0, "labels": "uint64", "offset": "1e300"}),
    (
        "gradient_descent",
        {
            "options": {
                "standardize": (FINE, False), "time_limit": (FINE, 1e-9), "max_iter": (FINE, 0),
            }
        },
    ),
    (
        "path",
        {
            "rows": 36, "classes": 5, "offset": "1e300", "seed": 47,
            "columns": ["cauchy", "zero", "skewed", "times 1e6", "times 1e150", "near 1e-12"],
            "options": {"multi_class": (FINE, "multinomial"), "Cs": (FINE, [1.0])},
        },
    ),
    ("path", {"rows": 37, "seed": 13, "weights": "four orders", "offset": "list"}),
    ("path", {"rows": 40, "seed": 12, "classes": 5, "weights": "four orders"}),
    (
        "path",
        {
            "columns": ["skewed", "times 1e150"], "dtype": "f4",
            "options": {"time_limit": (FINE, 1e-9), "max_iter": (FINE, 0)},
        },
    ),
    (
        "path",
        {
            "rows": 10, "columns": ["nan"], "seed": 138, "classes": 3, "relation": "rare",
            "weights": "some zeros",
        },
    ),
    ("search", {"weights": "short", "carrier": "list", "labels": "categorical"}),
    (
        "prediction",
        {
            "rows": 4, "seed": 3312, "sizes": 1e5, "classes": 1, "offset": "mixed",
            "columns": ["times 1e-300", "normal", "mixed sizes", "times 1e306", "times 1e306"],
        },
    ),
    (
        "fit",
        {
            "rows": 28, "classes": 3, "seed": 4934, "offset": "constant -300", "columns": [
                "near 1e-7", "near 1e-7", "far 1e4", "far 1e4", "near 1e-7", "cauchy", "copy",
                "far 1e4", "far 1e4", "far 1e4",
            ],
        },
    ),
    (
        "leave_one_out",
        {
            "rows": 36, "classes": 5, "seed": 15045, "offset": "mixed", "relation": "separable",
            "columns": ["times 1e-150", "times 1e-150", "times 1e-150"],
        },
    ),
    (
        "fit",
        {
            "rows": 23, "columns": ["normal", "near 1e-12"], "layout": "swapped", "seed": 3550,
            "carrier": "pandas arrow", "offset": "1e300", "weights": "whole", "labels": "pyarrow",
            "relation": "rare",
        },
    ),
    ("fit", {"rows": 8, "columns": ["far 1e8", "normal"], "classes": 3, "offset": "1e300"}),
    ("fit", {"rows": 8, "columns": ["far 1e8", "normal"], "offset": "1e300"}),
    ("stream", {"rows": 0, "columns": ["normal"], "pieces": [0], "entry": "online"}),
    (
        "fit",
        {
            "rows": 37, "relation": "separable", "offset": "mixed", "penalty": "L1 factor",
            "labels": "signed", "seed": 32937, "layout": "reversed", "columns": [
                "near 1e-3", "times 1e150", "near 1e-3", "binary", "copy", "near 1e-3", "normal",
                "sum", "whole", "binary",
            ],
        },
    ),
    (
        "fit",
        {
            "rows": 38, "columns": ["skewed", "near 1e-3", "near 1e-3"], "classes": 5,
            "seed": 2666, "relation": "none", "penalty": "L1 weak",
        },
    ),
    (
        "bootstrap",
        {
            "rows": 8, "columns": ["normal"], "classes": 3, "weights": "some zeros",
            "options": {"multi_class": (FINE, "multinomial")},
        },
    ),
]  # fmt: skip


def throw(
    name: str, n_examples: int, folder: Path, dtypes: Any, budget: Budget, first: Any,
    sparse: bool = False,
) -> int:  # fmt: skip
    """Throw examples at an entry while the budget lasts; return how many ran.

    `first` is the seed, or None for the same examples each time.
    """
    entry, place, count = ENTRIES[name], list(ENTRIES).index(name), [0]

    def one(recipe: Any) -> None:
        if budget.left <= 0.0:
            return
        count[0] += 1
        with budget.spent():
            recipe = with_one_rare_type(recipe, place)
            check(name, as_sparse(recipe) if sparse else recipe, folder)

    throw_at(one, entry.draw(dtypes), n_examples, first)
    return count[0]


def as_sparse(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe of sparse rows, unless their carrier is what is wrong with them.

    Of two rows at the least: the oracle of `cost` takes one class for the other.
    """
    if recipe["carrier"] in CARRIERS_RARE:
        return recipe
    return recipe | {"carrier": "scipy", "rows": recipe["rows"] and max(2, recipe["rows"])}


def check(name: str, recipe: dict[str, Any], folder: Path) -> None:
    more = (folder,) if name == "model_file" else ()
    ENTRIES[name].check(recipe, *more)


@pytest.mark.parametrize(("name", "recipe"), KEPT)
def test_what_once_went_wrong(name, recipe, tmp_path) -> None:
    check(name, PLAIN | recipe, tmp_path)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_few_hundred(name, tmp_path) -> None:
    throw(name, max(12, ENTRIES[name].share // 60), tmp_path, DTYPES_FEW, Budget(), None)


@pytest.mark.parametrize("name", SPARSE)
def test_some_of_sparse_rows(name, tmp_path) -> None:
    n_examples = max(12, ENTRIES[name].share // 100)
    throw(name, n_examples, tmp_path, DTYPES_FEW, Budget(), 0, sparse=True)


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize("name", SPARSE)
def test_thousands_of_sparse_rows(name, tmp_path) -> None:
    wanted, budget = ENTRIES[name].share // 2, Budget(BUDGET_SECONDS / 2.0)
    count = throw(name, wanted, tmp_path, DTYPES_FEW, budget, SEED, sparse=True)
    say_how_many(count, wanted, budget)


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize("name", ENTRIES)
def test_twenty_thousand(name, tmp_path) -> None:
    wanted, count = ENTRIES[name].share, 0
    budget = Budget(BUDGET_SECONDS)
    for part in range(0, wanted, PART):
        first = SEED + part // PART
        count += throw(name, min(PART, wanted - part), tmp_path, DTYPES_ALL, budget, first)
    # Where numbers are few enough hypothesis ends before.
    say_how_many(count, wanted, budget)
