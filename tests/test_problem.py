"""The cost of a fit as a function of its parameters, for optimisers and samplers."""

import contextlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import JIT, LAYOUTS, memory_mapped, problem, sized, three_classes
from scipy.optimize import check_grad, minimize
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer

import fastlogit
from fastlogit import Problem
from fastlogit.fitting import evaluation

X, y = problem(90, 4)[:2]
WEIGHT = np.linspace(0.2, 3.0, 90)
OFFSET = np.linspace(-1.0, 1.0, 90)
CALLS = ("cost", "cost_gradient", "gradient", "hessian", "hessian_product")
FACTOR = np.array([0.0, 1.0, 2.0, 0.5])
OPTIONS = {
    "plain": {},
    "C": {"C": 0.5},
    "l2_reg of columns": {"l2_reg": np.array([0.0, 0.1, 0.2, 0.3])},
    "weights": {"C": 2.0, "sample_weight": np.where(y, WEIGHT, 0.0) + (WEIGHT > 1.0)},
    "large weights": {"l2_reg": 0.1, "sample_weight": 1e300 * WEIGHT},
    "offset": {"C": 2.0, "offset": OFFSET},
    "factor": {"C": 2.0, "penalty_factor": FACTOR},
    "no intercept": {"C": 2.0, "intercept": None},
    "fixed intercept": {"C": 2.0, "intercept": -0.7, "offset": OFFSET},
    "all": {"C": 0.1, "sample_weight": WEIGHT, "offset": OFFSET, "penalty_factor": FACTOR},
}


@pytest.fixture(autouse=True)
def no_warnings_of_plain_numbers():
    """Without the JIT, NumPy's numbers warn of infinities where compiled ones do not."""
    with contextlib.nullcontext() if JIT else np.errstate(all="ignore"):
        yield


@pytest.fixture(params=["small", "pass"])
def way(request, monkeypatch) -> str:
    """The small kernel, or passes over a design."""
    if request.param == "pass":
        monkeypatch.setattr(evaluation, "MOST_NUMBERS", 0)
    return str(request.param)


def written_out(given, labels, theta, l2_reg, weight, offset, intercept):
    """Cost, gradient and Hessian of a binary problem, from the formulas."""
    ones = np.column_stack([given, np.ones(len(given))])
    full = theta if intercept == "fit" else np.append(theta, intercept or 0.0)
    z = ones @ full + offset
    proba = 1.0 / (1.0 + np.exp(-z))
    share = weight / weight.sum()
    strength = np.append(np.broadcast_to(l2_reg, given.shape[1]), 0.0)
    cost = share @ (np.logaddexp(0.0, z) - labels * z) + 0.5 * strength @ full**2
    gradient = ones.T @ (share * (proba - labels)) + strength * full
    hessian = ones.T @ ((share * proba * (1.0 - proba))[:, None] * ones) + np.diag(strength)
    kept = slice(len(theta))
    return cost, gradient[kept], hessian[kept, kept]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_binary_problem_is_the_formulas(name, way) -> None:
    options = OPTIONS[name]
    made = Problem(X, y, **options)
    assert (made._small is not None) == (way == "small")
    weight = options.get("sample_weight", np.ones(90))
    l2_reg = options.get("l2_reg", 0.0)
    if "C" in options:
        l2_reg = options.get("penalty_factor", 1.0) / (options["C"] * weight.sum())
    np.testing.assert_allclose(made.l2_reg, np.broadcast_to(l2_reg, 4), rtol=1e-14)
    assert made.total_weight == pytest.approx(weight.sum(), rel=1e-14)
    intercept = options.get("intercept", "fit")
    assert made.n_parameters == 4 + (intercept == "fit")
    rng = np.random.default_rng(0)
    for scale in (0.0, 0.5, 3.0):
        theta = scale * rng.standard_normal(made.n_parameters)
        vector = rng.standard_normal(made.n_parameters)
        cost, gradient, hessian = written_out(
            X, y, theta, l2_reg, weight / weight.max(), options.get("offset", 0.0), intercept
        )
        found, slopes = made.cost_gradient(theta)
        assert type(found) is float
        assert found == made.cost(theta) == pytest.approx(cost, rel=1e-12)
        np.testing.assert_allclose(slopes, gradient, atol=1e-13)
        np.testing.assert_array_equal(slopes, made.gradient(theta))
        np.testing.assert_allclose(made.hessian(theta), hessian, atol=1e-13)
        for _ in range(2):  # the second goes on from the first
            product = made.hessian_product(theta, vector)
            np.testing.assert_allclose(product, hessian @ vector, atol=1e-12)
        assert check_grad(made.cost, made.gradient, theta) < 1e-6


@pytest.mark.parametrize("intercept", ["fit", None, 0.3])
def test_a_softmax_is_the_formulas(intercept) -> None:
    given, labels = three_classes(120, 3)[:2]
    weight, offset = np.linspace(0.5, 2.0, 120), np.random.default_rng(1).standard_normal((120, 3))
    made = Problem(
        given, labels, C=0.7, multi_class="multinomial", sample_weight=weight, offset=offset,
        intercept=intercept,
    )  # fmt: skip
    share, l2_reg = weight / weight.sum(), 1.0 / (0.7 * weight.sum())
    codes = np.searchsorted(made.classes, labels)

    def cost(theta):
        coef, levels = made.unpack(theta)
        z = given @ coef + levels + offset
        losses = -log_softmax(z, axis=1)[np.arange(120), codes]
        return share @ losses + 0.5 * l2_reg * (coef**2).sum()

    rng = np.random.default_rng(2)
    theta, vector = rng.standard_normal((2, made.n_parameters))
    assert made.n_parameters == 9 + 3 * (intercept == "fit")
    assert made.cost(theta) == pytest.approx(cost(theta), rel=1e-13)
    steps = 1e-6 * np.eye(made.n_parameters)
    slopes = [(cost(theta + step) - cost(theta - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(made.gradient(theta), slopes, atol=1e-8)
    changes = [(made.gradient(theta + s) - made.gradient(theta - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(made.hessian(theta), changes, atol=1e-8)
    product = made.hessian_product(theta, vector)
    np.testing.assert_allclose(product, made.hessian(theta) @ vector, atol=1e-13)


def test_pack_and_unpack_are_inverse_and_in_the_order_that_is_said() -> None:
    given, labels = three_classes(60, 3)[:2]
    coef, levels = np.arange(9.0).reshape(3, 3), np.array([-1.0, -2.0, -3.0])
    made = Problem(given, labels, multi_class="multinomial")
    theta = made.pack(coef, levels)
    assert theta.tolist() == [0, 3, 6, -1, 1, 4, 7, -2, 2, 5, 8, -3]
    for found, wanted in zip(made.unpack(theta), (coef, levels), strict=True):
        np.testing.assert_array_equal(found, wanted)
    binary = Problem(X, y)
    assert binary.pack([1, 2, 3, 4], 5).tolist() == [1, 2, 3, 4, 5]
    assert binary.pack([1, 2, 3, 4]).tolist() == [1, 2, 3, 4, 0]
    found = binary.unpack([1, 2, 3, 4, 5])
    assert found[0].tolist() == [1, 2, 3, 4]
    assert found[1] == 5.0
    held = Problem(X, y, intercept=0.5)
    assert held.pack([1, 2, 3, 4], 7.0).tolist() == [1, 2, 3, 4]
    assert held.unpack([1, 2, 3, 4])[1] == 0.5


@pytest.mark.parametrize("options", [{}, {"intercept": None}, {"multi_class": "multinomial"}])
def test_the_optimum_of_fit_is_flat_and_scipy_finds_it(options) -> None:
    given, labels = load_breast_cancer(return_X_y=True)
    given = ((given - given.mean(axis=0)) / given.std(axis=0))[:, :6]
    if options.get("multi_class"):
        given, labels = three_classes(200, 4)[:2]
    result = fastlogit.fit(given, labels, C=1.0, **options)
    made = Problem(given, labels, C=1.0, **options)
    at = made.pack(result.coef, result.intercept)
    assert made.cost(at) == pytest.approx(result.history[-1], rel=1e-11)
    assert np.abs(made.gradient(at)).max() < 1e-6
    for method, more in (
        ("L-BFGS-B", {}),
        ("trust-exact", {"hess": made.hessian}),
        ("Newton-CG", {"hessp": made.hessian_product}),
    ):
        found = minimize(made.cost_gradient, made.start(), jac=True, method=method, **more)
        assert found.fun == pytest.approx(made.cost(at), rel=1e-6), method


@pytest.mark.parametrize("layout", [*LAYOUTS, "float32", "int", "frame", "map", "list"])
def test_carriers(layout, tmp_path) -> None:
    pd = pytest.importorskip("pandas")
    given = np.round(X * 8.0)
    other = {
        "float32": lambda: given.astype(np.float32),
        "int": lambda: given.astype(int),
        "frame": lambda: pd.DataFrame(given, columns=list("abcd")),
        "map": lambda: memory_mapped(given, tmp_path),
        "list": given.tolist,
    }
    carried = other[layout]() if layout in other else LAYOUTS[layout](given)
    theta = np.linspace(-0.1, 0.1, 5)
    wanted = Problem(given, y, C=1.0)
    found = Problem(carried, np.where(y, "yes", "no"), C=1.0)
    assert found.classes.tolist() == ["no", "yes"]
    assert found.cost(theta) == pytest.approx(wanted.cost(theta), rel=1e-13)
    np.testing.assert_allclose(found.gradient(theta), wanted.gradient(theta), atol=1e-13)


def test_a_problem_that_is_not_small_goes_by_passes() -> None:
    given, labels = problem(sized(9_000, 6_100), 3)[:2]
    made = Problem(given, labels, C=1.0)
    assert (made._small is None) == (len(given) > 60_000 / 13)
    theta = np.array([0.1, -0.2, 0.3, 0.4])
    cost, gradient, hessian = written_out(
        given, labels, theta, 1.0 / len(given), np.ones(len(given)), 0.0, "fit"
    )
    assert made.cost(theta) == pytest.approx(cost, rel=1e-12)
    np.testing.assert_allclose(made.gradient(theta), gradient, atol=1e-13)
    np.testing.assert_allclose(made.hessian(theta), hessian, atol=1e-13)
    np.testing.assert_allclose(made.hessian_product(theta, theta), hessian @ theta, atol=1e-13)


def test_theta_of_any_number_type_is_read() -> None:
    made, theta = Problem(X, y, C=1.0), np.array([1.0, -1.0, 0.0, 2.0, 0.0])
    wanted = made.cost_gradient(theta)
    readonly = theta.copy()
    readonly.flags.writeable = False
    strided = np.repeat(theta, 2)[::2]
    for given in (theta.tolist(), theta.astype(int), theta.astype(np.float32), readonly, strided):
        found = made.cost_gradient(given)
        assert found[0] == wanted[0]
        np.testing.assert_array_equal(found[1], wanted[1])


@pytest.mark.parametrize(
    "call", ["cost", "cost_gradient", "gradient", "hessian", "hessian_product"]
)
@pytest.mark.parametrize("penalty", [{}, {"C": 1.0}, {"l2_reg": np.array([0.0, 1.0, 1.0, 1.0])}])
@pytest.mark.parametrize(
    ("theta", "error", "words"),
    [
        (np.zeros(4), ValueError, r"theta has shape \(4,\).*5 parameters.*\(5,\)"),
        (np.zeros((1, 5)), ValueError, r"theta has shape \(1, 5\)"),
        (0.0, ValueError, r"theta has shape \(\)"),
        ([0, 0, np.nan, 0, 0], ValueError, "theta holds nan at place 2; it must be finite"),
        ([np.inf, 0, 0, 0, 0], ValueError, "theta holds inf at place 0"),
        ([0, 0, 0, 0, -np.inf], ValueError, "theta holds -inf at place 4"),
        (["a"] * 5, TypeError, "theta must hold real numbers"),
        (np.zeros(5, complex), TypeError, "theta must hold real numbers"),
    ],
)  # fmt: skip
def test_bad_theta(call, penalty, theta, error, words, way) -> None:
    made = Problem(X, y, **penalty)
    theta = (
        np.array(theta, dtype=float) if isinstance(theta, list) and error is ValueError else theta
    )
    more = [np.zeros(5)] if call == "hessian_product" else []
    with pytest.raises(error, match=words):
        getattr(made, call)(theta, *more)
    if more:
        with pytest.raises(error, match=words.replace("theta", "vector")):
            made.hessian_product(np.zeros(5), theta)


def test_infinity_that_separates_the_classes_is_seen(way) -> None:
    # All losses are 0 there, so that the cost does not show it.
    rows = np.array([[-1.0], [-2.0], [1.0], [3.0]])
    made = Problem(rows, rows[:, 0] > 0.0)
    assert made.cost([1000.0, 0.0]) == 0.0
    with pytest.raises(ValueError, match="theta holds inf at place 0"):
        made.cost(np.array([np.inf, 0.0]))


def test_a_cost_beyond_float64_is_infinite(way) -> None:
    made = Problem([[1e200, 1e200], [1.0, 2.0], [3.0, 1.0]], [0, 1, 0])
    with np.errstate(over="ignore", invalid="ignore"):
        assert made.cost([1e200, 0.0, 0.0]) == np.inf
        assert made.cost([1e200, -1e200, 0.0]) == np.inf  # a difference of infinities


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": [[1.0], [np.nan], [0.0]]}, ValueError, r"X contains NaN in column 0 \(row 1\)"),
        ({"y": [0, 1]}, ValueError, "y has 2 values, but X has 3 rows"),
        ({"y": [1, 1, 1]}, ValueError, "y has one class only"),
        ({"y": [0, 1, 2]}, ValueError, "of 3 classes is a problem for each class.*multinomial"),
        ({"C": 0.0}, ValueError, "C must be > 0"),
        ({"C": 1.0, "l2_reg": 1.0}, ValueError, "give C or l2_reg, not both"),
        ({"sample_weight": [1.0, -1.0, 1.0]}, ValueError, "sample_weight is negative"),
        ({"offset": [0.0]}, ValueError, "offset has shape"),
        ({"penalty_factor": [1.0, 1.0]}, ValueError, "penalty_factor has shape"),
        ({"multi_class": "softmax"}, ValueError, "multi_class must be one of"),
        ({"intercept": "no"}, ValueError, "intercept must be one of"),
        ({"n_threads": 0}, ValueError, "n_threads must be between"),
    ],
)  # fmt: skip
def test_bad_input(change, error, words) -> None:
    arguments = {"X": [[1.0], [2.0], [0.0]], "y": [0, 1, 0]} | change
    with pytest.raises(error, match=words):
        Problem(**arguments)


def test_pack_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="coef has shape"):
        Problem(X, y).pack([1.0, 2.0])
    with pytest.raises(ValueError, match="coef has 2 columns, but the problem has 1 outputs"):
        Problem(X, y).pack(np.ones((4, 2)))


@pytest.mark.parametrize("options", [{}, {"multi_class": "multinomial"}])
def test_threads_may_share_one(options, way) -> None:
    given, labels = three_classes(300, 4)[:2]
    labels = labels if options else labels == labels[0]
    made = Problem(given, labels, C=1.0, n_threads=1, **options)
    thetas = np.random.default_rng(0).standard_normal((sized(200, 20), made.n_parameters))

    def ask(theta):
        product = made.hessian_product(theta, thetas[0])
        return [*np.hstack([*made.cost_gradient(theta), product, made.hessian(theta)[0]])]

    alone = [ask(theta) for theta in thetas]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(ask, thetas)), alone)


def test_it_can_be_pickled_and_shown(way) -> None:
    made = Problem(X, y, C=1.0, sample_weight=WEIGHT)
    theta = np.linspace(-1.0, 1.0, 5)
    again = pickle.loads(pickle.dumps(made))
    assert again.cost(theta) == made.cost(theta)
    np.testing.assert_array_equal(again.hessian(theta), made.hessian(theta))
    assert repr(made) == "Problem(90 rows, 4 columns, 2 classes, 5 parameters)"


# ------------------------------------------------------------------------------------------------
# The function for given coefficients, whose small problems go the short way


PLAIN = {
    "coef": np.array([0.5, -1.0, 0.2, 0.0]),
    "intercept": 0.3,
    "l2_reg": 0.1,
    "sample_weight": WEIGHT,
    "offset": OFFSET,
}


@pytest.mark.parametrize("kind", [bool, int, np.uint8, np.int16, float])
@pytest.mark.parametrize("left_out", ["", "intercept", "l2_reg", "sample_weight", "offset"])
def test_cost_gradient_of_small_data_is_that_of_the_pass(kind, left_out, monkeypatch) -> None:
    arguments = {name: value for name, value in PLAIN.items() if name != left_out}
    found = fastlogit.cost_gradient(X, y.astype(kind), **arguments)
    monkeypatch.setattr(evaluation, "MOST_NUMBERS", 0)
    wanted = fastlogit.cost_gradient(X, y.astype(kind), **arguments)
    assert found[0] == pytest.approx(wanted[0], rel=1e-14)
    np.testing.assert_allclose(found[1], wanted[1], rtol=0.0, atol=1e-14)
    assert found[2] == pytest.approx(wanted[2], abs=1e-14)
    assert [type(part) for part in found] == [type(part) for part in wanted]
    assert fastlogit.cost(X, y.astype(kind), **arguments) == wanted[0]


BAD = {
    "X": [np.where(X == X[3, 1], np.nan, X), np.where(X == X[3, 1], np.inf, X), X[:, :3], X[0]],
    "y": [y + 1.0, np.where(y, np.nan, 0.0), y[:50], y.astype(str), y + 0.5, None],
    "coef": [np.array([1.0, np.nan, 0.0, 0.0]), np.array([np.inf, 0.0, 0.0, 0.0]), np.ones(3)],
    "intercept": [np.nan, np.inf, True, "a"],
    "l2_reg": [-1.0, np.nan, np.inf, True, np.array([0.0, -1.0, 0.0, 0.0]), np.ones(3)],
    "sample_weight": [-WEIGHT, np.where(y, np.nan, 1.0), np.zeros(90), WEIGHT[:5]],
    "offset": [np.where(y, np.inf, 0.0), OFFSET[:5]],
    "n_threads": [0, 1.5],
}


@pytest.mark.parametrize("name", BAD)
def test_cost_gradient_of_small_data_keeps_its_errors(name, monkeypatch) -> None:
    for value in BAD[name]:
        arguments = {"X": X, "y": y, **PLAIN, name: value}
        said = []
        for most in (evaluation.MOST_NUMBERS, 0):
            monkeypatch.setattr(evaluation, "MOST_NUMBERS", most)
            try:
                said.append(fastlogit.cost_gradient(**arguments)[0])
            except (TypeError, ValueError) as error:
                said.append((type(error), str(error)))
        monkeypatch.undo()
        assert said[0] == said[1] or said[0] == pytest.approx(said[1], rel=1e-14), name
        assert name == "intercept" or isinstance(said[0], tuple)


@pytest.mark.parametrize("most", [evaluation.MOST_NUMBERS, 0])
def test_the_strength_of_a_problem_is_its_own(most, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "MOST_NUMBERS", most)
    made = fastlogit.Problem(X, y, C=1.0)
    with pytest.raises(ValueError, match="read-only"):
        made.l2_reg *= 2.0
    np.testing.assert_allclose(made.l2_reg, 1.0 / len(y))
