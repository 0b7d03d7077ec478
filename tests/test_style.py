"""Functions that can be seen at once: none of over 60 lines, no signature of over 10 arguments.

What users call is left aside: its arguments are theirs, and so is its order of steps. Read from the
source, so that it holds for compiled functions too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "fastlogit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES, MAX_ARGUMENTS = 60, 10

# file:function -> why it may be longer, or take more arguments. One that is not needed any more
# has to go.
EXCEPTIONS: dict[str, str] = {
    "kernels/small/binomial.py:_fit_small": "users' compiled code calls it; tuples cost 1.4 us",
    "kernels/small/binomial.py:take_rows": "what `_fit_small` takes, and what it shares with L1's",
    "kernels/small/l1.py:_fit_small_l1": "as `_fit_small`, it is users' own",
    "kernels/small/softmax.py:_fit_small_softmax": "as `_fit_small`, it is users' own",
    "dask/fitting.py:fit": "users call it, as fastlogit.dask.fit",
    "dask/estimator.py:LogisticRegression.fit": "users call it, as of fastlogit.dask",
    "dask/cross_validation.py:LogisticRegressionCV.fit": "users call it, as of fastlogit.dask",
    "dask/inference.py:infer": "users call it, as fastlogit.dask.infer",
    "formula/fits.py:logit": "users call it, as fastlogit.formula.logit",
    "sources/source.py:Source.__init__": "users call it, as ParquetSource, with all by name",
    "kernels/small/softmax_cg.py:_fit_small_softmax_cg": "what `_fit_small_softmax` takes",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Size(NamedTuple):
    """Lines without the docstring, and arguments without self."""

    lines: int
    arguments: int

    @property
    def is_too_large(self) -> bool:
        return self.lines > MAX_LINES or self.arguments > MAX_ARGUMENTS


def size_of(function: Function, is_method: bool) -> Size:
    """Measure a function from its `def` to its last line, what is inside included."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        text = function.body[0]
        lines -= (text.end_lineno or 0) - text.lineno + 1
    given = function.args
    count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    count += (given.vararg is not None) + (given.kwarg is not None)
    is_bound = is_method and not any(
        isinstance(each, ast.Name) and each.id == "staticmethod" for each in function.decorator_list
    )
    return Size(lines, count - is_bound)


def functions_of(
    tree: ast.AST, within: tuple[str, ...] = (), is_method: bool = False
) -> Iterator[tuple[tuple[str, ...], Function, bool]]:
    """Go over all functions: the names on the way, the function, whether a class holds it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield (*within, node.name), node, is_method
            yield from functions_of(node, (*within, node.name))
        elif isinstance(node, ast.ClassDef):
            yield from functions_of(node, (*within, node.name), is_method=True)
        else:
            yield from functions_of(node, within, is_method)


def public_names() -> dict[str, str]:
    """Return what the package hands out, and the module of each name, as its front says."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOME":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("fastlogit/__init__.py has no _HOME")


PUBLIC = public_names()


def is_public(path: str, names: tuple[str, ...], function: Function) -> bool:
    """Say whether users call it: a public function or method, or a command."""
    if path.startswith("cli/"):
        return any(ast.unparse(each) == "app.command()" for each in function.decorator_list)
    is_private = names[-1].startswith("_") and names[-1] != "__init__"
    module = path.removesuffix(".py").replace("/", ".")
    return len(names) <= 2 and PUBLIC.get(names[0]) == module and not is_private


def too_large() -> dict[str, Size]:
    """Return the functions that break a limit, by file and name."""
    found = {}
    for source in SOURCES:
        path = source.relative_to(PACKAGE).as_posix()
        for names, function, is_method in functions_of(ast.parse(source.read_text())):
            size = size_of(function, is_method)
            if size.is_too_large and not is_public(path, names, function):
                found[f"{path}:{'.'.join(names)}"] = size
    return found


def test_functions_can_be_seen_at_once() -> None:
    new = {name: size for name, size in too_large().items() if name not in EXCEPTIONS}
    assert not new, f"cut these, or give the reason in EXCEPTIONS: {new}"


def test_no_exception_is_kept_for_nothing() -> None:
    assert EXCEPTIONS.keys() - too_large().keys() == set()
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())


def only(text: str) -> tuple[Function, bool]:
    """Return the innermost function of a source, and whether a class holds it."""
    *_, (_, function, is_method) = functions_of(ast.parse(text))
    return function, is_method


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("def f(a, /, b, *c, d, **e):\n    return 1", Size(2, 5)),
        ('def f():\n    """Two\n    lines."""\n    return 1', Size(2, 0)),
        ("class A:\n    def f(self, a):\n        pass", Size(2, 1)),
        ("class A:\n    @classmethod\n    def f(cls, a):\n        pass", Size(2, 1)),
        ("class A:\n    @staticmethod\n    def f(a, b):\n        pass", Size(2, 2)),
        ("if True:\n    class A:\n        async def f(self):\n            pass", Size(2, 0)),
        ("class A:\n    def f(self):\n        def g(a):\n            pass", Size(2, 1)),
    ],
)
def test_lines_and_arguments_are_counted(text, size) -> None:
    assert size_of(*only(text)) == size


def test_both_limits_are_limits() -> None:
    assert not Size(MAX_LINES, MAX_ARGUMENTS).is_too_large
    assert Size(MAX_LINES + 1, 0).is_too_large
    assert Size(1, MAX_ARGUMENTS + 1).is_too_large


def test_what_users_call_is_left_aside() -> None:
    function, _ = only("def fit(): pass")
    assert is_public("fitting/fit.py", ("fit",), function)
    assert not is_public("fitting/path.py", ("fit",), function)
    assert not is_public("fitting/fit.py", ("fit", "inner", "deeper"), function)
    assert is_public("estimators/logistic.py", ("LogisticRegression", "__init__"), function)
    assert not is_public("estimators/logistic.py", ("LogisticRegression", "_fit"), function)
    assert not is_public("cli/commands.py", ("fit",), function)
    command, _ = only("@app.command()\ndef fit(): pass")
    assert is_public("cli/commands.py", ("fit",), command)
