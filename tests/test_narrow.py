"""Newton's equation of many models over sparse rows, solved in float32."""

import numpy as np
import pytest
import scipy.sparse

import fastlogit
import fastlogit.design.sparse as sparse_design
from fastlogit.design import narrow
from fastlogit.design.base import readonly
from fastlogit.design.narrow import LARGEST_SCALE, MOST_ROWS, is_narrow_enough
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.multinomial import Multinomial
from fastlogit.objective.objective import Objective
from fastlogit.solvers import newton_cg

pytestmark = pytest.mark.jit

N_SAMPLES, N_FEATURES, N_CLASSES = 300, 130, 9


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch) -> None:
    monkeypatch.setattr(sparse_design, "NARROW_TABLE", 1)
    monkeypatch.setattr(sparse_design, "NARROW_VALUES", 1)


def text():
    rng = np.random.default_rng(5)
    X = rng.gamma(1.0, size=(N_SAMPLES, N_FEATURES)) * rng.uniform(0.1, 10.0, N_FEATURES)
    X[rng.random(X.shape) < 0.9] = 0.0
    X[:, 7] = 0.0
    coef = rng.normal(size=(N_CLASSES, N_FEATURES)) / 4.0
    y = (X @ coef.T + rng.gumbel(size=(N_SAMPLES, N_CLASSES))).argmax(axis=1)
    y[:N_CLASSES] = np.arange(N_CLASSES)
    return scipy.sparse.csr_array(X), y


def count_narrow(monkeypatch) -> list[int]:
    """The products of each equation that is solved so from now on."""
    seen: list[int] = []
    solve = newton_cg._Equation.solve_narrow

    def counted(self, *given):
        found = solve(self, *given)
        seen.append(found[1])
        return found

    monkeypatch.setattr(newton_cg._Equation, "solve_narrow", counted)
    return seen


def objective_of(X, y, fit_intercept=True, n_threads=1) -> Objective:
    design = sparse_design.SparseDesign(compressed_rows(X), n_threads=n_threads)
    rows = LabelledRows(
        design, Multinomial(N_CLASSES), readonly(y.astype(np.uint8)), range(N_CLASSES),
        readonly(np.empty(0)), fit_intercept=fit_intercept,
    )  # fmt: skip
    objective = Objective(rows, 0.01)
    objective.standardize()
    return objective


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_solution_is_that_of_the_equation(fit_intercept) -> None:
    X, y = text()
    objective = objective_of(X, y, fit_intercept)
    assert objective.solves_narrow
    theta = np.random.default_rng(0).normal(size=(1, N_CLASSES * (N_FEATURES + 1))) / 20.0
    theta = objective.loss.centred(theta)
    curvature = objective.rows.empty_curvature()
    gradient = objective.at(theta, curvature).gradient
    diagonal, varies = objective.diagonal(curvature), objective.design.columns.inverse_scale > 0.0

    def sizes(residual):
        smooth = objective.loss.centred(residual / diagonal)
        rough = np.square(objective.split(residual)[0][:, varies])
        return np.vdot(residual, smooth), (rough / objective.penalty.floor()[:, varies]).sum()

    first, _ = sizes(gradient)
    for n_steps in (0, 1, 2, 40):
        equation = objective.narrow_equation(curvature, gradient)
        for _ in range(n_steps):
            equation.step(np.arange(1))
        believed = equation.size[0], equation.rough[0]
        found = equation.solution().reshape(1, -1)
        residual = objective.hessian_product(curvature, found) + gradient
        size, rough = sizes(residual)
        if n_steps < 40:
            assert believed[0] == pytest.approx(size, rel=1e-3)
            assert n_steps == 0 or believed[1] == pytest.approx(rough, rel=1e-3)
        else:
            assert size < 1e-8 * first
            assert believed[0] < 1e-8 * first


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_fits_come_to_the_same_optimum(mode, fit_intercept, monkeypatch) -> None:
    X, y = text()
    given = {"C": 1.0, "tol": 1e-11, "multi_class": mode, "solver": "newton-cg"}
    if not fit_intercept:
        given["intercept"] = None
    seen = count_narrow(monkeypatch)
    found = fastlogit.fit(X, y, **given)
    assert sum(seen) > len(seen) > 1
    monkeypatch.setattr(sparse_design.SparseDesign, "solves_narrow", lambda *_: False)
    wanted = fastlogit.fit(X, y, **given)
    assert found.converged
    assert np.max(found.suboptimality) <= 1e-11
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-10)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-4)


def test_the_same_bits_by_any_number_of_threads() -> None:
    X, y = text()
    fits = [
        fastlogit.fit(X, y, C=1.0, multi_class="multinomial", solver="newton-cg", n_threads=count)
        for count in (1, 2)
    ]
    np.testing.assert_array_equal(fits[0].coef, fits[1].coef)
    objectives = [objective_of(X, y, n_threads=1), objective_of(X, y, n_threads=2)]
    found = []
    for objective in objectives:
        theta = np.zeros((1, N_CLASSES * (N_FEATURES + 1)))
        curvature = objective.rows.empty_curvature()
        gradient = objective.at(theta, curvature).gradient
        # Small passes stay in one thread: here they are asked to be many.
        objective.design._team_for = lambda ns, own=objective.design: type(own)._team_for(own, 1e9)
        objective.design._team = lambda n, own=objective.design: type(own)._team_for(own, 1e9)
        equation = objective.narrow_equation(curvature, gradient)
        for _ in range(3):
            equation.step(np.arange(1))
        found.append(equation.solution())
    np.testing.assert_array_equal(found[0], found[1])


def test_what_float32_cannot_take_is_float64s(monkeypatch) -> None:
    ordinary = np.array([0.0, 0.5, 3.0])
    assert is_narrow_enough(ordinary, 2.0, 100)
    assert not is_narrow_enough(np.zeros(3), 2.0, 100)
    assert not is_narrow_enough(ordinary, 1e6, 100)
    assert not is_narrow_enough(ordinary, 2.0, MOST_ROWS + 1)
    assert not is_narrow_enough(np.array([1.0, 2.0 * LARGEST_SCALE]), 2.0, 100)
    assert not is_narrow_enough(np.array([1.0, 0.5 / LARGEST_SCALE]), 2.0, 100)
    X, y = text()
    monkeypatch.setattr(narrow, "LARGEST_SCALE", 1.0)
    seen = count_narrow(monkeypatch)
    found = fastlogit.fit(X, y, C=1.0, multi_class="multinomial", solver="newton-cg")
    assert found.converged
    assert not seen


def test_a_solution_that_overflows_is_sought_again(monkeypatch) -> None:
    X, y = text()
    solution = sparse_design.NarrowEquation.solution
    monkeypatch.setattr(
        sparse_design.NarrowEquation, "solution", lambda self: np.inf * solution(self)
    )
    with np.errstate(invalid="ignore"):
        found = fastlogit.fit(X, y, C=1.0, multi_class="multinomial", solver="newton-cg")
    assert found.converged


def test_small_fits_and_few_models_are_float64s(monkeypatch) -> None:
    X, y = text()
    assert not objective_of(X, y).design.solves_narrow(4)
    monkeypatch.undo()
    assert not objective_of(X, y).solves_narrow
