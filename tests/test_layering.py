"""Who imports whom, read from the source (docs/design.md has the table and its reasons)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastlogit"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Room -> what it may import, of this package and of others; the standard library is free to all.
ROOMS: dict[str, set[str]] = {
    # For type checkers only; test_package.py shows that the import loads nothing.
    "__init__": {
        "batches", "displays", "elementwise", "errors", "estimator", "fitting", "functional",
        "leverage", "model_selection", "path", "prediction", "result", "warming",
    },
    "kernels": {"llvmlite", "numba", "numpy"},
    "reference": {"numpy"},
    "scalar": {"kernels"},
    "threads": {"numba"},
    "clock": {"numba"},
    "validation": {"inputs", "numpy"},
    "elementwise": {"inputs", "kernels", "numpy", "threads"},
    "design": {"clock", "kernels", "numpy", "threads"},
    "objective": {"design", "kernels", "numpy"},
    "multinomial": {"design", "kernels", "numpy", "objective"},
    "hessian": {"design", "kernels", "numpy", "threads"},
    "collinear": {"hessian", "numpy", "objective"},
    "softmax_certificate": {"certificate", "collinear", "numpy", "objective"},
    "preconditioner": {"design", "hessian", "kernels", "numpy", "objective", "threads"},
    "certificate": {"collinear", "hessian", "numpy", "objective"},
    "shared_certificate": {"certificate", "numpy", "objective"},
    "separation": {"clock", "numpy", "objective", "scipy"},
    "opening": {"design", "inputs", "threads", "validation"},
    "batches": {"design", "inputs", "numpy", "validation"},
    "online": {
        "design", "hessian", "inputs", "multinomial", "numpy", "objective", "opening",
        "validation",
    },
    "class_weights": {"inputs", "numpy", "sklearn", "validation"},
    "estimator_data": {"inputs", "numpy"},
    "leverage": {
        "class_weights", "design", "elementwise", "hessian", "inputs", "multinomial", "numpy",
        "objective", "opening", "result", "validation",
    },
    "prediction": {"elementwise", "kernels", "numpy", "opening", "validation"},
    "result": {"inputs", "numpy", "prediction"},
    "errors": {"result"},
    "solvers": {
        "certificate", "clock", "collinear", "design", "hessian", "kernels", "numpy",
        "objective", "preconditioner", "result", "separation", "shared_certificate",
        "softmax_certificate",
    },
    "functional": {"numpy", "objective", "opening", "validation"},
    "fitting": {
        "batches", "clock", "errors", "inputs", "multinomial", "numpy", "objective", "opening",
        "result", "sklearn", "solvers", "validation", "weightless",
    },
    "progress": {"clock", "result", "sklearn"},
    "estimator": {
        "batches", "class_weights", "design", "estimator_data", "fitting", "inputs", "numpy",
        "online", "prediction", "progress", "result", "sklearn", "threads", "validation",
    },
    "grid": {
        "clock", "fitting", "numpy", "objective", "result", "sklearn", "solvers", "validation",
    },
    "path": {"grid", "numpy", "result", "validation"},
    "folds": {"grid", "numpy", "weightless"},
    "weightless": {"numpy", "result"},
    "scoring": {"elementwise", "estimator", "grid", "numpy", "prediction", "sklearn"},
    "model_selection": {
        "clock", "estimator", "estimator_data", "fitting", "folds", "grid", "inputs", "numpy",
        "path", "progress", "result", "scoring", "sklearn", "threads", "validation",
    },
    "warming": {
        "batches", "clock", "design", "elementwise", "fitting", "functional", "kernels", "leverage",
        "numpy", "path", "prediction", "threads", "validation",
    },
    "inputs": {"numpy"},
}  # fmt: skip
OUTER = {"io", "model_file", "plots", "displays", "demo", "cli", "__main__"}
OPTIONAL = {"typer", "rich", "matplotlib", "pyarrow"}


def source_id(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path, nodes: Iterator[ast.AST]) -> set[str]:
    """Rooms and foreign packages that the import statements among `nodes` name."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ("fastlogit", *path.relative_to(PACKAGE).parts)[: -node.level or None]
            module = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            bare = module == "fastlogit"
            names = [f"{module}.{alias.name}" for alias in node.names] if bare else [module]
        else:
            continue
        found |= {name.removeprefix("fastlogit.").split(".")[0] for name in names}
    return found - sys.stdlib_module_names - {room_of(path)}


@pytest.mark.parametrize("path", SOURCES, ids=source_id)
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    room = room_of(path)
    if room in OUTER:
        assert imported(path, iter(tree.body)).isdisjoint(OPTIONAL - {"typer", "rich"})
    else:
        assert imported(path, ast.walk(tree)) <= ROOMS[room]
