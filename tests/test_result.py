"""What a fit gives back: its predictions, and that it can be kept."""

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest
from problems import problem, three_classes

import fastlogit
from fastlogit.objective.losses import RowLoss
from fastlogit.objective.penalties import L2


@pytest.fixture(scope="module")
def binary():
    X, y = problem(100, 4)[:2]
    return X, np.where(y == 1, "spam", "ham"), fastlogit.fit(X, np.where(y == 1, "spam", "ham"))


@pytest.fixture(scope="module")
def several():
    X, codes = three_classes(90, 4)
    labels = np.array([30, 10, 20])[codes]
    return X, labels, fastlogit.fit(X, labels, l2_reg=0.1)


def test_what_a_result_holds(binary, several) -> None:
    result = binary[2]
    assert result.coef.shape == (4,)
    assert type(result.intercept) is float
    assert result.history.shape == (result.n_iter + 1,)
    assert type(result.suboptimality) is float
    result = several[2]
    assert result.suboptimality.shape == (3,)
    assert result.coef.shape == (4, 3)
    assert result.intercept.shape == (3,)
    assert result.history.shape == (result.n_iter + 1, 3)
    for result in (binary[2], several[2]):
        assert result.converged is True
        assert result.solver == "newton"
        assert type(result.n_passes) is float
        assert result.n_passes > result.n_iter > 0
        assert (np.asarray(result.suboptimality) <= 1e-12).all()
        assert (np.asarray(result.suboptimality) >= 0.0).all()
        assert result.seconds > 0.0
        assert 0.0 <= result.gradient_norm < 1e-4
        assert result.coef.dtype == result.history.dtype == np.float64
        assert result.coef.flags.c_contiguous


def test_predictions_of_two_classes(binary) -> None:
    X, _, result = binary
    raw, proba = result.raw_prediction(X), result.predict_proba(X)
    np.testing.assert_allclose(raw, X @ result.coef + result.intercept, atol=1e-13)
    np.testing.assert_array_equal(proba, fastlogit.predict_proba(X, result.coef, result.intercept))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(result.predict(X), np.where(raw >= 0.0, "spam", "ham"))
    careful = result.predict(X, threshold=0.9)
    np.testing.assert_array_equal(careful, np.where(proba[:, 1] >= 0.9, "spam", "ham"))
    np.testing.assert_array_equal(careful, result.predict(X, 0.9, n_threads=1))


def test_predictions_of_several_classes(several) -> None:
    X, _, result = several
    proba = result.predict_proba(X)
    assert proba.shape == (90, 3)
    assert ((0.0 <= proba) & (proba <= 1.0)).all()
    assert np.abs(proba.sum(axis=1) - 1.0).max() > 1e-3  # each hypothesis for itself
    np.testing.assert_array_equal(result.predict(X), result.classes[proba.argmax(axis=1)])
    np.testing.assert_array_equal(result.raw_prediction(X).argmax(axis=1), proba.argmax(axis=1))
    with pytest.raises(ValueError, match="has no meaning for 3 classes"):
        result.predict(X, threshold=0.4)


def test_one_row_or_one_column(binary) -> None:
    X, _, result = binary
    assert result.predict(X[:1])[0] == result.predict(X)[0]
    X, y = problem(60, 1)[:2]
    assert fastlogit.fit(X, y).predict(X).shape == (60,)


def test_rows_of_another_width_are_refused(binary) -> None:
    X, _, result = binary
    for call in (result.raw_prediction, result.predict_proba, result.predict):
        with pytest.raises(ValueError, match=r"coef has shape \(4,\), but X has 3 columns"):
            call(X[:, :3])


def test_it_is_frozen_and_can_be_copied_and_pickled(binary, several) -> None:
    for X, _, result in (binary, several):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.n_iter = 0
        for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
            np.testing.assert_array_equal(again.predict(X), result.predict(X))
            assert again.message == result.message
            assert again.coef.tobytes() == result.coef.tobytes()


def test_results_can_be_compared_and_hashed(binary) -> None:
    result = binary[2]
    assert result == result
    assert result != copy.deepcopy(result)
    assert len({result, result}) == 1


def test_progress_makes_coefficients_when_they_are_asked_for() -> None:
    asked = []

    def coefficients():
        asked.append(1)
        return np.ones(2), 0.5

    progress = fastlogit.Progress(3, 0.5, 0.1, coefficients)
    assert not asked
    np.testing.assert_array_equal(progress.coef, [1.0, 1.0])
    assert progress.intercept == 0.5
    assert asked
    assert progress == fastlogit.Progress(3, 0.5, 0.1, lambda: None)
    assert "coefficients" not in repr(progress)
    with pytest.raises(dataclasses.FrozenInstanceError):
        progress.cost = 0.0


def test_it_prints_as_one_line(binary, several) -> None:
    for (_, _, result), words in (
        (binary, ["2 classes,", "4 columns", "converged after", "suboptimality <= "]),
        (several, ["3 classes (ovr)", "4 columns", f"solver={several[2].solver!r}"]),
    ):
        text = repr(result)
        assert text == str(result)
        assert text.startswith("FitResult(")
        assert "array" not in text
        assert "\n" not in text
        assert len(text) < 160
        assert [word for word in words if word not in text] == []
    unproven = dataclasses.replace(several[2], converged=False, suboptimality=np.array([0, np.inf]))
    assert "not converged" in repr(unproven)
    assert "suboptimality unknown" in repr(unproven)


class Smoothed(RowLoss):
    """A loss of a user's own."""

    most_curvature = 0.25

    def rows(self, raw, is_positive):
        raise NotImplementedError


def test_it_shows_the_penalty_and_the_loss_of_the_users_own(binary) -> None:
    long = type("AnUnusuallyLongNameOfAPenaltyOfSomebody", (L2,), {})
    own = dataclasses.replace(binary[2], penalty=L2(1.0, 4), loss=Smoothed())
    for text in (repr(own), own._repr_html_()):
        assert "4 columns, penalty L2, loss Smoothed, converged" in text
    both = dataclasses.replace(own, penalty=long(1.0, 4))
    assert "penalty AnUnusuallyLongNameOfAPenal..., loss" in repr(both)
    assert len(repr(both)) < 220
    assert not re.search("penalty|loss", repr(binary[2]))
    angled = type("<i>", (L2,), {})(1.0, 4)
    assert "<i>" not in dataclasses.replace(own, penalty=angled)._repr_html_()


def test_a_notebook_shows_its_coefficients(binary, several) -> None:
    page = several[2]._repr_html_()
    cells = re.findall(r"<td>(.*?)</td>", page)
    wanted = np.vstack([several[2].intercept, several[2].coef]).ravel()
    np.testing.assert_allclose([float(cell) for cell in cells], wanted, rtol=1e-5)
    assert re.findall(r"<th>(.*?)</th>", page) == [
        "coefficients", "10", "20", "30", "intercept", "0", "1", "2", "3",
    ]  # fmt: skip
    page = binary[2]._repr_html_()
    assert "<th>spam</th>" in page
    assert "<th>ham</th>" not in page
    labels, names = np.array(["a", "<b> & c"]), ["age", "<i>", "x", "y"]
    named = dataclasses.replace(binary[2], classes=labels, feature_names=names)
    page = named._repr_html_()
    assert "<th>&lt;b&gt; &amp; c</th>" in page
    assert "<th>age</th>" in page
    assert "<i>" not in page


def test_a_notebook_shows_a_part_of_many_columns() -> None:
    X, y = problem(100, 4)[:2]
    result = fastlogit.fit(np.tile(X, 10), y, C=1.0)
    page = result._repr_html_()
    assert page.count("<tr>") == 22
    assert "and 20 more columns" in page
