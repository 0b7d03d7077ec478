"""Losses by their definitions, and one of ours own through every solver and certificate."""

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes
from scipy import optimize, special
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import SeparationWarning, reference
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.losses import RowLoss
from fastlogit.objective.multinomial import Multinomial

pytestmark = pytest.mark.jit

SOLVERS = ["auto", "newton", "lbfgs", "newton-cg", "gradient_descent"]


class Logistic(RowLoss):
    """The binomial loss once more, by rows."""

    most_curvature = 0.25

    def rows(self, raw, is_positive):
        proba = special.expit(raw)
        loss = np.logaddexp(0.0, np.where(is_positive, -raw, raw))
        return loss, proba - is_positive, proba * (1.0 - proba)


class Smoothed(Logistic):
    """Labels that are wrong with a probability: log loss against it and its complement."""

    def __init__(self, wrong):
        self.wrong = wrong

    def rows(self, raw, is_positive):
        target = np.where(is_positive, 1.0 - self.wrong, self.wrong)
        proba = special.expit(raw)
        return np.logaddexp(0.0, raw) - target * raw, proba - target, proba * (1.0 - proba)


class Steep(Logistic):
    """The logistic loss of three times the raw prediction: three times as self-concordant."""

    most_curvature, self_concordance, most_residual = 9.0 / 4.0, 3.0, 3.0

    def rows(self, raw, is_positive):
        loss, residual, curvature = super().rows(3.0 * raw, is_positive)
        return loss, 3.0 * residual, 9.0 * curvature


@pytest.mark.parametrize("loss", [Logistic(), Smoothed(0.1), Steep()])
def test_the_rows_of_the_test_s_own_losses_are_derivatives(loss) -> None:
    raw, ahead = np.linspace(-5.0, 5.0, 11), 1e-4
    for is_positive in (np.zeros(11, bool), np.ones(11, bool)):
        low, high = (loss.rows(raw + h, is_positive) for h in (-ahead, ahead))
        _, residual, curvature = loss.rows(raw, is_positive)
        np.testing.assert_allclose((high[0] - low[0]) / (2.0 * ahead), residual, atol=1e-6)
        np.testing.assert_allclose((high[1] - low[1]) / (2.0 * ahead), curvature, atol=1e-6)
        third = np.abs(high[2] - low[2]) / (2.0 * ahead)
        assert (third <= loss.self_concordance * curvature + 1e-6).all()
        assert (curvature <= loss.most_curvature).all()


def costs_of_rows(loss, raw, codes, positive):
    """The loss of every 25th row."""
    level, positive = np.zeros(len(raw)), np.array(positive)
    return np.array([
        loss.mean_at_levels(level, raw[:, [i]], codes[[i]], positive, None, 1.0)
        for i in range(0, raw.shape[1], 25)
    ])  # fmt: skip


@pytest.mark.parametrize("kind", ["binomial", "multinomial"])
def test_what_a_loss_says_of_itself(kind) -> None:
    """Sizes of residuals and curvatures are bounds, and what majorizes lies above."""
    rng = np.random.default_rng(0)
    n_classes = 1 if kind == "binomial" else 3
    loss = Binomial() if kind == "binomial" else Multinomial(3)
    for scale in (0.1, 1.0, 10.0):
        raw = scale * rng.normal(size=(n_classes, 500))
        if kind == "binomial":
            codes = rng.integers(0, 2, 500)
            positive, proba = [1], special.expit(raw)
            target = codes[None] == 1
        else:
            codes = rng.integers(0, 3, 500)
            positive, proba = [0, 1, 2], special.softmax(raw, axis=0)
            target = codes[None] == np.arange(3)[:, None]
        cost = loss.mean_at_levels(np.zeros(n_classes), raw, codes, np.array(positive), None, 500.0)
        assert np.sqrt(np.mean((proba - target) ** 2)) <= loss.residual_size(cost)
        assert np.sqrt(np.mean(proba * (1.0 - proba))) <= loss.curvature_size(cost)
        most = loss.majorizing(raw[None])[0]
        slope = proba - target
        for _ in range(20):
            step = scale * rng.normal(size=raw.shape)
            moved = raw + step
            ahead, here = (
                costs_of_rows(loss, moved, codes, positive),
                costs_of_rows(loss, raw, codes, positive),
            )
            bound = here + (slope * step + 0.5 * most * step**2).sum(axis=0)[::25]
            assert (ahead <= bound + 1e-12 * np.abs(bound)).all()


def test_both_losses_begin_at_the_shares_of_the_classes() -> None:
    X, y = three_classes(90, 4)
    for objective in (objective_of(X, y == 1), softmax_of(X, y)):
        theta = objective.loss.start(objective.rows)
        gradient = objective.at(theta).gradient.reshape(objective.n_outputs, -1)
        np.testing.assert_allclose(gradient[:, -1], 0.0, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_loss_by_rows_is_the_compiled_one(weighted) -> None:
    X, y, _, _, weight = problem(300, 4)
    codes = (y == np.unique(y)[1]).astype(np.uint8)
    objective = objective_of(X, codes, weight if weighted else None, 0.1)
    theta = np.random.default_rng(0).normal(size=(1, 5))
    curvature = objective.rows.empty_curvature()
    wanted = objective.at(theta, curvature)
    objective.rows.loss = Logistic()
    again = objective.rows.empty_curvature()
    found = objective.at(theta, again)
    np.testing.assert_allclose(found.cost, wanted.cost, rtol=1e-13)
    np.testing.assert_allclose(found.gradient, wanted.gradient, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(again.values, curvature.values, rtol=1e-12)


SHAPES = {"few rows": (120, 6), "a subsample": (4_000, 6), "wide": (60, 200)}


def optimum(X, y, loss, l2_reg):
    """The optimum by SciPy."""
    is_positive = y == np.unique(y)[1]
    wide = np.column_stack([X, np.ones(len(X))])
    penalty = np.append(np.full(X.shape[1], l2_reg), 0.0)

    def cost(theta):
        value, residual, _ = loss.rows(wide @ theta, is_positive)
        return value.mean() + 0.5 * penalty @ theta**2, wide.T @ residual / len(X) + penalty * theta

    def hessian(theta):
        curvature = loss.rows(wide @ theta, is_positive)[2]
        return (wide * curvature[:, None]).T @ wide / len(X) + np.diag(penalty)

    found = optimize.minimize(
        cost, np.zeros(X.shape[1] + 1), jac=True, hess=hessian, method="trust-exact",
        options={"gtol": 1e-11},
    )  # fmt: skip
    return found.x, found.fun, lambda theta: cost(theta)[0]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", [Smoothed(0.1), Steep()], ids=["smoothed", "steep"])
def test_a_loss_of_ones_own_through_every_solver(solver, shape, loss) -> None:
    X, y, *_ = problem(*SHAPES[shape])
    tol, l2_reg = 1e-8, 0.02
    result = fastlogit.fit(X, y, loss=loss, l2_reg=l2_reg, solver=solver, tol=tol, max_iter=20_000)
    assert result.converged, result.message
    theta, least, cost = optimum(X, y, loss, l2_reg)
    found = cost(np.append(result.coef, result.intercept))
    assert (found - least) / least <= max(float(result.suboptimality), 1e-13)
    assert result.suboptimality <= tol
    assert found == pytest.approx(result.history[-1], rel=tol)
    np.testing.assert_allclose(result.coef, theta[:-1], atol=1e-3)
    assert result.loss is loss


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_bounds_of_a_steep_loss_are_not_below_the_truth(solver) -> None:
    """A bound that took its self-concordance for 1 would be too small on the way."""
    X, y, *_ = problem(400, 5)
    loss = Steep()
    _, least, cost = optimum(X, y, loss, 1e-3)
    for n_iter in range(5):
        with pytest.warns(ConvergenceWarning):
            result = fastlogit.fit(
                X, y, loss=loss, l2_reg=1e-3, solver=solver, max_iter=n_iter, tol=0.0
            )
        missing = cost(np.append(result.coef, result.intercept)) - least
        assert result.suboptimality >= missing / least - 1e-13


def test_several_classes_offsets_and_weights() -> None:
    """By rows as compiled: the smoothing of 0 is the logistic loss."""
    X, y = three_classes(200, 4)
    rng = np.random.default_rng(0)
    options = {
        "sample_weight": rng.integers(0, 3, 200).astype(float), "offset": rng.normal(size=200),
        "C": 1.0,
    }  # fmt: skip
    found = fastlogit.fit(X, y, loss=Smoothed(0.0), **options)
    wanted = fastlogit.fit(X, y, **options)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-6)
    np.testing.assert_allclose(found.intercept, wanted.intercept, atol=1e-6)


def test_smoothed_labels_have_an_optimum_where_classes_are_separated() -> None:
    X = np.arange(20.0)[:, None]
    result = fastlogit.fit(X, X[:, 0] > 9.5, loss=Smoothed(0.05))
    assert result.converged
    p = reference.sigmoid(result.raw_prediction(X))
    target = np.where(X[:, 0] > 9.5, 0.95, 0.05)
    np.testing.assert_allclose([(p - target).sum(), X[:, 0] @ (p - target)], 0.0, atol=1e-5)


class Algebraic(RowLoss):
    """The root of 1 + margin^2 less the margin: it falls as slowly as 1 / (2 margin)."""

    most_curvature, self_concordance, most_residual = 1.0, 3.0, 2.0

    def rows(self, raw, is_positive):
        sign = np.where(is_positive, 1.0, -1.0)
        margin, root = sign * raw, np.sqrt(1.0 + raw * raw)
        loss = np.where(margin > 0.0, 1.0 / (root + np.abs(margin)), root - margin)
        return loss, sign * np.where(margin > 0.0, -loss / root, margin / root - 1.0), root**-3.0


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("loss", [Logistic(), Steep(), Algebraic()])
def test_separation_is_seen_as_early_as_of_the_logistic_loss(loss, solver) -> None:
    X = problem(200, 3)[0]
    y = X @ [1.0, 2.0, 3.0] > 0.1
    with pytest.warns(SeparationWarning, match="completely separable: a combination of the col"):
        found = fastlogit.fit(X, y, loss=loss, solver=solver)
    assert found.n_iter <= 20  # 40 to 877 before a loss said so
    assert not found.converged
    # Two rows far from the border change sides: there is an optimum then.
    y[np.argsort(np.abs(X @ [1.0, 2.0, 3.0]))[-2:]] ^= True
    assert fastlogit.fit(X, y, loss=loss, solver=solver).converged


@pytest.mark.parametrize("wrong", [1e-1, 1e-3, 1e-5])
def test_what_has_an_optimum_is_not_called_separable(wrong) -> None:
    X = np.array([-2.0, -1.0, 1.0, 2.0])[:, None]
    result = fastlogit.fit(X, X[:, 0] > 0.0, loss=Smoothed(wrong), tol=1e-6, intercept=None)
    assert result.converged
    # The mean of both kinds of rows: the sum of the slopes vanishes.
    assert special.logit(wrong) < result.coef[0] * -1.0 < special.logit(wrong) / 2.0


class Slower(Smoothed):
    """Of a 10,000th of the raw prediction: the slope turns far away."""

    def rows(self, raw, is_positive):
        loss, residual, curvature = super().rows(1e-4 * raw, is_positive)
        return loss, 1e-4 * residual, 1e-8 * curvature


def test_which_losses_fall_for_ever() -> None:
    for loss in (Logistic(), Steep(), Algebraic(), Smoothed(0.0)):
        assert loss.is_separable
    for wrong in (0.5, 0.1, 1e-5, 1e-10, 1e-15):
        assert not Smoothed(wrong).is_separable
        assert not Slower(wrong).is_separable

    class Liar(Smoothed):
        is_separable = True

    with pytest.raises(ValueError, match="is_separable=True is not true of the loss Liar: its slo"):
        fastlogit.fit(*problem(20, 2)[:2], loss=Liar(0.1))


class Wrong(Logistic):
    """A logistic loss, of which one thing is not as it says."""

    def __init__(self, **changes) -> None:
        self.part, self.change = changes.pop("part", None), changes.pop("change", None)
        for name, value in changes.items():
            setattr(self, name, value)

    def rows(self, raw, is_positive):
        parts = list(super().rows(raw, is_positive))
        if self.part is not None:
            parts[self.part] = self.change(parts[self.part])
        return tuple(parts)


class Naive(Logistic):
    """The logistic loss by formulas that cancel."""

    def rows(self, raw, is_positive):
        proba = 1.0 / (1.0 + np.exp(-raw))
        loss = -np.log(np.where(is_positive, proba, 1.0 - proba))
        return loss, proba - is_positive, proba * (1.0 - proba)


class Hinge(RowLoss):
    """Squared: its second derivative jumps."""

    most_curvature = 2.0

    def rows(self, raw, is_positive):
        sign = np.where(is_positive, 1.0, -1.0)
        short = np.maximum(1.0 - sign * raw, 0.0)
        return short**2, -2.0 * sign * short, 2.0 * (short > 0.0)


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (Wrong(self_concordance=0.5), "self_concordance=0.5 is not true"),
        (Wrong(self_concordance=-1.0), "must be a number >= 0, got -1.0"),
        (Wrong(most_curvature=0.2), "most_curvature=0.2 is not true"),
        (Wrong(most_curvature=0.0), "must be a number > 0"),
        (Wrong(most_curvature=None), "must be a number > 0, got None"),
        (Naive(), r"first derivative is not true .* or the values lose their digits there"),
        (Wrong(most_residual=0.5), "most_residual=0.5 is not true"),
        (Wrong(part=1, change=lambda r: 2.0 * r), "the first derivative is not true"),
        (Wrong(part=2, change=lambda c: 2.0 * c), "the second derivative is not true"),
        (Wrong(part=2, change=lambda c: -c), "second derivative"),
        (Wrong(part=0, change=lambda v: v * np.nan), "the loss, which must be finite"),
        (Hinge(), "is not true of rows at a raw prediction of"),
    ],
)  # fmt: skip
def test_what_a_loss_says_of_itself_is_checked(loss, text) -> None:
    X, y, *_ = problem(50, 3)
    with pytest.raises(ValueError, match=text):
        fastlogit.fit(X, y, loss=loss)


@pytest.mark.parametrize(
    ("change", "text"),
    [(lambda c: c[:2], "shape of raw"), (lambda c: c.tolist(), "found list"), (np.sum, "found")],
)  # fmt: skip
def test_parts_that_are_no_arrays_of_the_rows(change, text) -> None:
    X, y, *_ = problem(50, 3)
    with pytest.raises(TypeError, match=text):
        fastlogit.fit(X, y, loss=Wrong(part=2, change=change))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"loss": "hinge"}, TypeError, "RowLoss, or None"),
        ({"loss": Logistic(), "multi_class": "multinomial"}, ValueError, "no softmax"),
    ],
)
def test_losses_that_are_refused(options, error, text) -> None:
    X, y = three_classes(50, 4)
    with pytest.raises(error, match=text):
        fastlogit.fit(X, y, **options)


def test_leave_one_out_says_what_it_does_not_know() -> None:
    X, y, *_ = problem(60, 3)
    result = fastlogit.fit(X, y, loss=Smoothed(0.1), C=1.0)
    with pytest.raises(ValueError, match="not Smoothed"):
        fastlogit.leave_one_out(result, X, y)


def test_a_loss_in_float32_says_so() -> None:
    single = Wrong(part=0, change=lambda values: values.astype(np.float32))
    with pytest.raises(TypeError, match=r"loss must be an array of float64 .* of float32"):
        fastlogit.fit(*problem(20, 2)[:2], loss=single)
