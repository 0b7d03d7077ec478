"""`logistic_path` is its single fits, whatever the order of the penalties."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from problems import problem, real, sized, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import logistic_path
from fastlogit.fitting.path import grid_of_cs

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CS = np.array([10.0, 1e-3, 0.3])


def assert_single_fits(path, X, y, rtol=1e-5, **options):
    for index, C in enumerate(path.Cs):
        single = fastlogit.fit(X, y, C=C, **options)
        coef = np.atleast_2d(single.coef.T)
        np.testing.assert_allclose(path.coefs[index], coef, rtol=rtol, atol=rtol * abs(coef).max())
        np.testing.assert_allclose(path.intercepts[index], single.intercept, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes(fit_intercept) -> None:
    X, y, *_, weight = problem(sized(150, 40), 3)
    path = logistic_path(X, y, CS, sample_weight=weight, fit_intercept=fit_intercept)
    assert path.coefs.shape == (3, 1, 3)
    assert path.intercepts.shape == path.n_iter.shape == (3, 1)
    np.testing.assert_array_equal(path.Cs, CS)
    intercept = "fit" if fit_intercept else None
    assert_single_fits(path, X, y, sample_weight=weight, intercept=intercept)
    assert path.converged.all()
    assert (path.suboptimality <= 1e-12).all()
    assert path.feature_names is None


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_three_classes_with_labels_and_names(multi_class) -> None:
    X, codes = three_classes(sized(150, 45), 2)
    labels = np.array(["a", "b", "c"])[codes]
    frame = pd.DataFrame(X, columns=["left", "right"])
    path = logistic_path(frame, labels, CS, multi_class=multi_class)
    assert path.coefs.shape == (3, 3, 2)
    assert_single_fits(path, X, labels, multi_class=multi_class)
    assert path.classes.tolist() == ["a", "b", "c"]
    assert path.feature_names == ["left", "right"]
    assert path.multi_class == multi_class


@pytest.mark.jit
@pytest.mark.parametrize("name", ["cancer", "wine", "digits"])
def test_real_data(name) -> None:
    X, y = real(name)
    X = X / X.max(axis=0).clip(1e-300)
    path = logistic_path(X, y, [1e-3, 0.1, 10.0])
    assert_single_fits(path, X, y, multi_class="multinomial")
    assert path.n_passes > 0.0


def test_offset_and_penalty_factor() -> None:
    X, y = problem(sized(150, 40), 3)[:2]
    options = {"offset": X[:, 0] - 1.0, "penalty_factor": np.array([0.0, 1.0, 5.0])}
    assert_single_fits(logistic_path(X, y, CS, **options), X, y, **options)


def test_coefficients_shrink_with_c() -> None:
    X, y = problem(sized(150, 40), 3)[:2]
    path = logistic_path(X, y, 6)
    np.testing.assert_allclose(path.Cs, np.logspace(-4, 4, 6))
    sizes = np.linalg.norm(path.coefs[:, 0], axis=1)
    assert (np.diff(sizes) > 0.0).all()


def test_limits_are_told() -> None:
    X, y = problem(sized(150, 40), 3)[:2]
    with pytest.warns(ConvergenceWarning):
        path = logistic_path(X, y, CS, max_iter=1, tol=1e-14)
    assert not path.converged.all()
    with pytest.warns(ConvergenceWarning):
        assert not logistic_path(X, y, CS, time_limit=1e-9).converged.any()


def test_the_result_cannot_be_changed() -> None:
    path = logistic_path(*problem(sized(150, 40), 3)[:2], [1.0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        path.Cs = None


@pytest.mark.parametrize(
    ("Cs", "error", "text"),
    [
        (0, ValueError, "Cs must be at least 1"),
        (2.5, TypeError, "Cs must be a whole number"),
        ([1.0, -1.0], ValueError, "Cs must be > 0, found -1.0"),
        ([np.nan], ValueError, "Cs must be > 0, found nan"),
        ([], (ValueError, TypeError), "Cs must"),
        ([[1.0]], ValueError, r"Cs must have shape \(n_Cs,\)"),
        (["1"], TypeError, "Cs must hold numbers"),
    ],
)
def test_bad_cs(Cs, error, text) -> None:
    with pytest.raises(error, match=text):
        grid_of_cs(Cs)


def test_bad_multi_class() -> None:
    with pytest.raises(ValueError, match="did you mean 'multinomial'"):
        logistic_path(np.eye(3), [0, 1, 2], multi_class="multinomal")


@pytest.mark.parametrize("size", [1e-6, 1e3, 1e100])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_the_penalty_is_that_of_weights_of_any_size(multi_class, size) -> None:
    """Powers of two are taken out of the weights: C multiplies the sum of what was given."""
    X, y = three_classes(60, 2)
    weight = np.linspace(0.5, 2.0, 60) * size
    path = logistic_path(X, y, [1.0 / size], sample_weight=weight, multi_class=multi_class)
    single = fastlogit.fit(X, y, C=1.0 / size, sample_weight=weight, multi_class=multi_class)
    np.testing.assert_allclose(path.coefs[0].T, single.coef, rtol=1e-5)


@pytest.mark.parametrize("max_iter", [0, 10])
def test_infinity_is_refused_where_no_time_is_left_for_a_pass(max_iter) -> None:
    X, y = problem(50, 2)[:2]
    X = np.array(X)
    X[7, 1] = np.inf
    with pytest.raises(ValueError, match="X contains infinity in column 1"):
        logistic_path(X, y, [1.0], time_limit=1e-9, max_iter=max_iter)


# ------------------------------------------------------------------------------------------------
# With L1


def wide(n_samples=80, n_features=120):
    return problem(n_samples, n_features)[:2]


def test_a_path_with_l1_begins_where_all_coefficients_are_0() -> None:
    X, y = wide()
    path = logistic_path(X, y, 30, l1_ratio=1.0, stop_explained=1.0, stop_gain=0.0)
    assert path.C_null == pytest.approx(1.0 / np.abs(X.T @ (y - y.mean())).max())
    np.testing.assert_allclose(path.Cs, path.C_null * np.geomspace(1.0, 100.0, 30))
    assert path.n_nonzero.shape == (30, 1)
    np.testing.assert_array_equal(path.n_nonzero[:, 0], (path.coefs[:, 0] != 0.0).sum(axis=1))
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[-1] > 40
    assert path.deviance_explained.shape == (30,)
    assert path.deviance_explained[0] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(path.deviance_explained) > 0.0).all()
    assert path.l1_ratio == 1.0
    assert path.converged.all()
    assert (path.suboptimality <= 1e-12).all()
    assert_single_fits(path, X, y, l1_ratio=1.0)


def test_the_range_is_that_of_glmnet() -> None:
    X, y = problem(150, 3)[:2]
    path = logistic_path(X, y, 5, l1_ratio=0.5)
    np.testing.assert_allclose(path.Cs[-1] / path.Cs[0], 1e4)
    assert logistic_path(X, y, l1_ratio=0.5).Cs[1] == pytest.approx(
        path.C_null * 1e4 ** (1.0 / 99.0)
    )
    assert logistic_path(X, y, 3, l1_ratio=0.5, C_range=7.0).Cs[-1] == pytest.approx(
        7.0 * path.C_null
    )
    alone = logistic_path(X, y, 1, l1_ratio=0.5)
    assert alone.Cs.tolist() == [path.C_null]


def test_a_path_ends_where_no_more_is_explained() -> None:
    X, y = problem(150, 3)[:2]
    path = logistic_path(X, y, l1_ratio=1.0)
    assert 5 <= path.Cs.size < 100
    assert "of the deviance more" in path.message
    gains = np.diff(path.deviance_explained) / path.deviance_explained[1:]
    assert gains[-1] < 1e-5
    assert (gains[4:-1] >= 1e-5).all()
    whole = logistic_path(X, y, l1_ratio=1.0, stop_gain=0.0)
    assert whole.Cs.size == 100
    np.testing.assert_array_equal(whole.coefs[: path.Cs.size], path.coefs)
    given = logistic_path(X, y, whole.Cs, l1_ratio=1.0)
    assert given.Cs.size == 100
    assert given.C_null is None
    X, y = wide()
    path = logistic_path(X, y, C_range=1e5, l1_ratio=1.0)
    assert path.deviance_explained[-1] >= 0.999 > path.deviance_explained[-2]


def test_one_vs_all_with_names_and_every_option() -> None:
    X, codes = three_classes(150, 5)
    labels = np.array(["a", "b", "c"])[codes]
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    options = {
        "offset": X[:, 0] - 1.0, "penalty_factor": np.array([0.0, 1.0, 5.0, 0.5, 1.0]),
        "sample_weight": np.linspace(0.0, 2.0, 150), "multi_class": "ovr", "l1_ratio": 0.8,
    }  # fmt: skip
    path = logistic_path(frame, labels, CS, **options)
    assert_single_fits(path, X, labels, **options)
    assert path.n_nonzero.shape == (3, 3)
    assert path.feature_names == list("vwxyz")


def test_sparse_rows() -> None:
    X, y = wide()
    X = np.where(np.abs(X) < 1.0, 0.0, X)
    dense, sparse = (
        logistic_path(rows, y, 12, l1_ratio=1.0, C_range=30.0)
        for rows in (X, scipy.sparse.csr_array(X))
    )
    np.testing.assert_allclose(sparse.Cs, dense.Cs)
    np.testing.assert_allclose(sparse.coefs, dense.coefs, atol=1e-5)
    np.testing.assert_array_equal(sparse.n_nonzero, dense.n_nonzero)


def test_ctrl_c_on_a_path_with_l1() -> None:
    X, y = wide()

    def stop(progress):
        if progress.n_done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        logistic_path(X, y, 12, l1_ratio=1.0, callback=stop)
    assert isinstance(caught.value.result, fastlogit.PathResult)
    assert caught.value.result.converged[:3].all()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be finite and >= 0 and <= 1"),
        ({"l1_ratio": "1"}, TypeError, "l1_ratio must be a number"),
        ({"l1_ratio": 1.0, "C_range": 1.0}, ValueError, "C_range must be finite and > 1"),
        ({"l1_ratio": 1.0, "C_range": 9.0, "Cs": [1.0]}, ValueError, "not both"),
        ({"l1_ratio": 1.0, "stop_gain": -1.0}, ValueError, "stop_gain must be"),
        ({"l1_ratio": 1.0, "stop_explained": 2.0}, ValueError, "stop_explained must be"),
        ({"l1_ratio": 1.0, "Cs": 0}, ValueError, "Cs must be at least 1"),
        ({"l1_ratio": 1.0, "solver": "newton"}, ValueError, "solver must be one of 'auto'"),
        ({"C_range": 9.0}, ValueError, "C_range=9.0 is for paths with L1"),
        ({"stop_gain": 0.1}, ValueError, "stop_gain=0.1 is for paths with L1"),
    ],
)
def test_bad_options_of_a_path_with_l1(options, error, text) -> None:
    with pytest.raises(error, match=text):
        logistic_path(*problem(50, 3)[:2], **options)


def test_a_softmax_path_with_l1(rng) -> None:
    X = rng.standard_normal((120, 8))
    y = (X[:, :3] + rng.gumbel(size=(120, 3))).argmax(axis=1)
    path = logistic_path(X, y, 6, l1_ratio=1.0, C_range=50.0)
    assert path.n_nonzero[0].tolist() == [0, 0, 0]
    assert path.multi_class == "multinomial"
    assert_single_fits(path, X, y, l1_ratio=1.0, multi_class="multinomial", tol=1e-13)
    assert (np.diff(path.deviance_explained) > 0.0).all()
