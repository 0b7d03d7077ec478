"""Pictures of an inference show its numbers; checked on the artists."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from problems import problem, three_classes

from fastlogit import (
    AddedVariableDisplay,
    CalibrationDisplay,
    ForestDisplay,
    InfluenceDisplay,
    LogisticRegression,
    ResidualsDisplay,
    conditional_logit,
    fit,
    infer,
    ordinal_logit,
)
from fastlogit.displays import residuals
from fastlogit.plots import COLOURS

pytestmark = pytest.mark.jit


@pytest.fixture(autouse=True)
def close_figures() -> Any:
    """Render what was drawn, and close it."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
        plt.close(number)


@pytest.fixture(scope="module")
def study() -> Any:
    X, y = problem(300, 3)[:2]
    frame = pd.DataFrame(X, columns=["age", "dose", "time"])
    frame["kind"] = pd.Categorical(np.random.default_rng(3).choice(list("abc"), 300))
    return infer(fit(frame, y, C=np.inf), frame, y)


@pytest.fixture(scope="module")
def softmax() -> Any:
    X, codes = three_classes(150, 2)
    return infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes)


EVERY = {
    "ForestDisplay": ForestDisplay.from_inference,
    "ResidualsDisplay": ResidualsDisplay.from_inference,
    "InfluenceDisplay": InfluenceDisplay.from_inference,
    "CalibrationDisplay": CalibrationDisplay.from_inference,
    "AddedVariableDisplay": lambda found, ax=None: AddedVariableDisplay.from_inference(
        found, "age", ax=ax
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_axes_are_those_given_or_new_ones(name: str, study: Any) -> None:
    fig, ax = plt.subplots()
    display = EVERY[name](study, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is fig
    again = display.plot()
    assert again is display
    assert display.ax_ is not ax


@pytest.mark.parametrize("name", EVERY)
def test_without_matplotlib_one_clear_error(
    name: str, study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=rf"{name} needs matplotlib.*fastlogit\[plot\]"):
        EVERY[name](study)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "ForestDisplay"])
def test_two_classes_only(name: str, softmax: Any) -> None:
    with pytest.raises(ValueError, match="is for two classes, the fit has 3"):
        EVERY[name](softmax)


@pytest.mark.parametrize("name", EVERY)
def test_what_is_no_inference_is_refused(name: str, study: Any) -> None:
    X, y = problem(60, 2)[:2]
    with pytest.raises(TypeError, match=rf"{name}.from_inference takes an Inference, got ndarray"):
        EVERY[name](X)
    with pytest.raises(TypeError, match=r"got FitResult; make one: fastlogit.infer\(result, X, y"):
        EVERY[name](fit(X, y))
    with pytest.raises(TypeError, match="got LogisticRegression; make one by its method"):
        EVERY[name](LogisticRegression().fit(X, y))
    assert "1 against 0" in EVERY[name](study).ax_.get_title()


def test_options_that_are_not_possible(study: Any) -> None:
    for kind in ("binned", "deviance"):
        with pytest.raises(ValueError, match="n_bins must be at least 1, got 0"):
            ResidualsDisplay.from_inference(study, kind=kind, n_bins=0)
    with pytest.raises(ValueError, match="label must be at least 0, got -1"):
        InfluenceDisplay.from_inference(study, label=-1)
    with pytest.raises(ValueError, match="names has no coefficient to draw"):
        ForestDisplay.from_inference(study, names=[])
    assert ForestDisplay.from_inference(study, names="kind").names == ["kind[b]", "kind[c]"]


def weighted(weights: Any, kind: str) -> Any:
    X, y = problem(400, 2)[:2]
    result = fit(X, y, C=np.inf, sample_weight=weights)
    robust = "HC1" if kind == "probability" else "nonrobust"
    return infer(result, X, y, sample_weight=weights, weights=kind, cov_type=robust)


def test_bounds_of_sampling_weights_are_those_of_single_rows() -> None:
    """Rows of equal weight are rows without, in whatever unit the weight is."""
    X, y = problem(400, 2)[:2]
    plain = infer(fit(X, y, C=np.inf), X, y)
    same = weighted(np.full(400, 900.0), "probability")
    for kind in ("binned", "deviance"):
        wanted = ResidualsDisplay.from_inference(plain, kind=kind)
        found = ResidualsDisplay.from_inference(same, kind=kind)
        lines = [found.points_, *found.bounds_, *([found.line_] if found.line_ else [])]
        others = [wanted.points_, *wanted.bounds_, *([wanted.line_] if wanted.line_ else [])]
        for one, other in zip(lines, others, strict=True):
            np.testing.assert_allclose(one.get_ydata(), other.get_ydata(), rtol=1e-6)
    wanted_influence = InfluenceDisplay.from_inference(plain)
    np.testing.assert_allclose(
        InfluenceDisplay.from_inference(same).residual, wanted_influence.residual, rtol=1e-6
    )
    weights = np.random.default_rng(0).uniform(1.0, 9.0, 400)
    uneven = ResidualsDisplay.from_inference(weighted(weights, "probability"), n_bins=1)
    p, share = uneven.probability, weights / weights.sum()
    bound = 2.0 * np.sqrt(share**2 @ (p * (1.0 - p)))
    assert uneven.bounds_[0].get_ydata() == pytest.approx([bound])


def test_pictures_count_rows_that_stand_for_several() -> None:
    counts = np.random.default_rng(1).integers(1, 5, 400)
    X, y = problem(400, 2)[:2]
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    long, short = infer(fit(X, y, C=np.inf), X, y), weighted(counts, "frequency")
    for kind in ("binned", "deviance"):
        wanted = ResidualsDisplay.from_inference(long, kind=kind, n_bins=7)
        found = ResidualsDisplay.from_inference(short, kind=kind, n_bins=7)
        one, other = (
            [each.bounds_[0], each.points_] if kind == "binned" else [each.line_]
            for each in (found, wanted)
        )
        for own, its in zip(one, other, strict=True):
            np.testing.assert_allclose(own.get_ydata(), its.get_ydata(), rtol=1e-6)
    curves = [CalibrationDisplay.from_inference(each) for each in (short, long)]
    bars = [[bar.get_height() for bar in curve.bars_] for curve in curves]
    np.testing.assert_allclose(bars[0], bars[1])


def test_a_forest_of_odds_ratios(study: Any) -> None:
    display = ForestDisplay.from_inference(study, level=0.9)
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == study.names[1:]
    points = np.concatenate([line.get_xdata() for line in display.points_])
    np.testing.assert_allclose(np.sort(points), np.sort(study.odds_ratios[1:]))
    ends = np.array([segment[:, 0] for segment in display.lines_.get_segments()])
    np.testing.assert_allclose(ends, study.odds_ratio_intervals(0.9)[1:])
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "odds ratio (logarithmic axis) with 90 % interval"
    ticks = display.ax_.get_xticks()
    low, high = display.ax_.get_xlim()
    assert 2 <= np.count_nonzero((ticks >= low) & (ticks <= high)) <= 12
    filled, hollow = display.points_
    assert len(filled.get_xdata()) == (study.p_values[1:] < 0.1).sum()
    assert to_hex(hollow.get_markerfacecolor()) == "#ffffff"


def test_a_forest_of_coefficients(study: Any, softmax: Any) -> None:
    display = ForestDisplay.from_inference(study, names=["kind", "intercept"], odds_ratio=False)
    assert display.names == ["kind[b]", "kind[c]", "intercept"]
    ends = np.array([segment[:, 0] for segment in display.lines_.get_segments()])
    np.testing.assert_allclose(ends, study.conf_int()[[4, 5, 0]])
    assert display.ax_.get_xscale() == "linear"
    every = ForestDisplay.from_inference(study, intercept=True)
    assert every.names == study.names
    with pytest.raises(ValueError, match="names has 'aeg', which is no coefficient; there are int"):
        ForestDisplay.from_inference(study, names=["aeg"])
    ratios = ForestDisplay.from_inference(softmax)
    assert ratios.names == ["1:x0", "1:x1", "2:x0", "2:x1"]
    assert ratios.ax_.get_xlabel().startswith("relative-risk ratio")


def test_a_one_sided_interval_has_an_arrow() -> None:
    display = ForestDisplay(
        names=["a", "b"], coef=np.array([0.5, 3.0]),
        intervals=np.array([[-1.0, 2.0], [0.3, np.inf]]), level=0.95,
    ).plot()  # fmt: skip
    left, right = display.ax_.lines[-2:]
    assert (left.get_marker(), len(left.get_xdata())) == ("<", 0)
    assert (right.get_marker(), right.get_ydata().tolist()) == (">", [1])
    assert right.get_xdata()[0] < display.ax_.get_xlim()[1]


def test_binned_residuals(study: Any) -> None:
    display = ResidualsDisplay.from_inference(study, n_bins=10)
    found = study.diagnostics()
    order = np.argsort(found.probability).reshape(10, 30)
    p, events = found.probability[order], (found.pearson > 0.0)[order]
    np.testing.assert_allclose(display.points_.get_xdata(), p.mean(axis=1))
    np.testing.assert_allclose(display.points_.get_ydata(), (events - p).mean(axis=1))
    bound = 2.0 * np.sqrt((p * (1.0 - p)).sum(axis=1)) / 30.0
    np.testing.assert_allclose(display.bounds_[0].get_ydata(), bound)
    np.testing.assert_allclose(display.bounds_[1].get_ydata(), -bound)
    assert display.line_ is None


def test_deviance_residuals(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = study.diagnostics()
    display = ResidualsDisplay.from_inference(found, kind="deviance", point_kw={"ms": 9})
    np.testing.assert_allclose(display.points_.get_ydata(), found.standardized_deviance)
    np.testing.assert_allclose(display.points_.get_xdata(), found.linear_predictor)
    assert display.points_.get_markersize() == 9
    assert len(display.line_.get_xdata()) == 17
    monkeypatch.setattr(residuals, "MOST_POINTS", 100)
    few = ResidualsDisplay.from_inference(found, kind="deviance")
    shown = few.points_.get_ydata()
    assert 90 <= len(shown) <= 100
    assert np.abs(found.standardized_deviance).max() == np.abs(shown).max()
    with pytest.raises(ValueError, match="kind must be one of 'binned', 'deviance'"):
        ResidualsDisplay.from_inference(study, kind="raw")


def test_influence(study: Any) -> None:
    display, found = InfluenceDisplay.from_inference(study, label=3), study.diagnostics()
    np.testing.assert_allclose(
        display.bubbles_.get_offsets(), np.column_stack([found.leverage, found.studentized])
    )
    sizes = display.bubbles_.get_sizes()
    assert sizes.argmax() == found.cooks_distance.argmax()
    np.testing.assert_array_equal(display.labelled_, np.argsort(-found.cooks_distance)[:3])
    assert [label.get_text() for label in display.labels_] == [str(r) for r in display.labelled_]
    assert display.mean_leverage == pytest.approx(6.0 / 300.0)


def test_rows_of_no_weight_are_not_drawn() -> None:
    X, y = problem(100, 2)[:2]
    weights = np.ones(100)
    weights[[3, 50]] = 0.0
    found = infer(fit(X, y, C=np.inf, sample_weight=weights), X, y, sample_weight=weights)
    display = InfluenceDisplay.from_inference(found)
    assert len(display.bubbles_.get_offsets()) == 98
    assert not {3, 50} & set(display.rows.tolist())
    rows = ResidualsDisplay.from_inference(found, kind="deviance")
    assert len(rows.points_.get_xdata()) == 98
    added = AddedVariableDisplay.from_inference(found, "x0")
    assert np.isfinite(added.response).all()


def test_calibration(study: Any) -> None:
    display, found = CalibrationDisplay.from_inference(study, n_bins=8), study.diagnostics()
    curve = found.calibration(8)
    np.testing.assert_allclose(display.line_.get_xdata(), curve.predicted)
    np.testing.assert_allclose(display.line_.get_ydata(), curve.observed)
    ends = np.array([segment[:, 1] for segment in display.intervals_.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([curve.low, curve.high]))
    heights = np.array([bar.get_height() for bar in display.bars_])
    counts = np.histogram(found.probability, 40, (0.0, 1.0))[0]
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())
    events = (found.pearson > 0.0).astype(int)
    other = CalibrationDisplay.from_predictions(
        events, found.probability**2, name="squared", ax=display.ax_
    )
    assert to_hex(other.line_.get_color()).upper() == COLOURS[1]
    texts = [text.get_text() for text in other.ax_.get_legend().get_texts()]
    assert texts[0].startswith("slope 1.00, intercept 0.00, Brier ")
    assert texts[1].startswith("squared: slope ")


def test_the_slope_of_an_added_variable_is_its_coefficient(study: Any) -> None:
    for name in ("dose", "kind[c]", "intercept"):
        display = AddedVariableDisplay.from_inference(study, name)
        x, y = display.column, display.response
        assert (x @ y) / (x @ x) == pytest.approx(study.coef[study.names.index(name)], rel=1e-7)
        ends = display.line_.get_xdata(), display.line_.get_ydata()
        assert ends[1][1] / ends[0][1] == pytest.approx(display.coef)
    # With the weights of the fit, of the column that the others leave: 1 / its variance.
    left, place = study.diagnostics().added_variable("dose"), study.names.index("dose")
    assert left @ left == pytest.approx(1.0 / study.covariance[place, place])
    with pytest.raises(ValueError, match="name must be that of a coefficient, got 'kind'"):
        AddedVariableDisplay.from_inference(study, "kind")


def test_a_forest_of_another_link_has_no_odds_ratios() -> None:
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    found = infer(fit(X, y, C=np.inf, link="probit"), X, y)
    with pytest.raises(ValueError, match="link='probit' has no odds ratios; give odds_ratio=False"):
        ForestDisplay.from_inference(found)
    drawn = ForestDisplay.from_inference(found, odds_ratio=False)
    assert drawn.ax_.get_xlabel().startswith("coefficient")


def test_a_forest_of_matched_sets_and_of_ordered_classes() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    raw = X[:, 0] + rng.logistic(size=120)
    ordered = ordinal_logit(X, np.digitize(raw, [-1.0, 1.0]))
    matched = conditional_logit(X, raw > 0.0, np.arange(120) // 4)
    for found in (ordered, matched):
        display = ForestDisplay.from_inference(found)
        assert display.names == ["x0", "x1"]
        assert display.ax_.get_xlabel().startswith("odds ratio")
        np.testing.assert_array_equal(display.coef, found.coef)
    cut = ForestDisplay.from_inference(ordered, names=["0|1"], odds_ratio=False)
    np.testing.assert_array_equal(cut.coef, ordered.thresholds[:1])
    with pytest.raises(TypeError, match="ForestDisplay draws an Inference, a ConditionalLogit or"):
        ForestDisplay.from_inference(fit(X, raw > 0.0))  # type: ignore[arg-type]
