"""Marginal effects, average predictions and comparisons against formulas, statsmodels and R."""

import json
from pathlib import Path
from typing import Any

import margins_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from problems import problem, three_classes
from scipy import sparse
from test_inference import TWELVE, TWELVE_Y, Slices
from test_inference_published import birth_weights

from fastlogit import LogisticRegression, bootstrap, fit, infer
from fastlogit.inference.clusters import cluster_covariance

pytestmark = pytest.mark.jit

R = json.loads((Path(__file__).parent / "published" / "margins.json").read_text("utf-8"))
N = 300


def inferred(X: Any, y: Any, sample_weight: Any = None, offset: Any = None, **options: Any) -> Any:
    result = fit(X, y, C=np.inf, sample_weight=sample_weight, offset=offset)
    return infer(result, X, y, sample_weight=sample_weight, offset=offset, **options)


def numbers(seed: int = 3) -> tuple[Any, Any]:
    """Three columns of numbers, one of 0 and 1, far from 0 and from the others' scale."""
    X, y = problem(N, 4, seed=seed)[:2]
    X = X * [1.0, 30.0, 1.0, 1.0] + [5.0, 200.0, 0.0, 0.0]
    X[:, 3] = X[:, 3] > 0.3
    return X, y


def frame(seed: int = 5) -> tuple[Any, Any]:
    """Columns of numbers and levels, whose classes are not separable."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"age": rng.normal(40.0, 9.0, N)})
    X["cabin"] = pd.Categorical(rng.choice(["1st", "2nd", "3rd"], N))
    X["dose"] = rng.normal(size=N)
    X["sex"] = pd.Categorical(rng.choice(["male", "female"], N), ["male", "female"])
    raw = 0.03 * (X["age"] - 40.0) + (X["cabin"] == "3rd") - 0.7 * X["dose"]
    raw += 1.2 * (X["sex"] == "female") * (X["cabin"] != "2nd")
    return X, (rng.logistic(size=N) < raw).to_numpy().astype(int)


def features(X: Any, names: list[str]) -> Any:
    """Columns of ones, numbers, indicators and their products, by the names of coefficients."""
    columns = []
    for name in names:
        term, _, level = name.rstrip("]").partition("[")
        if name == "intercept":
            columns.append(np.ones(len(X)))
        elif not level:
            columns.append(X[term].to_numpy())
        else:
            both = zip(term.split(":"), level.split(":"), strict=True)
            columns.append(np.prod([X[one] == value for one, value in both], axis=0))
    return np.column_stack(columns)


def check(found: Any, of: Any, inference: Any, rtol: float = 1e-8) -> None:
    """Compare estimates and errors with a function of the parameters."""
    wanted = of(inference.coef)
    np.testing.assert_allclose(found.estimates, wanted, rtol=rtol, atol=1e-12)
    errors = oracle.errors(of, inference.coef, inference.covariance)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=max(rtol, 1e-6))


# ------------------------------------------------------------------------------------------------
# Against others


def test_right_values_of_twelve_rows() -> None:
    found = inferred(TWELVE, TWELVE_Y)
    slopes, changes = found.marginal_effects(), found.marginal_effects("x1", discrete="x1")
    np.testing.assert_allclose(slopes.estimates, [0.2262914569, 0.2251731567], rtol=0, atol=6e-11)
    np.testing.assert_allclose(
        slopes.standard_errors, [0.1042619793, 0.1700263165], rtol=0, atol=6e-11
    )
    np.testing.assert_allclose(changes.estimates, [0.2513544220], rtol=0, atol=6e-11)
    np.testing.assert_allclose(changes.standard_errors, [0.2324745750], rtol=0, atol=6e-11)
    assert slopes.names == ["x0", "x1"]
    assert changes.names == ["x1[1 - 0]"]
    auto = found.marginal_effects(discrete="auto")
    assert auto.names == ["x0", "x1[1 - 0]"]
    np.testing.assert_allclose(auto.estimates[1:], changes.estimates)


@pytest.mark.parametrize("options", [{}, {"at": "mean"}, {"method": "eyex"}])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_against_statsmodels(options: dict[str, str], cov_type: str) -> None:
    from statsmodels.api import Logit, add_constant

    X, y = numbers()
    theirs = Logit(y, add_constant(X)).fit(disp=False, tol=1e-13, cov_type=cov_type)
    wanted = theirs.get_margeff(**options)
    found = inferred(X, y, cov_type=cov_type).marginal_effects(**options)
    np.testing.assert_allclose(found.estimates, wanted.margeff, rtol=1e-7)
    np.testing.assert_allclose(found.standard_errors, wanted.margeff_se, rtol=1e-5)
    np.testing.assert_allclose(found.p_values, wanted.pvalues, rtol=1e-3)
    np.testing.assert_allclose(found.conf_int(), wanted.conf_int(), rtol=1e-4, atol=1e-8)


def test_against_r() -> None:
    X, y = birth_weights()
    inference = inferred(X, y)
    found = inference.marginal_effects(discrete="smoke")
    assert found.names == [
        "age",
        "lwt",
        "race[black - white]",
        "race[other - white]",
        "smoke[1 - 0]",
    ]
    np.testing.assert_allclose(found.estimates, R["effects"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R["errors"], rtol=1e-8)
    robust = inference.with_covariance("HC0").marginal_effects(discrete="smoke")
    np.testing.assert_allclose(robust.standard_errors, R["errors_HC0"], rtol=1e-8)
    risks = inference.average_predictions({"smoke": [0, 1]})
    np.testing.assert_allclose(risks.estimates, R["risks"], rtol=1e-9)
    for measure, name in (("ratio", "ratio"), ("odds ratio", "odds_ratio")):
        ratio = risks.compare(measure)
        value, error = R[name]
        np.testing.assert_allclose(ratio.estimates, value, rtol=1e-9)
        np.testing.assert_allclose(ratio.standard_errors, value * error, rtol=1e-8)
        ends = value * np.exp(np.array([-1, 1]) * 1.959963984540054 * error)
        np.testing.assert_allclose(ratio.conf_int()[0], ends, rtol=1e-8)
        np.testing.assert_allclose(ratio.statistics, np.log(value) / error, rtol=1e-8)


# ------------------------------------------------------------------------------------------------
# Against the formulas


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3", "CR1"])
def test_slopes_with_weights_and_offset(cov_type: str) -> None:
    X, y = numbers()
    rng = np.random.default_rng(1)
    weight, offset = rng.integers(0, 4, N).astype(float), rng.normal(size=N)
    clusters = np.arange(N) % 30 if cov_type == "CR1" else None
    found = inferred(
        X, y, weight, offset, weights="frequency", cov_type=cov_type, clusters=clusters
    )
    Z = oracle.with_ones(X)

    def of(parameters: Any) -> Any:
        slopes = [oracle.slope(Z, parameters, column, offset) for column in range(4)]
        return np.array(slopes) @ weight / weight.sum()

    check(found.marginal_effects(), of, found)


def as_float32(X: Any) -> Any:
    return X.astype(np.float32)


@pytest.mark.parametrize(
    "carrier",
    [np.asfortranarray, sparse.csr_array, sparse.csc_matrix, pd.DataFrame, as_float32, Slices],
)
def test_designs(carrier: Any) -> None:
    X, y = numbers()
    X = X.astype(np.float32).astype(np.float64)
    by = np.where(X[:, 0] > 5.0, "old", "young")
    plain, other = inferred(X, y), inferred(carrier(X), y)
    for ask in (
        lambda found: found.marginal_effects(discrete=[3], by=by),
        lambda found: found.marginal_effects(at="mean"),
        lambda found: found.marginal_effects([0, 1], method="eyex", by=by),
        lambda found: found.average_predictions({0: [4.0, 6.0]}),
    ):
        one, same = ask(plain), ask(other)
        np.testing.assert_allclose(one.estimates, same.estimates, rtol=1e-6)
        np.testing.assert_allclose(one.standard_errors, same.standard_errors, rtol=1e-6)


def test_scenarios_and_groups_of_numbers() -> None:
    X, y = numbers()
    found, by = inferred(X, y), np.arange(N) % 3

    def of(parameters: Any) -> Any:
        values = []
        for value in (3.0, 7.5):
            moved = X.copy()
            moved[:, 0] = value
            p = oracle.proba(oracle.with_ones(moved), parameters)
            values += [p[by == group].mean() for group in range(3)]
        return np.array(values)

    predictions = found.average_predictions({0: [3.0, 7.5]}, by=by)
    assert predictions.names == [f"x0={v} | {g}" for v in ("3", "7.5") for g in range(3)]
    check(predictions, of, found)
    compared = predictions.compare("ratio")
    assert compared.names == [f"x0=7.5 / x0=3 | {g}" for g in range(3)]
    check(compared, lambda b: of(b)[3:] / of(b)[:3], found)

    def odds(parameters: Any) -> Any:
        p = of(parameters)
        return p[3:] * (1.0 - p[:3]) / ((1.0 - p[3:]) * p[:3])

    check(predictions.compare("odds ratio"), odds, found)

    def slopes_at(parameters: Any) -> Any:
        moved = X.copy()
        moved[:, 1] = 150.0
        each = [oracle.slope(oracle.with_ones(moved), parameters, j) for j in range(4)]
        return np.mean(each, axis=1)

    check(found.marginal_effects(at={"x1": 150.0}), slopes_at, found)

    def stepped(parameters: Any) -> Any:
        Z = oracle.with_ones(X + np.array([2.0, 0, 0, 0]))
        return np.mean(oracle.proba(Z, parameters) - oracle.proba(oracle.with_ones(X), parameters))

    step = found.comparisons("x0", step=2.0)
    assert step.names == ["x0+2 - x0"]
    check(step, lambda b: np.array([stepped(b)]), found)


@pytest.mark.parametrize("interactions", [None, [("cabin", "sex")]])
@pytest.mark.parametrize("others", ["observed", "mean"])
def test_levels_and_their_interactions(interactions: Any, others: str) -> None:
    X, y = frame()
    model = LogisticRegression(C=np.inf, interactions=interactions).fit(X, y)
    found = model.inference(X, y)

    def average(parameters: Any, **values: Any) -> Any:
        rows = X.assign(**values)
        if others == "mean":
            Z = features(rows, found.names).mean(axis=0, keepdims=True)
            for place, name in enumerate(found.names):
                if ":" in name:
                    levels = name.partition("[")[2].rstrip("]").split(":")
                    parts = [f"cabin[{levels[0]}]", f"sex[{levels[1]}]"]
                    Z[:, place] = np.prod([Z[:, found.names.index(each)] for each in parts], axis=0)
        else:
            Z = features(rows, found.names)
        return oracle.proba(Z, parameters).mean()

    def changes(parameters: Any) -> Any:
        low = average(parameters, cabin="1st")
        values = [average(parameters, cabin=each) - low for each in ("2nd", "3rd")]
        values.append(average(parameters, sex="female") - average(parameters, sex="male"))
        return np.array(values)

    effects = found.marginal_effects(["cabin", "sex"], others=others)
    assert effects.names == ["cabin[2nd - 1st]", "cabin[3rd - 1st]", "sex[female - male]"]
    check(effects, changes, found)
    pairs = found.comparisons("cabin", pairs="pairwise", others=others)
    assert pairs.names[-1] == "cabin=3rd - cabin=2nd"
    check(pairs, lambda b: np.array([*changes(b)[:2], changes(b)[1] - changes(b)[0]]), found)

    def both(parameters: Any) -> Any:
        return np.array([
            average(parameters, cabin=cabin, sex=sex)
            for cabin in ("2nd", "1st") for sex in ("male", "female")
        ])  # fmt: skip

    grid = {"cabin": ["2nd", "1st"], "sex": ["male", "female"]}
    check(found.average_predictions(grid, others=others), both, found)
    # The order in which columns are set does not matter.
    turned = found.average_predictions(dict(reversed(list(grid.items()))), others=others)
    np.testing.assert_allclose(turned.estimates[[0, 2, 1, 3]], both(found.coef), rtol=1e-8)


def test_groups_by_a_column() -> None:
    X, y = frame()
    found = inferred(X, y)
    predictions = found.average_predictions(by="cabin")
    assert predictions.names == [f"all rows | cabin={level}" for level in ("1st", "2nd", "3rd")]
    # Of a logistic regression with levels they are the shares that occurred.
    shares = [y[X["cabin"] == level].mean() for level in ("1st", "2nd", "3rd")]
    np.testing.assert_allclose(predictions.estimates, shares, rtol=1e-9)
    by_labels = found.marginal_effects("age", by=X["sex"])
    by_name = found.marginal_effects("age", by="sex")
    np.testing.assert_allclose(by_labels.estimates, by_name.estimates)
    assert by_name.names == ["age | sex=male", "age | sex=female"]


def test_frequencies_are_repetition_and_weight_zero_is_absence() -> None:
    X, y = numbers()
    weight = np.random.default_rng(2).integers(0, 3, N)
    counted = inferred(X, y, weight.astype(float), weights="frequency")
    places = np.repeat(np.arange(N), weight)
    repeated = inferred(X[places], y[places])
    labels = np.arange(N) % 4 == 3
    labels = np.where(labels & (weight > 0), "none", "some")
    for ask in (
        lambda found, by: found.marginal_effects(discrete=[3], by=by),
        lambda found, by: found.average_predictions({3: [0, 1]}, by=by),
        lambda found, by: found.marginal_effects(at="mean", by=by),
    ):
        one, same = ask(counted, labels), ask(repeated, labels[places])
        assert one.names == same.names
        np.testing.assert_allclose(one.estimates, same.estimates, rtol=1e-8)
        np.testing.assert_allclose(one.standard_errors, same.standard_errors, rtol=1e-7)


def test_a_group_without_weight_is_left_out() -> None:
    X, y = numbers()
    weight, by = np.ones(N), np.repeat(["a", "b", "c"], N // 3)
    weight[: N // 3] = 0.0
    found = inferred(X, y, weight).average_predictions(by=by)
    assert found.labels["group"] == ["b", "c"]
    shares = [y[by == group].mean() for group in "bc"]
    rest = inferred(X[N // 3 :], y[N // 3 :]).average_predictions(by=by[N // 3 :])
    np.testing.assert_allclose(found.estimates, rest.estimates, rtol=1e-8)
    assert abs(found.estimates - shares).max() < 0.1


# ------------------------------------------------------------------------------------------------
# Several classes


@pytest.mark.parametrize("reference", [0, 2])
def test_several_classes(reference: int) -> None:
    X, codes = three_classes(N, 3)
    result = fit(X, codes, C=np.inf, multi_class="multinomial")
    found = infer(result, X, codes, reference=reference)
    Z = oracle.with_ones(X)

    def slopes(parameters: Any) -> Any:
        each = [oracle.slope(Z, parameters, j, reference=reference).mean(axis=0) for j in range(3)]
        return np.concatenate(each)

    effects = found.marginal_effects()
    assert effects.names[:4] == ["0:x0", "1:x0", "2:x0", "0:x1"]
    check(effects, slopes, found, 1e-7)

    def risks(parameters: Any) -> Any:
        values = []
        for value in (-1.0, 1.0):
            moved = Z.copy()
            moved[:, 2] = value
            values.append(oracle.proba(moved, parameters, reference=reference).mean(axis=0))
        return np.concatenate(values)

    predictions = found.average_predictions({"x1": [-1, 1]})
    assert predictions.names[:2] == ["0:x1=-1", "1:x1=-1"]
    check(predictions, risks, found, 1e-7)
    check(predictions.compare("ratio"), lambda b: risks(b)[3:] / risks(b)[:3], found, 1e-7)
    with pytest.raises(ValueError, match="'eyex' is for two classes"):
        found.marginal_effects(method="eyex")


def test_five_classes_with_groups_and_offset() -> None:
    rng = np.random.default_rng(8)
    X, offset = rng.normal(size=(N, 2)), rng.normal(size=(N, 5))
    codes = np.argmax(X @ rng.normal(size=(2, 5)) + offset + rng.gumbel(size=(N, 5)), axis=1)
    result = fit(X, codes, C=np.inf, multi_class="multinomial", offset=offset)
    found = infer(result, X, codes, offset=offset)
    by, Z = np.arange(N) % 2, oracle.with_ones(X)

    def slopes(parameters: Any) -> Any:
        each = oracle.slope(Z, parameters, 1, offset, reference=0)
        return np.array([each[by == group].mean(axis=0) for group in (0, 1)]).T.ravel()

    check(found.marginal_effects("x1", by=by), slopes, found, 1e-6)


def test_against_mnlogit() -> None:
    from statsmodels.api import MNLogit, add_constant

    X, codes = three_classes(N, 3)
    theirs = MNLogit(codes, add_constant(X)).fit(disp=False, method="newton", tol=1e-13)
    wanted = theirs.get_margeff()
    found = infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes).marginal_effects()
    np.testing.assert_allclose(found.estimates.reshape(3, 3), wanted.margeff, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors.reshape(3, 3), wanted.margeff_se, rtol=1e-4)


# ------------------------------------------------------------------------------------------------
# Other rows, contrasts, degrees of freedom, bootstrap


def test_other_rows() -> None:
    X, y = numbers()
    found, new, weight = inferred(X, y), numbers(9)[0], np.arange(N) % 5 + 1.0

    def of(parameters: Any) -> Any:
        p = oracle.proba(oracle.with_ones(new), parameters)
        return np.array([np.average(p, weights=weight)])

    check(found.average_predictions(X=new, sample_weight=weight), of, found)
    high, low = X.copy(), X.copy()
    high[:, 3], low[:, 3] = 1.0, 0.0
    sets = found.average_predictions(X={"treated": high, "untreated": low})
    assert sets.names == ["treated", "untreated"]
    same = found.comparisons("x3", measure="ratio", pairs=[("x3=0", "x3=1")])
    ratio = sets.compare("ratio", [("untreated", "treated")])
    np.testing.assert_allclose(ratio.estimates, same.estimates, rtol=1e-9)
    np.testing.assert_allclose(ratio.standard_errors, same.standard_errors, rtol=1e-8)
    assert ratio.names == ["untreated / treated"]
    offset = np.ones(N)
    with pytest.raises(ValueError, match="the fit had an offset"):
        inferred(X, y, offset=offset).average_predictions(X=new)
    with pytest.raises(ValueError, match="NaN"):
        found.average_predictions(X=np.where(new == new[5, 1], np.nan, new))


def test_contrasts_and_tests() -> None:
    X, y = numbers()
    found = inferred(X, y)
    effects = found.marginal_effects()
    contrast = effects.contrast(["x0 - x2", "2 * x0 + x3 = 0.1"])
    assert contrast.names == ["x0 - x2", "2 * x0 + x3 = 0.1"]
    matrix = np.array([[1.0, 0, -1, 0], [2, 0, 0, 1]])
    np.testing.assert_allclose(contrast.estimates, matrix @ effects.estimates - [0, 0.1])
    np.testing.assert_allclose(contrast.covariance, matrix @ effects.covariance @ matrix.T)
    test = effects.wald_test("x0 = x2, x3 = 0")
    assert test.df == 2
    assert effects.wald_test("x0 = x2").p_value == pytest.approx(contrast.p_values[0])
    predictions = found.average_predictions({"x3": [0, 1]})
    difference = predictions.contrast("x3=1 - x3=0")
    np.testing.assert_allclose(difference.estimates, predictions.compare().estimates)


def test_degrees_of_freedom_are_those_of_the_combination() -> None:
    X, y = numbers()
    found = inferred(X, y, cov_type="CR2", clusters=np.arange(N) % 12)
    effects = found.marginal_effects()
    wanted = cluster_covariance(found._optimum, "CR2", found._clusters, effects.jacobian)
    np.testing.assert_allclose(effects.degrees_of_freedom, wanted.degrees_of_freedom)
    np.testing.assert_allclose(effects.covariance, wanted.matrix, rtol=1e-8, atol=1e-14)
    assert (effects.degrees_of_freedom < 12).all()
    assert " t " in str(effects)
    # The log-odds of a row of zeros are the intercept.
    row = found.predict(np.zeros((1, 4)))
    np.testing.assert_allclose(row.logit_standard_errors, found.standard_errors[:1], rtol=1e-8)
    np.testing.assert_allclose(row.degrees_of_freedom, found.degrees_of_freedom[:1], rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_bootstrap(n_classes: int) -> None:
    X, codes = three_classes(N, 3)
    y = np.minimum(codes, n_classes - 1)
    multi = "multinomial" if n_classes > 2 else "ovr"
    result = fit(X, y, C=np.inf, multi_class=multi)
    found = infer(result, X, y)
    replicates = bootstrap(X, y, 12, C=np.inf, multi_class=multi, random_state=0)
    by = np.arange(N) % 2
    own = found.average_predictions({"x0": [0, 1]}, by=by, bootstrap=replicates)
    compared = own.compare("ratio")
    effects = found.marginal_effects(at="mean", bootstrap=replicates)
    for number, place in enumerate(np.flatnonzero(replicates.converged)[:3]):
        weight = replicates.replicate_weights(int(place))
        again = fit(X, y, C=np.inf, multi_class=multi, sample_weight=weight, tol=1e-13)
        other = infer(again, X, y, sample_weight=weight, weights="frequency")
        predictions = other.average_predictions({"x0": [0, 1]}, by=by)
        np.testing.assert_allclose(own.replicates[number], predictions.estimates, rtol=1e-4)
        ratios = predictions.compare("ratio").estimates
        np.testing.assert_allclose(compared.replicates[number], ratios, rtol=1e-4)
        wanted = other.marginal_effects(at="mean").estimates
        np.testing.assert_allclose(effects.replicates[number], wanted, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(own.standard_errors, own.replicates.std(axis=0, ddof=1))
    ends = np.quantile(own.replicates, [0.05, 0.95], axis=0).T
    np.testing.assert_allclose(own.conf_int(0.9), ends)
    np.testing.assert_allclose(np.diag(own.covariance), own.standard_errors**2)
    assert "bootstrap, 12 replicates" in str(own)
    shifted = bootstrap(X + 1.0, y, 3, C=np.inf, multi_class=multi, random_state=0)
    with pytest.raises(ValueError, match="other coefficients"):
        found.marginal_effects(bootstrap=shifted)


# ------------------------------------------------------------------------------------------------
# Tables and what is refused


def test_tables() -> None:
    found = inferred(TWELVE, TWELVE_Y)
    effects = found.marginal_effects()
    lines = str(effects).splitlines()
    assert lines[0] == "Average marginal effects"
    row = next(line for line in lines if line.startswith("x0")).split()
    assert row == ["x0", "0.2263", "0.1043", "2.170", "0.0300", "0.0219", "0.4306"]
    table = effects.to_frame()
    assert list(table.columns) == [
        "column", "change", "estimate", "std_error", "statistic", "p_value", "conf_low",
        "conf_high",
    ]  # fmt: skip
    assert table.loc["x0", "estimate"] == effects.estimates[0]
    risks = found.average_predictions({"x1": [0, 1]})
    assert list(risks.to_frame().columns) == [
        "at", "estimate", "std_error", "conf_low", "conf_high",
    ]  # fmt: skip
    assert risks.summary().to_markdown().startswith("**Average predictions**")
    assert "tabular" in risks.summary(0.9).to_latex()
    assert "<table>" in risks._repr_html_()
    assert repr(risks) == "Margins(2 of probability, observed information)"
    low, high = risks.conf_int(0.9999).T
    assert (low > 0.0).all()
    assert (high < 1.0).all()
    plain = risks.conf_int(method="delta")
    half = 1.959963984540054 * risks.standard_errors
    np.testing.assert_allclose(plain[:, 1] - risks.estimates, half)
    with pytest.raises(ValueError, match="no natural hypothesis"):
        risks.p_values  # noqa: B018


WRONG = [
    (lambda found: found.marginal_effects("age"), "no column 'age'; the columns are x0, x1"),
    (lambda found: found.marginal_effects(7), "no column 7"),
    (lambda found: found.marginal_effects(["x0", "x0"]), "each once"),
    (lambda found: found.marginal_effects(method="dyex"), "method must be one of"),
    (lambda found: found.marginal_effects(discrete="x0"), "values other than 0 and 1"),
    (lambda found: found.marginal_effects("x1", discrete="x1", method="eyex"), "no elasticity"),
    (lambda found: found.marginal_effects(others="median"), "others must be one of"),
    (lambda found: found.marginal_effects(at={"x0": "high"}), "must be a number"),
    (lambda found: found.average_predictions({"x0": [1, 1]}), "each once"),
    (lambda found: found.average_predictions({"x0": np.inf}), "must be finite"),
    (lambda found: found.average_predictions([0, 1]), "at must be 'mean', or a mapping"),
    (lambda found: found.average_predictions().compare(), "one scenario only"),
    (lambda found: found.average_predictions({"x1": [0, 1]}).compare("log"), "measure must be"),
    (lambda found: found.average_predictions({"x1": [0, 1]}).compare(pairs=[("a", "b")]), "'a'"),
    (lambda found: found.marginal_effects().compare(), "compare is for average predictions"),
    (lambda found: found.average_predictions(by=[1, 2]), "by"),
    (lambda found: found.average_predictions(sample_weight=[1.0]), "of the rows in X"),
    (lambda found: found.average_predictions(X=np.zeros((2, 3))), "3 columns, but the fit had 2"),
    (lambda found: found.comparisons("x0", step=0.0), "no change"),
    (lambda found: found.comparisons("x0", [1.0]), "has 1.0 alone, .* two values or more"),
    (lambda found: found.comparisons("x0", at=[]), "at must be 'mean', or a mapping"),
    (lambda found: found.marginal_effects(method="eyex", at=np.ones(2)), "at must be 'mean', or"),
    (lambda found: found.comparisons("x0", at={"x0": 1.0}), "leave it out"),
    (lambda found: found.marginal_effects(bootstrap=3), "result of fastlogit.bootstrap"),
    (lambda found: found.marginal_effects().conf_int(2.0), "level must be between"),
    (lambda found: found.predict(np.full((1, 2), np.nan)), "NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "says"), WRONG)
def test_what_is_refused(ask: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        ask(inferred(TWELVE, TWELVE_Y))


@pytest.mark.parametrize("margin", ["marginal_effects", "average_predictions", "comparisons"])
def test_settings_of_no_column_and_mean_rows(margin: str) -> None:
    inference = inferred(TWELVE, TWELVE_Y)
    ask = getattr(inference, margin)
    column = ["x0"] if margin == "comparisons" else []
    plain, nothing = ask(*column), ask(*column, at={})
    np.testing.assert_array_equal(nothing.estimates, plain.estimates)
    assert nothing.names == plain.names
    at_mean = ask(*column, at="mean")
    np.testing.assert_array_equal(at_mean.estimates, ask(*column, others="mean").estimates)
    assert (at_mean.estimates != plain.estimates).all()


def test_unknown_levels_are_refused() -> None:
    X, y = frame()
    found = inferred(X, y)
    with pytest.raises(ValueError, match=r"'4th' in column 'cabin', which was .*: correct it$"):
        found.average_predictions({"cabin": "4th"})
    assert len(found.average_predictions(by="age")) == N
