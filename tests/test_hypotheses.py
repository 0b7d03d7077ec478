"""Probabilities and their logarithms in one pass: against the oracle, and mpmath at the ends."""

import mpmath
import numpy as np
import pytest
from problems import LAYOUTS, TWO_THREADS, force_twin, readonly, sized

from fastlogit import reference
from fastlogit.design.dense import DenseDesign
from fastlogit.design.few import PackedModels
from fastlogit.design.streamed import StreamedDesign
from fastlogit.kernels.hypotheses import BINARY, LOG, ONE_VS_ALL, RAW, SOFTMAX

ROW_COUNTS = [1, 2, 3, 4, 23, 24, 25, 71, 72, 73, 255, 256, 257, 600]
KINDS = {
    "raw": RAW, "binary": BINARY, "log binary": BINARY + LOG, "softmax": SOFTMAX,
    "log softmax": SOFTMAX + LOG, "one-vs-all": ONE_VS_ALL, "log one-vs-all": ONE_VS_ALL + LOG,
}  # fmt: skip
# Multiples of 1/64, whose differences are exact.
ENDS = np.array(
    [0.0, 1 / 64, 0.5, 1.0, 5.0, 36.75, 37.5, 355.0, 644.5, 700.0, 708.25, 744.5, 745.25, 800.0]
)


def by_the_oracle(kind, z):
    asked = {
        RAW: lambda z: z,
        BINARY: lambda z: reference.softmax(np.column_stack([np.zeros(len(z)), z])),
        BINARY + LOG: lambda z: reference.log_softmax(np.column_stack([np.zeros(len(z)), z])),
        SOFTMAX: reference.softmax,
        SOFTMAX + LOG: reference.log_softmax,
        ONE_VS_ALL: reference.one_vs_all_proba,
        ONE_VS_ALL + LOG: reference.one_vs_all_log_proba,
    }  # fmt: skip
    return asked[kind](z)


def said(design, coef, intercept, kind, offset=None, finite=True):
    """What the design says about its rows, (n_samples, n_models or 2)."""
    n_samples, n_models = design.shape[0], len(coef)
    fixed = np.empty((0, n_samples)) if offset is None else np.atleast_2d(offset)
    out = np.full((n_samples, 2 if kind in (BINARY, BINARY + LOG) else n_models), np.nan)
    with np.errstate(all="ignore"):  # for plain Python under NUMBA_DISABLE_JIT
        assert design.hypotheses(coef, intercept, readonly(fixed), kind, out) == finite
    return out


def rows_and_models(n_samples, n_features, n_models):
    rng = np.random.default_rng([n_samples, n_features, n_models])
    coef = 3.0 * rng.standard_normal((n_models, n_features)) / np.sqrt(n_features)
    X = rng.standard_normal((n_samples, n_features))
    return X, coef, rng.standard_normal(n_models), rng.standard_normal((n_models, n_samples))


def kinds_of(n_models):
    return [kind for name, kind in KINDS.items() if "binary" not in name or n_models == 1]


def assert_said(found, kind, X, coef, intercept, offset=0.0) -> None:
    z = X @ coef.T + intercept + np.transpose(np.atleast_2d(offset))
    # Rounding of z moves probabilities by that much of themselves, and logarithms by that much.
    slack = 1e-15 * (np.abs(X) @ np.abs(coef).T + np.abs(z) + 4.0).max(axis=1, keepdims=True)
    expected = by_the_oracle(kind, z)
    relative = kind in (BINARY, SOFTMAX, ONE_VS_ALL)
    assert (np.abs(found - expected) <= 3.0 * slack * (expected if relative else 1.0)).all()


@pytest.mark.parametrize("n_models", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("n_features", "layout"),
    [
        (1, "C"),
        (3, "C"),
        (8, "C"),
        (12, "F"),
        (21, "C"),
        (70, "first columns"),
        (9, "reversed rows"),
    ],
)
def test_every_kind_is_that_of_the_oracle(n_features, layout, n_models) -> None:
    X, coef, intercept, offset = rows_and_models(sized(300, 40), n_features, n_models)
    design = DenseDesign(LAYOUTS[layout](X))
    for kind in kinds_of(n_models):
        for fixed in (None, offset[0], offset):
            found = said(design, coef, intercept, kind, fixed)
            assert_said(found, kind, X, coef, intercept, 0.0 if fixed is None else fixed)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_every_cut_into_blocks(n_samples, layout) -> None:
    X, coef, intercept, offset = rows_and_models(n_samples, 11, 3)
    design = DenseDesign(LAYOUTS[layout](X))
    for kind in (SOFTMAX, ONE_VS_ALL + LOG, RAW):
        found = said(design, coef, intercept, kind, offset)
        assert_said(found, kind, X, coef, intercept, offset)
    assert_said(said(design, coef[:1], intercept[:1], BINARY), BINARY, X, coef[:1], intercept[:1])
    assert design.n_passes == 4


@pytest.mark.parametrize("n_features", [4, 8, 19])
@pytest.mark.parametrize("n_models", [1, 3])
def test_float32_rows(n_features, n_models) -> None:
    X, coef, intercept, offset = rows_and_models(sized(300, 40), n_features, n_models)
    single = X.astype(np.float32)
    for given in (single, np.hstack([single, single])[:, :n_features]):
        for kind in kinds_of(n_models):
            found = said(DenseDesign(given), coef, intercept, kind, offset)
            assert_said(found, kind, single.astype(np.float64), coef, intercept, offset)


# ------------------------------------------------------------------------------------------------
# The ends


def exact_logs(row):
    """Logarithms of softmax, and of one-vs-all over its sum, in mpmath."""
    sigmoids = [1 / (1 + mpmath.exp(-z)) for z in row]
    softmax = mpmath.log(sum(mpmath.exp(z) for z in row))
    whole = mpmath.log(sum(sigmoids))
    return [z - softmax for z in row], [mpmath.log(value) - whole for value in sigmoids]


def design_of(z, layout):
    """Rows and models whose raw predictions are exactly z (n_samples, n_models)."""
    X = np.zeros((len(z), 9))
    X[:, : z.shape[1]] = z
    return DenseDesign(LAYOUTS[layout](X)), np.eye(z.shape[1], 9), np.zeros(z.shape[1])


@pytest.mark.parametrize("layout", ["C", "F"])
def test_several_classes_at_the_ends(layout) -> None:
    rng = np.random.default_rng(4)
    both = np.concatenate([-ENDS, ENDS])
    z = np.vstack(
        [
            rng.choice(both, (sized(150, 60), 3)),
            rng.choice(-ENDS[8:], (20, 3)),  # all hypotheses of one-vs-all nearly 0
            rng.choice(ENDS[8:], (20, 3)),
            np.repeat(both[:, None], 3, axis=1),
            [[800.0, 800.0, -800.0], [-800.0, 0.0, 800.0], [-800.0, -745.25, -708.25]],
        ]
    )
    design, coef, intercept = design_of(z, layout)
    with mpmath.workprec(3000):
        logs = [exact_logs([mpmath.mpf(float(value)) for value in row]) for row in z]
        wanted_logs = np.array([[[float(v) for v in part] for part in row] for row in logs])
        wanted = np.array([[[float(mpmath.exp(v)) for v in part] for part in row] for row in logs])
    for place, kind in ((0, SOFTMAX), (1, ONE_VS_ALL)):
        proba = said(design, coef, intercept, kind)
        log_proba = said(design, coef, intercept, kind + LOG)
        # Where all hypotheses are below 1e-280 they are normalised by logarithms, of about 1e-13;
        # where the largest is not, those below 1e-308 are 0.
        rtol = 2e-15 if kind == SOFTMAX else np.where(z.max(axis=1) > -640.0, 2e-15, 5e-13)[:, None]
        assert (
            np.abs(proba - wanted[:, place])
            <= rtol * wanted[:, place] + (1e-40 if place else 2e-323)
        ).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12 if place else 1e-15)
        assert np.isfinite(log_proba).all()
        assert (log_proba <= 0.0).all()
        np.testing.assert_allclose(
            log_proba, wanted_logs[:, place], rtol=2e-15, atol=2e-323 + 2e-13 * place
        )
    softmax = said(design, coef, intercept, SOFTMAX + LOG)
    # The logarithm of a probability near 1 keeps its digits.
    assert ((softmax < 0.0) | (wanted_logs[:, 0] > -1e-307)).all()


@pytest.mark.parametrize("layout", ["C", "F"])
def test_one_model_at_the_ends(layout) -> None:
    z = np.concatenate([-ENDS, ENDS, [1e4, -1e4, 1e300, -1e300]])
    design, coef, intercept = design_of(z[:, None], layout)
    proba = said(design, coef, intercept, BINARY)
    log_proba = said(design, coef, intercept, BINARY + LOG)
    with mpmath.workprec(3000):
        exact = [mpmath.log1p(mpmath.exp(-mpmath.mpf(float(value)))) for value in z[:-2]]
        other = [mpmath.log1p(mpmath.exp(mpmath.mpf(float(value)))) for value in z[:-2]]
        logs = -np.array([[float(a), float(b)] for a, b in zip(other, exact, strict=True)])
        shares = [[mpmath.exp(-a), mpmath.exp(-b)] for a, b in zip(other, exact, strict=True)]
        wanted = np.array([[float(value) for value in row] for row in shares])
    np.testing.assert_allclose(proba[:-2], wanted, rtol=1e-15, atol=2e-323)
    np.testing.assert_allclose(log_proba[:-2], logs, rtol=1e-15, atol=2e-323)
    np.testing.assert_array_equal(proba[-2:], [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(log_proba[-2:], [[-1e300, 0.0], [0.0, -1e300]])


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told(bad, kind, layout) -> None:
    n_models = 1 if kind in (BINARY, BINARY + LOG) else 3
    z = np.zeros((40, n_models))
    design, coef, intercept = design_of(z, layout)
    said(design, coef, intercept, kind)
    z[33, n_models - 1] = bad
    design, coef, intercept = design_of(z, layout)
    found = said(design, coef, intercept, kind, finite=False)
    fine = np.arange(40) != 33
    assert np.isfinite(found[fine]).all()


def test_one_class_alone_is_certain() -> None:
    X, coef, intercept, _ = rows_and_models(50, 9, 1)
    design = DenseDesign(X)
    for kind in (SOFTMAX, ONE_VS_ALL):
        np.testing.assert_array_equal(said(design, coef, intercept, kind), 1.0)
        np.testing.assert_array_equal(said(design, coef, intercept, kind + LOG), 0.0)


# ------------------------------------------------------------------------------------------------
# The same bits


@pytest.mark.parametrize("n_models", [1, 3, 4])
@pytest.mark.parametrize("n_features", [5, 13])
def test_threads_and_twins_give_the_same_bits(n_features, n_models, monkeypatch) -> None:
    X, coef, intercept, offset = rows_and_models(sized(20_000, 300), n_features, n_models)
    for kind in kinds_of(n_models):
        found = {
            said(DenseDesign(X, n_threads=n), coef, intercept, kind, offset).tobytes()
            for n in (1, TWO_THREADS, None)
        }
        for parallel in (False, True):
            with monkeypatch.context() as patch:
                force_twin(patch, parallel)
                found.add(said(DenseDesign(X), coef, intercept, kind, offset).tobytes())
        assert len(found) == 1


@pytest.mark.parametrize("n_models", [1, 3])
@pytest.mark.parametrize("n_features", [5, 13])
def test_a_row_s_bits_do_not_depend_on_its_place(n_features, n_models) -> None:
    X, coef, intercept, offset = rows_and_models(sized(300, 60), n_features, n_models)
    design = DenseDesign(X)
    for kind in kinds_of(n_models):
        whole = said(design, coef, intercept, kind, offset)
        for start, stop in ((0, 1), (1, 6), (7, 50), (25, 49)):
            part = said(DenseDesign(X[start:stop]), coef, intercept, kind, offset[:, start:stop])
            np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize("n_models", [1, 3])
def test_streamed_rows_are_those_in_memory(n_models, tmp_path) -> None:
    X, coef, intercept, offset = rows_and_models(400, 13, n_models)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for kind in kinds_of(n_models):
        for fixed in (None, offset[0], offset):
            found = said(StreamedDesign(mapped, block_rows=97), coef, intercept, kind, fixed)
            expected = said(DenseDesign(X), coef, intercept, kind, fixed)
            np.testing.assert_array_equal(found, expected)
    X[150, 2] = np.nan
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    said(StreamedDesign(mapped, block_rows=97), coef, intercept, RAW, finite=False)


@pytest.mark.parametrize("kind", [RAW, SOFTMAX, ONE_VS_ALL, SOFTMAX + LOG, ONE_VS_ALL + LOG])
@pytest.mark.parametrize("n_models", [1, 2, 3])
@pytest.mark.parametrize("n_features", [3, 12])
def test_few_rows_stay_within_their_room(rng, kind, n_models, n_features) -> None:
    """One class alone has a probability of 1, also where it was asked for by mistake."""
    X, coef = rng.normal(size=(5, n_features)), rng.normal(size=(n_models, n_features))
    out = np.full((6, n_models), 7.0)
    assert PackedModels(coef, np.ones(n_models)).hypotheses(X, kind, out[:5])
    z = X @ coef.T + 1.0
    whole = {RAW: z, SOFTMAX: np.exp(z), ONE_VS_ALL: 1.0 / (1.0 + np.exp(-z))}[kind % LOG]
    wanted = z if kind == RAW else whole / whole.sum(axis=1, keepdims=True)
    found = np.exp(out[:5]) if kind >= LOG else out[:5]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert (out[5] == 7.0).all()
