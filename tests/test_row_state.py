"""What an iteration knows of each row: solvers hold it, and never the numbers themselves."""

import ast
from pathlib import Path

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes
from test_losses import Logistic
from test_partitions import places_of

import fastlogit
from fastlogit import reference
from fastlogit.objective.objective import Objective
from fastlogit.objective.row_state import RowCurvature, RowPredictions

RNG = np.random.default_rng(0)
ROOMS = Path(fastlogit.__file__).parent
# Separation goes over the rows itself: its linear programmes, and those of all directions of
# recession, are made of them.
OF_EACH_ROW = {
    "_targets", "codes_of", "weights_of", "offset_of", "common_weights", "raw_predictions",
}  # fmt: skip
HOLDERS = [
    *(ROOMS / "solvers").glob("*.py"),
    *(
        path
        for path in (ROOMS / "certificates").glob("*.py")
        if path.stem not in ("separation", "recession")
    ),
]


@pytest.mark.parametrize("path", HOLDERS, ids=lambda path: path.name)
def test_solvers_and_certificates_never_look_inside(path) -> None:
    """A design whose rows lie in other processes can give such an object of its own."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            # `values()` is a dictionary's.
            assert node.attr != "values" or id(node) in called, node.lineno
            assert node.attr not in OF_EACH_ROW, node.lineno
            passes = node.attr in ("raw_prediction", "hessian_product")
            assert not (passes and "design" in ast.unparse(node.value)), node.lineno


def test_it_is_no_array() -> None:
    for state in (RowCurvature(np.ones((2, 3))), RowPredictions(np.ones((2, 3)))):
        with pytest.raises(TypeError, match="is no array"):
            np.asarray(state)


def test_some_models_and_back() -> None:
    values = RNG.uniform(size=(4, 6))
    curvature = RowCurvature(values.copy())
    assert len(curvature) == 4
    np.testing.assert_array_equal(curvature[2].values, values[[2]])
    some = np.array([3, 0])
    np.testing.assert_array_equal(curvature[some].values, values[some])
    np.testing.assert_array_equal(curvature[values[:, 0] > 0.5].values, values[values[:, 0] > 0.5])
    other = curvature.like(2)
    assert other.values.shape == (2, 6)
    other.values[...] = 7.0
    curvature[some] = other
    assert (curvature.values[some] == 7.0).all()
    np.testing.assert_array_equal(curvature.values[[1, 2]], values[[1, 2]])


def test_sums_and_extremes() -> None:
    values = RNG.uniform(size=(3, 50))
    values[0, :5] = 0.0
    curvature = RowCurvature(values)
    np.testing.assert_allclose(curvature.totals(), values.sum(axis=1))
    assert curvature[0].least_positive() == values[0, 5:].min()
    assert curvature[0].n_positive() == 45
    assert RowCurvature(np.zeros((1, 4))).least_positive() == np.inf
    assert curvature.is_like(1, 1, 0.0)
    assert not curvature.is_like(1, 2, 0.02)
    assert curvature.draw(10).shape == (3, 10)
    assert (values[0, curvature.draw(10)[0]] > 0.0).all()


def test_changes_of_predictions() -> None:
    values = RNG.normal(size=(3, 20))
    raw = RowPredictions(values)
    one = raw[1]
    np.testing.assert_allclose(raw.largest_change(one), np.abs(values - values[1]).max(axis=1))
    values[1] = 0.0  # a copy: the rest of the models may go
    assert one.values.any()


def test_the_largest_prediction_of_rows_that_count() -> None:
    values = RNG.normal(size=(2, 20))
    curvature = RowCurvature(RNG.uniform(size=(2, 20)))
    largest = np.abs(values).argmax(axis=1)
    found = RowPredictions(values).largest(curvature)
    np.testing.assert_array_equal(found, np.abs(values).max(axis=1))
    expected = (curvature.values * values**2).sum(axis=1)
    np.testing.assert_allclose(RowPredictions(values).squares(curvature), expected)
    curvature.values[[0, 1], largest] = 0.0
    found = RowPredictions(values).largest(curvature)
    np.testing.assert_array_equal(found, np.sort(np.abs(values))[:, -2])
    values[0, 0] = np.nan
    curvature.values[0, 0] = 1.0
    assert RowPredictions(values).largest(curvature)[0] == np.inf


@pytest.mark.parametrize("weighted", [False, True])
def test_residuals_are_the_slopes_of_the_rows(weighted) -> None:
    X, codes = three_classes(90, 4)
    weight = RNG.uniform(0.5, 2.0, 90) if weighted else None
    share = np.ones(90) if weight is None else weight
    wide = np.column_stack([X, np.ones(90)])
    for objective in (
        objective_of(X, codes, weight, positive=(0, 1, 2)), softmax_of(X, codes, weight),
        Objective(places_of(objective_of(X, codes, weight, positive=(0, 1, 2)).rows, [20]), 0.0),
    ):  # fmt: skip
        theta = RNG.normal(size=(objective.n_models, 5 * objective.n_classes))
        residuals = objective.rows.residuals(theta)
        whole = getattr(residuals, "parts", [residuals])
        values = np.concatenate([part.values for part in whole], axis=1)
        raw = wide @ theta.reshape(3, 5).T
        if objective.n_classes == 1:
            proba = reference.sigmoid(raw)
        else:
            proba = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        expected = share[:, None] * (proba - (codes[:, None] == np.arange(3)))
        np.testing.assert_allclose(values, expected.T, rtol=1e-12, atol=1e-15)
        gradient = objective.at(theta).gradient.reshape(3, 5)
        np.testing.assert_allclose(values @ wide / share.sum(), gradient, atol=1e-13)
        np.testing.assert_allclose(residuals.totals() / share.sum(), gradient[:, -1], atol=1e-13)


def test_residuals_of_a_loss_of_ones_own() -> None:
    X, y, _, _, weight = problem(60, 3)
    objective = objective_of(X, y == np.unique(y)[1], weight)
    theta = RNG.normal(size=(1, 4))
    wanted = objective.rows.residuals(theta)
    objective.rows.loss = Logistic()
    found = objective.rows.residuals(theta)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12, atol=1e-15)


def test_what_an_objective_says_of_its_rows() -> None:
    X, y, _, _, weight = problem(80, 3)
    objective = objective_of(X, y == np.unique(y)[1], weight, 0.1)
    theta = RNG.normal(size=(1, 4))
    curvature, rows = objective.curvature(theta), objective.rows
    np.testing.assert_allclose(
        rows.curvature_mean(curvature), np.average(X, axis=0, weights=curvature.values[0]),
        rtol=1e-12,
    )  # fmt: skip
    raw = X @ theta[0, :3] + theta[0, 3]
    np.testing.assert_allclose(rows.predictions(theta).values[0], raw, rtol=1e-12)
    directions = RNG.normal(size=(5, 4))
    each = directions[:, :3] @ X.T + directions[:, 3:]
    assert rows.largest_square(directions, 2) == pytest.approx((each**2).sum(axis=0).max())
    bound = rows.majorizing(theta)
    assert (bound.values >= curvature.values - 1e-15).all()
    vectors = RNG.normal(size=(1, 4))
    wide = np.column_stack([X, np.ones(80)])
    product = wide.T @ (bound.values[0] * (wide @ vectors[0])) / weight.sum()
    np.testing.assert_allclose(
        np.append(*rows.output_product(bound, vectors[:, :-1], vectors[:, -1])),
        product,
        rtol=1e-11,
    )
