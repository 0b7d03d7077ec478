"""Pictures say what the fit says; checked on the artists, in Figures without a window."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.datasets import load_iris, make_circles
from sklearn.preprocessing import PolynomialFeatures

import fastlogit
from fastlogit import plots
from fastlogit.demo.hypothesis import known_model


@pytest.fixture
def ax():
    """Return an Axes that belongs to no window and no global state."""
    return Figure(layout="constrained").subplots()


def drawn(ax):
    """Render the figure: faults in labels and layout show only then."""
    FigureCanvasAgg(ax.figure).draw()
    return ax


def region_codes(ax):
    """Return the class number painted at each point of the grid."""
    image = ax.images[0].get_array()
    palette = np.array([plots._pale(colour) for colour in plots.COLOURS])
    return np.abs(image[:, :, None, :] - palette).sum(axis=-1).argmin(axis=-1)


def test_the_module_does_not_import_matplotlib():
    code = "import sys, fastlogit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_colours_are_all_different():
    assert len({to_hex(colour) for colour in plots.COLOURS}) == len(plots.COLOURS)


def test_sigmoid(ax):
    plots.plot_sigmoid(ax, limit=4.0)
    z, h = drawn(ax).lines[0].get_data()
    assert (z[0], z[-1]) == (-4.0, 4.0)
    np.testing.assert_allclose(h, 1 / (1 + np.exp(-z)), rtol=1e-14)


def test_cost_history_of_fits_and_of_arrays(ax):
    fit = known_model(np.ones(2), 0.0)
    plots.plot_cost_history({"fit": fit, "plain": [3.0, 2.0, 1.0]}, ax, best=0.5)
    lines = drawn(ax).lines
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["fit", "plain"]
    np.testing.assert_allclose(lines[1].get_ydata(), [3.0, 2.0, 1.0])  # the fit's 0 is the lowest
    np.testing.assert_array_equal(lines[1].get_xdata(), [1, 2, 3])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_cost_history_adds_up_classes_and_leaves_out_the_minimum(ax):
    plots.plot_cost_history({"ova": np.array([[2.0, 1.0], [1.0, 0.5], [0.5, 0.5]])}, ax)
    np.testing.assert_allclose(drawn(ax).lines[0].get_ydata(), [2.0, 0.5])


def test_boundary_of_the_model_minus_3_plus_x1_plus_x2(ax):
    X = np.array([[0.0, 0.0], [3.0, 2.9]])
    plots.plot_decision_boundary(known_model(np.ones(2), -3.0), X, [0, 1], ax, n_grid=100)
    codes = region_codes(drawn(ax))
    left, right, bottom, top = ax.images[0].get_extent()
    xs, ys = np.meshgrid(np.linspace(left, right, 100), np.linspace(bottom, top, 100))
    np.testing.assert_array_equal(codes, xs + ys >= 3)
    line = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(line.sum(axis=1), 3.0, atol=1e-2)


def test_boundary_of_a_transformed_fit_is_the_circle(ax):
    X, y = make_circles(200, noise=0.05, factor=0.4, random_state=0)
    transform = PolynomialFeatures(2, include_bias=False).fit(X).transform
    result = fastlogit.fit(transform(X), y, l2_reg=1e-3, tol=1e-2)
    plots.plot_decision_boundary(
        result, X, y, ax, transform=transform, class_names=("ring", "disc"), n_grid=80
    )
    line = max((p.vertices for p in drawn(ax).collections[0].get_paths()), key=len)
    radii = np.hypot(*line.T)
    assert 0.45 < radii.min() <= radii.max() < 0.95
    assert [each.get_label() for each in ax.lines] == ["ring", "disc"]


def test_boundary_of_three_classes_with_text_labels(ax):
    data = load_iris()
    X, y = data.data[:, 2:], data.target_names[data.target]
    result = fastlogit.fit(X, y, l2_reg=1e-3, tol=1e-2)
    plots.plot_decision_boundary(result, X, y, ax, feature_names=("length", "width"), n_grid=60)
    assert set(np.unique(region_codes(drawn(ax)))) == {0, 1, 2}
    assert [line.get_label() for line in ax.lines] == ["setosa", "versicolor", "virginica"]
    assert sum(len(line.get_xdata()) for line in ax.lines) == len(X)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "width")


def test_boundary_outside_the_picture_and_a_constant_feature(ax):
    X = np.array([[0.0, 1.0], [1.0, 1.0]])
    plots.plot_decision_boundary(known_model(np.ones(2), -99.0), X, [0, 0], ax, n_grid=20)
    assert set(np.unique(region_codes(drawn(ax)))) == {0}
    assert not ax.collections


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_boundary_needs_two_features(ax, shape):
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 2\), found"):
        plots.plot_decision_boundary(known_model(np.ones(2), 0.0), np.zeros(shape), np.zeros(4), ax)


def test_one_feature_marks_where_each_curve_passes_one_half(ax):
    curves = {"step": lambda x: (x > 2.0) * 1.0, "line": lambda x: x / 6}
    plots.plot_one_feature(
        [1.0, 2.0, 3.0], [0, 0, 1], curves, ax, limits=(0.0, 4.0), class_names=("no", "yes")
    )
    labels = [line.get_label() for line in drawn(ax).lines]
    assert "step, boundary 2.0" in labels
    assert "line, boundary 3.0" in labels
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0 no", "0.5", "1 yes"]


def test_coef_image(ax):
    coef = np.arange(6) - 2.0
    image = plots.plot_coef_image(coef, (2, 3), ax)
    np.testing.assert_array_equal(image.get_array(), coef.reshape(2, 3))
    assert image.get_clim() == (-3.0, 3.0)  # white is zero
    assert plots.plot_coef_image(coef, (2, 3), ax, limit=9.0).get_clim() == (-9.0, 9.0)
    drawn(ax)


def test_confusion(ax):
    plots.plot_confusion([[5, 0], [2, 7]], ["a", "b"], ax)
    texts = {text.get_position(): text.get_text() for text in drawn(ax).texts}
    assert texts == {(0, 0): "5", (0, 1): "2", (1, 1): "7"}
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b"]
