"""Types that say something: mypy refuses swapped arguments, and few parameters are bare `Any`."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastlogit"

# Right calls, and the same calls with two arguments swapped.
CASES = {
    "codes and weights": (
        "validation.refuse_classes_without_weight(weights, codes, classes)",
        "validation.refuse_classes_without_weight(codes, weights, classes)",
    ),
    "codes and weights, by name": (
        "without_weight(codes=codes, weights=weights, n_classes=3)",
        "without_weight(codes=weights, weights=codes, n_classes=3)",
    ),
    "coefficients and intercept": (
        "rows_of_models(coef, intercept)",
        "rows_of_models(intercept, coef)",
    ),
    "coefficients and intercept of a start": (
        "data._replace(start=(coef, intercept))",
        "data._replace(start=(intercept, coef))",
    ),
    "coefficients and intercept of a model": (
        "Model(rows, coef, intercept, False, offset)",
        "Model(rows, intercept, coef, False, offset)",
    ),
    "classes and codes": (
        "settle(given, rows, (classes, codes), None, 'ovr', 0.0)",
        "settle(given, rows, (codes, classes), None, 'ovr', 0.0)",
    ),
    "a mask and places": (
        "Others(classes, mask)",
        "Others(classes, places)",
    ),
    "a design for an objective": (
        "stride_of(objective)",
        "stride_of(design)",
    ),
    "an objective for a design": (
        "validation.refuse_not_finite(design)",
        "validation.refuse_not_finite(objective)",
    ),
    "problem and outcome": (
        "message_of(problem, outcome, limits, 1.0, 0.0)",
        "message_of(outcome, problem, limits, 1.0, 0.0)",
    ),
    "a number and its name": (
        "check_number('tol', tol, low=0.0)",
        "check_number(tol, 'tol', low=0.0)",
    ),
    "what is given and strengths": (
        "check_problem(given, Strengths(), 'ovr', None, None)",
        "check_problem(Strengths(), given, 'ovr', None, None)",
    ),
    "raw predictions and codes of a score": (
        "probabilities(raw, 'ovr', log=False)",
        "probabilities(codes, 'ovr', log=False)",
    ),
    "classes and strengths": (
        "fit_folds(data, classes, Cs, folds, options)",
        "fit_folds(data, Cs, classes, folds, options)",
    ),
    "X, once looked at, and weights": (
        "validation.check_finite(X)",
        "validation.check_finite(weights)",
    ),
    "coefficients and intercepts for a pass": (
        "design.raw_prediction(coef, intercept)",
        "design.raw_prediction(intercept, coef)",
    ),
    "weights and their sum": (
        "design.column_means(weights, 1.0)",
        "design.column_means(1.0, weights)",
    ),
    "row weights of one output and of each": (
        "design.grams(sets)",
        "design.grams(weights)",
    ),
    "sizes and inverse diagonals": (
        "design.sample(drawn, sizes, 1.0, coef)",
        "design.sample(drawn, coef, 1.0, sizes)",
    ),
    "places and a mask": (
        "design.rows(places)",
        "design.rows(mask)",
    ),
    "rows and numbers of them": (
        "open_rows(X, None)",
        "open_rows(weights, None)",
    ),
    "codes and weights of labelled rows": (
        "LabelledRows(design, loss, codes, places, weights)",
        "LabelledRows(design, loss, weights, places, codes)",
    ),
    "classes that count and weights": (
        "labelled.weighted(places, sets, places)",
        "labelled.weighted(sets, places, places)",
    ),
    "a model and levels": (
        "labelled.level_cost(0, intercept)",
        "labelled.level_cost(intercept, 0)",
    ),
    "models and a mask": (
        "objective.only(models)",
        "objective.only(mask)",
    ),
    "coefficients and intercepts of theta": (
        "objective.join(coef, intercept)",
        "objective.join(intercept, coef)",
    ),
    "gradients of coefficients and of intercepts": (
        "objective.user_gradient(coef, intercept)",
        "objective.user_gradient(intercept, coef)",
    ),
    "coefficients and intercepts in other units": (
        "units.to_user(columns, coef, intercept)",
        "units.to_user(columns, intercept, coef)",
    ),
    "an objective's rows and its penalty": (
        "Objective(labelled, penalty)",
        "Objective(penalty, labelled)",
    ),
    "coefficients and a step size": (
        "penalty.prox(coef, 0.5)",
        "penalty.prox(0.5, coef)",
    ),
    "coefficients and outputs": (
        "penalty.gradient_change(coef, places, places)",
        "penalty.gradient_change(places, coef, places)",
    ),
    "levels and offsets": (
        "loss.mean_at_levels(intercept, sets, codes, places, weights, 1.0)",
        "loss.mean_at_levels(sets, intercept, codes, places, weights, 1.0)",
    ),
    "codes and classes that count": (
        "loss.mean_at_levels(intercept, sets, codes, places, weights, 1.0)",
        "loss.mean_at_levels(intercept, sets, places, codes, weights, 1.0)",
    ),
    "theta of one model and of all": (
        "hessians.at(0, point)",
        "hessians.at(0, theta)",
    ),
    "equations and vectors": (
        "equations.step(places, theta)",
        "equations.step(theta, places)",
    ),
    "factors and sides": (
        "factors.solve(places, theta)",
        "factors.solve(theta, places)",
    ),
    "what is wanted and gradients": (
        "certificate.bounds(models, theta, gradient, cost, cost)",
        "certificate.bounds(models, theta, cost, gradient, cost)",
    ),
    "a point of one model and of all": (
        "certificate.bound(0, point, point)",
        "certificate.bound(0, theta, gradient)",
    ),
    "theta and row curvatures": (
        "certificate.know(theta, curvature)",
        "certificate.know(curvature, theta)",
    ),
    "models and theta for linear programmes": (
        "separation.decide(models, theta)",
        "separation.decide(theta, models)",
    ),
    "costs and gradients of points": (
        "rule.look(models, theta, cost, gradient, cost)",
        "rule.look(models, theta, gradient, cost, cost)",
    ),
    "cost and gradient of a point": (
        "Point(theta, cost, gradient)",
        "Point(theta, gradient, cost)",
    ),
    "models and costs": (
        "trace.go_on(trace, models, cost, cost)",
        "trace.go_on(trace, cost, models, cost)",
    ),
    "directions and their slopes": (
        "search(objective, here, models, theta, cost)",
        "search(objective, here, models, cost, theta)",
    ),
    "rule and Hessians": (
        "newton(objective, theta, rule, hessians, trace)",
        "newton(objective, theta, hessians, rule, trace)",
    ),
    "pooled models and the models of them": (
        "solve_warm(objective, theta, objective, models, 1, limits, trace)",
        "solve_warm(objective, theta, models, objective, 1, limits, trace)",
    ),
    "models and vectors to precondition": (
        "sampled.solve(models, theta)",
        "sampled.solve(theta, models)",
    ),
}
HEADER = """
from fastlogit.arrays import Codes, Features, IndexMatrix, Indices, Labels, Mask, Matrix, Vector
from fastlogit.certificates.binomial import Certificate
from fastlogit.certificates.separation import Separation
from fastlogit.design.base import Columns, Design
from fastlogit.design.opening import open_rows
from fastlogit.estimators.data import rows_of_models
from fastlogit.estimators.folds import fit_folds
from fastlogit.estimators.row_scores import probabilities
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.messages import message_of
from fastlogit.fitting.problem import CheckedProblem, Strengths, check_problem, stride_of
from fastlogit.fitting.weightless import Others, without_weight
from fastlogit.inputs import validation
from fastlogit.inputs.given import Data, Given, Model, Rows, settle
from fastlogit.linalg.conjugate_gradients import ConjugateGradients
from fastlogit.linalg.factors import Factors
from fastlogit.objective import units
from fastlogit.objective.hessians import Hessians
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.losses import Loss
from fastlogit.objective.objective import Objective
from fastlogit.objective.penalties import Quadratic
from fastlogit.objective.row_state import RowCurvature
from fastlogit.options import check_number
from fastlogit.solvers.iteration import search
from fastlogit.solvers.newton import newton
from fastlogit.solvers.preconditioner import SampledHessians
from fastlogit.solvers.stopping import StoppingRule
from fastlogit.solvers.trace import Limits, Outcome, Point, Trace
from fastlogit.solvers.warm_starts import solve_warm


def calls(
    X: Features, classes: Labels, codes: Codes, weights: Vector, offset: Vector, coef: Matrix,
    intercept: Vector, raw: Matrix, mask: Mask, places: Indices, Cs: Vector, folds: Matrix,
    tol: float, given: Given, rows: Rows, data: Data, design: Design, objective: Objective,
    problem: CheckedProblem, outcome: Outcome, limits: Limits, options: GridOptions, sets: Matrix,
    sizes: Vector, models: Indices, drawn: IndexMatrix, theta: Matrix, gradient: Matrix,
    cost: Vector, point: Vector, here: Point, columns: Columns, loss: Loss, penalty: Quadratic,
    labelled: LabelledRows, curvature: RowCurvature, hessians: Hessians,
    equations: ConjugateGradients, factors: Factors, sampled: SampledHessians,
    certificate: Certificate, separation: Separation, rule: StoppingRule, trace: Trace,
) -> None:
"""
# Bare `Any` that is necessary: what a library without types gives, or other types by an option.
ALLOWED = {
    "cli/errors.py": 2,  # typer's
    "estimators/progress.py": 1,  # the mixin that scikit-learn has from 1.9 on
    "fitting/fit.py": 1,  # the options of `fit` again
    "arrays.py": 3,  # scikit-learn's splitters
    "formula/columns.py": 2,  # polars' frames and columns
    "formula/factors.py": 1,  # what formulaic knows of a factor
    "formula/fits.py": 4,  # the options of `fit` again
    "formula/parsing.py": 3,  # formulaic's terms and factors
    "inference/table.py": 2,  # rich's console and options
}
# Written after these types: kernels are typed by numba, the oracle by its formulas.
LATER = ("kernels/", "reference/")
# Rooms without any `Any`: in parameters, in what is returned, in attributes and aliases.
STRICT = ("design", "linalg", "objective", "certificates", "solvers")


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> set[int]:
    """Lines of the calls that mypy refuses: the right one of two first, then the wrong one."""
    pytest.importorskip("mypy")
    file = tmp_path_factory.mktemp("typing") / "calls.py"
    calls = [call for pair in CASES.values() for call in pair]
    file.write_text(HEADER + "".join(f"    {call}\n" for call in calls), "utf-8")
    # The cache of the project: where mypy ran before, this takes seconds.
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", str(file)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = re.findall(r"calls\.py:(\d+): error: .*\[(.*)\]", found.stdout)
    assert errors, found.stdout + found.stderr
    assert {kind for _, kind in errors} == {"arg-type"}, found.stdout
    return {int(line) for line, _ in errors}


@pytest.mark.slow(seconds=20)  # 2 s where mypy has a cache of the package
@pytest.mark.parametrize("case", CASES)
def test_swapped_arguments_are_errors(case, refused) -> None:
    right = HEADER.count("\n") + 1 + 2 * list(CASES).index(case)
    assert right not in refused
    assert right + 1 in refused


def bare_any(source: str) -> int:
    """Number of parameters that are annotated with `Any` and nothing else."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    parameters = (
        parameter
        for node in ast.walk(ast.parse(source))
        if isinstance(node, functions)
        for parameter in ast.walk(node.args)
        if isinstance(parameter, ast.arg)
    )
    return sum(isinstance(p.annotation, ast.Name) and p.annotation.id == "Any" for p in parameters)


def test_parameters_carry_types_that_say_something() -> None:
    counts = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(LATER):
            counts[name] = bare_any(path.read_text("utf-8"))
    assert {name: count for name, count in counts.items() if count} == ALLOWED


def test_bare_any_is_counted() -> None:
    source = "def f(a: Any, b: list[Any], *c: Any, d: int, **e: Any) -> Any: ...\n"
    assert bare_any(source + "class A:\n    async def g(self, x: Any): ...\n") == 4


def says_any(source: str) -> list[int]:
    """Lines that name `Any`, in whatever they say."""
    names = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return sorted(name.lineno for name in names if name.id == "Any")


@pytest.mark.parametrize("room", STRICT)
def test_rooms_that_say_what_everything_is(room: str) -> None:
    paths = sorted((PACKAGE / room).rglob("*.py"))
    assert paths
    found = {path.name: says_any(path.read_text("utf-8")) for path in paths}
    assert not {name: lines for name, lines in found.items() if lines}


def test_any_is_found() -> None:
    source = "def f(a: Any, *b: list[Any]) -> int: ...\n"
    source += "async def g(c: int) -> Any:\n    x: Any = c\nMake = Callable[[Any], int]\n"
    assert says_any(source) == [1, 1, 2, 3, 4]
