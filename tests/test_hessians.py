"""Hessians at points: made once, whoever asks."""

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes

import fastlogit
from fastlogit.certificates.binomial import Certificate
from fastlogit.certificates.softmax import SoftmaxCertificate
from fastlogit.objective.hessians import Hessians, contrasts
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.solvers.newton import newton
from fastlogit.solvers.stopping import StoppingRule
from fastlogit.solvers.trace import Limits, Trace

RNG = np.random.default_rng(0)


def binomial(l2_reg=0.1):
    X, y, *_ = problem(200, 4)
    objective = objective_of(X, y == np.unique(y)[1], None, l2_reg)
    objective.standardize()
    return objective


def softmax(l2_reg=0.1):
    objective = softmax_of(*three_classes(200, 4), None, l2_reg)
    objective.standardize()
    return objective


@pytest.mark.parametrize("make", [binomial, softmax])
def test_a_hessian_is_that_of_the_gradient(make) -> None:
    objective = make()
    theta = 0.3 * RNG.normal(size=(1, objective.loss.n_classes * 5))
    theta = objective.loss.centred(theta)
    hessian = Hessians(objective).at(0, theta[0])
    way = objective.loss.centred(RNG.normal(size=theta.shape))
    ahead, behind = (objective.at(theta + h * way).gradient[0] for h in (1e-5, -1e-5))
    change = (ahead - behind) / 2e-5
    whole = hessian.loss.copy()
    objective.parameter_penalty.add_to(whole, 0)
    np.testing.assert_allclose(whole @ way[0], change, atol=1e-8)
    np.testing.assert_allclose(hessian.solve(change), way[0], atol=1e-6)
    half = hessian.half_solve(change)
    assert half @ half == pytest.approx(change @ way[0], rel=1e-6)


@pytest.mark.parametrize("make", [binomial, softmax])
def test_the_same_point_asks_nothing_of_the_rows(make) -> None:
    objective = make()
    hessians, theta = Hessians(objective), np.zeros(objective.loss.n_classes * 5)
    assert hessians.last(0) is None
    first, passes = hessians.at(0, theta), objective.design.n_passes
    assert hessians.at(0, theta.copy()) is first
    assert hessians.last(0) is first
    assert objective.design.n_passes == passes
    assert hessians.at(0, theta + 1e-9) is not first


def test_rows_of_a_subsample_count_by_their_share() -> None:
    objective = binomial()
    rows = objective.subsample(4)
    theta = 0.3 * RNG.normal(size=5)
    hessian = Hessians(objective, rows).at(0, theta)
    np.testing.assert_allclose(hessian.share, 50 / 200)
    np.testing.assert_allclose(
        hessian.loss, rows.rows.hessian(rows.curvature(theta[None])[0], 0), rtol=1e-12
    )


def test_a_direction_needs_no_certificate() -> None:
    objective = binomial()
    rule = StoppingRule(1e-12, 1)
    trace = Trace(Limits(1e-12, 50), 0.0, objective)
    point, _ = newton(objective, np.zeros((1, 5)), rule, Hessians(objective), trace)
    np.testing.assert_allclose(objective.at(point.theta).gradient, 0.0, atol=1e-10)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.usefixtures("the_general_way")
def test_solver_and_certificate_make_each_once(multi_class, monkeypatch) -> None:
    X, y = three_classes(200, 4)
    seen = []
    make = LabelledRows.hessian

    def counted(rows, curvature, model):
        seen.append(curvature.values.tobytes())
        return make(rows, curvature, model)

    monkeypatch.setattr(LabelledRows, "hessian", counted)
    result = fastlogit.fit(X, y, C=1.0, solver="newton", multi_class=multi_class)
    assert result.converged
    assert len(seen) == len(set(seen))
    assert len(seen) >= result.n_iter


@pytest.mark.parametrize(("make", "kind"), [(binomial, Certificate), (softmax, SoftmaxCertificate)])
def test_a_certificate_takes_what_others_asked_for(make, kind) -> None:
    objective = make(0.0)  # the penalty has a bound of its own
    certificate = kind(objective)
    theta = np.zeros((1, objective.loss.n_classes * 5))
    found = objective.at(theta)
    made = certificate.hessians.at(0, theta[0])
    passes = objective.design.n_passes
    bound = certificate.bound(0, theta[0], found.gradient[0], at_once=True)
    assert certificate.hessians.last(0) is made
    assert objective.design.n_passes - passes <= 2  # the size of the largest row
    assert bound >= 0.0


def test_contrasts_are_orthonormal_and_sum_to_zero() -> None:
    for n_classes in (2, 3, 7):
        basis = contrasts(n_classes)
        np.testing.assert_allclose(basis.T @ basis, np.eye(n_classes - 1), atol=1e-14)
        np.testing.assert_allclose(basis.sum(axis=0), 0.0, atol=1e-14)
