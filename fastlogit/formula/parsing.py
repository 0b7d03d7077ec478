"""The text of a formula -> its response, its terms and what they name."""

from __future__ import annotations

import ast
import builtins
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Expression", "Parsed", "Term", "columns_of", "formulaic", "parse"]

# Names that an error lists.
LISTED = 10
OFFSET = re.compile(r"offset\((.*)\)", re.DOTALL)
# formulaic marks the place of an error with colours and brackets of its own.
MARKS = re.compile(r"\x1b\[[0-9;]*m|[⧛⧚]")


class Expression(NamedTuple):
    """A factor of a formula: the name of a column, or Python."""

    text: str
    is_name: bool


class Term(NamedTuple):
    """A product of factors; without any it is the intercept."""

    name: str
    factors: tuple[Expression, ...]


class Parsed(NamedTuple):
    """What a formula says."""

    text: str
    response: Expression
    terms: tuple[Term, ...]
    has_intercept: bool
    # What is in `offset(...)`.
    offsets: tuple[Expression, ...]
    # Columns of the data that the two sides name.
    response_columns: tuple[str, ...]
    columns: tuple[str, ...]
    # What else is named: functions and numbers of the caller.
    context: dict[str, Any]


def formulaic(module: str = "") -> Any:
    """Return formulaic, or a module of it, loaded when it is first needed.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports
            return import_module(f"formulaic{'.' * bool(module)}{module}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "formulas are read by formulaic, which is not installed: "
            "pip install 'fastlogit[formula]'",
            name=error.name,
        ) from error


def parse(formula: object, columns: Sequence[str], context: Mapping[str, Any]) -> Parsed:
    """Read a formula for data of these columns.

    Parameters
    ----------
    formula : str
        ``response ~ terms``, as formulaic takes it; the left side may be a comparison, and
        ``offset(...)`` a term.
    columns : sequence of str
        Of the data.
    context : mapping
        Functions and numbers that the formula may name besides.

    Raises
    ------
    TypeError, ValueError
        If it is no formula with a response and terms, or names what is not there.
    """
    if not isinstance(formula, str):
        raise TypeError(
            f"formula must be text, as 'y ~ x1 + C(group)', got {type(formula).__name__}"
        )
    found = _read(_with_braces(formula), columns)
    left, right = _sides(found, formula)
    response = _expression_of(left[0].factors[0], formula)
    terms, offsets, has_intercept = [], [], False
    for term in right:
        factors = [_expression_of(factor, formula) for factor in _not_one(term, formula)]
        if not factors:
            has_intercept = True
        elif len(factors) == 1 and (inner := OFFSET.fullmatch(factors[0].text)):
            offsets.append(Expression(inner.group(1), inner.group(1) in columns))
        else:
            terms.append(Term(str(term), tuple(factors)))
    if not terms:
        raise ValueError(
            f"the formula {formula!r} has no term besides the intercept; the log-likelihood of the "
            "intercept alone is the null one of any fit"
        )
    known: dict[str, Any] = {}
    of_left = _names_of([response], columns, context, known)
    factors = [factor for term in terms for factor in term.factors]
    of_right = _names_of([*factors, *offsets], columns, context, known)
    return Parsed(
        formula, response, tuple(terms), has_intercept, tuple(offsets), of_left, of_right, known
    )


def columns_of(expression: Expression, parsed: Parsed) -> frozenset[str]:
    """Return the columns of the data that a factor of the right side names."""
    names = [expression.text] if expression.is_name else _names_in(expression.text)
    return frozenset(names).intersection(parsed.columns)


def _with_braces(formula: str) -> str:
    """Put a comparison at the left side into braces, which make it Python to formulaic."""
    left, tilde, right = formula.partition("~")
    try:
        is_comparison = isinstance(ast.parse(left.strip(), mode="eval").body, ast.Compare)
    except SyntaxError:
        return formula
    return f"{{{left.strip()}}} {tilde}{right}" if is_comparison else formula


def _read(formula: str, columns: Sequence[str]) -> Any:
    """Return formulaic's reading of a formula."""
    errors = formulaic("errors")
    others = {"__formulaic_variables_available__": list(columns)}
    try:
        return formulaic().Formula.from_spec(formula, context=others)
    except (errors.FormulaicError, SyntaxError, ValueError, TypeError, AttributeError) as error:
        said = " ".join(MARKS.sub("", str(error)).split())
        raise ValueError(f"the formula {formula!r} is not understood: {said}") from error


def _sides(found: Any, formula: str) -> tuple[list[Any], list[Any]]:
    """Return the terms of the two sides."""
    left = list(getattr(found, "lhs", None) or [])
    if not left:
        raise ValueError(
            f"the formula {formula!r} has no response: write it before a tilde, as 'y ~ x1 + x2'"
        )
    if len(left) > 1 or len(left[0].factors) != 1:
        raise ValueError(
            f"the formula {formula!r} has {len(left)} terms as its response "
            f"({', '.join(map(str, left))}); a model has one, as 'y' or 'y == 1'"
        )
    right = getattr(found, "rhs", None)
    if right is None or isinstance(right, tuple) or not hasattr(right, "required_variables"):
        raise ValueError(
            f"the formula {formula!r} has several parts at its right side; write one, without '|'"
        )
    return left, list(right)


def _not_one(term: Any, formula: str) -> list[Any]:
    """Return the factors of a term without the number 1."""
    factors = [factor for factor in term.factors if factor.expr != "1"]
    literal = [factor.expr for factor in factors if factor.eval_method.value == "literal"]
    if literal:
        raise ValueError(
            f"the formula {formula!r} has the number {literal[0]} in the term {term}: numbers "
            "other than 0 and 1 stand in I(...), as I(2 * x)"
        )
    return factors


def _expression_of(factor: Any, formula: str) -> Expression:
    if factor.eval_method.value == "literal":
        raise ValueError(f"the formula {formula!r} has the number {factor.expr} as its response")
    return Expression(factor.expr, factor.eval_method.value == "lookup")


def _names_of(
    expressions: Sequence[Expression], columns: Sequence[str], context: Mapping[str, Any],
    known: dict[str, Any],
) -> tuple[str, ...]:  # fmt: skip
    """Return the columns that expressions name. Sets: what else they name in `known`."""
    transforms = formulaic("transforms").TRANSFORMS
    own = set(columns)
    found: dict[str, None] = {}
    for expression in expressions:
        names = [expression.text] if expression.is_name else _names_in(expression.text)
        for name in names:
            if name in own:
                found[name] = None
            elif name in context and not (name in transforms and not expression.is_name):
                known[name] = _constant(name, context[name], columns)
            elif name not in transforms:
                raise _unknown(name, expression, columns)
    return tuple(found)


def _names_in(text: str) -> list[str]:
    """Return the names in Python that are not its own, those in backticks and Q("...") as well."""
    aliases: dict[str, str] = {}
    plain = formulaic("utils.code").sanitize_variable_names(text, {}, aliases)
    found: dict[str, None] = {}
    bound = set(dir(builtins))
    for node in ast.walk(ast.parse(plain, mode="eval")):
        if isinstance(node, ast.arg):  # of a lambda
            bound.add(node.arg)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                found[aliases.get(node.id, node.id)] = None
            else:
                bound.add(node.id)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Q":
            found |= {str(arg.value): None for arg in node.args if isinstance(arg, ast.Constant)}
    return sorted(found.keys() - bound)


def _constant(name: str, value: object, columns: Sequence[str]) -> object:
    """Return what the formula takes of its caller; columns of values belong in the data."""
    if np.ndim(value) > 0 and not callable(value):  # type: ignore[arg-type]  # of anything
        raise ValueError(
            f"the formula names {name!r}, which is no column of data but a variable with "
            f"{len(value)} values; make it a column, so that predictions have "  # type: ignore[arg-type]
            f"it too. {_listed(columns)}"
        )
    return value


def _unknown(name: str, expression: Expression, columns: Sequence[str]) -> ValueError:
    near = difflib.get_close_matches(name, list(columns), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    where = "" if expression.text == name else f" in {expression.text}"
    return ValueError(
        f"the formula names {name!r}{where}, which is no column of data, and nothing of the "
        f"context that it may use{hint or '.'} {_listed(columns)}"
    )


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - LISTED} more" if len(columns) > LISTED else ""
    return f"The columns are {', '.join(map(repr, columns[:LISTED]))}{more}"
