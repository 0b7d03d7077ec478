"""Every entry that takes sparse X: the answers are those of the same rows as an array."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer

import fastlogit
from fastlogit import LogisticRegression, LogisticRegressionCV

pytestmark = pytest.mark.jit

RNG = np.random.default_rng(8)
N_SAMPLES, N_FEATURES = 400, 12
X0 = np.round(RNG.normal(size=(N_SAMPLES, N_FEATURES)) * 2.0, 3)
X0[RNG.random(X0.shape) < 0.7] = 0.0
X0[17], X0[:, 3] = 0.0, 0.0
COEF = RNG.normal(size=(3, N_FEATURES))
Y2 = (X0 @ COEF[0] + RNG.logistic(size=N_SAMPLES) > 0.2).astype(int)
Y3 = (X0 @ COEF.T + RNG.gumbel(size=(N_SAMPLES, 3))).argmax(axis=1)
WEIGHT = RNG.uniform(0.2, 3.0, N_SAMPLES)
OFFSET = RNG.normal(size=N_SAMPLES)
FACTOR = np.where(np.arange(N_FEATURES) == 2, 0.0, 1.0 + np.arange(N_FEATURES) % 3)
KINDS = {
    "csr array": scipy.sparse.csr_array,
    "csc matrix": scipy.sparse.csc_matrix,
    "coo array": scipy.sparse.coo_array,
    "int64 indices": lambda X: _wide(scipy.sparse.csr_array(X)),
}
S0 = scipy.sparse.csr_array(X0)


def _wide(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def assert_same_fit(found, wanted) -> None:
    assert found.converged
    assert wanted.converged
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-9)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_fit_of_every_kind(kind) -> None:
    X = KINDS[kind](X0)
    found, wanted = (fastlogit.fit(each, Y2, C=1.0) for each in (X, X0))
    assert_same_fit(found, wanted)
    np.testing.assert_allclose(found.raw_prediction(X), wanted.raw_prediction(X0), atol=1e-5)
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X0), atol=1e-6)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X0))


OPTIONS = {
    "weights": {"sample_weight": WEIGHT},
    "offset": {"offset": OFFSET},
    "factor": {"penalty_factor": FACTOR},
    "no intercept": {"intercept": None},
    "fixed intercept": {"intercept": -0.7},
    "huge weights": {"sample_weight": 1e200 * WEIGHT},
    "strengths": {"C": None, "l2_reg": 0.01 * FACTOR + 0.001},
    "no penalty": {"C": None},
}


@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("name", OPTIONS)
def test_fit_with_every_option(name, solver) -> None:
    options = {"C": 0.5, "solver": solver, "tol": 1e-11, **OPTIONS[name]}
    assert_same_fit(fastlogit.fit(S0, Y2, **options), fastlogit.fit(X0, Y2, **options))


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "lbfgs"])
def test_several_classes(mode, solver) -> None:
    options = {"C": 0.5, "solver": solver, "multi_class": mode, "sample_weight": WEIGHT}
    found, wanted = (fastlogit.fit(X, Y3, **options) for X in (S0, X0))
    assert_same_fit(found, wanted)
    np.testing.assert_allclose(
        fastlogit.predict_proba(S0, found.coef, found.intercept, multi_class=mode),
        fastlogit.predict_proba(X0, wanted.coef, wanted.intercept, multi_class=mode),
        atol=1e-6,
    )


@pytest.mark.parametrize("momentum", ["none", "nesterov"])
def test_gradient_descent(momentum) -> None:
    options = {"l2_reg": 0.05, "momentum": momentum, "tol": 1e-10, "max_iter": 5_000}
    found, wanted = (fastlogit.gradient_descent(X, Y2, **options) for X in (S0, X0))
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-8)
    assert found.n_iter == pytest.approx(wanted.n_iter, abs=2)


def test_costs_and_predictions_of_given_coefficients() -> None:
    coef, intercept = np.ascontiguousarray(COEF.T), np.array([0.1, -0.2, 0.3])
    for X in (S0, scipy.sparse.csc_array(X0)):
        for each, level in ((coef[:, 0], 0.1), (coef, intercept)):
            options = {"l2_reg": 0.1, "sample_weight": WEIGHT, "offset": OFFSET}
            found = fastlogit.cost_gradient(X, Y2, each, level, **options)
            wanted = fastlogit.cost_gradient(X0, Y2, each, level, **options)
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)
            found, wanted = (fastlogit.cost(A, Y2, each, level, l2_reg=0.1) for A in (X, X0))
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
            raw = fastlogit.raw_prediction(X, each, level, offset=OFFSET)
            wanted = fastlogit.raw_prediction(X0, each, level, offset=OFFSET)
            np.testing.assert_allclose(raw, wanted, rtol=1e-11, atol=1e-12)
            np.testing.assert_array_equal(
                fastlogit.predict(X, each, level), fastlogit.predict(X0, each, level)
            )


def test_problem() -> None:
    problems = [fastlogit.Problem(X, Y3, C=1.0, multi_class="multinomial") for X in (S0, X0)]
    theta = RNG.normal(size=problems[0].n_parameters)
    for one, other in zip(*(p.cost_gradient(theta) for p in problems), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)
    hessians = [p.hessian(theta) for p in problems]
    np.testing.assert_allclose(*hessians, rtol=1e-9, atol=1e-12)


def test_leave_one_out() -> None:
    found, wanted = (fastlogit.leave_one_out(fastlogit.fit(X, Y2, C=1.0), X, Y2) for X in (S0, X0))
    np.testing.assert_allclose(found.raw_prediction, wanted.raw_prediction, atol=1e-5)
    np.testing.assert_allclose(found.leverage, wanted.leverage, atol=1e-6)


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
@pytest.mark.parametrize("y", [Y2, Y3], ids=["two", "three"])
def test_estimator(y, mode) -> None:
    found, wanted = (
        LogisticRegression(C=0.7, multi_class=mode).fit(X, y, sample_weight=WEIGHT)
        for X in (S0, X0)
    )
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-5, atol=1e-6)
    for name in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
        one, other = getattr(found, name)(S0), getattr(wanted, name)(X0)
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert found.score(S0, y) == wanted.score(X0, y)
    with pytest.raises(ValueError, match="expecting 12 features"):
        found.predict(S0[:, :5])
    assert found.__sklearn_tags__().input_tags.sparse


@pytest.mark.parametrize(("y", "mode"), [(Y2, "ovr"), (Y3, "ovr"), (Y3, "multinomial")])
def test_estimator_learns_from_sparse_batches(y, mode) -> None:
    names = [f"word {k}" for k in range(N_FEATURES)]
    labels = np.array(["a", "b", "c"])[y]
    settings = {"multi_class": mode, "class_weight": {"a": 2.0, "b": 0.5}}
    weight = np.linspace(0.5, 2.0, N_SAMPLES)
    dense = LogisticRegression(**settings)
    sparse, mixed, frames, partly = (clone(dense) for _ in range(4))
    frame = pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csc_matrix(X0), columns=names)
    for start in range(0, N_SAMPLES, 100):
        part = slice(start, start + 100)
        rest = labels[part], np.unique(labels), weight[part]
        dense.partial_fit(X0[part], *rest)
        assert sparse.partial_fit(S0[part], *rest) is sparse
        mixed.partial_fit(X0[part] if start else S0[part].tocsc(), *rest)
        frames.partial_fit(frame[part], *rest)
        partly.partial_fit(frame[part].astype(dict.fromkeys(names[::2], float)), *rest)
    for model in (sparse, mixed, frames, partly):
        np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(model.intercept_, dense.intercept_, rtol=1e-10, atol=1e-10)
        assert model.classes_.tolist() == dense.classes_.tolist()
        assert model.n_features_in_ == N_FEATURES
    np.testing.assert_allclose(sparse.predict_proba(S0), dense.predict_proba(X0), rtol=1e-9)
    assert frames.feature_names_in_.tolist() == partly.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names should match"):
        frames.partial_fit(frame[names[::-1]], labels)
    with pytest.raises(ValueError, match=r"X has 11 features, but LogisticRegression is expecting"):
        sparse.partial_fit(S0[:, 1:], labels)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sparse.partial_fit(S0, labels[1:])
    with pytest.raises(ValueError, match="requires y to be passed"):
        sparse.partial_fit(S0, None)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-10, atol=1e-10)


def test_a_stream_of_sparse_float32_rows_predicts_in_it() -> None:
    model = LogisticRegression().partial_fit(S0.astype(np.float32), Y2, classes=[0, 1])
    assert model.predict_proba(S0.astype(np.float32)).dtype == np.float32
    assert model.predict_proba(S0).dtype == np.float64


def test_estimator_keeps_float32_and_no_other_type() -> None:
    for dtype, wanted in (("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("?", "f8")):
        X = scipy.sparse.csr_array((X0 != 0.0).astype(dtype))
        assert LogisticRegression().fit(X, Y2).decision_function(X).dtype == wanted


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "roc_auc", "callable"])
def test_cross_validation(scoring) -> None:
    if scoring == "callable":

        def scoring(model, X, y):
            assert X.shape[1] == N_FEATURES
            assert X.shape[0] == len(y)
            return (model.predict(X) == y).mean()

    options = {"Cs": 4, "cv": 3, "scoring": scoring, "use_legacy_attributes": False}
    found, wanted = (
        LogisticRegressionCV(l1_ratios=(0,), **options).fit(X, Y2) for X in (S0.tocsc(), X0)
    )
    assert found.C_ == wanted.C_
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-9)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, atol=1e-5)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-6)
    assert found.score(S0, Y2) == pytest.approx(wanted.score(X0, Y2))


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
def test_path(mode) -> None:
    found, wanted = (
        fastlogit.logistic_path(X, Y3, Cs=[0.01, 1.0, 100.0], multi_class=mode) for X in (S0, X0)
    )
    np.testing.assert_allclose(found.coefs, wanted.coefs, atol=1e-5)
    assert found.converged.all()


def test_limits_and_callbacks() -> None:
    seen = []
    result = fastlogit.fit(
        S0, Y2, C=1.0, solver="lbfgs", callback=lambda progress: seen.append(progress.cost)
    )
    assert len(seen) >= result.n_iter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = fastlogit.fit(S0, Y2, C=1.0, solver="newton-cg", max_iter=1)
        none = fastlogit.fit(S0, Y2, C=1.0, time_limit=1e-9)
    assert few.n_iter == 1
    assert not none.converged
    best = result.history[-1]
    assert few.history[-1] - best <= few.suboptimality * best * 1.001


def test_values_that_are_not_finite_are_named() -> None:
    for value, text in ((np.nan, "NaN"), (np.inf, "infinity")):
        X = S0.copy()
        row = 30
        place = X.indptr[row]
        X.data[place] = value
        words = rf"X contains {text} in column {X.indices[place]} \(row {row}\)"
        for call in (
            lambda X=X: fastlogit.fit(X, Y2, C=1.0),
            lambda X=X: fastlogit.cost(X, Y2, COEF[0]),
            lambda X=X: fastlogit.raw_prediction(X, COEF[0]),
            lambda X=X: LogisticRegression().fit(X, Y2),
            lambda X=X: fastlogit.Problem(X, Y2, C=1.0),
            lambda X=X: fastlogit.logistic_path(X, Y2),
        ):
            with pytest.raises(ValueError, match=words):
                call()


def test_frames_of_sparse_columns() -> None:
    names = [f"word {k}" for k in range(N_FEATURES)]
    frame = pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csc_matrix(X0), columns=names)
    result = fastlogit.fit(frame, Y2, C=1.0)
    assert_same_fit(result, fastlogit.fit(X0, Y2, C=1.0))
    assert result.feature_names == names
    with pytest.raises(ValueError, match="columns of the fit in another order"):
        result.predict(frame[names[::-1]])
    model = LogisticRegression().fit(frame, Y2)
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.predict_proba(frame), model.predict_proba(frame), rtol=0)
    seen = []

    def scorer(model, X, y):
        seen.append(scipy.sparse.issparse(X))
        return (model.predict(X) == y).mean()

    LogisticRegressionCV(
        Cs=2, cv=2, l1_ratios=(0,), scoring=scorer, use_legacy_attributes=False
    ).fit(frame, Y2)
    assert set(seen) == {True}
    frame.columns = ["same"] * N_FEATURES
    with pytest.raises(ValueError, match="X has 12 columns called 'same'"):
        fastlogit.fit(frame, Y2)


def test_more_columns_than_rows() -> None:
    X = scipy.sparse.random_array((150, 900), density=0.03, rng=3, format="csr")
    y = (np.arange(150) * 7 % 3 == 0).astype(int)
    for C in (1.0, 100.0):
        assert_same_fit(fastlogit.fit(X, y, C=C), fastlogit.fit(X.toarray(), y, C=C))


def test_many_columns_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    X = scipy.sparse.random_array((6_000, 5_000), density=2e-3, rng=4, format="csr")
    y = (X @ rng.normal(size=5_000) + 0.3 * rng.logistic(size=6_000) > 0.1).astype(int)
    result = fastlogit.fit(X, y, C=1.0, tol=1e-10)
    assert result.converged
    peer = Peer(C=1.0, tol=1e-12, max_iter=10_000, solver="newton-cg").fit(X, y)
    own = fastlogit.cost(X, y, result.coef, result.intercept, l2_reg=1.0 / len(y))
    cost = fastlogit.cost(X, y, peer.coef_[0], peer.intercept_[0], l2_reg=1.0 / len(y))
    assert own <= cost * (1.0 + 1e-10)
    assert cost - own <= 1e-6 * cost
    np.testing.assert_allclose(result.coef, peer.coef_[0], atol=1e-4)


def test_the_bound_is_no_lower_than_the_truth() -> None:
    rng = np.random.default_rng(5)
    X = scipy.sparse.random_array((800, 4_000), density=5e-3, rng=5, format="csr")
    y = rng.integers(0, 2, 800)

    def cost_of(result):
        return fastlogit.cost(X, y, result.coef, result.intercept, l2_reg=1.0 / 800)

    best = cost_of(fastlogit.fit(X, y, C=1.0, tol=1e-13))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n in range(1, 6):
            for solver in ("newton-cg", "lbfgs"):
                part = fastlogit.fit(X, y, C=1.0, tol=1e-13, solver=solver, max_iter=n)
                assert part.suboptimality >= cost_of(part) / best - 1.0 - 1e-14


@pytest.mark.parametrize("level", [50.0, 2e3, 1e5])
def test_a_column_whose_mean_is_many_times_its_deviation(level) -> None:
    X = X0.copy()
    X[:, 1] = level + np.arange(N_SAMPLES) % 7
    for C in (1.0, 1e4):
        found, wanted = (
            fastlogit.fit(A, Y2, C=C, tol=1e-9) for A in (scipy.sparse.csr_array(X), X)
        )
        assert found.converged
        costs = [
            fastlogit.cost(X, Y2, fit.coef, fit.intercept, l2_reg=1.0 / (C * N_SAMPLES))
            for fit in (found, wanted)
        ]
        assert costs[0] / costs[1] - 1.0 <= found.suboptimality + 1e-12
        np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-3)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
def test_many_columns_by_every_solver_that_needs_no_hessian(solver, mode) -> None:
    rng = np.random.default_rng(6)
    X = scipy.sparse.random_array((1_500, 2_000), density=4e-3, rng=6, format="csr")
    y = (X @ rng.normal(size=(2_000, 3)) + 0.3 * rng.gumbel(size=(1_500, 3))).argmax(axis=1)
    found = fastlogit.fit(X, y, C=1.0, multi_class=mode, solver=solver, tol=1e-8)
    wanted = fastlogit.fit(X.toarray(), y, C=1.0, multi_class=mode, tol=1e-8)
    assert found.converged
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=2e-8)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-3)


@pytest.mark.parametrize("multi_class", ["two", "ovr"])
def test_l1_finds_the_same_columns(multi_class) -> None:
    rng = np.random.default_rng(3)
    rows = scipy.sparse.random_array((300, 700), density=0.03, rng=rng, format="csr")
    y = rows @ rng.normal(size=700) + 0.1 * rng.normal(size=300)
    y = y > 0 if multi_class == "two" else np.digitize(y, [-0.3, 0.3])
    options = {"C": 5.0, "l1_ratio": 0.8, "sample_weight": rng.uniform(0.5, 2.0, 300)}
    options["tol"] = 1e-14  # some directions are so level that 1e-12 is 1e-5 of a coefficient
    found, wanted = (fastlogit.fit(each, y, **options) for each in (rows, rows.toarray()))
    assert_same_fit(found, wanted)
    np.testing.assert_array_equal(found.coef == 0.0, wanted.coef == 0.0)
    assert 0 < np.count_nonzero(found.coef) < found.coef.size
    model = LogisticRegression(C=5.0, l1_ratio=0.8, multi_class="ovr").fit(rows, y)
    assert model.score(rows, y) > 0.5


def test_a_fit_of_sparse_rows_takes_a_part_of_the_memory_of_X() -> None:
    """Of many columns: 17 vectors of the columns and 4 strips are alive at once."""
    rng = np.random.default_rng(3)
    X = scipy.sparse.random_array((40_000, 20_000), density=0.002, rng=1, format="csr")
    y = (X @ rng.standard_normal(20_000) + rng.logistic(size=40_000) > 0).astype(np.int64)
    fastlogit.fit(X, y, C=1.0)  # what is loaded once is no part of it
    tracemalloc.start()
    fastlogit.fit(X, y, C=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 0.4 * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
