"""Displays show the numbers of the models; checked on the artists."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from problems import problem, real, sized, three_classes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    LearningCurveDisplay,
    ValidationCurveDisplay,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastlogit
from fastlogit import (
    CoefficientsDisplay,
    ConvergenceDisplay,
    CVScoreDisplay,
    LogisticRegression,
    LogisticRegressionCV,
    RegularizationPathDisplay,
    logistic_path,
)
from fastlogit.displays import parts, scores
from fastlogit.plots import COLOURS

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CS = [10.0, 1e-2, 0.3]


@pytest.fixture
def categorical():
    """A frame with a categorical column, and labels."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame({
        "age": rng.normal(size=90) * 3.0,
        "kind": pd.Categorical(rng.choice(list("abc"), 90)),
    })  # fmt: skip
    return X, (X["age"] + 2.0 * (X["kind"] == "b") + rng.logistic(size=90) > 0).astype(int)


@pytest.fixture(autouse=True)
def close_figures():
    """Render what was drawn, for faults in labels and layout show only then, and close it."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
        plt.close(number)


def two(n_samples=80, n_features=3):
    X, y = problem(sized(n_samples, 40), n_features)[:2]
    return X, y


def three(n_samples=90, n_features=3):
    return three_classes(sized(n_samples, 45), n_features)


def cv_model(X, y, **options):
    options = {"scoring": "neg_log_loss", "use_legacy_attributes": False, **options}
    return LogisticRegressionCV(Cs=CS, cv=3, l1_ratios=(0,), **options).fit(X, y)


def counts_of(display):
    axis = display.count_axis_
    return [int(text.get_text()) for text in axis.get_xticklabels()], axis.get_xticks()


def test_a_path_with_l1_has_the_numbers_of_coefficients_along_the_top() -> None:
    X, y = two(80, 30)
    path = logistic_path(X, y, 40, l1_ratio=1.0)
    display = RegularizationPathDisplay.from_result(path)
    counts, places = counts_of(display)
    shown = np.searchsorted(path.Cs, places)
    np.testing.assert_array_equal(counts, path.n_nonzero[shown, 0])
    assert len(counts) == 9
    assert counts[0] == 0
    few = RegularizationPathDisplay.from_result(logistic_path(X, y, [1.0, 0.1], l1_ratio=1.0))
    assert counts_of(few)[1].tolist() == [0.1, 1.0]
    assert RegularizationPathDisplay.from_result(logistic_path(X, y, CS)).count_axis_ is None


@pytest.mark.parametrize("legacy", [True, False])
def test_displays_of_a_cross_validation_show_the_chosen_share_of_l1(legacy) -> None:
    X = np.random.default_rng(0).standard_normal((80, 30))
    y = (X[:, 0] + np.random.default_rng(1).logistic(size=80) > 0).astype(int)
    model = LogisticRegressionCV(
        Cs=CS, cv=3, l1_ratios=(0, 1), scoring="neg_log_loss", use_legacy_attributes=legacy
    ).fit(X, y)
    assert np.ravel(model.l1_ratio_)[0] == 1.0
    scores = CVScoreDisplay.from_estimator(model).scores
    wanted = model.scores_[1][:, :, 1] if legacy else model.scores_[:, 1]
    np.testing.assert_array_equal(scores, wanted)
    display = RegularizationPathDisplay.from_estimator(model)
    used = (model.grids_[1].coef != 0.0).sum(axis=3).mean(axis=(0, 2)).round()
    np.testing.assert_array_equal(counts_of(display)[0], used[np.argsort(CS)])
    assert display.chosen_line_ is not None


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


EVERY = {
    "ConvergenceDisplay": lambda X, y, ax: ConvergenceDisplay.from_estimator(
        LogisticRegression().fit(X, y), ax=ax
    ),
    "RegularizationPathDisplay": lambda X, y, ax: RegularizationPathDisplay.from_estimator(
        cv_model(X, y), ax=ax
    ),
    "CVScoreDisplay": lambda X, y, ax: CVScoreDisplay.from_estimator(cv_model(X, y), ax=ax),
    "CoefficientsDisplay": lambda X, y, ax: CoefficientsDisplay.from_estimator(
        LogisticRegression().fit(X, y), ax=ax
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_axes_are_those_given_or_new_ones(name) -> None:
    X, y = two()
    fig, ax = plt.subplots()
    display = EVERY[name](X, y, ax)
    assert display.ax_ is ax
    assert display.figure_ is fig
    again = display.plot()
    assert again is display
    assert display.ax_ is not ax
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("name", EVERY)
def test_without_matplotlib_one_clear_error(name, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=rf"{name} needs matplotlib.*fastlogit\[plot\]"):
        EVERY[name](*two(), None)


def test_what_is_not_fitted_or_has_nothing_to_draw() -> None:
    X, y = two()
    with pytest.raises(NotFittedError):
        CoefficientsDisplay.from_estimator(LogisticRegression())
    with pytest.raises(TypeError, match="StandardScaler has no attribute coef_"):
        CoefficientsDisplay.from_estimator(StandardScaler().fit(X))
    with pytest.raises(TypeError, match="LogisticRegression has no attribute grid_"):
        RegularizationPathDisplay.from_estimator(LogisticRegression().fit(X, y))
    for display in (CoefficientsDisplay, ConvergenceDisplay, RegularizationPathDisplay):
        with pytest.raises(TypeError, match=r"got LogisticRegression; .* go to from_estimator"):
            display.from_result(LogisticRegression().fit(X, y))


# ------------------------------------------------------------------------------------------------
# Convergence


@pytest.mark.parametrize("against", ["passes", "seconds"])
def test_convergence_of_one_model(against) -> None:
    X, y = two()
    result = fastlogit.fit(X, y, C=1.0)
    display = ConvergenceDisplay.from_result(result, against=against)
    x, gap = display.line_.get_data()
    cost = result.history
    shown = (cost - cost.min()) / cost.min() > np.finfo(float).eps
    wanted = result.passes if against == "passes" else result.times
    np.testing.assert_array_equal(x, wanted[shown])
    np.testing.assert_allclose(gap, (cost / cost.min() - 1.0)[shown], rtol=1e-6, atol=1e-15)
    assert (len(gap), gap[0]) > (2, 1e-3)
    _, bound = display.bound_line_.get_data()
    assert bound[-1] == pytest.approx(result.suboptimality, rel=1e-2)
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_xlabel() == {"passes": "passes over X", "seconds": "seconds"}[against]
    assert legend_of(display.ax_) == [result.solver, "proven bound"]


def test_convergence_of_one_vs_all_adds_costs_and_proofs_up() -> None:
    costs = np.array([[3.0, 2.0], [2.0, 1.0], [1.0, 1.0]])
    bounds = np.array([[np.inf, np.inf], [1.0, np.inf], [0.01, 0.03]])
    result = types.SimpleNamespace(
        history=costs, bounds=bounds, passes=np.arange(3.0), times=np.arange(3.0), solver="newton"
    )
    display = ConvergenceDisplay.from_result(result, best=1.9)
    np.testing.assert_allclose(display.gap, [3.1 / 1.9, 1.1 / 1.9, 0.1 / 1.9])
    # Of the second entry no more is known than that the costs are at least 2 / 2 and 0.
    optimum = [1.0, 1.0 / 1.01 + 1.0 / 1.03]
    np.testing.assert_allclose(display.bound[1:], [3.0 / optimum[0] - 1.0, 2.0 / optimum[1] - 1.0])
    np.testing.assert_allclose(display.bound_line_.get_xdata(), [1.0, 2.0])


def test_convergence_of_several_fits_on_the_same_axes() -> None:
    X, y = three()
    model = LogisticRegression(solver="newton").fit(X, y)
    first = ConvergenceDisplay.from_estimator(model)
    second = ConvergenceDisplay.from_estimator(
        make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cg")).fit(X, y),
        ax=first.ax_, name="scaled", line_kw={"lw": 5},
    )  # fmt: skip
    assert [to_hex(d.line_.get_color()).upper() for d in (first, second)] == list(COLOURS[:2])
    assert second.line_.get_linewidth() == 5
    assert legend_of(first.ax_) == ["LogisticRegression", "scaled", "proven bound"]
    assert second.bound_line_.get_color() == second.line_.get_color()


def test_convergence_over_many_passes_is_logarithmic() -> None:
    x = np.array([2.0, 10.0, 200.0])
    wide = ConvergenceDisplay(passes=x, seconds=x / x[0], gap=x[::-1], bound=x * np.inf).plot()
    assert wide.ax_.get_xscale() == "log"
    assert len(wide.bound_line_.get_xdata()) == 0
    assert wide.plot(against="seconds").ax_.get_xscale() == "log"
    near = ConvergenceDisplay(passes=x[:2], seconds=x[:2], gap=x[:2], bound=x[:2]).plot()
    assert near.ax_.get_xscale() == "linear"


def test_convergence_needs_what_happened() -> None:
    with pytest.raises(ValueError, match="against must be one of 'passes', 'seconds'"):
        ConvergenceDisplay.from_result(fastlogit.fit(*two()), against="time")
    bare = types.SimpleNamespace(passes=None, bounds=None, solver="newton")
    with pytest.raises(ValueError, match="has no passes or bounds"):
        ConvergenceDisplay.from_result(bare)


# ------------------------------------------------------------------------------------------------
# Paths


def test_path_of_two_classes_in_the_order_of_c() -> None:
    X, y = two()
    path = logistic_path(X, y, CS)
    display = RegularizationPathDisplay.from_result(path, top=2)
    order = np.argsort(CS)
    assert len(display.lines_) == 3
    for feature, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.get_xdata(), np.sort(CS))
        np.testing.assert_array_equal(line.get_ydata(), path.coefs[order, 0, feature])
    sizes = np.abs(path.coefs[:, 0]).max(axis=0)
    grey = [line for line in display.lines_ if line.get_color() == parts.GREY]
    assert grey == [display.lines_[sizes.argmin()]]
    assert set(legend_of(display.ax_)) == {f"x{k}" for k in np.argsort(sizes)[1:]}
    assert display.chosen_line_ is None
    assert (display.ax_.get_xscale(), display.ax_.get_xlabel()) == ("log", "C")


def test_path_of_a_class_or_of_all() -> None:
    X, y = three()
    path = logistic_path(X, np.array(["a", "b", "c"])[y], np.sort(CS))
    norms = RegularizationPathDisplay.from_result(path)
    np.testing.assert_allclose(
        norms.lines_[1].get_ydata(), np.sqrt((path.coefs[:, :, 1] ** 2).sum(axis=1))
    )
    assert "norm" in norms.ax_.get_ylabel()
    one = norms.plot(class_of_interest="b")
    np.testing.assert_array_equal(one.lines_[1].get_ydata(), path.coefs[:, 1, 1])
    with pytest.raises(ValueError, match=r"class_of_interest='d' is not one of"):
        norms.plot(class_of_interest="d")


def test_path_of_a_cross_validation_is_the_mean_of_its_folds() -> None:
    X, y = two()
    frame = pd.DataFrame(X * [1.0, 10.0, 100.0], columns=["a", "b", "c"])
    for legacy in (True, False):
        model = cv_model(frame, y, use_legacy_attributes=legacy)
        display = RegularizationPathDisplay.from_estimator(model)
        mean = model.grid_.coef[:, np.argsort(CS), 0].mean(axis=0)
        for feature, line in enumerate(display.lines_):
            np.testing.assert_allclose(line.get_ydata(), mean[:, feature])
        assert np.ravel(display.chosen_line_.get_xdata())[0] == np.ravel(model.C_)[0]
        assert {"a", "b", "c"} < set(legend_of(display.ax_))
    scaled = RegularizationPathDisplay.from_estimator(model, X=frame, line_kw={"lw": 7})
    np.testing.assert_allclose(
        scaled.lines_[2].get_ydata(), mean[:, 2] * frame["c"].to_numpy().std()
    )
    assert scaled.lines_[0].get_linewidth() == 7


def test_more_features_than_colours_differ_by_dashes() -> None:
    X, y = two(n_features=10)
    display = RegularizationPathDisplay.from_result(logistic_path(X, y, CS), top=10)
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 10


# ------------------------------------------------------------------------------------------------
# Scores


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("style", ["fill_between", "errorbar", None])
def test_scores_against_c(legacy, style) -> None:
    X, y = three()
    model = cv_model(X, y, use_legacy_attributes=legacy)
    display = CVScoreDisplay.from_estimator(
        model, negate_score=True, std_display_style=style, folds=True
    )
    scores = np.array([fold[np.argsort(CS)] for fold in -display.scores])
    line = display.errorbar_[0] if style == "errorbar" else display.line_
    np.testing.assert_array_equal(line.get_xdata(), np.sort(CS))
    np.testing.assert_allclose(line.get_ydata(), scores.mean(axis=0))
    np.testing.assert_allclose([f.get_ydata() for f in display.fold_lines_], scores)
    assert (display.errorbar_ is None) == (style != "errorbar")
    assert (display.fill_between_ is None) == (style != "fill_between")
    if style == "fill_between":
        heights = display.fill_between_.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx((scores.mean(axis=0) + scores.std(axis=0)).max())
    assert np.ravel(display.chosen_line_.get_xdata())[0] == np.ravel(model.C_)[0]
    assert display.ax_.get_ylabel() == "Log loss"
    assert display.ax_.get_xscale() == "log"
    # The chosen C has the best mean of what is drawn.
    assert np.sort(CS)[scores.mean(axis=0).argmin()] == np.ravel(model.C_)[0]


@pytest.mark.parametrize(
    ("scoring", "negate", "name"),
    [
        (None, False, "Accuracy"),
        ("warn", False, "Accuracy"),
        ("neg_log_loss", False, "Negative log loss"),
        ("neg_log_loss", True, "Log loss"),
        ("roc_auc", True, "Negative roc auc"),
        (max, False, "Max"),
        (object(), False, "Score"),
    ],
)
def test_names_of_scores(scoring, negate, name) -> None:
    assert scores._score_name(scoring, negate) == name


def test_a_style_that_there_is_not() -> None:
    display = CVScoreDisplay(Cs=[1.0, 2.0], scores=[[0.5, 0.6]])
    with pytest.raises(ValueError, match="'fill_between', 'errorbar', None, got 'bars'"):
        display.plot(std_display_style="bars")
    assert display.plot(score_name="mine").ax_.get_ylabel() == "mine"
    assert display.chosen_line_ is None


# ------------------------------------------------------------------------------------------------
# Coefficients


def test_coefficients_of_two_classes_largest_first() -> None:
    X, y = two(n_features=4)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = LogisticRegression().fit(frame, np.array(["no", "yes"])[y])
    display = CoefficientsDisplay.from_estimator(model, top=3)
    order = np.argsort(-np.abs(model.coef_[0]))[:3]
    np.testing.assert_array_equal(display.features_, order)
    np.testing.assert_allclose([bar.get_width() for bar in display.bars_], model.coef_[0, order])
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == [list("abcd")[feature] for feature in order]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the first bar is the highest
    colours = {np.sign(bar.get_width()): bar.get_facecolor() for bar in display.bars_}
    assert len(colours) == len(set(colours.values()))
    assert display.ax_.get_xlabel() == "coefficient (> 0: towards yes)"
    other = display.plot(class_of_interest="no")
    np.testing.assert_allclose(
        [bar.get_width() for bar in other.bars_], -model.coef_[0, other.features_]
    )
    assert other.ax_.get_xlabel() == "coefficient (> 0: towards no)"


def test_coefficients_of_several_classes() -> None:
    X, y = three()
    result = fastlogit.fit(X, y, C=1.0)
    display = CoefficientsDisplay.from_result(result, feature_names=["a", "b", "c"])
    assert display.bars_ is None
    order = display.features_
    np.testing.assert_array_equal(order, np.argsort(-np.abs(result.coef).max(axis=1)))
    for label, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.get_xdata(), result.coef[order, label])
    assert legend_of(display.ax_) == ["0", "1", "2"]
    assert len({line.get_marker() for line in display.lines_}) == 3
    one = display.plot(class_of_interest=2)
    np.testing.assert_array_equal(
        sorted(bar.get_width() for bar in one.bars_), sorted(result.coef[:, 2])
    )
    assert "towards 2" in one.ax_.get_xlabel()


def test_ten_classes_look_different() -> None:
    coef = np.arange(30.0).reshape(10, 3)
    display = CoefficientsDisplay(coef=coef, classes=np.arange(10), feature_names="abc").plot()
    looks = {(line.get_color(), line.get_marker()) for line in display.lines_}
    assert len(looks) == 10


def test_coefficients_times_the_spread_of_what_the_model_sees() -> None:
    X, y = two()
    X = X * [1.0, 10.0, 100.0]
    alone = LogisticRegression().fit(X, y)
    display = CoefficientsDisplay.from_estimator(alone, X=X)
    np.testing.assert_allclose(display.coef, alone.coef_ * X.std(axis=0))
    assert "standard deviation" in display.ax_.get_xlabel()
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    np.testing.assert_allclose(
        CoefficientsDisplay.from_estimator(pipe, X=X).coef, pipe[-1].coef_, rtol=1e-12
    )


def test_names_of_features() -> None:
    X, y = two()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, y)
    assert CoefficientsDisplay.from_estimator(pipe).feature_names == ["a", "b", "c"]
    named = CoefficientsDisplay.from_estimator(pipe, feature_names=["u", "v", "w"])
    assert named.feature_names == ["u", "v", "w"]
    bare = CoefficientsDisplay.from_estimator(LogisticRegression().fit(X, y))
    assert bare.feature_names == ["x0", "x1", "x2"]
    with pytest.raises(ValueError, match="feature_names has 2 names for 3 features"):
        CoefficientsDisplay.from_estimator(pipe, feature_names=["u", "v"])


def test_curves_of_scikit_learn_draw_our_estimators() -> None:
    X, y = two()
    curve = ValidationCurveDisplay.from_estimator(
        LogisticRegression(), X, y, param_name="C", param_range=[0.1, 10.0], cv=2
    )
    scores = [cross_val_score(LogisticRegression(C=C), X, y, cv=2).mean() for C in (0.1, 10.0)]
    np.testing.assert_allclose(curve.test_scores.mean(axis=1), scores)
    learning = LearningCurveDisplay.from_estimator(
        LogisticRegression(), X, y, train_sizes=[0.5, 1.0], cv=2, shuffle=True, random_state=0
    )
    assert learning.test_scores.shape == (2, 2)
    np.testing.assert_allclose(
        learning.test_scores[1].mean(), cross_val_score(LogisticRegression(), X, y, cv=2).mean()
    )


@pytest.mark.jit
def test_real_data_in_a_pipeline() -> None:
    X, y = real("cancer")
    pipe = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=5, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
        ),
    ).fit(X, y)
    assert len(CoefficientsDisplay.from_estimator(pipe).bars_) == 20
    assert len(RegularizationPathDisplay.from_estimator(pipe).lines_) == 30
    assert CVScoreDisplay.from_estimator(pipe).scores.shape == (5, 5)
    last = ConvergenceDisplay.from_estimator(pipe)
    assert last.bound_line_.get_ydata()[-1] <= 1e-12
    assert last.name == "LogisticRegressionCV"


def test_coefficients_of_levels_have_their_names(categorical) -> None:
    X, y = categorical
    names = ["age", "kind[a]", "kind[b]", "kind[c]"]
    model = LogisticRegression().fit(X, y)
    display = CoefficientsDisplay.from_estimator(model)
    assert display.feature_names == names
    np.testing.assert_array_equal(display.coef, model.coef_)
    assert CoefficientsDisplay.from_result(model.result_).feature_names == names
    spread = CoefficientsDisplay.from_estimator(model, X=X, feature_names=list("wxyz"))
    assert spread.feature_names == list("wxyz")
    dense = pd.get_dummies(X, dtype=float).to_numpy()
    np.testing.assert_allclose(spread.coef, model.coef_ * dense.std(axis=0), rtol=1e-12)
