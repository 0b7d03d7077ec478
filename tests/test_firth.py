"""Fits of reduced bias: Firth's and the median's scores, FLIC and FLAC, of any design."""

import json
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastlogit import BatchSource, LogisticRegression, fit, infer, leave_one_out, reference
from fastlogit.bias_reduction.curvature import added_curvature
from fastlogit.bias_reduction.maximum import End, find
from fastlogit.bias_reduction.scores import MeanScore
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective

pytestmark = pytest.mark.jit

PUBLISHED = Path(__file__).parent / "published" / "bias_reduction.json"
R = {
    name: np.array(values)
    for name, values in json.loads(PUBLISHED.read_text("utf-8")).items()
    if name != "versions"
}
KINDS = {"AS_mean": "mean", "AS_median": "median"}
# The twelve rows of the project's table of right values.
X12 = np.column_stack([
    [0.5, 1.2, -0.3, 2.1, 0.8, -1.1, 1.7, 0.2, -0.6, 1.4, -1.8, 0.9],
    [1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0],
])  # fmt: skip
Y12 = np.array([1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1])


def columns(study: str, *names: str) -> Any:
    return np.column_stack([R[f"{study}_{name}"] for name in names])


def all_of(result: Any) -> Any:
    return np.append(result.intercept, result.coef)


def random_rows(seed: int, n: int = 60, p: int = 4) -> tuple[Any, Any, Any, Any]:
    """Rows, labels, whole weights and an offset; columns far from 0 and of unlike scales."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.1, 10.0, p) + rng.normal(size=p)
    y = (rng.random(n) < 0.3).astype(int)
    y[:2] = 0, 1
    return X, y, rng.integers(0, 4, n).astype(float), rng.normal(size=n)


def modified_score(
    X: Any, y: Any, theta: Any, weight: Any, offset: Any, median: bool = False
) -> Any:
    """Score of Firth, or of median bias reduction, from the formulas; the intercept comes last."""
    Z = np.column_stack([X, np.ones(len(X))])
    p = 1.0 / (1.0 + np.exp(-(Z @ theta + offset)))
    c = weight * p * (1.0 - p)
    information = (Z.T * c) @ Z
    inverse = np.linalg.inv(information)
    h = c * np.einsum("ij,jk,ik->i", Z, inverse, Z)
    score = Z.T @ (weight * (y - p) + h * (0.5 - p))
    if not median:
        return score, inverse
    u = np.empty(len(theta))
    for j in range(len(theta)):
        f = inverse[:, j]
        # Kosmidis, Kenne Pagui and Sartori (2020), with d v' / (6 v) - d' / (2 d) of the logit.
        k = np.outer(f, f) / inverse[j, j]
        diagonal = c * np.einsum("ij,jk,ik->i", Z, k, Z)
        d1 = 1.0 - 2.0 * p
        u[j] = f @ Z.T @ (diagonal * (d1 / 6.0 - d1 / 2.0))
    return score + information @ u, inverse


@pytest.mark.parametrize("kind", KINDS)
def test_brglm2_and_the_endometrial_cancer_study(kind: str) -> None:
    X, y = columns("endometrial", "NV", "PI", "EH"), R["endometrial_HG"]
    found = infer(result := fit(X, y, bias_reduction=KINDS[kind]), X, y)
    assert result.converged
    assert result.bias_reduction == KINDS[kind]
    np.testing.assert_allclose(all_of(result), R[f"endometrial_{kind}_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.coef, R[f"endometrial_{kind}_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R[f"endometrial_{kind}_errors"], rtol=1e-9)


def test_heinze_and_schemper_as_printed() -> None:
    X, y = columns("endometrial", "NV", "PI", "EH"), R["endometrial_HG"]
    found = infer(fit(X, y, penalty="firth"), X, y)
    printed = [3.77456, 2.92927, -0.03475, -2.60416]
    np.testing.assert_allclose(found.coef, printed, atol=5.1e-6)
    errors = [1.48869, 1.55076, 0.03958, 0.77602]
    np.testing.assert_allclose(found.standard_errors, errors, atol=5.1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_brglm2_with_frequencies_and_offset_and_without_intercept(kind: str) -> None:
    X, y = columns("infert", "spontaneous", "induced", "parity"), R["infert_case"]
    known = {"sample_weight": R["infert_repeats"], "offset": R["infert_shift"]}
    result = fit(X, y, bias_reduction=KINDS[kind], **known)
    found = infer(result, X, y, weights="frequency", **known)
    np.testing.assert_allclose(found.coef, R[f"infert_{kind}_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R[f"infert_{kind}_errors"], rtol=1e-9)
    result = fit(X, y, bias_reduction=KINDS[kind], intercept=None)
    found = infer(result, X, y)
    np.testing.assert_allclose(found.coef, R[f"plain_{kind}_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R[f"plain_{kind}_errors"], rtol=1e-9)


def test_twelve_rows() -> None:
    found = infer(fit(X12, Y12, penalty="firth"), X12, Y12)
    known = [-1.0204472651, 1.0420073307, 1.1837760669]
    np.testing.assert_allclose(found.coef, known, atol=6e-11)
    known = [1.0112920222, 0.8077632741, 1.4329982530]
    np.testing.assert_allclose(found.standard_errors, known, atol=6e-11)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_the_oracle_with_weights_and_offset(seed: int) -> None:
    X, y, weight, offset = random_rows(seed)
    result = fit(X, y, bias_reduction="mean", sample_weight=weight, offset=offset)
    coef, intercept, _ = reference.firth(X, y, weight, offset)
    np.testing.assert_allclose(all_of(result), np.append(intercept, coef), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("median", [False, True])
@pytest.mark.parametrize("seed", [3, 4])
def test_the_modified_score_is_zero(seed: int, median: bool) -> None:
    X, y, weight, offset = random_rows(seed)
    kind = "median" if median else "mean"
    result = fit(X, y, bias_reduction=kind, sample_weight=weight, offset=offset)
    theta = np.append(result.coef, result.intercept)
    score, inverse = modified_score(X, y, theta, weight, offset, median)
    assert np.sqrt(score @ inverse @ score) < 1e-9
    moved, _ = modified_score(X, y, theta + 1e-4 * inverse[0], weight, offset, median)
    assert np.sqrt(moved @ inverse @ moved) > 1e-6


def test_one_proportion_has_its_closed_forms() -> None:
    """(y + 1/2) / (n + 1) of the mean, (y + 1/6) / (n + 1/3) of the median."""
    y = np.repeat([1, 0], [3, 17])
    X = np.ones((20, 1))
    for kind, added in (("mean", 0.5), ("median", 1.0 / 6.0)):
        proba = (3.0 + added) / (20.0 + 2.0 * added)
        result = fit(X, y, bias_reduction=kind, intercept=None)
        assert result.coef[0] == pytest.approx(np.log(proba / (1.0 - proba)), rel=1e-10)


def test_fifty_digits() -> None:
    result = fit(X12, Y12, bias_reduction="mean")
    with mpmath.workdps(50):
        theta = mpmath.matrix([mpmath.mpf(float(v)) for v in all_of(result)])
        Z = mpmath.matrix([[1.0, *row] for row in X12.tolist()])
        for _ in range(30):
            p = [1 / (1 + mpmath.exp(-sum(Z[i, j] * theta[j] for j in range(3))))
                 for i in range(12)]  # fmt: skip
            F = mpmath.matrix(3)
            for i in range(12):
                for j in range(3):
                    for k in range(3):
                        F[j, k] += p[i] * (1 - p[i]) * Z[i, j] * Z[i, k]
            inverse = F**-1
            score = mpmath.matrix(3, 1)
            for i in range(12):
                row = mpmath.matrix([Z[i, j] for j in range(3)])
                h = p[i] * (1 - p[i]) * (row.T * inverse * row)[0]
                for j in range(3):
                    score[j] += Z[i, j] * (int(Y12[i]) - p[i] + h * (mpmath.mpf(1) / 2 - p[i]))
            theta += inverse * score
        exact = np.array([float(v) for v in theta])
        errors = np.array([float(mpmath.sqrt(inverse[j, j])) for j in range(3)])
    np.testing.assert_allclose(all_of(result), exact, rtol=1e-11)
    found = infer(result, X12, Y12)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-11)


@pytest.mark.parametrize("kind", ["mean", "median", "flic", "flac"])
def test_any_design(kind: str) -> None:
    X, y, weight, _ = random_rows(5, n=90)
    X = np.where(np.abs(X) < 1.0, 0.0, X).astype(np.float32)
    whole = X.astype(np.float64)
    options = {"bias_reduction": kind, "sample_weight": weight}
    expected = fit(whole, y, **options)
    for other in (np.asfortranarray(whole), X, sparse.csr_array(whole), sparse.csc_array(X)):
        result = fit(other, y, **options)
        np.testing.assert_allclose(all_of(result), all_of(expected), rtol=1e-8, atol=1e-10)
        found = infer(result, other, y, sample_weight=weight, weights="frequency")
        known = infer(expected, whole, y, sample_weight=weight, weights="frequency")
        np.testing.assert_allclose(found.standard_errors, known.standard_errors, rtol=1e-8)


def test_batches() -> None:
    X, y, _, _ = random_rows(6, n=90)
    source = BatchSource(lambda: ((X[i : i + 20], y[i : i + 20]) for i in range(0, 90, 20)))
    result, expected = fit(source, penalty="firth"), fit(X, y, penalty="firth")
    np.testing.assert_allclose(all_of(result), all_of(expected), rtol=1e-9, atol=1e-11)


def test_categorical_columns_are_codes() -> None:
    X, y, _, _ = random_rows(7, n=90)
    levels = np.random.default_rng(0).integers(0, 3, 90)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["k"] = pd.Categorical.from_codes(levels, ["u", "v", "w"])
    by_hand = np.column_stack([X, levels == 1, levels == 2]).astype(float)
    expected = infer(fit(by_hand, y, penalty="firth"), by_hand, y)
    found = infer(fit(frame, y, penalty="firth"), frame, y)
    assert found.names[-2:] == ["k[v]", "k[w]"]
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.conf_int(), expected.conf_int(), rtol=1e-6, atol=1e-8)


def test_frequencies_are_repeated_rows_and_weight_0_is_no_row() -> None:
    X, y, weight, _ = random_rows(8)
    repeats = weight.astype(int)
    for kind in ("mean", "median", "flic", "flac"):
        expected = fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats), bias_reduction=kind)
        result = fit(X, y, bias_reduction=kind, sample_weight=weight)
        np.testing.assert_allclose(all_of(result), all_of(expected), rtol=1e-8, atol=1e-10)
    large = fit(X, y, penalty="firth", sample_weight=1000.0 * weight)
    repeated = fit(
        np.tile(X, (4, 1)), np.tile(y, 4), penalty="firth", sample_weight=np.tile(250 * weight, 4)
    )
    np.testing.assert_allclose(all_of(large), all_of(repeated), rtol=1e-8, atol=1e-10)


def test_many_rows_begin_with_some() -> None:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(20_000, 5)) + 3.0
    y = (X @ [1.0, -0.5, 0.2, 0.0, 0.1] + rng.logistic(size=20_000) > 0).astype(int)
    result = fit(X, y, penalty="firth")
    assert result.converged
    assert result.n_iter <= 6
    coef, intercept, _ = reference.firth(X, y)
    np.testing.assert_allclose(all_of(result), np.append(intercept, coef), rtol=1e-9, atol=1e-11)


def test_separated_classes_have_finite_estimates() -> None:
    x = np.arange(12.0)[:, None]
    y = (x[:, 0] > 5.5).astype(int)
    for kind in ("mean", "median", "flic", "flac"):
        result = fit(x, y, bias_reduction=kind)
        assert result.converged
        assert 0.1 < result.coef[0] < 10.0
    coef, intercept, _ = reference.firth(x, y)
    result = fit(x, y, bias_reduction="mean")
    np.testing.assert_allclose(all_of(result), [intercept, coef[0]], rtol=1e-8)


def test_flic_has_the_events_of_the_data_and_the_slopes_of_firth() -> None:
    X, y, weight, offset = random_rows(10)
    known = {"sample_weight": weight, "offset": offset}
    firth, flic = (fit(X, y, bias_reduction=kind, **known) for kind in ("mean", "flic"))
    np.testing.assert_array_equal(flic.coef, firth.coef)
    proba = 1.0 / (1.0 + np.exp(-(X @ flic.coef + flic.intercept + offset)))
    assert weight @ proba == pytest.approx(weight @ y, rel=1e-12)


def test_flac_is_maximum_likelihood_of_augmented_rows() -> None:
    X, y, weight, offset = random_rows(11)
    known = {"sample_weight": weight, "offset": offset}
    firth, flac = (fit(X, y, bias_reduction=kind, **known) for kind in ("mean", "flac"))
    Z = np.column_stack([np.ones(len(X)), X])
    p = 1.0 / (1.0 + np.exp(-(Z @ all_of(firth) + offset)))
    root = Z * np.sqrt(weight * p * (1.0 - p))[:, None]
    h = np.einsum("ij,jk,ik->i", root, np.linalg.inv(root.T @ root), root)
    added = np.repeat([0.0, 1.0, 1.0], len(X))
    augmented = np.column_stack([np.tile(X, (3, 1)), added])
    labels, weights = np.concatenate([y, y, 1 - y]), np.concatenate([weight, h / 2, h / 2])
    expected = fit(
        augmented, labels, C=np.inf, sample_weight=weights, offset=np.tile(offset, 3), tol=1e-15
    )
    np.testing.assert_allclose(flac.coef, expected.coef[:-1], rtol=1e-6, atol=1e-8)
    assert flac.intercept == pytest.approx(expected.intercept, rel=1e-6, abs=1e-8)
    proba = 1.0 / (1.0 + np.exp(-(X @ flac.coef + flac.intercept + offset)))
    assert weight @ proba == pytest.approx(weight @ y, rel=1e-9)


def test_the_exact_second_derivative() -> None:
    X, y, weight, offset = random_rows(12)
    for has_intercept in (True, False):
        rows = LabelledRows(
            DenseDesign(X), Binomial(), y.astype(np.uint8), [1], weight, offset, has_intercept
        )
        objective = Objective(rows, 0.0)
        objective.standardize()
        score = MeanScore(objective)
        found = find(score, np.zeros(score.size))
        assert found.end is End.FOUND
        assert found.point.decrement <= 1e-9
        point = found.point
        free = np.eye(score.size)[: score.size if has_intercept else -1]
        slopes = [
            (score.at(point.theta + 1e-5 * v).gradient - score.at(point.theta - 1e-5 * v).gradient)
            / 2e-5
            for v in free
        ]
        whole = point.information + added_curvature(objective, point)
        size = len(free)
        np.testing.assert_allclose(
            whole[:size, :size], np.array(slopes)[:, :size], rtol=1e-6, atol=1e-6
        )
        compiled = added_curvature(objective, point, score.small)
        np.testing.assert_allclose(point.information + compiled, whole, rtol=1e-10, atol=1e-10)


def test_what_the_result_says() -> None:
    result = fit(X12, Y12, penalty="firth")
    assert "Firth's mean bias reduction" in result.message
    assert "no bound" in result.message
    assert result.suboptimality == np.inf
    assert "bias_reduction='mean'" in repr(result)
    assert result.gradient_norm < 1e-9
    cost = reference.firth_cost(X12, Y12, result.coef, result.intercept)
    assert 12.0 * result.history[-1] == pytest.approx(cost, rel=1e-12)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        short = fit(X12, Y12, penalty="firth", max_iter=1)
    assert not short.converged
    assert short.n_iter == 1
    stopped = fit(X12, Y12, penalty="firth", callback=lambda progress: progress.n_iter == 2)
    assert not stopped.converged
    assert "callback" in stopped.message
    warm = fit(X12, Y12, penalty="firth", start=result)
    assert warm.n_iter == 0
    assert warm.converged


def test_ctrl_c_leaves_the_last_point() -> None:
    def interrupt(progress: Any) -> None:
        if progress.n_iter == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fit(X12, Y12, penalty="firth", callback=interrupt)
    left = caught.value.result  # type: ignore[attr-defined]
    assert not left.converged
    assert left.coef.any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"penalty": "firt"}, "firth"),
        ({"bias_reduction": "AS_mean"}, "mean"),
        ({"penalty": "firth", "bias_reduction": "median"}, "give one of them"),
        ({"bias_reduction": "mean", "C": 1.0}, "C=1.0"),
        ({"bias_reduction": "mean", "l2_reg": 1.0}, "leave l2_reg out"),
        ({"bias_reduction": "mean", "l1_reg": 1.0}, "leave l1_reg out"),
        ({"bias_reduction": "mean", "coef_bounds": (0.0, None)}, "leave coef_bounds out"),
        ({"bias_reduction": "mean", "penalty_factor": [1.0, 2.0]}, "leave penalty_factor out"),
        ({"bias_reduction": "mean", "solver": "lbfgs"}, "solver='lbfgs'"),
        ({"bias_reduction": "flic", "intercept": None}, "corrects the intercept"),
    ],
)
def test_refusals(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit(X12, Y12, **options)


def test_more_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="is for two classes, found 3"):
        fit(X12, np.arange(12) % 3, penalty="firth")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (X12[:, :1] + 2.0 * X12[:, 1:], "column third"),
        (np.ones((12, 1)), "column third"),
    ],
)
def test_columns_that_depend_on_others_are_named(more: Any, said: str) -> None:
    frame = pd.DataFrame(np.column_stack([X12, more]), columns=["first", "second", "third"])
    with pytest.raises(ValueError, match=said):
        fit(frame, Y12, penalty="firth")


def test_the_estimator() -> None:
    expected = fit(X12, Y12, bias_reduction="flic")
    model = LogisticRegression(bias_reduction="flic").fit(X12, Y12)
    np.testing.assert_array_equal(model.coef_[0], expected.coef)
    np.testing.assert_array_equal(model.intercept_, expected.intercept)
    model = LogisticRegression(penalty="firth").fit(X12, Y12)
    assert model.result_.bias_reduction == "mean"
    assert type(model.inference(X12, Y12)).__name__ == "BiasReducedInference"
    with pytest.warns(UserWarning, match="ignores C"):
        LogisticRegression(bias_reduction="mean", C=0.5).fit(X12, Y12)
    with pytest.raises(ValueError, match="needs all rows"):
        model.partial_fit(X12, Y12, classes=[0, 1])
    with pytest.raises(ValueError, match="leave_one_out"):
        leave_one_out(model, X12, Y12)


def test_another_link_is_refused_by_its_name() -> None:
    X, y = np.arange(8.0)[:, None], np.arange(8) % 2
    with pytest.raises(ValueError, match="link='probit'; leave link out"):
        fit(X, y, penalty="firth", link="probit")


def test_no_message_calls_a_large_score_stationary() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    with pytest.warns(ConvergenceWarning) as told:
        found = fit(X, y, penalty="firth", offset=2e2 * rng.normal(size=60), max_iter=1)
    assert not found.converged
    assert "stationary" not in str(told[0].message)
    assert "the modified score is still" in str(told[0].message)


# ---- rare events, and a level where all are events


def of_levels(events: int, n_others: int, n_level: int) -> tuple[Any, Any]:
    """A level of events alone, beside others of which few are."""
    x = np.repeat([0.0, 1.0], [n_others, n_level])[:, None]
    return x, np.repeat([1, 0, 1], [events, n_others - events, n_level])


@pytest.mark.parametrize("n_level", [5, 20, 500])
@pytest.mark.parametrize(("events", "n_others"), [(0, 5000), (3, 5000), (10, 20_000), (0, 100)])
def test_firth_of_a_separated_level_beside_rare_events(events, n_others, n_level) -> None:
    """Of two levels half an event is added to each cell; steps led where all was certain."""
    X, y = of_levels(events, n_others, n_level)
    found = fit(X, y, penalty="firth")
    base = np.log((events + 0.5) / (n_others - events + 0.5))
    assert found.converged
    wanted = [base, np.log((n_level + 0.5) / 0.5) - base]
    np.testing.assert_allclose(np.append(found.intercept, found.coef), wanted, rtol=1e-8)
    assert fit(X, y, bias_reduction="flac").converged


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [((0, 1000, 50), [-8.6996814, 12.9686243]), ((3, 5000, 500), [-7.36394685, 15.15079874])],
)
def test_median_of_a_separated_level_beside_rare_events(counts, wanted) -> None:
    """As R's brglm2 has it (type="AS_median"); what was learned far away led astray."""
    X, y = of_levels(*counts)
    found = fit(X, y, bias_reduction="median")
    assert found.converged
    np.testing.assert_allclose(np.append(found.intercept, found.coef), wanted, rtol=1e-7)


@pytest.mark.parametrize("seed", [1, 24, 52])
def test_median_where_no_merit_falls_on_the_way(seed) -> None:
    """Of rare indicators and a level of events alone: Fisher's scoring without a line search."""
    rng = np.random.default_rng(seed)
    X = (rng.random((300, 4)) < [0.5, 0.05, 0.02, 0.3]) * 1.0
    X = np.c_[X, rng.normal(size=300)]
    y = ((rng.random(300) < 0.03) | (X[:, 1] == 1.0)) * 1
    assert fit(X, y, bias_reduction="median").converged
