"""Who imports whom, read from the source; what is allowed stands in the table of docs/design.md."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastlogit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# As the table calls other libraries.
LIBRARIES = {"NumPy": "numpy", "SciPy": "scipy", "scikit-learn": "sklearn"}
FOREIGN = {"numba", "llvmlite", *LIBRARIES.values()}
OPTIONAL = {"distributed", "matplotlib", "onnx", "pyarrow"}
# The names that the package hands out: for type checkers only (test_package.py shows that
# importing it loads nothing).
FRONT = "__init__"
# Names of types, which any room may import without a word in the table.
TYPES = "arrays"


def rows_of_table(text: str) -> list[tuple[list[str], set[str] | None]]:
    """Return the rooms of each row, in order, and what they may import: None for anything."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("| room "):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rooms, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        names = [re.sub(r"(/|\.py)$", "", name) for name in re.findall(r"`([^`]+)`", rooms)]
        words = {word.strip() for word in allowed.split(",")} - {""}
        may = None if words == {"anything"} else {LIBRARIES.get(word, word) for word in words}
        rows.append((names, may))
    return rows


TABLE = rows_of_table((ROOT / "docs/design.md").read_text("utf-8"))
ROOMS = {room: may for rooms, may in TABLE for room in rooms}
ORDER = [room for rooms, _ in TABLE for room in rooms]


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
    return found - sys.stdlib_module_names - {room_of(path), TYPES}


@pytest.mark.parametrize("path", SOURCES, ids=source_id)
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    tree, room = ast.parse(path.read_text("utf-8")), room_of(path)
    if room == FRONT:
        assert imported(path, ast.walk(tree)) <= {*ROOMS}
        return
    assert room in ROOMS, f"{source_id(path)} stands in no row of the table in docs/design.md"
    may = ROOMS[room]
    if may is None:
        assert imported(path, iter(tree.body)).isdisjoint(OPTIONAL)
    else:
        assert imported(path, ast.walk(tree)) <= may


def test_no_room_may_import_what_stands_below_it() -> None:
    assert len(ORDER) == len(set(ORDER))
    for place, room in enumerate(ORDER):
        may = ROOMS[room]
        if may is not None:
            assert may - FOREIGN <= {*ORDER[:place]}, room


def test_every_room_is_there_and_uses_what_it_may_import() -> None:
    there = {room_of(path) for path in SOURCES}
    assert there - {FRONT} == set(ORDER)
    for room, may in ROOMS.items():
        paths = [path for path in SOURCES if room_of(path) == room]
        used = [imported(path, ast.walk(ast.parse(path.read_text("utf-8")))) for path in paths]
        assert may is None or set().union(*used) == may, room


def test_a_table_that_is_wrong_is_seen() -> None:
    text = "| room | what | may import |\n| --- | --- | --- |\n| `a/` | x | NumPy |\n"
    text += "| `b.py`, `c/` | y | a, SciPy |\n| `d.py` | z | anything |\n\n| `e/` | | a |\n"
    assert rows_of_table(text) == [
        (["a"], {"numpy"}), (["b", "c"], {"a", "scipy"}), (["d"], None),
    ]  # fmt: skip
