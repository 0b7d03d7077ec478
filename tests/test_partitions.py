"""Solvers and certificates over rows that lie in several places, none of which sees the others.

Each place has its own rows, classes and weights, and keeps curvatures and predictions; what comes
back are sums, extremes and handles. Whoever asks for a number of each row fails here.
"""

from typing import Any

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes

from fastlogit.design.base import Design, RowCounter
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.leading_rows import LeadingRows
from fastlogit.objective.objective import Objective
from fastlogit.solvers import choice
from fastlogit.solvers.choice import solve
from fastlogit.solvers.gradient_descent import Options, gradient_descent
from fastlogit.solvers.start import default_start
from fastlogit.solvers.trace import Limits

pytestmark = pytest.mark.jit


def _elsewhere(name: str) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError(f"{name} of rows that lie in several places")

    return fail


class Handle:
    """What several places hold for someone: an object of each."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, models: Any) -> Any:
        return Handle([part[models] for part in self.parts])

    def __setitem__(self, models: Any, other: Any) -> None:
        for part, of_part in zip(self.parts, other.parts, strict=True):
            part[models] = of_part

    def like(self, n_models: int | None = None) -> Any:
        return Handle([part.like(n_models) for part in self.parts])

    def totals(self) -> Any:
        return sum(part.totals() for part in self.parts)

    def n_positive(self) -> int:
        return sum(part.n_positive() for part in self.parts)

    def least_positive(self) -> float:
        return min(part.least_positive() for part in self.parts)

    def largest_change(self, other: Any) -> Any:
        pairs = zip(self.parts, other.parts, strict=True)
        return np.max([one.largest_change(two) for one, two in pairs], axis=0)


class SeveralDesigns(Design):
    """What is asked of the rows of X alone."""

    def __init__(self, designs: list[Design]) -> None:
        first = designs[0]
        self.designs, self.dtype, self.n_threads = designs, first.dtype, first.n_threads
        self.shape = sum(design.shape[0] for design in designs), first.shape[1]
        self.columns, self.counter = first.columns, RowCounter(self.shape[0])
        self.counter.phase = ""

    @property
    def n_passes(self) -> float:
        return sum(design.counter.rows for design in self.designs) / self.shape[0]

    def standardized(self, columns: Any) -> Design:
        return SeveralDesigns([design.standardized(columns) for design in self.designs])

    def largest_row(self, scale: Any, shift: Any) -> float:
        return max(design.largest_row(scale, shift) for design in self.designs)

    def row_blocks(self, size: int) -> Any:
        start = 0
        for design in self.designs:
            for first, stop, rows in design.row_blocks(size):
                yield start + first, start + stop, rows
            start += design.shape[0]

    evaluate, descend, gram, grams, raw_prediction, hypotheses, rows, column, subsample, take = (
        _elsewhere(name)
        for name in (
            "evaluate", "descend", "gram", "grams", "raw_prediction", "hypotheses", "rows",
            "column", "subsample", "take",
        )
    )  # fmt: skip
    sample = _elsewhere("sample")


class SeveralPlaces(LabelledRows):
    """Labelled rows that are made of others."""

    def __init__(self, places: list[LabelledRows], design: Design | None = None) -> None:
        self.places, self.loss = places, places[0].loss
        self.fit_intercept = places[0].fit_intercept
        self.design = design or SeveralDesigns([place.design for place in places])
        # Of rows and sums over them, each mean of a place counts by its weight.
        self.shares = [place.total_weight / self.total_weight for place in places]

    positive = property(lambda self: self.places[0].positive)
    weight_set = property(lambda self: self.places[0].weight_set)
    total_weight = property(lambda self: sum(place.total_weight for place in self.places))
    n_offsets = 0
    weights_of, codes_of, common_weights, raw_predictions, weighted, counted = (
        _elsewhere(name)
        for name in (
            "weights_of", "codes_of", "common_weights", "raw_predictions", "weighted", "counted",
        )
    )  # fmt: skip

    def _all(self, name: str, *arguments: Any) -> list[Any]:
        """Ask each place; of a handle it gets its own part."""
        return [
            getattr(place, name)(
                *(a.parts[index] if isinstance(a, Handle) else a for a in arguments)
            )
            for index, place in enumerate(self.places)
        ]

    def _mean(self, name: str, *arguments: Any, output: int | None = None) -> Any:
        """The mean of what the places answer, for all outputs or one, weighted by the rows."""
        answers = self._all(name, *arguments)
        which = slice(None) if output is None else output
        return sum(
            answer * (share[which].reshape(-1, *[1] * (np.ndim(answer) - 1)) if output is None
                      else share[which])
            for answer, share in zip(answers, self.shares, strict=True)
        )  # fmt: skip

    def standardized(self, columns: Any) -> LabelledRows:
        return SeveralPlaces(self._all("standardized", columns))

    def only(self, models: Any) -> LabelledRows:
        return SeveralPlaces(self._all("only", models), self.design)

    def subsample(self, stride: int) -> LabelledRows:
        return SeveralPlaces(self._all("subsample", stride))

    def largest_offset(self) -> float:
        return max(self._all("largest_offset"))

    def family(self, model: int) -> Any:
        return self.places[0].family(model)

    def weights_of_class(self, output: int) -> Any:
        return tuple(np.sum(self._all("weights_of_class", output), axis=0))

    def n_of_weight(self, output: int) -> int:
        return sum(self._all("n_of_weight", output))

    def blocks_of_weight(self, output: int, size: int, columns: Any) -> Any:
        for place in self.places:
            yield from place.blocks_of_weight(output, size, columns)

    def column_means(self) -> Any:
        return self._mean("column_means", output=0)

    def column_variances(self) -> Any:
        return self._mean("column_variances", output=0)

    def level_cost(self, model: int, levels: Any) -> float:
        output = model * self.loss.n_classes
        return self._mean("level_cost", model, levels, output=output)

    def evaluate(self, state: Any, penalty: Any, curvature_out: Any = None) -> None:
        sums = [np.zeros_like(part) for part in (state.cost, state.gradient)]
        last = np.zeros_like(state.intercept_gradient)
        for index, place in enumerate(self.places):
            place.evaluate(state, penalty, curvature_out and curvature_out.parts[index])
            share = self.shares[index]
            sums[0] += share * state.cost
            sums[1] += share[:, None] * state.gradient
            last += share * state.intercept_gradient
        state.cost[...], state.gradient[...], state.intercept_gradient[...] = *sums, last

    def descend(self, state, penalty, step_size, accelerate, tol, history_out) -> Any:
        from fastlogit.design.base import step_by_step

        def evaluate(state: Any) -> None:
            self.evaluate(state, penalty)

        return step_by_step(
            evaluate, self.loss.n_classes, step_size, accelerate, tol, state, history_out
        )

    def empty_curvature(self, n_models: int | None = None) -> Any:
        return Handle(self._all("empty_curvature", n_models))

    def predictions(self, theta: Any) -> Any:
        return Handle(self._all("predictions", theta))

    def residuals(self, theta: Any) -> Any:
        return Handle(self._all("residuals", theta))

    def majorizing(self, theta: Any) -> Any:
        return Handle(self._all("majorizing", theta))

    def output_curvature(self, curvature: Any) -> Any:
        return Handle(self._all("output_curvature", curvature))

    def largest_range(self, direction: Any) -> float:
        return max(self._all("largest_range", direction))

    def largest_curvature(self, curvature: Any, output: int) -> float:
        pairs = zip(self.places, curvature.parts, strict=True)
        return max(place.largest_curvature(part, output) for place, part in pairs)

    def largest_square(self, directions: Any, together: int) -> float:
        return max(self._all("largest_square", directions, together))

    def hessian(self, curvature: Any, model: int) -> Any:
        return self._mean("hessian", curvature, model, output=model * self.loss.n_classes)

    def class_hessians(self, curvature: Any, model: int) -> Any:
        return self._mean("class_hessians", curvature, model, output=model * self.loss.n_classes)

    def mean_hessian(self, curvature: Any) -> Any:
        return self._mean("mean_hessian", curvature, output=0)

    def _both(self, name: str, *arguments: Any) -> Any:
        answers = self._all(name, *arguments)
        slopes = sum(a[0] * s[: len(a[0]), None] for a, s in zip(answers, self.shares, strict=True))
        return slopes, sum(a[1] * s[: len(a[1])] for a, s in zip(answers, self.shares, strict=True))

    def product(self, curvature: Any, coef: Any, intercept: Any) -> Any:
        return self._both("product", curvature, coef, intercept)

    def output_product(self, curvature: Any, coef: Any, intercept: Any) -> Any:
        return self._both("output_product", curvature, coef, intercept)

    def weight_product(self, coef: Any, intercept: Any) -> Any:
        return self._both("weight_product", coef, intercept)

    def mean_curvatures(self, curvature: Any) -> Any:
        return self._mean("mean_curvatures", curvature)

    def draw(self, curvature: Any, count: int) -> Any:
        """Rows of each place in proportion to its part of the curvature, brought together."""
        totals, rows, drawn = curvature.totals(), [], np.empty((len(curvature), count), int)
        n_rows = 0
        for output in range(len(curvature)):
            parts = [float(part.totals()[output]) for part in curvature.parts]
            ends = np.rint(np.cumsum(parts) / totals[output] * count).astype(int)
            n_drawn = np.diff(ends, prepend=0)
            for place, part, n in zip(self.places, curvature.parts, n_drawn, strict=True):
                rows.append(place.design.rows(part[output].draw(int(n))[0]))
            drawn[output] = np.arange(n_rows, n_rows + count)
            n_rows += count
        return DenseDesign(np.concatenate(rows), columns=self.design.columns), drawn

    def leading(self, curvature: Any, count: int) -> LeadingRows:
        """The rows of largest curvature of all places, brought together."""
        rows, values = [], []
        for place, part in zip(self.places, curvature.parts, strict=True):
            own, curvatures = part.leading(count)
            rows.append(place.design.rows(own))
            values.append(curvatures)
        curvatures = np.concatenate(values)
        best = np.sort(np.argsort(-curvatures, kind="stable")[:count])
        design = DenseDesign(np.concatenate(rows)[best], columns=self.design.columns)
        return LeadingRows(design, curvatures[best] / self.total_weight[0], self.fit_intercept)

    def curvature_mean(self, curvature: Any) -> Any:
        weights = [float(part.totals()[0]) for part in curvature.parts]
        return np.average(self._all("curvature_mean", curvature), axis=0, weights=weights)

    def intercept_hessian(self, curvature: Any) -> Any:
        return self._mean("intercept_hessian", curvature, output=0)


def places_of(rows: LabelledRows, cuts: list[int]) -> LabelledRows:
    """The same rows in several places."""
    targets, ends = rows._targets, [*cuts, rows.design.shape[0]]
    places = []
    for start, stop in zip([0, *cuts], ends, strict=True):
        own = np.arange(start, stop)
        places.append(
            LabelledRows(
                rows.design.take(own), rows.loss, targets.codes[:, own].copy(), targets.positive,
                targets.weights[:, own].copy(), None, rows.fit_intercept, targets.weight_set,
            )
        )  # fmt: skip
    return SeveralPlaces(places)


def solved(objective: Objective, method: str, stride: int = 1) -> Any:
    if method == "gradient_descent":
        start = objective.split(default_start(objective))
        options = Options(1e-10, 20_000, None, None, step_size=None, accelerate=True)
        return gradient_descent(
            objective, tuple(map(np.ascontiguousarray, start)), options, 0.0, certified=True
        )
    theta = default_start(objective)
    return solve(objective, theta, method, stride, False, Limits(1e-10, 500), 0.0)


def both(whole: Objective, penalty: Any, cuts: list[int], method: str, stride: int = 1) -> None:
    apart = Objective(places_of(whole.rows, cuts), penalty)
    for objective in (whole, apart):
        objective.standardize()
    found, wanted = solved(apart, method, stride), solved(whole, method, stride)
    assert found.reason == wanted.reason == "converged"
    assert (found.bound <= 1e-10).all()
    if method in ("newton", "lbfgs"):  # the others draw rows, or stop between bursts of time
        np.testing.assert_allclose(found.history, wanted.history, rtol=1e-9)
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-9)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-4)
    np.testing.assert_allclose(found.intercept, wanted.intercept, atol=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("method", ["newton", "lbfgs", "newton-cg", "gradient_descent"])
def test_binomial_models(method, fit_intercept) -> None:
    X, y, _, _, weight = problem(400, 5)
    codes = y == np.unique(y)[1]
    whole = objective_of(X, codes, weight, 0.02, fit_intercept=fit_intercept)
    both(whole, 0.02, [150, 170], method)


def test_leading_rows_are_brought_together(monkeypatch) -> None:
    monkeypatch.setattr(choice, "MAX_HESSIAN", 3)
    monkeypatch.setattr(choice, "SLOW", 0)
    monkeypatch.setattr(choice, "leading_price", lambda _: 1.0)
    X, y, _, _, weight = problem(400, 5)
    both(objective_of(X, y, weight, 0.02), 0.02, [150, 170], "newton-cg")


def test_few_rows_of_several_places_are_fitted_in_their_columns() -> None:
    X, y, _, _, weight = problem(40, 60)
    both(objective_of(X, y, weight, 0.02), 0.02, [10, 25], "auto")


@pytest.mark.parametrize("method", ["newton", "lbfgs", "newton-cg"])
def test_several_models(method) -> None:
    X, codes = three_classes(360, 4)
    whole = objective_of(X, codes, None, 0.05, positive=(0, 1, 2))
    both(whole, 0.05, [100], method)


@pytest.mark.parametrize("method", ["newton", "newton-cg", "gradient_descent"])
def test_softmax(method) -> None:
    X, codes = three_classes(360, 4)
    both(softmax_of(X, codes, None, 0.05), 0.05, [100, 240], method)


def test_a_subsample_of_each_place_starts_and_preconditions() -> None:
    X, y, _, _, weight = problem(2400, 5)
    codes = y == np.unique(y)[1]
    apart = Objective(places_of(objective_of(X, codes, weight).rows, [1000]), 0.01)
    whole = objective_of(X, codes, weight, 0.01)
    for objective in (whole, apart):
        assert objective.standardize(6)
    found, wanted = solved(apart, "lbfgs", 6), solved(whole, "newton")
    assert found.reason == "converged"
    assert found.bound[0] <= 1e-10
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-9)


def test_bad_directions_are_left_by_the_bound_above_the_loss() -> None:
    X, y, _, _, weight = problem(300, 3)
    codes = y == np.unique(y)[1]
    whole = objective_of(X, codes, weight, 0.02)
    apart = Objective(places_of(whole.rows, [120]), 0.02)
    found = []
    for objective in (whole, apart):
        objective.standardize()
        far = np.full((1, 4), 300.0)
        found.append(solve(objective, far, "newton", 1, True, Limits(1e-10, 200), 0.0))
    assert [outcome.reason for outcome in found] == ["converged"] * 2
    np.testing.assert_allclose(found[0].coef, found[1].coef, atol=1e-6)
