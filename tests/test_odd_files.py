"""Files as they lie about: odd names of folders, damaged pages, filters that fit no column."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fastlogit
from fastlogit import ArrowSource, ParquetSource

# Rooms above the kernels.
pytestmark = pytest.mark.jit

N = 60
RNG = np.random.default_rng(32)
X = RNG.normal(size=N)
TABLE = pa.table({
    "x": X,
    "k": RNG.normal(size=N),
    "g": RNG.choice(["u", "v"], N).tolist(),
    "y": (X + RNG.logistic(size=N) > 0.0).astype(int),
})  # fmt: skip
OPTIONS: dict[str, Any] = {"target": "y", "features": ["x"], "C": 1.0}


def written(path: Path, table: pa.Table = TABLE, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def coef(given: Any, **options: Any) -> list[float]:
    found: list[float] = fastlogit.fit(given, **OPTIONS | options).coef.tolist()
    return found


ALL = fastlogit.fit(X[:, None], TABLE["y"].to_numpy(), C=1.0).coef.tolist()


def of_positive_k() -> list[float]:
    rows = TABLE.filter(ds.field("k") > 0.0)
    return fastlogit.fit(rows.select(["x"]), rows["y"].to_numpy(), C=1.0).coef.tolist()


# ---- which files


@pytest.mark.parametrize("name", ["of[1]", "a*b", "what?", "two words", "é"])
def test_a_folder_is_called_as_it_is_called(name: str, tmp_path: Path) -> None:
    file = written(tmp_path / name / "part.parquet")
    for given in (file.parent, file, f"{file.parent}/*.parquet", [f"{file.parent}/p*.parquet"]):
        assert coef(given) == ALL


def test_a_pattern_passes_by_what_writers_put_beside_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert coef(f"{tmp_path}/*") == ALL
    written(tmp_path / "_own.parquet")
    assert coef(f"{tmp_path}/_own.*") == ALL
    monkeypatch.setenv("HOME", str(tmp_path))
    assert coef("~/part.parquet") == ALL
    monkeypatch.chdir(tmp_path)
    assert coef("*.parquet") == coef(file) == ALL


def test_what_is_no_file_of_one_kind_is_said(tmp_path: Path) -> None:
    written(tmp_path / "b.parquet")
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE)
    with pytest.raises(ValueError, match=r"a\.arrow and .*b\.parquet are files of two kinds"):
        coef(tmp_path)
    assert coef(ParquetSource(tmp_path, target="y", features=["x"]), target=None, features=None)
    for given, said in ((None, "NoneType"), ([], "an empty list"), (TABLE, "Table")):
        with pytest.raises(TypeError, match=f"ParquetSource takes a path.*got {said}"):
            ParquetSource(given)
    with pytest.raises(TypeError, match=r"ArrowSource got builtins\.list"):
        ArrowSource([])
    with pytest.raises(FileNotFoundError, match=r"of addresses give pyarrow's data set"):
        coef("s3://bucket/data/*.parquet")
    with pytest.raises(ValueError, match=r"has no column 'y' \(target=\); it has no columns$"):
        coef(written(tmp_path / "none" / "a.parquet", pa.table({})))


# ---- partitions


def test_keys_of_folders_are_texts_unless_all_are_whole_numbers(tmp_path: Path) -> None:
    def named(*folders: str, features: Any = None) -> list[str]:
        base = tmp_path / "_".join(folders).replace("/", "")
        for folder in folders:
            written(base / folder / "part.parquet", TABLE.select(["x", "y"]))
        names = fastlogit.fit(base, target="y", C=1.0).feature_names
        assert names is not None
        return names[1:]

    assert named("m=01", "m=-2") == ["m"]
    assert named("m=+1", "m=2") == ["m[+1]", "m[2]"]
    assert named("m=x%20y", "m=a=b") == ["m[a=b]", "m[x y]"]
    # As pyarrow and Spark write a key.
    assert named("a%20b=1", "a%20b=2") == ["a b"]


def test_keys_that_fit_no_file_are_named(tmp_path: Path) -> None:
    written(tmp_path / "one" / "x=q" / "part.parquet")
    with pytest.raises(ValueError, match=r"the folder says x=q, and the column 'x'.*type double"):
        coef(tmp_path / "one")
    a = written(tmp_path / "two" / "a=1" / "part.parquet")
    b = written(tmp_path / "two" / "b=2" / "part.parquet")
    with pytest.raises(ValueError, match=f"{a} has no column 'b', which {b} has"):
        coef(tmp_path / "two", features=["x", "b"])
    with pytest.raises(ValueError, match=f"the filter does not fit the columns of {b}"):
        coef(tmp_path / "two", filter=[("a", "==", 1)])


# ---- filters


def test_views_of_texts_are_filtered_and_dropped(tmp_path: Path) -> None:
    """Pyarrow filters no views, and polars hands out nothing else."""
    views = TABLE.cast(TABLE.schema.set(2, pa.field("g", pa.string_view())))
    file = written(tmp_path / "part.parquet", views)
    frame = polars.from_arrow(TABLE)
    assert isinstance(frame, polars.DataFrame)
    expected = of_positive_k()
    for rows in (views, file, ds.dataset(file), frame.lazy(), ds.dataset(views)):
        assert coef(rows, filter=[("k", ">", 0.0)]) == expected
        letters = coef(rows, filter=[("g", "in", ["v"])], features=["x", "g"], categorical=["g"])
        assert len(letters) == 2
    # Beside a file of plain texts.
    written(tmp_path / "part-2.parquet")
    assert len(coef(tmp_path, features=["g"], categorical=["g"])) == 2


@pytest.mark.parametrize(
    ("filtered", "kind", "text"),
    [
        ([("nope", ">", 0)], ValueError, "does not fit the columns of"),
        ([("x", ">", "a")], ValueError, "does not fit the columns of"),
        (ds.field("x"), ValueError, "does not fit the columns of"),
        (("x", ">", 0), ValueError, "or a list of tuples"),
        ([("x", "=>", 0)], ValueError, "or a list of tuples"),
        ([], ValueError, "or a list of tuples"),
        ("x > 0", TypeError, "or a list of tuples"),
    ],
)
def test_a_filter_that_is_wrong_is_not_taken_for_a_broken_file(
    filtered: Any, kind: type[Exception], text: str, tmp_path: Path
) -> None:
    for given in (written(tmp_path / "part.parquet"), TABLE):
        with pytest.raises(kind, match=f"filter.*{text}"):
            coef(given, filter=filtered)


# ---- damage


def test_pages_whose_checksum_is_wrong_are_found_out(tmp_path: Path) -> None:
    file = written(
        tmp_path / "part.parquet", TABLE, write_page_checksum=True, compression="none",
        use_dictionary=False,
    )  # fmt: skip
    assert coef(file) == ALL
    data = bytearray(file.read_bytes())
    place = data.index(X[1].tobytes())
    data[place] ^= 1
    file.write_bytes(data)
    for filtered in (None, [("x", "<", 9.0)]):
        with pytest.raises(ValueError, match=r"part\.parquet cannot be read as Parquet.*CRC"):
            coef(file, filter=filtered)


def test_a_folder_that_is_no_folder_any_more(tmp_path: Path) -> None:
    source = ParquetSource(written(tmp_path / "part.parquet"), target="y", features=["x"])
    os.unlink(tmp_path / "part.parquet")
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        fastlogit.fit(source)
