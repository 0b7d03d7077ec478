"""Penalties by their definitions, and one of ours own through every solver and certificate."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from problems import objective_of, problem, three_classes
from scipy import linalg, optimize
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.objective.null_directions import NullDirections
from fastlogit.objective.penalties import L1, L2, Bounds, ElasticNet, Penalty, Quadratic

pytestmark = pytest.mark.jit

RNG = np.random.default_rng(0)


class QuadraticForm(Quadratic):
    """``b' P b / 2`` of each output: the prior of coefficients that are normal, P its precision."""

    def __init__(self, precision) -> None:
        self.precision = np.asarray(precision, dtype=np.float64)

    def hessian(self, output=0):
        return self.precision

    def scaled(self, inverse_scale):
        return QuadraticForm(inverse_scale[:, None] * self.precision * inverse_scale)

    def times(self, factor):
        return QuadraticForm(factor * self.precision)


class Unscaled(QuadraticForm):
    """Forgets that columns are standardised."""

    def scaled(self, inverse_scale):
        return self


class Sets(Quadratic):
    """A form for each output."""

    def __init__(self, forms) -> None:
        self.forms = np.asarray(forms)
        self.n_sets = len(self.forms)

    def hessian(self, output=0):
        return self.forms[output]

    def scaled(self, inverse_scale):
        return Sets(inverse_scale[:, None] * self.forms * inverse_scale)

    def times(self, factor):
        return Sets(factor * self.forms)

    def of_outputs(self, outputs):
        return Sets(self.forms[outputs])


class Absolute(Penalty):
    """A penalty that no solver here takes."""

    def value(self, coef):
        return np.abs(coef).sum(axis=1)

    def gradient(self, coef):
        return np.sign(coef)

    def prox(self, coef, step_size):
        return np.sign(coef) * np.maximum(np.abs(coef) - step_size, 0.0)

    def conjugate(self, slopes):
        return np.where(np.abs(slopes).max(axis=1) <= 1.0, 0.0, np.inf)

    def scaled(self, inverse_scale):
        raise NotImplementedError

    def times(self, factor):
        raise NotImplementedError


def precision(n_features, strength=0.05):
    """Neighbours are alike: a second difference, plus some of each."""
    difference = np.diff(np.eye(n_features), axis=0)
    return strength * (difference.T @ difference + 0.2 * np.eye(n_features))


PENALTIES = {
    "one strength": L2(0.3, 4),
    "a strength for each column": L2([0.5, 0.0, 2.0, 1e-3]),
    "sets": L2([[0.5, 0.1, 2.0, 1.0], [0.0, 1.0, 3.0, 0.2]]),
    "quadratic form": QuadraticForm(precision(4)),
}


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param]


def test_gradient_is_that_of_the_value(penalty) -> None:
    coef, way = RNG.normal(size=(2, penalty.n_sets, 4))
    ahead, behind = penalty.value(coef + 1e-3 * way), penalty.value(coef - 1e-3 * way)
    slope = (penalty.gradient(coef) * way).sum(axis=1)
    np.testing.assert_allclose((ahead - behind) / 2e-3, slope, rtol=1e-9)


def test_what_follows_from_the_hessian(penalty) -> None:
    vectors = RNG.normal(size=(penalty.n_sets, 4))
    for k in range(penalty.n_sets):
        hessian = penalty.hessian(k)
        np.testing.assert_allclose(penalty.product(vectors)[k], hessian @ vectors[k], rtol=1e-13)
        np.testing.assert_array_equal(penalty.diagonal()[k], np.diag(hessian))
        for larger, smaller in (
            (np.diag(penalty.ceiling()[k]), hessian),
            (hessian, np.diag(penalty.floor()[k])),
            (penalty.above_all().hessian(), hessian),
        ):
            assert np.linalg.eigvalsh(larger - smaller)[0] >= -1e-14
        assert (penalty.floor()[k] >= 0.0).all()
        matrix = np.zeros((5, 5))
        matrix.flat[: 4 * 6 : 6] = penalty.diagonal()[k]
        penalty.couple(matrix, k)
        np.testing.assert_allclose(matrix[:4, :4], hessian, rtol=1e-15)
        assert not matrix[4].any()


def test_a_floor_is_not_given_away() -> None:
    """Where columns of any size are independent in the penalty it is the penalty itself."""
    scales = np.array([1e-150, 1.0, 1e9, 1e150])
    form = QuadraticForm(np.diag(scales**2))
    np.testing.assert_allclose(form.floor()[0], scales**2, rtol=1e-13)
    assert (QuadraticForm(precision(4)).floor() > 0.01).any()
    assert not QuadraticForm(np.ones((3, 3))).floor().any()  # singular: nothing is below but 0


def test_prox_is_the_minimum_that_it_is_said_to_be(penalty) -> None:
    coef = RNG.normal(size=(penalty.n_sets, 4))
    found = penalty.prox(coef, 0.7)
    np.testing.assert_allclose(found + 0.7 * penalty.gradient(found), coef, rtol=1e-12)


def test_conjugate_is_a_supremum(penalty) -> None:
    """Fenchel's equality at the gradient, his inequality elsewhere, inf where nothing holds it."""
    coef, other = RNG.normal(size=(2, penalty.n_sets, 4))
    slopes = penalty.gradient(coef)
    at = (slopes * coef).sum(axis=1) - penalty.value(coef)
    np.testing.assert_allclose(penalty.conjugate(slopes), at, rtol=1e-11)
    below = (slopes * other).sum(axis=1) - penalty.value(other)
    assert (penalty.conjugate(slopes) >= below - 1e-12).all()
    free = (penalty.diagonal() == 0.0).any(axis=1)
    assert (np.isinf(penalty.conjugate(np.ones((penalty.n_sets, 4)))) == free).all()


def test_scaled_and_times(penalty) -> None:
    coef = RNG.normal(size=(penalty.n_sets, 4))
    inverse_scale = np.array([0.5, 1e-3, 20.0, 0.0])
    np.testing.assert_allclose(
        penalty.scaled(inverse_scale).value(coef), penalty.value(coef * inverse_scale), rtol=1e-12
    )
    np.testing.assert_allclose(penalty.times(3.0).value(coef), 3.0 * penalty.value(coef))
    others = np.arange(penalty.n_sets)[::-1]
    np.testing.assert_allclose(
        penalty.of_outputs(others).value(coef[others]), penalty.value(coef)[others]
    )
    change = penalty.gradient_change(coef, others, np.arange(penalty.n_sets))
    np.testing.assert_allclose(
        change, penalty.of_outputs(others).gradient(coef) - penalty.gradient(coef), atol=1e-15
    )


def test_the_compiled_twin_of_l2_gives_what_python_gives() -> None:
    X, y, *_ = problem(300, 4)
    penalty = PENALTIES["a strength for each column"]
    coef = RNG.normal(size=4)
    inside, slopes, _ = fastlogit.cost_gradient(X, y, coef, 0.3, l2_reg=penalty.strengths[0])
    plain, rest, _ = fastlogit.cost_gradient(X, y, coef, 0.3)
    assert inside == pytest.approx(plain + penalty.value(coef[None])[0], rel=1e-13)
    np.testing.assert_allclose(slopes, rest + penalty.gradient(coef[None])[0], rtol=1e-12)


# ---- a penalty of one's own through everything

SOLVERS = ["auto", "newton", "lbfgs", "newton-cg", "gradient_descent"]
# Which share of the rows and columns makes "auto" and proofs go other ways.
SHAPES = {"few rows": (120, 6), "a subsample": (4_000, 6), "wide": (60, 200)}


def binomial_optimum(X, y, form):
    """The optimum by SciPy on the formulas of the oracle."""
    target = (y == np.unique(y)[1]) * 1.0

    def cost(theta):
        raw = X @ theta[:-1] + theta[-1]
        residual = reference.sigmoid(raw) - target
        slopes = X.T @ residual / len(X) + form @ theta[:-1]
        loss = np.mean(reference.log1p_exp(raw) - target * raw)
        return loss + 0.5 * theta[:-1] @ form @ theta[:-1], np.append(slopes, residual.mean())

    def hessian(theta):
        proba = reference.sigmoid(X @ theta[:-1] + theta[-1])
        wide = np.column_stack([X, np.ones(len(X))])
        matrix = (wide * (proba * (1.0 - proba))[:, None]).T @ wide / len(X)
        matrix[:-1, :-1] += form
        return matrix

    found = optimize.minimize(
        cost, np.zeros(X.shape[1] + 1), jac=True, hess=hessian, method="trust-exact",
        options={"gtol": 1e-11},
    )  # fmt: skip
    return found.x, found.fun


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_quadratic_form_through_every_solver(solver, shape) -> None:
    X, y, *_ = problem(*SHAPES[shape])
    X = X * np.geomspace(0.1, 30.0, X.shape[1])  # standardisation has something to do
    form = precision(X.shape[1])
    tol = 1e-9
    result = fastlogit.fit(
        X, y, penalty=QuadraticForm(form), solver=solver, tol=tol, max_iter=20_000
    )
    assert result.converged, result.message
    assert result.suboptimality <= tol
    theta, least = binomial_optimum(X, y, form)
    # No bound below the truth, for the coefficients in the units of X.
    cost = fastlogit.cost(X, y, result.coef, result.intercept)
    cost += 0.5 * result.coef @ form @ result.coef
    assert (cost - least) / least <= max(float(result.suboptimality), 1e-13)
    assert cost == pytest.approx(result.history[-1], rel=tol)
    np.testing.assert_allclose(result.coef, theta[:-1], atol=2e-4 * np.abs(theta[:-1]).max())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_diagonal_form_is_l2_for_several_classes(solver, multi_class) -> None:
    X, y = three_classes(300, 4)
    strengths = np.array([0.02, 0.1, 0.05, 0.3])
    options = {"multi_class": multi_class, "solver": solver, "tol": 1e-10, "max_iter": 20_000}
    result = fastlogit.fit(X, y, penalty=QuadraticForm(np.diag(strengths)), **options)
    wanted = fastlogit.fit(X, y, l2_reg=strengths, **options)
    assert result.converged
    assert (
        (result.suboptimality <= 1e-10).all()
        if multi_class == "ovr"
        else result.suboptimality <= 1e-10
    )
    np.testing.assert_allclose(result.coef, wanted.coef, atol=2e-5)
    np.testing.assert_allclose(result.intercept, wanted.intercept, atol=2e-5)


def test_softmax_under_a_full_form_is_at_its_optimum() -> None:
    X, y = three_classes(300, 4)
    form = precision(4)
    result = fastlogit.fit(X, y, penalty=QuadraticForm(form), multi_class="multinomial")
    assert result.converged
    proba = result.predict_proba(X)
    residual = (proba - (y[:, None] == result.classes)) / len(X)
    np.testing.assert_allclose(X.T @ residual + form @ result.coef, 0.0, atol=1e-6)
    np.testing.assert_allclose(result.coef.sum(axis=1), 0.0, atol=1e-12)


def test_bounds_on_the_way_are_not_below_the_truth() -> None:
    X, y, *_ = problem(400, 5)
    form = precision(5, 0.01)
    _, least = binomial_optimum(X, y, form)
    for n_iter in range(4):
        with pytest.warns(ConvergenceWarning):
            result = fastlogit.fit(
                X, y, penalty=QuadraticForm(form), solver="lbfgs", max_iter=n_iter, tol=0.0
            )
        assert result.suboptimality >= (result.history[-1] - least) / least - 1e-13


def test_collinear_columns_are_told_apart_by_a_form() -> None:
    X, y, *_ = problem(200, 3)
    X = np.column_stack([X, X[:, 0]])
    form = precision(4)
    result = fastlogit.fit(X, y, penalty=QuadraticForm(form))
    assert result.converged
    np.testing.assert_allclose(result.coef, binomial_optimum(X, y, form)[0][:-1], atol=1e-5)


def test_a_stream_and_leave_one_out_take_the_penalty() -> None:
    X, y, *_ = problem(150, 4)
    penalty = QuadraticForm(precision(4))
    whole = fastlogit.fit(X, y, penalty=penalty)
    assert whole.l2_reg is None
    assert whole.penalty is penalty
    batches = fastlogit.BatchSource(lambda: iter([(X[:70], y[:70]), (X[70:], y[70:])]))
    np.testing.assert_allclose(fastlogit.fit(batches, penalty=penalty).coef, whole.coef, atol=1e-6)
    found = fastlogit.leave_one_out(whole, X, y)
    left_out = [
        fastlogit.fit(
            np.delete(X, i, 0), np.delete(y, i), penalty=penalty.times(150 / 149)
        ).raw_prediction(X[i : i + 1])[0]
        for i in range(10)
    ]
    np.testing.assert_allclose(found.raw_prediction[:10], left_out, atol=0.02)


def test_a_class_without_weight_under_a_form() -> None:
    X, y = three_classes(300, 4)
    strengths = np.array([0.02, 0.1, 0.05, 0.3])
    weights = (y != np.unique(y)[1]) * 1.0
    options = {"multi_class": "multinomial", "sample_weight": weights}
    with pytest.warns(UserWarning, match="probability 0"):
        result = fastlogit.fit(X, y, penalty=QuadraticForm(np.diag(strengths)), **options)
    with pytest.warns(UserWarning, match="probability 0"):
        wanted = fastlogit.fit(X, y, l2_reg=strengths, **options)
    np.testing.assert_allclose(result.coef, wanted.coef, atol=1e-5)
    np.testing.assert_allclose(result.penalty.precision, np.diag(strengths))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"penalty": Absolute(), "solver": "lbfgs"}, "no solver takes the penalty Absolute"),
        ({"penalty": Absolute()}, "no solver takes the penalty Absolute.*newton-cg.*Quadratic"),
        ({"penalty": "l1"}, "penalty='l1'.*leave penalty out.*l1_ratio"),
        ({"penalty": ElasticNet(0.1, 0.2, 3)}, r"shape \(1, 3\); X has 4 columns"),
        ({"penalty": ElasticNet(np.full(4, -0.1))}, "finite and >= 0"),
        ({"penalty": ElasticNet(0.1, 0.2, 4), "solver": "lbfgs"}, "'proximal-newton' would"),
        ({"penalty": ElasticNet(0.1, 0.2, 4), "l1_reg": 1.0}, "l1_reg with l2_reg, or a penalty"),
        ({"penalty": QuadraticForm(np.eye(3))}, r"must have shape \(4, 4\), as X has 4 columns"),
        ({"penalty": QuadraticForm(np.eye(4) + np.eye(4, k=1))}, r"symmetric.*\(H \+ H.T\) / 2"),
        ({"penalty": QuadraticForm(np.diag([1.0, 1.0, -0.01, 1.0]))}, "no negative eigenvalue"),
        ({"penalty": QuadraticForm(np.diag([1.0, np.nan, 1.0, 1.0]))}, "NaN or infinite"),
        ({"penalty": QuadraticForm(np.full((4, 4), np.inf))}, "NaN or infinite"),
        ({"penalty": L2(-0.05, 4)}, "must be >= 0, found -0.05"),
        ({"penalty": L2([1.0])}, r"must have shape \(4,\)"),
        ({"penalty": L2(np.ones((3, 4)))}, "n_sets=3; it must be 1, or the 1 outputs"),
        ({"penalty": Unscaled(precision(4))}, "scaled of the penalty Unscaled gives another"),
        ({"penalty": QuadraticForm(np.eye(4)), "C": 1.0}, "give a penalty, or the strength of L2"),
        ({"penalty": QuadraticForm(np.eye(4)), "penalty_factor": np.ones(4)}, "not both"),
    ],
)  # fmt: skip
def test_penalties_that_are_refused(options, text) -> None:
    X, y, *_ = problem(50, 4)
    with pytest.raises(ValueError, match=text):
        fastlogit.fit(X, y, **options)


def test_a_class_itself_is_no_penalty() -> None:
    X, y, *_ = problem(50, 4)
    with pytest.raises(TypeError, match="the class QuadraticForm itself"):
        fastlogit.fit(X, y, penalty=QuadraticForm)


def test_a_form_for_each_class_has_to_say_which_is_whose() -> None:
    class Unsaid(Sets):
        of_outputs = Quadratic.of_outputs

    class Mixed(Sets):
        def of_outputs(self, outputs):
            return Sets(self.forms[np.zeros_like(outputs)])

    X, y = three_classes(60, 4)
    forms = [precision(4, strength) for strength in (0.02, 0.1, 0.5)]
    with pytest.raises(TypeError, match="n_sets=3: it must say of_outputs"):
        fastlogit.fit(X, y, penalty=Unsaid(forms))
    with pytest.raises(ValueError, match="of_outputs of the penalty Mixed gives another penalty"):
        fastlogit.fit(X, y, penalty=Mixed(forms))


def test_the_floor_is_computed_once() -> None:
    """It takes eigenvalues, and certificates ask for it in every iteration."""
    X, y, *_ = problem(300, 6)
    looks = []

    class Counted(QuadraticForm):
        def hessian(self, output=0):
            looks.append(self)
            return self.precision

        def scaled(self, inverse_scale):
            return Counted(super().scaled(inverse_scale).precision)

    objective = objective_of(X, y == np.unique(y)[1], None, Counted(precision(6)))
    floor = objective.penalty.floor()
    looks.clear()
    for part in (objective, objective.only(np.array([0])), objective.only([0]).only([0])):
        assert part.penalty.floor() is floor
    assert not looks


def test_a_form_for_each_class_is_for_one_vs_all() -> None:
    X, y = three_classes(200, 4)
    forms = [precision(4, strength) for strength in (0.02, 0.1, 0.5)]
    result = fastlogit.fit(X, y, penalty=Sets(forms))
    for k, form in enumerate(forms):
        alone = fastlogit.fit(X, y == result.classes[k], penalty=QuadraticForm(form))
        np.testing.assert_allclose(result.coef[:, k], alone.coef, atol=1e-5)
    with pytest.raises(ValueError, match="softmax needs one for all"):
        fastlogit.fit(X, y, penalty=Sets(forms), multi_class="multinomial")


@pytest.mark.parametrize("intercept", ["fit", None])
def test_a_column_that_does_not_vary_is_refused_where_it_is_coupled(intercept) -> None:
    """Its coefficient has no place in standardised columns, but the penalty would move it."""
    X, y, *_ = problem(60, 4)
    still = np.column_stack([X, np.full(60, 7.0 if intercept else 0.0)])
    with pytest.raises(ValueError, match=r"column 4 of X does not vary.*couples it with"):
        fastlogit.fit(still, y, penalty=QuadraticForm(precision(5)), intercept=intercept)
    result = fastlogit.fit(still, y, penalty=QuadraticForm(np.eye(5)), intercept=intercept)
    wanted = fastlogit.fit(X, y, l2_reg=1.0, intercept=intercept)
    np.testing.assert_allclose(result.coef[:4], wanted.coef, atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
def test_the_rounding_of_a_large_singular_form_is_in_the_bound(seed, solver) -> None:
    """Exactly singular: along its null space the optimum is that of the rows alone."""
    rng = np.random.default_rng(seed)
    p = int(rng.integers(3, 5))
    X = rng.normal(size=(30, p)) * 10.0 ** rng.uniform(-3, 3, size=p)
    y = (X / X.std(0)).sum(axis=1) + 2.0 * rng.logistic(size=30) > 0
    vector = rng.integers(-9, 10, size=(1, p)).astype(float)
    form = 2.0 ** int(rng.integers(5, 36)) * vector.T @ vector
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = fastlogit.fit(X, y, penalty=QuadraticForm(form), solver=solver)
        basis = linalg.null_space(vector)
        inside = fastlogit.fit(X @ basis, y)
    own = mp_cost(X, y, result, form)
    # The cost in the null space bounds the optimum from above.
    least = fastlogit.cost(X @ basis, y, inside.coef, inside.intercept)
    assert result.suboptimality >= (own - least) / least - 1e-12


def mp_cost(X, y, result, form):
    """The cost of coefficients, its penalty in rational numbers."""
    b = [Fraction(float(v)) for v in result.coef]
    rows = [[Fraction(float(v)) for v in row] for row in form]
    penalty = sum(b[i] * rows[i][j] * b[j] for i in range(len(b)) for j in range(len(b))) / 2
    return fastlogit.cost(X, y, result.coef, result.intercept) + float(penalty)


def test_a_strong_form_is_for_newton() -> None:
    """Under 1e6 times second differences L-BFGS ends far above the optimum, and says so."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    y = X @ np.sin(np.linspace(0.0, 3.0, 20)) + rng.logistic(size=300) > 0
    second = np.diff(np.eye(20), 2, axis=0)
    result = fastlogit.fit(X, y, penalty=QuadraticForm(1e6 * second.T @ second), tol=1e-6)
    assert result.converged, result.message
    assert result.solver == "newton"


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_neither_rows_nor_penalty_see_is_harmless(n_classes, solver) -> None:
    """Columns twice, whose difference the penalty ignores: the cost does not change along it."""
    X, y = problem(150, 3)[:2] if n_classes == 2 else three_classes(150, 3)
    twice = np.column_stack([X, 2.0 * X[:, 0]])
    sums = np.array([[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0]])
    inner = 0.05 * np.eye(3)
    options = {"solver": solver, "multi_class": "multinomial"}
    result = fastlogit.fit(twice, y, penalty=QuadraticForm(sums.T @ inner @ sums), **options)
    assert result.converged
    # The penalty of what the sums are, by columns that are not there twice.
    plain = sums[:, :3]
    wanted = fastlogit.fit(X, y, penalty=QuadraticForm(plain.T @ inner @ plain), **options)
    together = (
        result.coef[:3]
        + np.array([2.0, 0.0, 0.0]).reshape(3, *[1] * (n_classes > 2)) * (result.coef[3:])
    )
    np.testing.assert_allclose(together, wanted.coef, atol=1e-5)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("leak", [0.0, 2e-16, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3, 1.0])
def test_what_the_penalty_sees_a_little_is_never_proven_away(leak, solver) -> None:
    """Along a difference that no prediction sees the penalty alone says what a point lacks."""
    X, y, *_ = problem(100, 2)
    rng = np.random.default_rng(5)
    for far in (0.0, 1.0, 1e3, 1e6):
        scale = 10.0 ** rng.uniform(-3.0, 3.0)
        twice = np.column_stack([X[:, 0], X[:, 1], X[:, 0]]) * scale
        seen = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, -1.0]])
        form = 0.1 * seen.T @ np.diag([1.0, leak]) @ seen + 0.1 * np.diag([0.0, 1.0, 0.0])
        start = np.array([far, 0.0, -far]), 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = fastlogit.fit(
                twice, y, penalty=QuadraticForm(form), solver=solver, start=start
            )
        rows = [[Fraction(float(value)) for value in row] for row in form]
        slopes = [row[0] - row[2] for row in rows]
        curved = slopes[0] - slopes[2]
        slope = sum(s * Fraction(float(b)) for s, b in zip(slopes, result.coef, strict=True))
        if curved == 0:  # no such direction: the cost is level along it
            assert slope == 0
            assert result.converged
            continue
        gain = float(slope * slope / (2 * curved))
        own = mp_cost(twice, y, result, form)
        assert result.suboptimality * (own - gain) >= gain * (1.0 - 1e-9) - 1e-15 * own


@pytest.mark.parametrize(
    ("form", "null"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], True),
        ([[0.1, 0.1], [0.1, 0.1]], True),
        ([[0.0, 0.0], [0.0, 0.0]], True),
        ([[0.1, 0.1], [0.1, np.nextafter(0.1, 1.0)]], False),
        ([[1.0, -1.0], [-1.0, 1.0]], False),
        ([[1e-300, 0.0], [0.0, 1e-300]], False),
        ([[1.0, 0.0], [0.0, 0.0]], False),
    ],
)
def test_null_directions_are_those_of_the_penalty_too(form, null) -> None:
    u = np.random.default_rng(0).normal(size=30)
    objective = objective_of(np.column_stack([u, u]), np.arange(30) % 2, l2_reg=QuadraticForm(form))
    objective.standardize()
    direction = np.array([1.0, -1.0, 0.0])
    assert NullDirections(objective).contains(0, direction) == null


@pytest.mark.parametrize("dtype", [complex, object])
def test_a_hessian_of_other_numbers_names_its_type(dtype) -> None:
    X, y = problem(40, 2)[:2]
    penalty = QuadraticForm(np.eye(2))
    penalty.precision = np.eye(2).astype(dtype)
    with pytest.raises(TypeError, match=f"real numbers, got ndarray of {np.dtype(dtype)}"):
        fastlogit.fit(X, y, penalty=penalty)


def test_l2_of_a_number_needs_the_number_of_columns() -> None:
    with pytest.raises(TypeError, match=r"L2\(0.1\) needs n_features"):
        L2(0.1)
    np.testing.assert_array_equal(L2(0.1, 3).strengths, [[0.1, 0.1, 0.1]])


NETS = {
    "L1": L1(0.3, 4),
    "L1 of each column": L1([0.5, 0.0, 2.0, 1e-3]),
    "elastic net": ElasticNet(0.3, 0.2, 4),
    "elastic net of sets": ElasticNet([[0.5, 0.1, 0.0, 1.0], [0.0, 1.0, 3.0, 0.2]], 0.5),
    "a share of free columns": ElasticNet([0.5, 0.0, 2.0, 0.0], [0.0, 0.0, 1.0, 1.0]),
}


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]


def strengths_of(net):
    """L1 and L2 of each set and column."""
    shape = (net.n_sets, 4)
    if isinstance(net, L1):
        return np.broadcast_to(net.strengths, shape), np.zeros(shape)
    return np.broadcast_to(net.l1.strengths, shape), np.broadcast_to(net.l2.strengths, shape)


def test_an_elastic_net_is_its_formula(net) -> None:
    l1, l2 = strengths_of(net)
    coef = RNG.normal(size=(net.n_sets, 4)) * [1.0, 0.0, 1.0, 1.0]
    np.testing.assert_allclose(
        net.value(coef), (l1 * abs(coef) + 0.5 * l2 * coef**2).sum(axis=1), rtol=1e-14
    )
    np.testing.assert_allclose(net.gradient(coef), l1 * np.sign(coef) + l2 * coef, rtol=1e-14)
    found = net.prox(coef, 0.7)
    for k, j in np.ndindex(coef.shape):
        wanted = reference.elastic_net_prox(coef[k, j], 0.7 * l1[k, j], 0.7 * l2[k, j])
        assert found[k, j] == pytest.approx(wanted, rel=1e-14)


def test_the_conjugate_of_an_elastic_net_is_the_supremum(net) -> None:
    l1, l2 = strengths_of(net)
    within = l1 * RNG.uniform(-1.0, 1.0, l1.shape)
    np.testing.assert_array_equal(net.conjugate(within), 0.0)
    beyond = within + np.where(l2 > 0.0, np.sign(within) * l1, 0.0)
    coef = np.divide(beyond - np.sign(beyond) * np.minimum(l1, abs(beyond)), l2,
                     out=np.zeros_like(l2), where=l2 > 0.0)  # fmt: skip
    reached = (beyond * coef).sum(axis=1) - net.value(coef)
    np.testing.assert_allclose(net.conjugate(beyond), reached, atol=1e-14)
    if not l2.all():
        assert np.isinf(net.conjugate(np.full_like(l1, 1e3))).all()


def test_an_elastic_net_of_other_columns_outputs_and_strengths(net) -> None:
    coef, scale = RNG.normal(size=(net.n_sets, 4)), np.array([0.5, 2.0, 0.0, 3.0])
    np.testing.assert_allclose(net.scaled(scale).value(coef), net.value(coef * scale), rtol=1e-13)
    np.testing.assert_allclose(net.times(3.0).value(coef), 3.0 * net.value(coef), rtol=1e-13)
    last = np.array([net.n_sets - 1])
    np.testing.assert_allclose(net.of_outputs(last).value(coef[last]), net.value(coef)[last])
    some = np.zeros_like(coef)
    some[:, [1, 3]] = coef[:, [1, 3]]
    np.testing.assert_allclose(
        net.of_columns(np.array([1, 3])).value(coef[:, [1, 3]]), net.value(some), rtol=1e-13
    )


def test_least_slopes_are_those_of_the_formula() -> None:
    X, y, *_ = problem(50, 4)
    coef, l1 = np.array([0.3, 0.0, -0.2, 0.0]), np.array([0.1, 0.01, 0.2, 10.0])
    slopes = reference.cost_gradient(X, y, coef, 0.2)[1]
    found = L1(l1).least_slopes(coef[None], slopes[None])[0]
    expected = reference.elastic_net_slopes(X, y, coef, 0.2, l1)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert found[3] == 0.0 != found[1]


BOXES = [(-0.3, 0.2), (0.0, np.inf), (0.1, 0.4), (-0.5, -0.5)]


@pytest.mark.parametrize("ends", BOXES)
@pytest.mark.parametrize("l2", [0.0, 0.7])
def test_an_elastic_net_within_bounds_by_brute_force(ends, l2) -> None:
    box = Bounds(*(np.full(4, end) for end in ends))
    net = ElasticNet(L1(np.array([0.0, 0.1, 0.5, 2.0]), None, box), l2)
    points = np.unique(np.clip(np.append(np.linspace(-3.0, 3.0, 6001), ends), *ends))
    points = points[np.isfinite(points)]
    plain = ElasticNet(net.l1.strengths, net.l2)
    values = np.array([plain.value(np.diag(np.full(4, b))) for b in points])
    coef = RNG.normal(size=(1, 4))
    found = net.prox(coef, 0.6)[0]
    for j in range(4):
        wanted = points[np.argmin(0.5 * (points - coef[0, j]) ** 2 + 0.6 * values[:, j])]
        assert found[j] == pytest.approx(wanted, abs=1e-3)
    slopes = RNG.uniform(-1.0, 0.0, (1, 4))
    supremum = sum((slopes[0, j] * points - values[:, j]).max() for j in range(4))
    if np.isfinite(ends[0]):
        assert net.conjugate(slopes)[0] == pytest.approx(supremum, abs=1e-3)
    if ends[1] == np.inf and l2 == 0.0:
        assert net.conjugate(np.full((1, 4), 3.0))[0] == np.inf
    inside = np.clip(coef, *ends)
    assert net.value(inside)[0] == plain.value(inside)[0]
    assert net.value(inside - 4.0)[0] == np.inf
    some = np.array([2, 0])
    assert net.of_columns(some).value(inside[:, some] - 4.0)[0] == np.inf
    scale = np.array([0.5, 2.0, 0.0, 3.0])
    scaled = net.scaled(scale).l1.bounds
    assert scaled is not None
    np.testing.assert_allclose(scaled.lower[[0, 1, 3]] * scale[[0, 1, 3]], ends[0])
    assert scaled.upper[2] == np.inf


@pytest.mark.parametrize("ends", BOXES)
def test_slopes_that_hold_a_coefficient_where_it_is(ends) -> None:
    box = Bounds(*(np.full(3, end) for end in ends))
    l1 = L1(np.array([0.0, 0.1, 0.5]), None, box)
    for place in {*ends, 0.0, 0.15, -0.2}:
        if not (ends[0] <= place <= ends[1] and np.isfinite(place)):
            continue
        coef = np.full((1, 3), place)
        low, high = l1.allowed(coef)
        nearby = np.clip(place + np.array([-1e-4, 1e-4]), *ends)
        for slope in (-3.0, -0.4, -0.1, -0.05, 0.0, 0.05, 0.1, 0.4, 3.0):
            falls = [slope * (b - place) + l1.strengths[0] * (abs(b) - abs(place)) for b in nearby]
            holds = (np.array(falls) >= 0.0).all(axis=0)
            np.testing.assert_array_equal((low[0] <= slope) & (slope <= high[0]), holds)
            least = l1.least_slopes(coef, np.full((1, 3), slope))[0]
            np.testing.assert_array_equal(least == 0.0, holds)
        at_corner = (np.array(ends) == place).any() | ((place == 0.0) & (l1.strengths[0] > 0.0))
        np.testing.assert_array_equal(l1.corners(coef)[0], at_corner)


def test_strengths_of_l1_do_not_overflow() -> None:
    scaled = L1([1e300, 0.0, 1e300]).scaled(np.array([1e12, 1e12, 1e-12]))
    np.testing.assert_array_less(scaled.strengths, 1e302)
    np.testing.assert_allclose(scaled.strengths[0, 1:], [0.0, 1e288])
    assert scaled.value(np.array([[0.0, 3.0, 0.0]])) == 0.0
    assert np.isfinite(scaled.value(np.full((1, 3), 1e3)))
