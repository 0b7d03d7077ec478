"""A softmax class without weight: the others are fitted, and it gets probability 0."""

import numpy as np
import pytest

import fastlogit
from fastlogit import BatchSource
from fastlogit.fitting.weightless import Others, without_weight
from fastlogit.inputs.given import Given, look

pytestmark = pytest.mark.jit


def data(n_classes, seed=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(120, 3))
    y = np.digitize(X[:, 0] + rng.logistic(size=120), np.linspace(-1, 1, n_classes - 1))
    return X, np.array(list("abcde"))[y]


def found(X, y, **options):
    with pytest.warns(UserWarning, match="no row of class b has positive weight"):
        return fastlogit.fit(X, y, multi_class="multinomial", **options)


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "newton-cg", "gradient_descent"])
@pytest.mark.parametrize("penalty", [{"C": 0.5}, {"l2_reg": 0.1}, {"l2_reg": [0.1, 0.2, 0.3]}, {}])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_the_others_are_those_of_their_rows_alone(n_classes, penalty, solver) -> None:
    X, y = data(n_classes)
    weight = np.where(y == "b", 0.0, np.linspace(0.5, 2.0, len(y)))
    # A constant of two columns: any shift of it means the same.
    offset = np.random.default_rng(0).normal(size=(len(y), n_classes)) + 30.0
    result = found(X, y, sample_weight=weight, offset=offset, solver=solver, **penalty)
    assert (result.converged, result.classes.tolist()) == (True, list("abcde")[:n_classes])
    assert "without weight and of probability 0: class b" in result.message
    left = y != "b"
    kept = np.delete(offset, 1, axis=1)[left]
    if n_classes == 3:
        halves = {
            name: np.multiply(2.0 if name == "C" else 0.5, value) for name, value in penalty.items()
        }
        if "C" in halves:
            halves["C"] = float(halves["C"])
        wanted = fastlogit.fit(
            X[left], y[left], sample_weight=weight[left], offset=kept[:, 1] - kept[:, 0], **halves
        )
        np.testing.assert_allclose(result.coef[:, 2] * 2.0, wanted.coef, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(result.coef[:, 0] * -2.0, wanted.coef, rtol=1e-5, atol=1e-6)
    else:
        wanted = fastlogit.fit(
            X[left], y[left], sample_weight=weight[left], offset=kept, multi_class="multinomial",
            **penalty,
        )  # fmt: skip
        coef = np.delete(result.coef, 1, axis=1)
        np.testing.assert_allclose(coef, wanted.coef, rtol=1e-5, atol=1e-6)
    assert not result.coef[:, 1].any()
    np.testing.assert_allclose(result.l2_reg, penalty.get("l2_reg", result.l2_reg), rtol=1e-15)
    np.testing.assert_allclose(result.intercept.sum(), 0.0, atol=1e-10)
    raw = result.raw_prediction(X) + offset
    probabilities = np.exp(raw - raw.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert probabilities[:, 1].max() < 1e-290
    gradient = X[left].T @ ((y[left, None] == result.classes) - probabilities[left])
    assert np.abs(gradient[:, 1]).max() < 1e-280


def test_start_callback_and_ctrl_c_speak_of_all_classes() -> None:
    X, y = data(4)
    weight = (y != "b") * 1.0
    best = found(X, y, sample_weight=weight, C=1.0)
    again = found(X, y, sample_weight=weight, C=1.0, start=best, max_iter=0)
    assert again.converged
    np.testing.assert_allclose(again.coef, best.coef, rtol=1e-10)
    seen = []
    found(X, y, sample_weight=weight, C=1.0, callback=lambda p: seen.append((p.coef, p.intercept)))
    assert {(coef.shape, intercept.shape) for coef, intercept in seen} == {((3, 4), (4,))}

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        found(X, y, sample_weight=weight, C=1.0, callback=stop)
    assert caught.value.result.coef.shape == (3, 4)


def test_batches_with_a_class_without_weight() -> None:
    X, y = data(4)
    weight = (y != "b") * 1.0
    source = BatchSource(
        lambda: ((X[i : i + 40], y[i : i + 40], weight[i : i + 40]) for i in (0, 40, 80))
    )
    wanted = found(X, y, sample_weight=weight, C=1.0)
    with pytest.warns(UserWarning, match="no row of class b has"):
        result = fastlogit.fit(source, C=1.0, multi_class="multinomial")
    np.testing.assert_allclose(result.coef, wanted.coef, rtol=1e-6)


def test_without_an_intercept_there_is_an_optimum() -> None:
    X, y = data(3)
    result = fastlogit.fit(
        X, y, C=1.0, multi_class="multinomial", intercept=None, sample_weight=(y != "b") * 1.0
    )
    assert result.converged
    assert result.coef[:, 1].any()


def test_paths_refuse_it_in_words() -> None:
    X, y = data(3)
    with pytest.raises(ValueError, match="class 'b' has no row of positive weight"):
        fastlogit.logistic_path(X, y, multi_class="multinomial", sample_weight=(y != "b") * 1.0)


def test_which_classes_have_none() -> None:
    codes = np.arange(9) % 3
    assert not without_weight(codes, np.empty(0), 3).any()
    absent = without_weight(codes, (codes != 1).astype(float), 3)
    assert absent.tolist() == [False, True, False]
    others = Others(np.array(["x", "y", "z"]), absent)
    assert (others.names(), others.seen.tolist()) == ("class y", [0, 2])
    given = Given(np.ones((9, 2)), np.array(["x", "y", "z"])[codes])
    found = others.data(look(given, "multinomial"))
    assert found.classes.tolist() == ["x", "z"]
    assert found.codes.tolist() == [0, 0, 1] * 3


def test_a_class_of_hardly_any_weight_counts_as_one_without() -> None:
    X, y = data(3)
    result = found(X, y, C=1.0, sample_weight=np.where(y == "b", 1e-310, 1.0))
    assert result.converged
    assert (
        result.predict_proba(
            X,
        )[:, 1].max()
        < 1e-300
    )


def test_leave_one_out_with_other_weights_is_refused_in_words() -> None:
    X, y = data(3)
    weight = (y != "b") * 1.0
    result = found(X, y, C=1.0, sample_weight=weight)
    assert fastlogit.leave_one_out(result, X, y, sample_weight=weight).log_loss < 10.0
    with pytest.raises(ValueError, match="give the sample_weight of the fit"):
        fastlogit.leave_one_out(result, X, y)
