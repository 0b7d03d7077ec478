"""Wald, score and likelihood-ratio tests of hypotheses as users write them."""

from typing import Any

import inference_oracle as oracle
import numpy as np
import pytest
from problems import problem, three_classes
from scipy import stats

from fastlogit import fit, infer
from fastlogit.inference.contrasts import contrasts_of

pytestmark = pytest.mark.jit

NAMES = ["intercept", "x1", "x10", "site[a,b]", "2nd", "log(age)", "a b"]
TERMS = {"x1": [1], "x10": [2], "site": [3, 4]}


def check_contrasts(found: Any, n_names: int, rows: Any, values: Any) -> None:
    wanted = np.zeros((len(rows), n_names))
    for number, row in enumerate(rows):
        for place, factor in row.items():
            wanted[number, place] = factor
    np.testing.assert_array_equal(found.matrix, wanted)
    np.testing.assert_allclose(found.values, values)


@pytest.mark.parametrize(
    ("text", "rows", "values"),
    [
        ("x1", [{1: 1.0}], [0.0]),
        ("x1 = 0, x10 = 0", [{1: 1.0}, {2: 1.0}], [0.0, 0.0]),
        ("x1 = x10", [{1: 1.0, 2: -1.0}], [0.0]),
        ("2*x1 - x10/4 + 1 = 3", [{1: 2.0, 2: -0.25}], [2.0]),
        ("x1 * 2 = -1e-1", [{1: 2.0}], [-0.1]),
        ("- x1 + x1 + x10 = intercept", [{2: 1.0, 0: -1.0}], [0.0]),
        ("site", [{3: 1.0}, {4: 1.0}], [0.0, 0.0]),
        ("site[a,b] = 2nd", [{3: 1.0, 4: -1.0}], [0.0]),
        ("log(age) = a b", [{5: 1.0, 6: -1.0}], [0.0]),
        (["x1", "x10 = 1"], [{1: 1.0}, {2: 1.0}], [0.0, 1.0]),
    ],
)
def test_hypotheses_as_text(text: Any, rows: Any, values: Any) -> None:
    check_contrasts(contrasts_of(text, NAMES, TERMS), len(NAMES), rows, values)


@pytest.mark.parametrize(
    ("hypothesis", "words"),
    [
        ("x2", r"not understood from 'x2' on, which is none; the coefficients are intercept, x1"),
        ("x1 = x1", "says nothing about a coefficient"),
        ("1 = 2", "says nothing about a coefficient"),
        ("x1 = 0 = x10", "has 2 signs '='"),
        ("x1 =", "has an empty side"),
        ("", "has an empty side"),
        ("x1 * x10 = 0", "not linear"),
        ("1 / x1 = 0", "not linear"),
        ("x1 / 0 = 0", "divides by 0"),
        ("x1 x10 = 0", "lacks a sign"),
        ("x1 * = 0", "ends with a sign"),
        ("x1 = 0, 2 * x1 = 1", "follow from each other, or contradict"),
        (np.zeros(7), "a row of the hypothesis is 0"),
        (np.eye(3), r"a column for each of the 7 coefficients .*found shape \(3, 3\)"),
        ((np.eye(7), [1.0, 2.0]), "has 7 rows, but 2 values"),
        (np.full(7, np.nan), "not finite"),
    ],
)
def test_what_is_no_hypothesis(hypothesis: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        contrasts_of(hypothesis, NAMES, TERMS)


# Names as formulas and frames have them.
ODD = [
    "intercept", "C(race, Treatment('b'))[T.a]", "C(race, Treatment('b'))[T.c]", "I(x ** 2)", "x:z",
    "a, b", "x", "x - z", "cut[(0, 1]]", "cut[T.a)]", "2", "g[T.`q`]", "z", "a = b",
]  # fmt: skip
ODD_TERMS = {"C(race, Treatment('b'))": [1, 2], "cut": [8, 9], "x": [6]}


@pytest.mark.parametrize(
    ("text", "rows", "values"),
    [
        ("C(race, Treatment('b'))[T.a] = 0", [{1: 1.0}], [0.0]),
        (
            "C(race,Treatment(\"b\"))[T.a] = 2 * C(race,  Treatment('b')) [T.c]",
            [{1: 1, 2: -2}],
            [0],
        ),
        ("C(race, Treatment('b'))", [{1: 1.0}, {2: 1.0}], [0.0, 0.0]),
        ("C(race,Treatment('b')), x", [{1: 1.0}, {2: 1.0}, {6: 1.0}], [0.0, 0.0, 0.0]),
        ("I(x ** 2) = x:z", [{3: 1.0, 4: -1.0}], [0.0]),
        ("I(x**2) - x = 1", [{3: 1.0, 6: -1.0}], [1.0]),
        ("a, b", [{5: 1.0}], [0.0]),
        ("a, b = 3, x", [{5: 1.0}, {6: 1.0}], [3.0, 0.0]),
        ("x - z", [{7: 1.0}], [0.0]),
        ("`x` - `z`", [{6: 1.0, 12: -1.0}], [0.0]),
        ("cut[(0, 1]] = cut[T.a)], x = 2", [{8: 1.0, 9: -1.0}, {6: 1.0}], [0.0, 2.0]),
        ("cut", [{8: 1.0}, {9: 1.0}], [0.0, 0.0]),
        ("x = 2", [{6: 1.0}], [2.0]),
        ("x = `2`", [{6: 1.0, 10: -1.0}], [0.0]),
        ("`g[T.`q`]` = x", [{11: 1.0, 6: -1.0}], [0.0]),
        ("a = b = 1", [{13: 1.0}], [1.0]),
    ],
)
def test_names_with_commas_brackets_blanks_and_signs(text: str, rows: Any, values: Any) -> None:
    check_contrasts(contrasts_of(text, ODD, ODD_TERMS), len(ODD), rows, values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("`y` = 0", "names 'y', which is none; the coefficients are intercept"),
        ("`y = 0", "names 'y = 0', which is none"),
        ("2 * cut = 0", "has the term cut, of 2 coefficients, in a sum: a term stands alone"),
        ("x[T.a] = 0", r"not understood from '\[T.a\] = 0' on, which is none"),
    ],
)
def test_names_that_are_none_are_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        contrasts_of(text, ODD, ODD_TERMS)


def test_a_matrix_with_values() -> None:
    matrix = np.array([[0.0, 1, -1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]])
    found = contrasts_of((matrix, [1.0, 2.0]), NAMES, TERMS)
    np.testing.assert_array_equal(found.matrix, matrix)
    np.testing.assert_array_equal(found.values, [1.0, 2.0])
    single = contrasts_of((matrix[0], 3.0), NAMES, TERMS)
    np.testing.assert_array_equal(single.values, [3.0])


def log_likelihood(exact: oracle.Exact, y: Any, offset: Any = 0.0) -> float:
    return float(stats.bernoulli.logpmf(y, stats.logistic.cdf(exact.Z @ exact.coef + offset)).sum())


@pytest.fixture
def study() -> tuple[Any, Any, Any]:
    X, y = problem(500, 4)[:2]
    return X, y, infer(fit(X, y, C=np.inf), X, y)


def test_likelihood_ratio_and_score_of_restrictions(study: Any) -> None:
    """x1 = x2 and x3 = 0.5: a fit of x1 + x2 with an offset."""
    X, y, found = study
    offset = 0.5 * X[:, 3]
    narrow = oracle.optimum(np.column_stack([X[:, 0], X[:, 1] + X[:, 2]]), y, offset=offset)
    wide = oracle.optimum(X, y)
    statistic = 2.0 * (log_likelihood(wide, y) - log_likelihood(narrow, y, offset))
    hypothesis = "x1 = x2, x3 = 0.5"
    test = found.likelihood_ratio_test(hypothesis)
    assert test.statistic == pytest.approx(statistic, rel=1e-9)
    assert test.p_value == pytest.approx(stats.chi2.sf(statistic, 2), rel=1e-8)
    p = stats.logistic.cdf(narrow.Z @ narrow.coef + offset)
    slope = wide.Z.T @ (y - p)
    information = (wide.Z.T * (p * (1.0 - p))) @ wide.Z
    by_score = slope @ np.linalg.solve(information, slope)
    assert found.score_test(hypothesis).statistic == pytest.approx(by_score, rel=1e-8)
    matrix = np.array([[0.0, 0, 1, -1, 0], [0, 0, 0, 0, 1]])
    away = matrix @ wide.coef - [0.0, 0.5]
    spread = matrix @ np.linalg.inv(wide.information) @ matrix.T
    by_wald = found.wald_test(hypothesis)
    assert by_wald.statistic == pytest.approx(away @ np.linalg.solve(spread, away), rel=1e-8)
    assert by_wald.df == 2
    assert found.wald_test((matrix, [0.0, 0.5])).statistic == pytest.approx(by_wald.statistic)
    assert str(by_wald).startswith("Wald test of x1 = x2, x3 = 0.5: chi2(2) = ")


def test_all_slopes_give_the_null_model(study: Any) -> None:
    _, _, found = study
    test = found.likelihood_ratio_test("x0, x1, x2, x3")
    likelihood = found.likelihood
    assert test.statistic == pytest.approx(likelihood.null_deviance - likelihood.deviance)


def test_restrictions_far_away_are_found(study: Any) -> None:
    """Where the quadratic model leads to probabilities of 0 and 1."""
    X, y, found = study
    narrow = oracle.optimum(X[:, 1:], y, offset=9.0 * X[:, 0])
    test = found.likelihood_ratio_test("x0 = 9")
    z = narrow.Z @ narrow.coef + 9.0 * X[:, 0]
    wanted = -np.logaddexp(0.0, np.where(y == 1, -z, z)).sum()
    assert test.statistic == pytest.approx(2.0 * (found.log_likelihood - wanted), rel=1e-6)


def test_a_single_restriction_is_the_square_of_z(study: Any) -> None:
    found = study[2]
    for cov_type in ("nonrobust", "HC3"):
        own = found.with_covariance(cov_type)
        test = own.wald_test("x1")
        assert test.statistic == pytest.approx(own.statistics[2] ** 2)
        assert test.p_value == pytest.approx(own.p_values[2])
    clustered = found.with_covariance("CR2", np.arange(500) % 11)
    test = clustered.wald_test("x1")
    assert (test.distribution, test.df) == ("t", pytest.approx(clustered.degrees_of_freedom[2]))
    assert test.statistic == pytest.approx(clustered.statistics[2])
    assert test.p_value == pytest.approx(clustered.p_values[2])
    assert {term: t.p_value for term, t in clustered.term_tests().items()} == pytest.approx(
        dict(zip(["x0", "x1", "x2", "x3"], clustered.p_values[1:], strict=True))
    )


@pytest.mark.parametrize(("kind", "power"), [("CR2", 0.5), ("CR3", 1.0)])
def test_joint_tests_of_clusters(study: Any, kind: str, power: float) -> None:
    X, y, found = study
    clusters = np.arange(500) % 13
    exact = oracle.optimum(X, y)
    W = exact.Z * np.sqrt(exact.curvature)[:, None]
    clustered = found.with_covariance(kind, clusters)
    for hypothesis, rows in (("x1, x2", [2, 3]), ("x0, x1, x2, x3", [1, 2, 3, 4])):
        contrasts = np.eye(5)[rows]
        eta, size = oracle.hotelling(W, clusters, power, contrasts), len(rows)
        lacking = contrasts @ found.coef
        spread = contrasts @ clustered.covariance @ contrasts.T
        wanted = (eta - size + 1.0) / (eta * size) * lacking @ np.linalg.solve(spread, lacking)
        test = clustered.wald_test(hypothesis)
        assert (test.distribution, test.df) == ("F", size)
        assert test.df_denominator == pytest.approx(eta - size + 1.0, rel=1e-7)
        assert test.statistic == pytest.approx(wanted, rel=1e-7)
        assert test.p_value == pytest.approx(stats.f.sf(wanted, size, eta - size + 1.0), rel=1e-6)
        assert f": F({size}, " in str(test)


def test_too_few_clusters_for_a_joint_test_are_refused(study: Any) -> None:
    clustered = study[2].with_covariance("CR2", np.arange(500) % 4)
    with pytest.raises(ValueError, match=r"too few for 4 restrictions together: .*take cov_type"):
        clustered.wald_test("x0, x1, x2, x3")


def test_satterthwaite_of_a_contrast_is_that_of_the_column(study: Any) -> None:
    """x0 - x1 in other columns is a coefficient of its own."""
    X, y, found = study
    clusters = np.arange(500) // 40
    contrast = found.with_covariance("CR2", clusters).wald_test("x0 - x1 = 0")
    turned = np.column_stack([X[:, 0], X[:, 0] + X[:, 1], X[:, 2:]])
    other = infer(fit(turned, y, C=np.inf), turned, y, cov_type="CR2", clusters=clusters)
    assert contrast.df == pytest.approx(other.degrees_of_freedom[1], rel=1e-7)
    assert contrast.statistic == pytest.approx(other.statistics[1], rel=1e-7)


def test_more_restrictions_than_clusters_are_refused(study: Any) -> None:
    _, _, found = study
    few = found.with_covariance("CR0", np.arange(500) % 2)
    with pytest.raises(ValueError, match="fewer independent directions than the 3"):
        few.wald_test("x1, x2, x3")


@pytest.mark.parametrize("text", ["x1 = 1e6", "x0 = 1e150", "x0 = -1e308, x1 = 1e308"])
def test_hypotheses_that_overflow_are_refused_in_words(study: Any, text: str) -> None:
    _, _, found = study
    for test in (found.likelihood_ratio_test, found.score_test):
        with pytest.raises(ValueError, match="so far from the estimates that under it fitted prob"):
            test(text)


@pytest.mark.parametrize(("link", "value"), [("logit", 1e4), ("cloglog", 200.0)])
def test_a_hypothesis_under_which_one_row_tells_all_has_no_figure(link: str, value: float) -> None:
    """Curvatures of the others are nothing beside its own: no step leads along other directions."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    raw = X @ [1.0, -0.5]
    proba = 1.0 / (1.0 + np.exp(-raw)) if link == "logit" else -np.expm1(-np.exp(raw))
    y = rng.random(200) < proba
    found = infer(fit(X, y, link=link, C=np.inf), X, y)
    for test in (found.likelihood_ratio_test, found.score_test):
        with pytest.raises(ValueError, match="so far from the estimates that under it fitted prob"):
            test(f"x0 = {value}")


@pytest.mark.parametrize("held", [None, 0.7])
@pytest.mark.parametrize("has_offset", [False, True])
def test_the_null_model_has_the_intercept_of_the_fit(held: float | None, has_offset: bool) -> None:
    """One that is not fitted is where the fit held it: no slopes leave it and the offset."""
    X, y = problem(300, 3)[:2]
    offset = np.sin(np.arange(300.0)) if has_offset else None
    found = infer(fit(X, y, C=np.inf, intercept=held, offset=offset), X, y, offset=offset)
    fixed = np.zeros(300) + (0.0 if offset is None else offset) + (held or 0.0)
    wanted = -np.logaddexp(0.0, np.where(y == 1, -fixed, fixed)).sum()
    assert found.likelihood.null_log_likelihood == pytest.approx(wanted, rel=1e-12)
    assert (found.likelihood.n_slopes, found.likelihood.n_parameters) == (3, 3)
    # The test of all slopes is a fit of its own.
    test = found.likelihood_ratio_test("x0, x1, x2")
    assert test.statistic == pytest.approx(2.0 * (found.log_likelihood - wanted), rel=1e-9)


def test_nested_models_without_an_intercept(study: Any) -> None:
    X, y, found = study
    parts = {held: infer(fit(X[:, :2], y, C=np.inf, intercept=held), X[:, :2], y)
             for held in (None, 0.7)}  # fmt: skip
    for held, part in parts.items():
        test = found.likelihood_ratio_test(part)
        assert (test.hypothesis, test.df) == ("intercept, x2, x3", 3)
        by_restriction = found.likelihood_ratio_test(f"intercept = {held or 0}, x2, x3")
        assert test.statistic == pytest.approx(by_restriction.statistic, rel=1e-8)
    whole = infer(fit(X, y, C=np.inf, intercept=None), X, y)
    assert whole.likelihood_ratio_test(parts[None]).df == 2
    with pytest.raises(ValueError, match=r"it holds the intercept at 0.7, this one at 0"):
        whole.likelihood_ratio_test(parts[0.7])
    with pytest.raises(ValueError, match="it has intercept"):
        whole.likelihood_ratio_test(infer(fit(X[:, :2], y, C=np.inf), X[:, :2], y))


def test_nested_models_are_of_the_same_values(study: Any) -> None:
    X, y, found = study
    order = np.random.default_rng(0).permutation(500)
    smaller = infer(fit(X[:, :2], y, C=np.inf), X[:, :2], y)
    statistic = found.likelihood_ratio_test(smaller).statistic
    turned = infer(fit(X[order][:, :2], y[order], C=np.inf), X[order][:, :2], y[order])
    assert found.likelihood_ratio_test(turned).statistic == pytest.approx(statistic)
    for values in (X[order][:, :2], X[:, 1:3], X[:, :2] * [1.0, 1.001]):
        other = infer(fit(values, y, C=np.inf), values, y)
        with pytest.raises(ValueError, match=r"its column x[01] has other values"):
            found.likelihood_ratio_test(other)
    labels = y.copy()
    labels[[np.argmax(y), np.argmin(y)]] = 0, 1  # as many of each class
    other = infer(fit(X[:, :2], labels, C=np.inf), X[:, :2], labels)
    with pytest.raises(ValueError, match="other values, or they stand beside other labels"):
        found.likelihood_ratio_test(other)
    offset = np.ones(500)
    other = infer(fit(X[:, :2], y, C=np.inf, offset=offset), X[:, :2], y, offset=offset)
    with pytest.raises(ValueError, match="other rows, labels, weights or offsets"):
        found.likelihood_ratio_test(other)


def test_nested_softmax_models_have_one_reference() -> None:
    X, y = three_classes(400, 3)
    fits = [fit(Z, y, C=np.inf, multi_class="multinomial") for Z in (X, X[:, :2])]
    whole = infer(fits[0], X, y)
    test = whole.likelihood_ratio_test(infer(fits[1], X[:, :2], y))
    assert test.statistic == pytest.approx(whole.likelihood_ratio_test("1:x2, 2:x2").statistic)
    with pytest.raises(ValueError, match="the other model compares with 1, this one with 0"):
        whole.likelihood_ratio_test(infer(fits[1], X[:, :2], y, reference=1))


def test_classes_without_rows_are_named() -> None:
    X, y = three_classes(400, 3)
    result = fit(X, y, C=np.inf, multi_class="multinomial")
    with pytest.raises(ValueError, match="no row of the class 2 has positive weight"):
        infer(result, X[y != 2], y[y != 2])
    with pytest.raises(ValueError, match="no row of the class 1 has positive weight"):
        infer(result, X, y, sample_weight=(y != 1) * 1.0)
    two = fit(X, y > 0, C=np.inf)
    with pytest.raises(ValueError, match="no row of the class False has positive weight"):
        infer(two, X[y > 0], y[y > 0] > 0)


def test_models_that_are_not_nested_are_refused(study: Any) -> None:
    X, y, found = study
    smaller = infer(fit(X[:, :2], y, C=np.inf), X[:, :2], y)
    assert found.likelihood_ratio_test(smaller).hypothesis == "x2, x3"
    with pytest.raises(ValueError, match="not nested in this one: it has x2, x3"):
        smaller.likelihood_ratio_test(found)
    other = infer(fit(X[:400, :2], y[:400], C=np.inf), X[:400, :2], y[:400])
    with pytest.raises(ValueError, match="of other rows, labels, weights or offsets: 400 obs"):
        found.likelihood_ratio_test(other)
