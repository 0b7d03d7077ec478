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
}
HEADER = """
from fastlogit.arrays import Codes, Features, Indices, Labels, Mask, Matrix, Vector
from fastlogit.design.base import Design
from fastlogit.estimators.data import rows_of_models
from fastlogit.estimators.folds import fit_folds
from fastlogit.estimators.scoring import probabilities
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.messages import message_of
from fastlogit.fitting.problem import Problem, Strengths, check_problem, stride_of
from fastlogit.fitting.weightless import Others, without_weight
from fastlogit.inputs import validation
from fastlogit.inputs.given import Data, Given, Model, Rows, settle
from fastlogit.objective.objective import Objective
from fastlogit.options import check_number
from fastlogit.solvers.trace import Limits, Outcome


def calls(
    X: Features, classes: Labels, codes: Codes, weights: Vector, offset: Vector, coef: Matrix,
    intercept: Vector, raw: Matrix, mask: Mask, places: Indices, Cs: Vector, folds: Matrix,
    tol: float, given: Given, rows: Rows, data: Data, design: Design, objective: Objective,
    problem: Problem, outcome: Outcome, limits: Limits, options: GridOptions,
) -> None:
"""
# Bare `Any` that is necessary: what a library without types gives, or other types by an option.
ALLOWED = {
    "cli/errors.py": 2,  # typer's
    "estimators/progress.py": 1,  # the mixin that scikit-learn has from 1.9 on
    "fitting/fit.py": 1,  # the options of `fit` again
    "arrays.py": 3,  # scikit-learn's splitters
}
# Written after these types: kernels are typed by numba, the oracle by its formulas.
LATER = ("kernels/", "reference.py", "demo.py")
# The rooms that are being rebuilt, and will join.
REBUILT = ("objective/", "certificates/", "solvers/", "design/", "linalg/")


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
        if not name.startswith(LATER + REBUILT):
            counts[name] = bare_any(path.read_text("utf-8"))
    assert {name: count for name, count in counts.items() if count} == ALLOWED


def test_bare_any_is_counted() -> None:
    source = "def f(a: Any, b: list[Any], *c: Any, d: int, **e: Any) -> Any: ...\n"
    assert bare_any(source + "class A:\n    async def g(self, x: Any): ...\n") == 4
