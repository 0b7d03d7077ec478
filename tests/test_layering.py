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
        "leverage", "model_selection", "path", "prediction", "result",
    },
    "kernels": {"numba", "llvmlite", "numpy"},
    "reference": {"numpy"},
    "scalar": {"kernels"},
    "threads": {"numba"},
    "inputs": {"numpy"},
    "validation": {"inputs", "numpy"},
    "elementwise": {"inputs", "kernels", "threads", "numpy"},
    "design": {"kernels", "threads", "numpy"},
    "objective": {"design", "kernels", "numpy"},
    "multinomial": {"objective", "design", "kernels", "numpy"},
    "hessian": {"design", "kernels", "threads", "numpy"},
    "softmax_certificate": {"certificate", "objective", "hessian", "numpy"},
    "preconditioner": {"objective", "hessian", "design", "kernels", "threads", "numpy"},
    "certificate": {"objective", "hessian", "numpy"},
    "shared_certificate": {"certificate", "objective", "numpy"},
    "separation": {"objective", "numpy", "scipy"},
    "opening": {"inputs", "validation", "threads", "design"},
    "batches": {"inputs", "validation", "design", "numpy"},
    "online": {
        "inputs", "validation", "opening", "design", "objective", "multinomial", "hessian",
        "numpy",
    },
    "class_weights": {"inputs", "validation", "numpy", "sklearn"},
    "estimator_data": {"inputs", "numpy"},
    "leverage": {
        "validation", "class_weights", "opening", "design", "objective", "multinomial", "hessian",
        "elementwise", "result", "inputs", "numpy",
    },
    "prediction": {"validation", "opening", "elementwise", "kernels", "numpy"},
    "result": {"inputs", "prediction", "numpy"},
    "errors": {"result"},
    "solvers": {
        "objective", "certificate", "shared_certificate", "softmax_certificate", "hessian",
        "preconditioner",
        "separation", "result", "kernels", "numpy",
    },
    "functional": {"validation", "opening", "objective", "numpy"},
    "fitting": {
        "validation", "opening", "batches", "objective", "multinomial", "solvers", "result",
        "errors", "inputs", "numpy", "sklearn",
    },
    "progress": {"result", "sklearn"},
    "estimator": {
        "batches", "class_weights", "design", "estimator_data", "fitting", "online", "prediction",
        "inputs", "progress", "result", "threads", "validation", "numpy", "sklearn",
    },
    "grid": {"validation", "fitting", "objective", "solvers", "result", "numpy", "sklearn"},
    "path": {"validation", "grid", "result", "numpy"},
    "folds": {"grid", "numpy"},
    "scoring": {"elementwise", "estimator", "grid", "prediction", "numpy", "sklearn"},
    "model_selection": {
        "validation", "estimator", "estimator_data", "fitting", "folds", "grid", "path", "scoring",
        "inputs", "threads", "numpy", "sklearn",
    },
}  # fmt: skip
OUTER = {"io", "model_file", "plots", "displays", "demo", "cli"}
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
