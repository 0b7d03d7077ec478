"""A net under the command line: files of any bytes end in an answer or in one line of words."""

import contextlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import strategies as st
from net import BUDGET_SECONDS, SEED, Budget, guard, mostly, say_how_many, throw_at
from typer.testing import CliRunner

from fastlogit.cli import commands

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

FILES = 900
NAMES = (
    "y",
    "x",
    "y",
    "größe",
    "a b",
    "",
    "x,1",
    '"q"',
    "1",
    "nan",
    "weights",
    "[bold]",
    "proba_0",
)
CELLS = (
    "0", "1", "1", "0", "2", "-1", "3.5", "1e5", "1e300", "1e400", "", "NA", "nan", "?", "inf",
    "a", "b", "0x10", "1_000", "1,5", "1.000,5", " 1 ", "'", '"', "\u00a01", "ä", "true",
    "2020-01-01", "9007199254740993", "99999999999999999999", "-", "\x00", "1 2",
)  # fmt: skip
WORDS = (
    (), (), ("--C", "1"), ("--l2-reg", "0.1"), ("--cv", "--folds", "2"),
    ("--multi-class", "multinomial"), ("--solver", "gradient_descent"), ("--coefficients",),
    ("--weights", "x"), ("--drop", "x"), ("--drop-missing",), ("--na", "?"), ("--sep", ";"),
    ("--sep", "tab"), ("--decimal", ","), ("--thousands", "."), ("--max-iter", "0"),
    ("--time-limit", "1"), ("--verbose",), ("--tol", "0"), ("--threads", "1"),
)  # fmt: skip
BAD_WORDS = (
    ("--C", "-1"), ("--C", "a"), ("--solver", "best"), ("--sep", "ab"), ("--sep", ""),
    ("--decimal", "x"), ("--folds", "1", "--cv"), ("--scoring", "best", "--cv"),
    ("--weights", "none"), ("--max-iter", "-1"), ("--threads", "0"), ("--momentum", "x"),
    ("--thousands", ","), ("--unknown",), ("--time-limit", "0"), ("--decimal", ""), ("--na", ""),
)  # fmt: skip


def tables() -> Any:
    """Draw a table: most have numbers and a target of few classes."""
    usual = st.sampled_from(("0", "1", "2", "3.5", "-1", "1e5"))
    cell = st.one_of(*[usual] * 9, st.sampled_from(CELLS))
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(
                ("csv",) * 5 + ("npz", "parquet", "feather", "svm", "bytes", "text", "gz", "model")
            ),
            "header": st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
            "cells": st.lists(st.lists(cell, min_size=1, max_size=4), max_size=20),
            "regular": st.sampled_from((True, True, True, True, False)),
            "separator": mostly((",", ",", ";", "\t"), ("|", " ", "§")),
            "end": st.sampled_from(("\n", "\n", "\r\n", "\r")),
            "quotes": st.sampled_from((False, False, True)),
            "encoding": mostly(("utf-8", "utf-8", "utf-8-sig"), ("latin-1", "utf-16")),
            "bytes": st.binary(max_size=80),
            "dtype": st.sampled_from(
                ("f8", "f8", "i8", "f4", "f2", "O", "U3", "?", "c16", "M8[s]")
            ),
            "arrays": st.sampled_from(("X y", "X y", "X", "y", "X y short", "X 1-D", "names")),
            "target": mostly(("y",), ("x", "none", "")),
            "words": st.lists(mostly(WORDS, BAD_WORDS, 12), max_size=3),
            "command": st.sampled_from(("fit", "fit", "fit", "predict", "evaluate")),
            "damage": mostly((None,), ("cut", "turn", "twice"), 6),
            "seed": st.integers(0, 10**6),
        }
    )  # fmt: skip


def _cells(recipe: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header, cells = recipe["header"], recipe["cells"]
    if recipe["regular"]:
        header = ["y", *(f"x{i}" if name == "y" else name for i, name in enumerate(header))]
        header = list(dict.fromkeys(header))
        width = len(header)
        cells = [(row * width)[:width] for row in cells]
        for i, row in enumerate(cells):
            if row[0] not in CELLS[10:]:
                row[0] = str(i % 2)
    return header, cells


def write(recipe: dict[str, Any], folder: Path) -> Path:
    """Write the file of a recipe."""
    kind, rng = recipe["kind"], np.random.default_rng(recipe["seed"])
    suffix = {"text": "csv", "gz": "csv.gz", "bytes": "csv", "model": "npz"}.get(kind, kind)
    if kind == "bytes":
        suffix = ("csv", "npz", "parquet", "feather", "svm", "csv.gz", "xyz")[recipe["seed"] % 7]
    path = folder / f"data.{suffix}"
    header, cells = _cells(recipe)
    n = len(cells)
    if kind in ("csv", "gz", "text"):
        between = recipe["separator"]
        mark = '"{}"' if recipe["quotes"] else "{}"
        rows = [header, *cells] if kind != "text" else cells
        text = recipe["end"].join(between.join(mark.format(c) for c in row) for row in rows)
        raw = text.encode(recipe["encoding"], errors="replace")
        if kind == "gz":
            import gzip

            raw = gzip.compress(raw, mtime=0)
        path.write_bytes(raw)
    elif kind == "svm":
        lines = (
            " ".join([row[0], *(f"{i + 1}:{value}" for i, value in enumerate(row[1:]))])
            for row in cells
        )
        path.write_text("\n".join(lines), encoding="utf-8")
    elif kind == "bytes":
        path.write_bytes(recipe["bytes"])
    else:
        with contextlib.suppress(ValueError, TypeError, OverflowError, pa.ArrowException):
            _write_binary(recipe, path, rng, n, header, cells)
        if not path.exists():
            path.write_bytes(recipe["bytes"])
    raw = path.read_bytes()
    if recipe["damage"] == "cut":
        path.write_bytes(raw[: recipe["seed"] % max(len(raw), 1)])
    elif recipe["damage"] == "turn" and raw:
        place = recipe["seed"] % len(raw)
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 255]) + raw[place + 1 :])
    elif recipe["damage"] == "twice":
        path.write_bytes(raw + raw)
    return path


def _write_binary(
    recipe: dict[str, Any], path: Path, rng: Any, n: int, header: list[str], cells: list[list[str]]
) -> None:
    dtype = recipe["dtype"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = np.round(3.0 * rng.standard_normal((n, len(header))))
        stored = X.astype("i8").astype(dtype) if dtype == "M8[s]" else X.astype(dtype)
    y = rng.integers(0, 2, n)
    if recipe["kind"] in ("npz", "model"):
        arrays: dict[str, Any] = {"X": stored, "y": y}
        if recipe["arrays"] == "X y short":
            arrays["y"] = y[1:]
        elif recipe["arrays"] == "X 1-D":
            arrays["X"] = stored.ravel()
        elif recipe["arrays"] == "names":
            arrays["feature_names"] = np.array(header)
        elif " " not in recipe["arrays"]:
            arrays = {recipe["arrays"]: arrays[recipe["arrays"]]}
        if recipe["kind"] == "model":
            arrays["meta"] = np.array(json.dumps({"format": "fastlogit model"}))
        np.savez(path, **arrays)
        return
    columns = {name: stored[:, i] for i, name in enumerate(header)} | {"y": y}
    if dtype == "U3":
        columns = {name: [row[i] for row in cells] for i, name in enumerate(header)} | {"y": y}
    frame = pd.DataFrame(columns)
    if recipe["kind"] == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_feather(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of the columns x0 and x1."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((30, 2)), columns=["x", "x1"])
    frame["y"] = rng.integers(0, 2, 30)
    frame.to_csv(folder / "train.csv", index=False)
    words = ["fit", folder / "train.csv", "--target", "y", "--C", "1", "--out", folder / "m.npz"]
    assert CliRunner().invoke(commands.app, [str(word) for word in words]).exit_code == 0
    return folder / "m.npz"


def check_file(recipe: dict[str, Any], folder: Path, model: Path) -> None:
    """Run one command on one file: it succeeds, or fails with one line and its exit code."""
    path = write(recipe, folder)
    command = recipe["command"]
    words: list[Any] = [command]
    if command == "fit":
        words += [path, "--out", folder / "out.npz"]
        if recipe["kind"] not in ("npz", "svm"):
            words += ["--target", recipe["target"]]
        words += [word for group in recipe["words"] for word in group]
    else:
        words += [path if recipe["kind"] == "model" else model, path]
        words += ["--proba"] * (command == "predict" and recipe["seed"] % 2)
        for group in recipe["words"]:
            if group and group[0] in ("--sep", "--decimal", "--thousands", "--na", "--threads"):
                words += group
    with guard(), warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(commands.app, [str(word) for word in words])
    told = result.stderr.splitlines()
    assert "Traceback" not in result.output, result.output
    assert "unexpected" not in result.stderr, result.stderr
    assert result.exit_code in (0, 1, 2), (result.exit_code, result.exception)
    errors = [line for line in told if line.startswith("error: ")]
    assert all(line.startswith(("error: ", "warning: ", "note: ", "[")) for line in told), told
    assert len(errors) == (result.exit_code != 0), (words, result.output)
    for line in errors:
        assert len(line.split()) >= 4, line
    if result.exit_code:
        return
    if command == "fit":
        assert "nan" not in result.stdout.replace("nan:", "").split("suboptimality")[-1]
        (folder / "out.npz").unlink()


def test_a_few_files(model, tmp_path) -> None:
    throw_at(lambda recipe: check_file(recipe, tmp_path, model), tables(), 40, None)


@pytest.mark.slow(seconds=40)
def test_many_files(model, tmp_path) -> None:
    count, budget = [0], Budget(BUDGET_SECONDS)

    def one(recipe: Any) -> None:
        if budget.left > 0.0:
            count[0] += 1
            with budget.spent():
                check_file(recipe, tmp_path, model)

    for part in range(0, FILES, 300):
        throw_at(one, tables(), 300, SEED + part)
    say_how_many(count[0], FILES, budget)
