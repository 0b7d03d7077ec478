"""No loop of `prange` stores into an array by a field's name: numba drops such stores unseen.

`findings/numba-prange-store-through-attribute.sh` shows what numba does. Read from the source, for
a store that is lost raises nothing.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastlogit"
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if "prange" in path.read_text("utf-8")]


def is_parallel(node: ast.AST) -> bool:
    """Whether it is a loop over `prange`."""
    return (
        isinstance(node, ast.For)
        and isinstance(node.iter, ast.Call)
        and "prange" in ast.unparse(node.iter.func)
    )


def stores(loop: ast.AST) -> Iterator[ast.Subscript]:
    """Go over the elements that a loop assigns to."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield node


def lost_stores(tree: ast.AST) -> Iterator[str]:
    """Go over the stores that numba would drop: by a field, or by a name it gets in the loop."""
    for loop in filter(is_parallel, ast.walk(tree)):
        fields = {
            target.id
            for node in ast.walk(loop)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for store in stores(loop):
            array = store.value
            while isinstance(array, ast.Subscript):
                array = array.value
            if isinstance(array, ast.Attribute) or (
                isinstance(array, ast.Name) and array.id in fields
            ):
                yield f"line {store.lineno}: {ast.unparse(store)}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_parallel_loop_stores_by_a_fields_name(path: Path) -> None:
    assert list(lost_stores(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("body", "n_lost"),
    [
        ("state.total[i] = 1", 1),
        ("state.total[i, 0] += 1", 1),
        ("state.total[i][0] = 1", 1),
        ("total = state.total\n        total[i] = 1", 1),
        ("state[0][i] = 1", 0),
        ("out[i] = state.total[i]", 0),
        ("put(state, i)", 0),
    ],
)
def test_such_a_store_would_be_found(body: str, n_lost: int) -> None:
    loop = "def f(state, out):\n    for i in {}(3):\n        " + body
    assert len(list(lost_stores(ast.parse(loop.format("prange"))))) == n_lost
    assert len(list(lost_stores(ast.parse(loop.format("numba.prange"))))) == n_lost
    assert list(lost_stores(ast.parse(loop.format("range")))) == []
