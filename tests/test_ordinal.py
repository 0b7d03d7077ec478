"""Regression of ordered classes against R, statsmodels, many digits and its own special cases."""

import json
import pickle
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from statsmodels.miscmodels.ordinal_model import OrderedModel

import fastlogit
from fastlogit import ordinal_logit, reference
from fastlogit.relatives.ordinal_losses import LINKS
from fastlogit.relatives.ordinal_model import OrdinalRows, Unfinished, maximum, proven_gain

pytestmark = pytest.mark.jit
PUBLISHED = json.loads((Path(__file__).parent / "published/ordinal.json").read_text("utf-8"))
ORDER = ["Low", "Medium", "High"]


def housing():
    """MASS::housing: satisfaction of 1,681 householders in Copenhagen."""
    levels = {
        "Infl": ORDER, "Type": ["Tower", "Apartment", "Atrium", "Terrace"], "Cont": ["Low", "High"]
    }  # fmt: skip
    X = pd.DataFrame({name: pd.Categorical(PUBLISHED[name], own) for name, own in levels.items()})
    return X, PUBLISHED["Sat"], PUBLISHED["Freq"]


def drawn(n=600, n_classes=4, link="logit", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.2] + [0.0, 20.0, -1.0]
    raw = (X - [0.0, 20.0, -1.0]) @ [0.8, -0.1, 2.0]
    cuts = np.linspace(-1.5, 1.2, n_classes - 1)
    ends = LINKS[link].quantile(rng.random(n))
    return X, (raw[:, None] + ends[:, None] > cuts).sum(axis=1), rng


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_housing_is_that_of_r(link) -> None:
    X, y, freq = housing()
    found = ordinal_logit(X, y, order=ORDER, link=link, sample_weight=freq, weights="frequency")
    names = ["Infl[Medium]", "Infl[High]", "Type[Apartment]", "Type[Atrium]", "Type[Terrace]"]
    assert found.names == [*names, "Cont[High]", "Low|Medium", "Medium|High"]
    np.testing.assert_allclose(found.parameters, PUBLISHED[f"{link}_coef"], atol=1e-8)
    np.testing.assert_allclose(found.standard_errors, PUBLISHED[f"{link}_errors"], rtol=1e-7)
    assert found.log_likelihood == pytest.approx(PUBLISHED[f"{link}_loglik"][0], rel=1e-12)
    # MASS::polr, whose optimiser ends a little earlier
    np.testing.assert_allclose(found.parameters, PUBLISHED[f"{link}_polr"], atol=1e-7)
    assert found.n_samples == 1681


def test_housing_as_the_book_prints_it() -> None:
    """Venables and Ripley (2002), Modern Applied Statistics with S, section 7.3."""
    X, y, freq = housing()
    found = ordinal_logit(X, y, order=ORDER, sample_weight=freq, weights="frequency")
    book = [0.5663922, 1.2888218, -0.5723552, -0.3661912, -1.0910195, 0.3602834]
    np.testing.assert_allclose(found.coef, book, atol=2e-5)
    np.testing.assert_allclose(found.thresholds, [-0.4961, 0.6907], atol=5e-5)
    assert f"{-2.0 * found.log_likelihood:.3f} {found.aic:.3f}" == "3479.149 3495.149"
    new = pd.DataFrame({"Infl": ["Medium"], "Type": ["Atrium"], "Cont": ["High"]})
    np.testing.assert_allclose(found.predict_proba(new)[0], PUBLISHED["proba"], atol=1e-9)
    assert found.predict(new).tolist() == ["High"]


def test_brant_is_that_of_its_formula_in_r() -> None:
    X, y, freq = housing()
    found = ordinal_logit(X, y, order=ORDER, sample_weight=freq, weights="frequency")
    test = found.brant_test()
    assert test.whole.statistic == pytest.approx(PUBLISHED["brant"][0], rel=1e-9)
    assert test.whole.df == 6
    columns = [each.statistic for each in test.of_columns.values()]
    np.testing.assert_allclose(columns, PUBLISHED["brant_columns"], rtol=1e-8)
    assert str(test).startswith("Wald test of proportional odds: chi2(6) = 8.5345, p = 0.2015")


def test_brant_of_more_classes_in_plain_numpy() -> None:
    X, y, rng = drawn(900, 5)
    weight = rng.integers(0, 3, len(y))
    found = ordinal_logit(X, y, sample_weight=weight, weights="frequency").brant_test()
    Z = np.column_stack([np.ones(len(y)), X])
    coef, proba = [], []
    for k in range(4):
        part, intercept, _ = reference.newton(X, (y > k).astype(int), sample_weight=weight)
        coef.append(np.r_[intercept, part])
        proba.append(reference.sigmoid(Z @ coef[-1]))

    def gram(p):
        return (Z.T * (weight * p)) @ Z

    inverse = [np.linalg.inv(gram(p * (1 - p))) for p in proba]
    V = np.zeros((12, 12))
    for k in range(4):
        for j in range(4):
            high, low = max(k, j), min(k, j)
            both = inverse[k] @ gram(proba[high] * (1 - proba[low])) @ inverse[j]
            V[3 * k : 3 * k + 3, 3 * j : 3 * j + 3] = both[1:, 1:]
    D = np.kron(np.column_stack([-np.ones(3), np.eye(3)]), np.eye(3))
    away = D @ np.concatenate([each[1:] for each in coef])
    wanted = away @ np.linalg.solve(D @ V @ D.T, away)
    assert found.whole.statistic == pytest.approx(wanted, rel=1e-6)
    assert found.whole.df == 9
    np.testing.assert_allclose(found.coef, [each[1:] for each in coef], atol=1e-7)


def test_brant_finds_unequal_odds() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(3000, 2))
    first = rng.logistic(size=3000) + X[:, 0] > 0.0
    second = first & (rng.logistic(size=3000) - 1.0 * X[:, 0] > 0.0)
    test = ordinal_logit(X, first.astype(int) + second).brant_test()
    assert test.of_columns["x0"].p_value < 1e-10
    assert test.of_columns["x1"].p_value > 0.001


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_statsmodels_agrees(link) -> None:
    X, y, _ = drawn(link=link)
    found = ordinal_logit(X, y, link=link)
    model = OrderedModel(y, X - X.mean(axis=0), distr=link)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = model.fit(method="bfgs", disp=0, gtol=1e-9, maxiter=500)
    np.testing.assert_allclose(found.coef, other.params[:3], atol=1e-5)
    np.testing.assert_allclose(found.standard_errors[:3], other.bse[:3], rtol=1e-3)
    assert found.log_likelihood == pytest.approx(other.llf, rel=1e-9)
    cuts = model.transform_threshold_params(other.params)[1:-1] + X.mean(axis=0) @ found.coef
    np.testing.assert_allclose(found.thresholds, cuts, atol=1e-4)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_derivatives_are_those_of_the_cost(link) -> None:
    X, y, rng = drawn(200, 4, link)
    weight, offset = rng.integers(0, 3, 200).astype(float), 0.3 * rng.normal(size=200)
    found = ordinal_logit(X, y, link=link, sample_weight=weight, weights="frequency", offset=offset)
    theta = np.r_[found.coef, found.thresholds]

    def cost(theta):
        args = theta[:3], theta[3:], link
        return reference.ordinal_cost(X, y, *args, sample_weight=weight, offset=offset)

    assert found.log_likelihood == pytest.approx(-weight.sum() * cost(theta), rel=1e-12)
    step = 1e-4 * found.standard_errors
    eye = np.diag(step)
    slopes = [(cost(theta + e) - cost(theta - e)) / (2 * s) for e, s in zip(eye, step, strict=True)]
    assert np.abs(np.array(slopes) * found.standard_errors).max() < 1e-6
    step, eye = 200 * step, 200 * eye
    hessian = [
        [
            (cost(theta + a + b) - cost(theta + a - b) - cost(theta - a + b) + cost(theta - a - b))
            for b in eye
        ]
        for a in eye
    ]
    information = weight.sum() * np.array(hessian) / (4 * np.outer(step, step))
    np.testing.assert_allclose(np.linalg.inv(information), found.covariance, rtol=0.02, atol=1e-6)


def test_ten_digits_of_a_small_data_set() -> None:
    x = [0.5, 1.2, -0.3, 2.1, 0.8, -1.1, 1.7, 0.2, -0.6, 1.4, -1.8, 0.9]
    y = [1, 2, 0, 2, 0, 0, 1, 1, 0, 2, 1, 2]
    found = ordinal_logit(np.array(x)[:, None], np.array(y))
    with mpmath.workdps(40):

        def loss(b, low, high):
            total = mpmath.mpf(0)
            for value, k in zip(x, y, strict=True):
                ends = [mpmath.mpf(0), 1 / (1 + mpmath.exp(b * value - low))]
                ends += [1 / (1 + mpmath.exp(b * value - high)), mpmath.mpf(1)]
                total -= mpmath.log(ends[k + 1] - ends[k])
            return total

        def slopes(*point):
            return [mpmath.diff(loss, point, [int(i == j) for j in range(3)]) for i in range(3)]

        root = mpmath.findroot(slopes, found.parameters.tolist())
        # The two thresholds and the coefficient, and the errors from the second derivatives there.
        point = tuple(root)
        eye = np.eye(3, dtype=int)
        second = [[mpmath.diff(loss, point, (i + j).tolist()) for j in eye] for i in eye]
        information = mpmath.matrix(second)
        errors = [mpmath.sqrt((information**-1)[i, i]) for i in range(3)]
        np.testing.assert_allclose(found.parameters, [float(v) for v in point], rtol=1e-12)
        np.testing.assert_allclose(found.standard_errors, [float(v) for v in errors], rtol=1e-11)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_two_classes_are_the_binary_model(link) -> None:
    X, y, rng = drawn(400, 2, link)
    weight, offset = rng.integers(0, 3, 400), 0.2 * rng.normal(size=400)
    known = {"sample_weight": weight, "offset": offset}
    found = ordinal_logit(X, y, link=link, weights="frequency", **known)
    binary = fastlogit.fit(X, y, link=link, **known)
    other = fastlogit.infer(binary, X, y, weights="frequency", **known)
    np.testing.assert_allclose(found.coef, other.coef[1:], rtol=1e-9)
    np.testing.assert_allclose(found.thresholds, -other.coef[:1], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors[:3], other.standard_errors[1:], rtol=1e-8)
    assert found.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    null = other.likelihood.null_log_likelihood
    assert found.null_log_likelihood == pytest.approx(null, rel=1e-9)
    with pytest.raises(ValueError, match=r"one threshold|proportional odds, the fit"):
        found.brant_test()


def test_designs_types_and_labels_give_the_same() -> None:
    X, y, _ = drawn()
    wanted = ordinal_logit(X, y)
    for other in (np.asfortranarray(X), sp.csr_matrix(X), pd.DataFrame(X, columns=list("abc"))):
        np.testing.assert_allclose(ordinal_logit(other, y).parameters, wanted.parameters, rtol=1e-8)
    single = ordinal_logit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.parameters, wanted.parameters, rtol=1e-4)
    texts = np.array(["poor", "fair", "good", "best"])
    kinds = [
        (texts[y], {"order": texts.tolist()}),
        (pd.Categorical.from_codes(y, texts, ordered=True), {}),
        (pd.Series(pd.Categorical.from_codes(y, texts, ordered=True)), {}),
        (y * 2.0 - 4.0, {}),
        (y + 10, {"order": [10, 11, 12, 13]}),
    ]
    for labels, options in kinds:
        np.testing.assert_array_equal(
            ordinal_logit(X, labels, **options).parameters, wanted.parameters
        )
    flipped = ordinal_logit(X, y, order=[3, 2, 1, 0])
    np.testing.assert_allclose(flipped.coef, -wanted.coef, rtol=1e-9)
    np.testing.assert_allclose(flipped.thresholds, -wanted.thresholds[::-1], rtol=1e-9)


def test_rows_without_weight_are_removed_and_frequencies_repeat() -> None:
    X, y, rng = drawn(300)
    weight = rng.integers(0, 3, 300)
    weight[y == 3] = 0  # a class goes, too
    found = ordinal_logit(X, y, sample_weight=weight, weights="frequency")
    rows = np.repeat(np.arange(300), weight)
    wanted = ordinal_logit(X[rows], y[rows])
    np.testing.assert_allclose(found.parameters, wanted.parameters, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8)
    assert found.classes.tolist() == [0, 1, 2]
    assert found.bic == pytest.approx(wanted.bic, rel=1e-12)
    half = ordinal_logit(
        X[rows], y[rows], sample_weight=np.full(rows.size, 0.5), weights="analytic"
    )
    np.testing.assert_allclose(half.covariance, wanted.covariance, rtol=1e-9)


def test_the_bound_is_never_below_the_truth() -> None:
    X, y, _ = drawn(400, 5)
    found = ordinal_logit(X, y)
    assert found.suboptimality < 1e-15
    rows = found._found.rows
    best, point, _ = maximum(rows)
    least, rng = rows.cost(best), np.random.default_rng(0)
    finite = 0
    for size in (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0):
        for _ in range(10):
            theta = best + size * (point.root @ rng.normal(size=best.size)) / 3.0
            if (np.diff(theta[:4]) <= 0.0).any():
                continue
            bound = proven_gain(rows, theta, rows.at(theta))
            assert rows.cost(theta) - least <= bound * (1.0 + 1e-9) + 1e-14
            finite += np.isfinite(bound)
    assert finite > 20


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_what_rows_cost_far_out_is_finite_and_right(link) -> None:
    a = np.array([-30.0, -8.0, 0.5, 3.0, 9.0, np.inf, np.inf, 2.0])
    b = np.array([-31.0, -8.0001, 0.4, 2.9, 5.0, 2.0, -9.0, -np.inf])
    if link == "cloglog":
        a, b = np.minimum(a, 4.0), np.minimum(b, 1.0)
        a[5], a[6] = np.inf, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = LINKS[link].parts(a, b)
    assert np.isfinite(np.array(found)).all()
    functions = {
        "logit": lambda q: 1 / (1 + mpmath.exp(-q)),
        "probit": lambda q: mpmath.erfc(-q / mpmath.sqrt(2)) / 2,
        "cloglog": lambda q: -mpmath.expm1(-mpmath.exp(q)),
    }  # fmt: skip
    with mpmath.workdps(500):
        for place, (high, low) in enumerate(zip(a, b, strict=True)):
            function = functions[link]
            upper = function(mpmath.mpf(high)) if np.isfinite(high) else mpmath.mpf(1)
            lower = function(mpmath.mpf(low)) if np.isfinite(low) else mpmath.mpf(0)
            assert float(-mpmath.log(upper - lower)) == pytest.approx(found.loss[place], rel=1e-10)


def test_separation_and_dependent_columns_are_named() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 2))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    with pytest.raises(ValueError, match="separable: x0 orders some of them without an exception"):
        ordinal_logit(X, y)
    y = np.where(rng.random(60) < 0.5, y, rng.integers(0, 3, 60))
    top = np.column_stack([X, y == 2])
    with pytest.raises(ValueError, match="separable: x2 orders"):
        ordinal_logit(top, y)
    with pytest.raises(ValueError, match="the rows do not tell the coefficients of x2"):
        ordinal_logit(np.column_stack([X, X[:, 0] - X[:, 1]]), y)
    with pytest.raises(ValueError, match="the rows do not tell the coefficients of x2"):
        ordinal_logit(np.column_stack([X, np.ones(60)]), y)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("link", LINKS)
def test_a_level_of_the_highest_class_alone_is_named(link, seed) -> None:
    """Its coefficient rises for ever, while what it adds to the likelihood is soon all rounding."""
    X, y, rng = drawn(200, 4, link, seed)
    level = (y == 3) & (rng.random(200) < 0.5)
    with pytest.raises(ValueError, match="separable: x3 orders some of them"):
        ordinal_logit(np.column_stack([X, level]), y, link=link)


def test_brant_without_a_covariance_has_no_figure() -> None:
    X, _, _ = drawn(200)
    found = ordinal_logit(X, np.arange(200) // 2)
    with pytest.raises(ValueError, match=r"not positive definite|has no optimum"):
        found.brant_test()
    assert found.parallel_lines_test().whole.statistic >= 0.0


def test_smaller_models() -> None:
    X, y, freq = housing()
    known = {"order": ORDER, "sample_weight": freq, "weights": "frequency"}
    found, part = ordinal_logit(X, y, **known), ordinal_logit(X[["Infl", "Cont"]], y, **known)
    test = found.likelihood_ratio_test(part)
    wanted = 2.0 * (found.log_likelihood - part.log_likelihood)
    assert test.statistic == pytest.approx(wanted, rel=1e-12)
    assert (test.df, test.hypothesis) == (3, "Type[Apartment], Type[Atrium], Type[Terrace]")
    with pytest.raises(ValueError, match="not nested in this one: it has Type"):
        part.likelihood_ratio_test(found)
    probit = ordinal_logit(X[["Infl"]], y, **known, link="probit")
    with pytest.raises(ValueError, match="its link is probit, here logit"):
        found.likelihood_ratio_test(probit)
    turned = ordinal_logit(X[["Infl"]], y, **{**known, "order": ORDER[::-1]})
    with pytest.raises(ValueError, match="its order of classes is"):
        found.likelihood_ratio_test(turned)
    fewer = ordinal_logit(X[["Infl"]], y, **{**known, "sample_weight": np.roll(freq, 1)})
    with pytest.raises(ValueError, match="its number of rows by class is"):
        found.likelihood_ratio_test(fewer)
    moved = ordinal_logit(X[["Infl"]], y, **known, offset=np.arange(len(y)) / 50)
    with pytest.raises(ValueError, match="other rows or weights"):
        found.likelihood_ratio_test(moved)
    with pytest.raises(TypeError, match="must be an OrdinalResult"):
        found.likelihood_ratio_test("Type")


@pytest.mark.parametrize("link", LINKS)
def test_results_are_pickled(link) -> None:
    X, y, _ = drawn(60, 3, link)
    found = ordinal_logit(X, y, link=link)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    hc0 = found.with_covariance("HC0").covariance
    np.testing.assert_array_equal(again.with_covariance("HC0").covariance, hc0)


def test_the_table() -> None:
    X, y, freq = housing()
    found = ordinal_logit(X, y, order=ORDER, sample_weight=freq, weights="frequency")
    text = str(found)
    assert text.startswith("Proportional odds of Low < Medium < High\nobservations    1,681 ")
    assert "Medium|High       0.6907     0.1255   5.505" in text
    assert "likelihood ratio chi2(6)  169.7283 (p = 5.14e-34)" in text
    assert (
        r"Low\textbar{}" in found.summary().to_latex()
        or "Low$|$Medium" in found.summary().to_latex()
    )
    frame = found.to_frame()
    assert frame.loc["Cont[High]", "coef"] == found.coef[-1]
    np.testing.assert_allclose(frame[["conf_low", "conf_high"]], found.conf_int())
    assert repr(found).startswith("OrdinalResult(3 classes, 6 columns, link='logit', log-lik")
    assert "<table>" in found._repr_html_()
    np.testing.assert_allclose(found.p_values[:2], [6.23e-8, 3.84e-24], rtol=2e-3)


def test_predictions_add_up_and_take_offsets() -> None:
    X, y, rng = drawn()
    for link in LINKS:
        found = ordinal_logit(X, y, link=link)
        proba = found.predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
        assert (found.predict(X) == proba.argmax(axis=1)).all()
        picked = np.log(proba[np.arange(len(y)), y]).sum()
        assert picked == pytest.approx(found.log_likelihood, rel=1e-12)
    offset = rng.normal(size=len(y))
    moved = found.predict_proba(X, offset=offset)
    shifted = found.predict_proba(np.column_stack([X[:, 0] + offset / found.coef[0], X[:, 1:]]))
    np.testing.assert_allclose(moved, shifted, rtol=1e-9)
    with pytest.raises(ValueError, match="X has 2 columns, but the fit had 3"):
        found.predict_proba(X[:, :2])


def test_rows_that_are_not_finite_are_not_predicted() -> None:
    X, y, _ = drawn(60)
    found = ordinal_logit(pd.DataFrame(X, columns=["u", "v", "w"]), y)
    for value, words in ((np.nan, "NaN"), (np.inf, "infinity")):
        bad = pd.DataFrame(np.where(X == X[3, 1], value, X), columns=["u", "v", "w"])
        for way in (found.predict, found.predict_proba, found.raw_prediction):
            with pytest.raises(ValueError, match=rf"X contains {words} in column .*v.*\(row 3\)"):
                way(bad)


def test_a_fit_without_coefficients_that_is_not_found_makes_no_test(monkeypatch) -> None:
    from fastlogit.relatives import ordinal as room

    def ends(rows):
        if rows.design is None:
            raise Unfinished(np.zeros(3))
        return maximum(rows)

    monkeypatch.setattr(room, "maximum", ends)
    X, y, _ = drawn(60)
    found = ordinal_logit(X, y)
    assert np.isnan(found.null_log_likelihood)
    with pytest.raises(ValueError, match="of thresholds and offset alone was not found"):
        found.likelihood_ratio_test()
    assert "nan" not in str(found)


def test_bad_input() -> None:
    X, y, _ = drawn(40)
    weight = np.full(40, 1.5)
    texts = np.array(["a", "b", "c", "d"])[y]
    missing = pd.Categorical(np.where(y == y[0], None, texts), ordered=True)
    for match, args, options in (
        ("whose order is not known", (X, texts), {}),
        ("it leaves out 'd'", (X, texts), {"order": ["a", "b", "c"]}),
        ("it names twice 'a'", (X, texts), {"order": ["a", "a", "b", "c", "d"]}),
        ("it names what y has not, 'e'", (X, texts), {"order": list("abcde")}),
        ("out 'd'; it names what y has not, 'D'", (X, texts), {"order": list("abcD")}),
        ("out 0, 1; it names what y has not, False, True", (X, y), {"order": [False, True, 2, 3]}),
        ("it leaves out 'd'", (X, pd.Categorical(texts)), {"order": ["a", "b", "c"]}),
        ("categories have no order", (X, pd.Categorical(texts)), {}),
        ("y is missing in row 0", (X, missing), {}),
        ("has values other than 0 and 1", (X, y), {"sample_weight": weight}),
        ("link must be one of", (X, y), {"link": "loglog"}),
        ("y has one class only among", (X, y), {"sample_weight": (y == 1).astype(int)}),
        ("has 39 values", (X, y[:39]), {}),
        ("NaN", (np.where(X == X[3, 1], np.nan, X), y), {}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            ordinal_logit(*args, **options)
    for order in ("abcd", {"a", "b", "c", "d"}, 4, [["a", "b"], ["c", "d"]]):
        with pytest.raises(TypeError, match=r"sequence of labels|is no label"):
            ordinal_logit(X, texts, order=order)
    found = ordinal_logit(X, y)
    with pytest.raises(ValueError, match="level must be between"):
        found.conf_int(95)


def test_thresholds_alone_are_the_shares() -> None:
    _, y, _ = drawn(200)
    rows = OrdinalRows(None, y, 4, np.empty(0), np.empty(0), LINKS["logit"])
    theta, _, _ = maximum(rows)
    share = np.cumsum(np.bincount(y))[:-1] / 200
    np.testing.assert_allclose(theta, np.log(share / (1 - share)), rtol=1e-10)


# ---- far from anything


@pytest.mark.parametrize("link", LINKS)
def test_the_mean_of_an_offset_is_a_part_of_the_thresholds(link):
    X, y, rng = drawn(200)
    offset = rng.normal(size=200)
    near = ordinal_logit(X, y, link=link, offset=offset)
    far = ordinal_logit(X, y, link=link, offset=offset + 1e6)
    np.testing.assert_allclose(far.coef, near.coef, rtol=1e-7)
    np.testing.assert_allclose(far.thresholds - 1e6, near.thresholds, atol=1e-7)
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=1e-6)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("scale", [1e6, 1e300])
def test_offsets_that_make_all_certain_are_named(link, scale):
    X, y, rng = drawn(200)
    with pytest.raises(ValueError, match="is it on the scale of the raw predictions"):
        ordinal_logit(X, y, link=link, offset=scale * rng.normal(size=200))


@pytest.mark.parametrize("link", LINKS)
def test_separable_classes_are_refused_with_any_link(link):
    X, _, _ = drawn(400)
    y = (X[:, 0] > 0.0) * 1 + (X[:, 0] > 1.0)
    with pytest.raises(ValueError, match="x0 orders some of them"):
        ordinal_logit(X, y, link=link)


def test_cloglog_derivatives_keep_their_digits_far_out():
    """No difference cancels: of the last class all are e^b, of the first of small e^a nearly so."""
    parts = LINKS["cloglog"].parts(np.array([np.inf, -30.0]), np.array([38.0, -np.inf]))
    np.testing.assert_allclose([parts.slope_b[0], parts.curvature_bb[0]], np.exp(38.0), rtol=1e-14)
    np.testing.assert_allclose(parts.curvature_aa[1], 0.5 * np.exp(-30.0), rtol=1e-12)
    with mpmath.workdps(50):
        a, b = mpmath.mpf(0.5), mpmath.mpf(0.4999999)

        def loss(one, other):
            return -mpmath.log(mpmath.exp(-mpmath.exp(other)) - mpmath.exp(-mpmath.exp(one)))

        wanted = [
            float(mpmath.diff(loss, (a, b), order))
            for order in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
        ]
    found = LINKS["cloglog"].parts(np.array([0.5]), np.array([0.4999999]))
    np.testing.assert_allclose(np.ravel(found), wanted, rtol=1e-13)


def test_the_order_of_an_enum_of_polars_is_taken():
    pl = pytest.importorskip("polars")
    X, y, _ = drawn(200, 3)
    labels = pl.Series([ORDER[code] for code in y]).cast(pl.Enum([*ORDER, "Top"]))
    found = ordinal_logit(X, labels)
    assert found.classes.tolist() == ORDER
    np.testing.assert_array_equal(found.coef, ordinal_logit(X, y).coef)
    turned = ordinal_logit(X, labels, order=ORDER[::-1])
    np.testing.assert_allclose(turned.coef, -found.coef, rtol=1e-9)
    with pytest.raises(ValueError, match="Enum"):
        ordinal_logit(X, labels.cast(pl.Categorical))
