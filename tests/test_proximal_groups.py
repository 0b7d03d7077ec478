"""The group lasso through `fit`: optimality, exact zeros, options, what it is for one column."""

import warnings

import numpy as np
import pytest
from problems import LAYOUTS, TWO_THREADS, bits, problem, three_classes
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.objective.group_penalty import GroupL1
from fastlogit.objective.group_working_set import GroupWorkingSet
from fastlogit.objective.penalties import ElasticNet
from fastlogit.solvers import proximal_groups

pytestmark = pytest.mark.jit

LABELS = np.array([3, 1, 1, 2, 3, 2, 1, 0])


def slope(X, y, result, labels, strengths, l2=0.0, weight=None, offset=None):
    """The largest slope of the subgradient of least norm, by an independent function."""
    if result.coef.ndim == 1:
        _, slopes, last = reference.cost_gradient(
            X, y, result.coef, result.intercept, l2, weight, offset
        )
    else:
        _, slopes, last = reference.multinomial_cost_gradient(
            X, y, result.coef, result.intercept, l2, weight, offset
        )
    least = reference.group_lasso_slopes(slopes, result.coef, labels, strengths)
    return max(np.abs(least).max(), np.abs(last).max() * result.fit_intercept)


def roots(labels):
    return np.sqrt(np.unique(labels, return_counts=True)[1])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1", [0.005, 0.03, 0.1])
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_it_is_optimal(n_classes, l1, l2) -> None:
    X, y = problem(200, 8)[:2] if n_classes == 2 else three_classes(200, 8)
    X = X * 2.0 ** np.arange(-4, 4) + 1.0
    result = fastlogit.fit(
        X, y, l1_reg=l1, l2_reg=l2, penalty_groups=LABELS, multi_class="multinomial"
    )
    assert result.converged
    assert result.suboptimality <= 1e-12
    assert slope(X, y, result, LABELS, l1 * roots(LABELS), l2) < 3e-6
    np.testing.assert_allclose(result.l1_reg, l1 * roots(LABELS)[LABELS])
    if n_classes == 3:
        np.testing.assert_allclose(result.coef.sum(axis=1), 0.0, atol=1e-12)
        assert abs(result.intercept.sum()) < 1e-12
    zero = [not result.coef[label == LABELS].any() for label in range(4)]
    assert f"{4 - sum(zero)} of 4 groups are not 0" in result.message
    finer = fastlogit.fit(
        X, y, l1_reg=l1, l2_reg=l2, penalty_groups=LABELS, multi_class="multinomial", tol=0.0
    )
    assert slope(X, y, finer, LABELS, l1 * roots(LABELS), l2) < 1e-10


def test_groups_of_one_column_are_l1() -> None:
    X, y, *_ = problem(200, 10)
    expected = fastlogit.fit(X, y, l1_reg=0.03, l2_reg=0.01)
    for groups in ("features", np.arange(10)):
        found = fastlogit.fit(X, y, l1_reg=0.03, l2_reg=0.01, penalty_groups=groups)
        np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
        np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


@pytest.mark.parametrize("C", [0.01, 0.1, 1.0])
def test_a_column_is_0_for_all_classes_or_for_none(C) -> None:
    X, y = datasets.load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fastlogit.fit(
        X, y, C=C, l1_ratio=1.0, multi_class="multinomial", penalty_groups="features"
    )
    assert result.converged
    assert slope(X, y, result, np.arange(13), np.full(13, 1.0 / (C * len(y)))) < 1e-6
    used = result.coef != 0.0
    np.testing.assert_array_equal(used.any(axis=1), used.all(axis=1))
    assert used.any() == (C > 0.05)


def test_each_class_against_all_others() -> None:
    X, y = three_classes(200, 8)
    result = fastlogit.fit(X, y, C=0.1, l1_ratio=0.5, penalty_groups=LABELS)
    for k in range(3):
        own = fastlogit.fit(X, y == k, C=0.1, l1_ratio=0.5, penalty_groups=LABELS)
        np.testing.assert_allclose(result.coef[:, k], own.coef, atol=1e-7)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_one_optimum(layout) -> None:
    X, y, *_ = problem(60, 80)
    labels = np.arange(80) // 4
    expected = fastlogit.fit(X, y, l1_reg=0.03, penalty_groups=labels)
    found = fastlogit.fit(LAYOUTS[layout](X), y, l1_reg=0.03, penalty_groups=labels)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
    np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_x(n_classes) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X, y = problem(200, 40)[:2] if n_classes == 2 else three_classes(200, 40)
    X = np.where(np.abs(X) > 1.2, X, 0.0)
    options = {"l1_reg": 0.02, "penalty_groups": np.arange(40) // 3, "multi_class": "multinomial"}
    expected = fastlogit.fit(X, y, **options)
    found = fastlogit.fit(sparse.csr_array(X), y, **options)
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)


def test_weights_offset_intercept_and_batches() -> None:
    X, y, _, _, weight = problem(150, 8)
    weight[::5] = 0.0
    offset = np.linspace(-1.0, 1.0, 150)
    options = {"l1_reg": 0.03, "penalty_groups": LABELS}
    result = fastlogit.fit(X, y, sample_weight=weight, offset=offset, **options)
    assert result.converged
    assert slope(X, y, result, LABELS, 0.03 * roots(LABELS), 0.0, weight, offset) < 1e-6
    without = fastlogit.fit(X + 1.0, y, intercept=None, **options)
    assert slope(X + 1.0, y, without, LABELS, 0.03 * roots(LABELS)) < 1e-6
    batches = fastlogit.BatchSource(lambda: ((X[i : i + 40], y[i : i + 40]) for i in (0, 40, 80)))
    found = fastlogit.fit(batches, **options)
    expected = fastlogit.fit(X[:120], y[:120], **options)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)


def test_weights_of_groups_and_free_ones() -> None:
    X, y, *_ = problem(200, 8)
    weights = np.array([1.0, 0.0, 3.0, 0.5])
    result = fastlogit.fit(X, y, l1_reg=0.05, penalty_groups=LABELS, group_weights=weights)
    assert result.converged
    assert slope(X, y, result, LABELS, 0.05 * weights) < 1e-6
    assert (result.coef[LABELS == 1] != 0.0).all()
    named = np.array(["a", "b", "c", "d"])[LABELS]
    same = fastlogit.fit(X, y, l1_reg=0.05, penalty_groups=named, group_weights=weights)
    np.testing.assert_array_equal(same.coef, result.coef)
    all_free = fastlogit.fit(X, y, l1_reg=0.05, penalty_groups=LABELS, group_weights=0.0)
    np.testing.assert_allclose(all_free.coef, fastlogit.fit(X, y).coef, atol=1e-6)


def test_levels_of_factors_and_constant_columns() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, (300, 3))
    X = np.column_stack([np.eye(4)[own] for own in codes.T] + [np.ones(300)])
    y = (rng.logistic(size=300) < X[:, :4] @ [1.0, -1.0, 0.5, 0.0]).astype(int)
    labels = np.append(np.repeat([0, 1, 2], 4), 2)
    result = fastlogit.fit(X, y, l1_reg=0.02, penalty_groups=labels)
    assert result.converged
    assert result.coef[12] == 0.0
    strengths = 0.02 * roots(labels)
    assert slope(X[:, :12], y, _first(result, 12), labels[:12], strengths) < 1e-7
    # The levels of a factor add up to 0, as what they share is the intercept's.
    np.testing.assert_allclose(result.coef[:12].reshape(3, 4).sum(axis=1), 0.0, atol=1e-6)


def _first(result, n_columns):
    import dataclasses

    return dataclasses.replace(result, coef=result.coef[:n_columns])


def test_separable_classes_and_a_tiny_c() -> None:
    X, y, *_ = problem(80, 8)
    X[:, 0] = 2.0 * y - 1.0
    result = fastlogit.fit(X, y, C=100.0, l1_ratio=1.0, penalty_groups=LABELS)
    assert result.converged
    nothing = fastlogit.fit(X, y, C=1e-6, l1_ratio=1.0, penalty_groups=LABELS)
    assert not nothing.coef.any()
    assert nothing.intercept == pytest.approx(np.log(y.mean() / (1.0 - y.mean())))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_coefficients_than_a_working_set_may_have(monkeypatch, n_classes) -> None:
    X, y = problem(300, 8)[:2] if n_classes == 2 else three_classes(300, 8)
    options = {"l1_reg": 0.01, "penalty_groups": LABELS, "multi_class": "multinomial"}
    expected = fastlogit.fit(X, y, **options)
    monkeypatch.setattr(proximal_groups, "MOST_WORKING", 3)
    found = fastlogit.fit(X, y, **options)
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-5)


def test_the_same_bits_at_any_number_of_threads() -> None:
    X, y = three_classes(200, 40)
    one, two = (
        fastlogit.fit(
            X, y, l1_reg=0.03, n_threads=n, multi_class="multinomial",
            penalty_groups=np.arange(40) // 2,
        )
        for n in (1, TWO_THREADS)
    )  # fmt: skip
    assert bits(one) == bits(two)


def test_a_start_that_is_the_optimum() -> None:
    X, y = three_classes(200, 8)
    options = {"l1_reg": 0.03, "penalty_groups": LABELS, "multi_class": "multinomial"}
    first = fastlogit.fit(X, y, **options)
    assert fastlogit.fit(X, y, start=first, **options).n_iter == 0
    stay = fastlogit.fit(X, y, start=first, max_iter=0, **options)
    assert stay.suboptimality < 1e-11


REFUSED = [
    ({}, "penalty_groups says what L1 holds together"),
    ({"C": 1.0}, "penalty_groups says what L1 holds together"),
    ({"l1_reg": 0.1, "penalty_groups": None, "group_weights": 1.0}, "are those of penalty_groups"),
    ({"l1_reg": 0.1, "penalty_groups": "columns"}, "must be 'features' or a label for each"),
    ({"l1_reg": 0.1, "penalty_groups": [0, 1]}, "has shape \\(2,\\), but X has 3 columns"),
    ({"l1_reg": 0.1, "group_weights": [1.0, 2.0, 3.0]}, "group_weights has shape"),
    ({"l1_reg": 0.1, "group_weights": [1.0, -2.0]}, "group_weights is negative for group 1: -2.0"),
    ({"l1_reg": 0.1, "penalty_groups": [[0], [1, 2]]}, "one label for each column, got a list of"),
    ({"l1_reg": [0.1, 0.2, 0.3]}, "l1_reg is one number"),
    ({"l1_reg": 0.1, "penalty_factor": [1.0, 2.0, 3.0]}, "penalty_factor is of columns"),
    ({"l1_reg": 0.1, "coef_bounds": (0.0, None)}, "coef_bounds do not go with penalty_groups"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=str)
def test_what_does_not_go_together_is_refused(options, text) -> None:
    X, y, *_ = problem(30, 3)
    with pytest.raises(ValueError, match=text):
        fastlogit.fit(X, y, **{"penalty_groups": [0, 1, 1], **options})


def test_labels_that_are_none_are_refused() -> None:
    X, y, *_ = problem(30, 3)
    with pytest.raises(ValueError, match="give them as penalty_groups"):
        fastlogit.fit(X, y, penalty=ElasticNet(GroupL1(0.1, np.array([0, 1, 1])), 0.0))
    mixed = np.array(["a", 1, "b"], dtype=object)
    for labels, which in (([0.5, 1.5, 1.0], "0.5 for column 0"), (mixed, "1 for column 1")):
        with pytest.raises(TypeError, match=f"whole numbers or text, got {which}"):
            fastlogit.fit(X, y, l1_reg=0.1, penalty_groups=labels)


def test_text_of_objects_is_a_label() -> None:
    """As `X.columns.str[0]` of pandas gives it."""
    X, y, *_ = problem(30, 3)
    objects = np.array(["b", np.str_("a"), "a"], dtype=object)
    found = fastlogit.fit(X, y, l1_reg=0.1, penalty_groups=objects)
    wanted = fastlogit.fit(X, y, l1_reg=0.1, penalty_groups=[1, 0, 0])
    np.testing.assert_array_equal(found.coef, wanted.coef)


@pytest.mark.parametrize("n_rows", [2, 3, 5])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_groups_wider_than_the_rows_are_0_as_a_whole(n_rows, n_classes) -> None:
    """Their Hessians have directions without curvature, along which rounding errors stayed."""
    if n_rows < n_classes:
        n_rows = n_classes + 4
    y, labels = np.arange(n_rows) % n_classes, np.arange(70) // 4
    for seed, l1 in enumerate((1e-4, 1e-2, 0.1)):
        X = np.random.default_rng(seed).standard_normal((n_rows, 70))
        result = fastlogit.fit(X, y, l1_reg=l1, penalty_groups=labels, multi_class="multinomial")
        assert result.converged
        assert slope(X, y, result, labels, l1 * roots(labels)) < 1e-5
        for label in labels:
            coef = result.coef[labels == label]
            assert not coef.any() or np.linalg.norm(coef) > 1e-9


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("width", [50, 200])
def test_groups_of_many_columns_are_proven_in_no_time(rng, width, n_classes) -> None:
    """Turning the whole Hessian, and five groups more than had to be there, took half a minute."""
    n_columns = 800 if n_classes == 2 else 400
    X, labels = rng.standard_normal((120, n_columns)), np.arange(n_columns) // width
    y = np.digitize(X[:, :width].sum(axis=1) / np.sqrt(width), [-0.4, 0.4][: n_classes - 1])
    for l1 in (1.0, 0.03, 0.003):
        result = fastlogit.fit(
            X, y, l1_reg=l1, penalty_groups=labels, multi_class="multinomial", time_limit=60
        )
        assert result.converged
        assert slope(X, y, result, labels, l1 * roots(labels)) < 1e-5
        assert (result.group_lengths > 0.0).any() == (l1 < 1.0)


def test_groups_that_stay_0_have_no_hessian(rng, monkeypatch) -> None:
    X, labels, seen = rng.standard_normal((60, 900)), np.arange(900) // 300, []
    look = GroupWorkingSet.look

    def watched(self, *arguments):
        seen.append(self.size)
        return look(self, *arguments)

    monkeypatch.setattr(GroupWorkingSet, "look", watched)
    result = fastlogit.fit(X, np.arange(60) % 2, l1_reg=1.0, penalty_groups=labels)
    assert result.converged
    assert not result.coef.any()
    assert set(seen) == {1}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_intercept_no_group_at_all_is_proven(rng, n_classes) -> None:
    X, y = rng.standard_normal((80, 8)), rng.integers(0, n_classes, 80)
    result = fastlogit.fit(
        X, y, l1_reg=1.0, penalty_groups=LABELS, intercept=None, multi_class="multinomial"
    )
    assert result.converged
    assert not result.coef.any()
    assert result.suboptimality <= 1e-15


@pytest.mark.parametrize("seed", range(8))
def test_all_levels_of_two_factors_are_proven_as_groups_of_one(seed) -> None:
    """All levels and the intercept shift freely where the signs of L1 add up to 0."""
    rng = np.random.default_rng(seed)
    first, second = np.arange(60) % 5, rng.integers(0, 2, 60)
    X = np.hstack([np.eye(5)[first], np.eye(2)[second]])
    y = rng.integers(0, 2, 60)
    l1 = 10.0 ** rng.uniform(-4.0, -2.0)
    result = fastlogit.fit(X, y, l1_reg=l1, penalty_groups="features")
    assert result.converged
    plain = fastlogit.fit(X, y, l1_reg=l1)
    costs = [
        reference.cost_gradient(X, y, one.coef, one.intercept)[0] + l1 * np.abs(one.coef).sum()
        for one in (result, plain)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n in range(1, 5):
            rough = fastlogit.fit(X, y, l1_reg=l1, penalty_groups="features", max_iter=n)
            above = reference.cost_gradient(X, y, rough.coef, rough.intercept)[0]
            above += l1 * np.abs(rough.coef).sum()
            assert above / costs[1] - 1.0 <= rough.suboptimality + 1e-11


@pytest.mark.parametrize("huge", [1e5, 1e11, 1e102])
def test_a_huge_weight_of_one_group_spoils_no_proof(huge) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(200, 3)), axis=1)
    weights = np.array([1.0, 1.0, huge, 1.0])
    of_softmax = {"multi_class": "multinomial", "penalty_groups": "features"}
    for labels, options in ((y, of_softmax), (y > 0, {"penalty_groups": [0, 1, 2, 3]})):
        result = fastlogit.fit(X, labels, l1_reg=0.01, group_weights=weights, **options)
        assert result.converged, result.message
        assert result.suboptimality <= 1e-12
        assert not result.coef[2].any()


def with_all_levels(seed):
    """Columns for all levels of factors, beside numbers, and three to five classes."""
    rng = np.random.default_rng(seed)
    n_samples, n_classes = int(rng.integers(60, 400)), int(rng.integers(3, 6))
    factors = [
        np.eye(n_levels)[rng.integers(0, n_levels, n_samples)]
        for n_levels in rng.integers(2, 6, int(rng.integers(1, 4)))
    ]
    X = np.hstack([*factors, rng.normal(size=(n_samples, int(rng.integers(0, 3))))])
    raw = X @ rng.normal(size=(X.shape[1], n_classes)) * rng.choice([0.3, 1.0, 2.0])
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y, float(10 ** rng.uniform(-4, -1))


@pytest.mark.parametrize("seed", range(25))
def test_all_levels_of_factors_are_proven(seed) -> None:
    X, y, l1 = with_all_levels(seed)
    result = fastlogit.fit(X, y, l1_reg=l1, penalty_groups="features", multi_class="multinomial")
    assert result.converged, result.message
    strengths = np.full(X.shape[1], l1)
    assert slope(X, y, result, np.arange(X.shape[1]), strengths) < 1e-6
    # Nothing is left of a group that is 0 but for rounding errors.
    lengths = result.group_lengths[result.group_lengths > 0.0]
    assert (lengths > 1e-9).all()
