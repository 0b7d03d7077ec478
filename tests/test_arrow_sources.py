"""Tables, readers, lazy frames, relations and Arrow files: the fit is the one in memory."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

import fastlogit
from fastlogit import ArrowSource
from fastlogit.design import mixed_streamed

polars = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 500
RNG = np.random.default_rng(15)
X = RNG.normal(size=(N, 2))
CODES = RNG.integers(0, 3, N)
LETTERS = np.array(list("vuw"))[CODES]
Y = (X[:, 0] + (CODES == 1) + RNG.logistic(size=N) > 0.5).astype(int)
NUMBERS = {"a": X[:, 0], "b": X[:, 1]}
TABLE = pa.table({**NUMBERS, "letter": pa.array(LETTERS).dictionary_encode(), "y": Y})
EXPECTED = fastlogit.fit(TABLE.drop_columns("y"), Y, C=1.0)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the few rows of these tests be several blocks."""
    monkeypatch.setattr(mixed_streamed, "LEAST_BYTES", 1)


class Stream:
    """Whatever has nothing but the Arrow C stream."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def batches() -> list[Any]:
    return TABLE.to_batches(max_chunksize=130)


def feather_file(folder: Path) -> Path:
    path = folder / "t.feather"
    feather.write_feather(TABLE, path, chunksize=130)
    return path


def ipc_file(folder: Path) -> Path:
    path = folder / "t.arrow"
    with ipc.new_file(path, TABLE.schema) as file:
        file.write_table(TABLE, max_chunksize=130)
    return path


def parquet_dataset(folder: Path) -> Any:
    ds.write_dataset(TABLE, folder / "d", format="parquet")
    return ds.dataset(folder / "d")


CARRIERS: dict[str, Callable[[Path], Any]] = {
    "Table": lambda _: TABLE,
    "RecordBatch": lambda _: TABLE.combine_chunks().to_batches()[0],
    "RecordBatchReader": lambda _: pa.RecordBatchReader.from_batches(TABLE.schema, batches()),
    "C stream": lambda _: Stream(TABLE),
    "Dataset": parquet_dataset,
    "Scanner": lambda folder: parquet_dataset(folder).scanner(batch_size=100),
    "Feather": feather_file,
    "IPC": ipc_file,
    "pandas": lambda _: TABLE.to_pandas(),
    "DuckDB": lambda _: duckdb.from_arrow(TABLE),
}


@pytest.mark.parametrize("name", CARRIERS)
def test_each_carrier_gives_the_fit_in_memory(name: str, tmp_path: Path) -> None:
    said = {"categorical": ["letter"]} if name == "DuckDB" else {}  # it makes text of them
    found = fastlogit.fit(CARRIERS[name](tmp_path), target="y", C=1.0, **said)
    if name in ("pandas", "DuckDB"):  # whose categories are sorted
        assert found.feature_names == ["a", "b", "letter[u]", "letter[v]", "letter[w]"]
        assert np.allclose(np.sort(found.coef), np.sort(EXPECTED.coef), rtol=0.0, atol=1e-12)
    else:
        assert found.categories == EXPECTED.categories
        assert np.array_equal(found.coef, EXPECTED.coef)


@pytest.mark.parametrize("kind", [polars.Categorical, polars.Enum(list("wzvu")), polars.String])
def test_frames_of_polars_keep_the_order_of_their_levels(kind: Any) -> None:
    polars.Series(["zz", "w"], dtype=polars.Categorical)  # codes belong to the process
    frame = polars.DataFrame({**NUMBERS, "letter": polars.Series(LETTERS, dtype=kind), "y": Y})
    is_text = kind == polars.String
    expected = None if is_text else fastlogit.fit(frame.drop("y"), Y, C=1.0)
    for given in (frame, frame.lazy()):
        for spool in ("auto", "never"):
            options: dict[str, Any] = {"categorical": ["letter"]} if is_text else {}
            found = fastlogit.fit(given, target="y", C=1.0, spool=spool, **options)
            if expected is None:
                levels = ["letter[u]", "letter[v]", "letter[w]"]
                assert (found.feature_names or [])[2:] == levels
            else:
                assert found.categories == expected.categories
                assert np.allclose(found.coef, expected.coef, rtol=0.0, atol=1e-10)


def test_queries_are_filtered_where_they_are_made(tmp_path: Path) -> None:
    kept = X[:, 1] > 0.2
    expected = fastlogit.fit(X[kept, :1], Y[kept], C=1.0)
    plain = {**NUMBERS, "y": Y}
    relation = duckdb.from_arrow(pa.table(plain))
    frame = polars.LazyFrame(plain)
    path = tmp_path / "t.parquet"
    frame.sink_parquet(path)
    for given, chosen in (
        (relation, "b > 0.2"),
        (relation.filter("b > 0.2"), None),
        (frame, polars.col("b") > 0.2),
        (polars.scan_parquet(path).filter(polars.col("b") > 0.2), None),
        (frame, ds.field("b") > 0.2),
        (relation, [("b", ">", 0.2)]),
        (pa.table(plain), ds.field("b") > 0.2),
        (ds.dataset(pa.table(plain)), ds.field("b") > 0.2),
        (pa.table(plain).to_reader(max_chunksize=7), ds.field("b") > 0.2),
    ):
        found = fastlogit.fit(given, target="y", features=["a"], filter=chosen, C=1.0)
        assert np.array_equal(found.coef, expected.coef)


def test_numbers_of_duckdb(tmp_path: Path) -> None:
    query = duckdb.sql(
        "select (range % 7 + 0.5)::DECIMAL(4, 1) as d, (range % 3)::HUGEINT::DOUBLE as h, "
        "range % 5 = 0 as f, (case when range % 2 = 0 then 'x' else 'z' end)::ENUM('z', 'x', 'q') "
        "as e, range * 37 % 11 < 5 as y from range(300)"
    )
    frame = query.df()
    found = fastlogit.fit(query, target="y", C=1.0)
    values = np.column_stack([frame[name].astype(float) for name in "dhf"])
    indicators = np.column_stack([frame["e"] == "z", frame["e"] == "x"])
    expected = fastlogit.fit(np.hstack([values, indicators]), frame["y"], C=1.0)
    assert found.feature_names == ["d", "h", "f", "e[z]", "e[x]"]
    assert np.allclose(found.coef, expected.coef, rtol=0.0, atol=1e-9)
    with pytest.raises(ValueError, match=r"column 'd' is null \(row 1\)"):
        fastlogit.fit(duckdb.sql("select * from (values (1.5, 0), (null, 1)) t(d, y)"), target="y")


def test_the_connection_of_a_relation_is_free_after_the_first_pass() -> None:
    connection = duckdb.connect()
    connection.execute("create table t as select range::DOUBLE as a, range % 3 = 0 as y "
                       "from range(300)")  # fmt: skip
    source = ArrowSource(connection.table("t"), target="y")
    found = fastlogit.fit(source, C=1.0)
    connection.execute("drop table t")
    assert np.array_equal(fastlogit.fit(source, C=1.0).coef, found.coef)


def test_a_reader_is_read_once() -> None:
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(ValueError, match="spool='never' reads in each pass, but the RecordBatchRe"):
        fastlogit.fit(reader, target="y", spool="never")
    source = ArrowSource(reader, target="y")
    first = fastlogit.fit(source, C=1.0)
    assert np.array_equal(fastlogit.fit(source, C=1.0).coef, first.coef)
    assert source.n_rows == N
    source.close()
    with pytest.raises(ValueError, match="can be read only once, and has been"):
        fastlogit.fit(source, C=1.0)


def test_rows_whose_number_nobody_knows_move_to_disk() -> None:
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    source = ArrowSource(reader, target="y", memory_limit=10_000)
    found = fastlogit.fit(source, C=1.0)
    assert source._kept is not None
    assert source._kept.spooled.on_disk
    assert np.allclose(found.coef, EXPECTED.coef, rtol=0.0, atol=1e-10)
    assert found.categories == EXPECTED.categories


class Changing:
    """A lazy frame whose rows are others each time."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self.change, self.n_asked = change, 0
        self.__class__.__name__ = "LazyFrame"

    def select(self, columns: list[str]) -> "Changing":
        return self

    def head(self, n: int) -> Any:
        return polars.DataFrame(TABLE).lazy().head(n)

    def collect_batches(self, **_: object) -> list[Any]:
        self.n_asked += 1
        return [polars.DataFrame(TABLE if self.n_asked == 1 else self.change(TABLE))]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.slice(1), "it has 499 rows now|rows 0 to 498 have another target"),
        (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "it has more rows now"),
        (lambda t: t.set_column(3, "y", pa.array(1 - Y)), "rows 0 to 499 have another target"),
    ],
)
def test_a_query_that_gives_other_rows_is_found_out(change: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"the LazyFrame changed between two passes: .*({text})"):
        fastlogit.fit(Changing(change), target="y", C=1.0, spool="never")


def test_no_thread_is_left(tmp_path: Path) -> None:
    path = ipc_file(tmp_path)
    before = threading.active_count()
    fastlogit.fit(path, target="y", C=1.0, spool="never")
    with pytest.raises(ValueError, match="one class only"):
        fastlogit.fit(
            TABLE.append_column("one", pa.array(np.ones(N))), target="one", features=["a"]
        )
    assert threading.active_count() == before


def test_files_of_arrow_that_are_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, TABLE.schema) as writer:
        writer.write_table(TABLE)
    with pytest.raises(ValueError, match=r"it is a stream of Arrow: give ArrowSource\(pyarrow"):
        fastlogit.fit(path, target="y")
    options: dict[str, Any] = {"target": "y", "C": 1.0}
    found = fastlogit.fit(pa.ipc.open_stream(str(path)), **options)
    assert np.array_equal(found.coef, fastlogit.fit(TABLE, **options).coef)
    pq.write_table(TABLE, path)
    with pytest.raises(ValueError, match=r"cannot be read as Arrow IPC.*begins as Parquet does"):
        fastlogit.fit(path, target="y")
    moved = ipc_file(tmp_path).rename(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"cannot be read as Parquet.*give ArrowSource\(path\)"):
        fastlogit.fit(moved, target="y")


def test_what_is_no_table() -> None:
    with pytest.raises(TypeError, match=r"ArrowSource got builtins\.int; it takes paths"):
        ArrowSource(3)
    with pytest.raises(TypeError, match=r"polars and DuckDB go with their own frames"):
        ArrowSource(TABLE, filter="a > 1")
    with pytest.raises(ValueError, match=r"the table has no rows"):
        fastlogit.fit(TABLE.slice(0, 0), target="y")
    twice = pa.table([X[:, 0], X[:, 1], Y], names=["a", "a", "y"])
    with pytest.raises(ValueError, match=r"the table has 2 columns called 'a'"):
        fastlogit.fit(twice, target="y")


def test_functions_that_take_no_codes_say_so() -> None:
    source = ArrowSource(TABLE, target="y")
    with pytest.raises(TypeError, match=r"column 'letter' .* is categorical, which this function"):
        fastlogit.gradient_descent(source, None)
    numbers = ArrowSource(TABLE, target="y", features=["a", "b"])
    found = fastlogit.gradient_descent(numbers, None, tol=1e-10)
    assert np.allclose(found.coef, fastlogit.fit(X, Y).coef, rtol=0.0, atol=1e-6)
    fitted = fastlogit.fit(X, Y)
    assert np.array_equal(fastlogit.predict_proba(numbers, fitted.coef, fitted.intercept),
                          fitted.predict_proba(X))  # fmt: skip


def test_categories_of_whole_numbers_by_file_format(tmp_path: Path) -> None:
    """Parquet gives them back as plain columns, Feather as categories."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "k": pd.Categorical(CODES), "y": Y})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_feather(tmp_path / "t.feather")
    found = fastlogit.fit(tmp_path / "t.parquet", target="y", C=1.0)
    assert found.feature_names == ["a", "k"]
    found = fastlogit.fit(tmp_path / "t.feather", target="y", C=1.0)
    assert found.feature_names == ["a", "k[0]", "k[1]", "k[2]"]
    asked = fastlogit.fit(tmp_path / "t.parquet", target="y", categorical=["k"], C=1.0)
    assert asked.categories == found.categories
    assert np.array_equal(asked.coef, found.coef)


def test_a_null_inside_a_dictionary_is_one() -> None:
    holes = pa.DictionaryArray.from_arrays([0, 1, 0, 2] * 10, ["u", None, "w"])
    table = pa.table({"letter": holes, "y": [0, 1, 1, 0] * 10})
    with pytest.raises(ValueError, match=r"column 'letter' is null \(row 1\)"):
        fastlogit.fit(table, target="y")
    source = ArrowSource(table, target="y", nulls="drop")
    found = fastlogit.fit(source, C=1.0)
    assert source.n_dropped == 10
    assert found.feature_names == ["letter[u]", "letter[w]"]


def test_arrays_of_polars_are_a_block_of_columns() -> None:
    column = polars.Series(X.tolist(), dtype=polars.Array(polars.Float64, 2))
    frame = polars.DataFrame({"emb": column, "y": Y})
    for given in (frame, frame.lazy()):
        found = fastlogit.fit(given, target="y", C=1.0)
        assert found.feature_names == ["emb[0]", "emb[1]"]
        assert np.array_equal(found.coef, fastlogit.fit(X, Y, C=1.0).coef)
    dates = frame.with_columns(day=polars.date(2024, 1, 1))
    with pytest.raises(TypeError, match="column 'day' has the type date32"):
        fastlogit.fit(dates, target="y")


def test_an_interrupt_in_the_first_pass_has_no_result() -> None:
    def interrupted() -> Any:
        yield from batches()[:2]
        raise KeyboardInterrupt

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, interrupted())
    with pytest.raises(KeyboardInterrupt, match=r"260 rows were read, and there is no result"):
        fastlogit.fit(reader, target="y", C=1.0)
