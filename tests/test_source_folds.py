"""Cross-validation over a source: folds by a hash or by a column, as in memory with the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn
from sklearn.model_selection import GroupKFold, PredefinedSplit, cross_val_score

import fastlogit
from fastlogit import (
    ArrowSource,
    HashKFold,
    LogisticRegression,
    LogisticRegressionCV,
    ParquetSource,
)
from fastlogit.design.fold_weights import FoldWeights
from fastlogit.estimators import row_scores, scoring
from fastlogit.inputs.hashed_folds import folds_of_rows, folds_of_values
from fastlogit.sources.decoded import DecodedNumbers

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 900
RNG = np.random.default_rng(41)
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] + RNG.logistic(size=N) > 0.3).astype(int)
SHOPS = RNG.choice([f"shop {k}" for k in range(40)], N)
NUMBERS = RNG.integers(-3, 40, N)
TABLE = pa.table(
    {**dict(zip("abc", X.T, strict=True)), "y": Y, "w": RNG.uniform(0.5, 2.0, N)}
    | {"shop": pa.array(SHOPS).dictionary_encode(), "text": SHOPS, "number": NUMBERS}
    | {"fold": np.where(NUMBERS < 0, -1, 3 * (NUMBERS % 4))}
)
NAMES = ["a", "b", "c"]
CHOSEN: dict[str, Any] = {
    "Cs": [0.01, 0.1, 10.0],
    "l1_ratios": (0,),
    "scoring": "neg_log_loss",
    "tol": 1e-7,
    "use_legacy_attributes": False,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rows.parquet"
    pq.write_table(TABLE, file, row_group_size=250)
    return file


def same(found: LogisticRegressionCV, folds: Any, sample_weight: Any = None) -> bool:
    """Whether scores, choice and coefficients are those in memory with these folds."""
    asked = {**CHOSEN, "scoring": found.scoring, "l1_ratios": found.l1_ratios}
    expected = LogisticRegressionCV(**asked, cv=PredefinedSplit(folds)).fit(
        TABLE.select(NAMES), Y, sample_weight
    )
    assert found.scores_.shape == expected.scores_.shape
    return bool(
        np.allclose(found.scores_, expected.scores_, rtol=1e-7, atol=1e-8)
        and found.C_ == expected.C_
        and np.allclose(found.coef_, expected.coef_, rtol=0.0, atol=1e-6)
    )


@pytest.mark.parametrize("spool", ["auto", "disk", "never"])
def test_folds_by_the_hash_of_the_row_number(path: Path, spool: str) -> None:
    source = ParquetSource(path, target="y", features=NAMES, sample_weight="w", spool=spool)
    found = LogisticRegressionCV(**CHOSEN, cv=HashKFold(4, seed=5)).fit(source)
    assert same(found, folds_of_rows(0, N, 4, 5), TABLE["w"].to_numpy())


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc", None])
def test_all_scorers_have_the_scores_in_memory(path: Path, scoring: str | None) -> None:
    source = ParquetSource(path, target="y", features=NAMES, spool="disk")
    asked = {**CHOSEN, "scoring": scoring, "l1_ratios": (0, 1)}
    found = LogisticRegressionCV(**asked, cv=HashKFold(3)).fit(source)
    assert same(found, folds_of_rows(0, N, 3))


@pytest.mark.parametrize("column", ["shop", "text", "number"])
def test_rows_of_a_group_stay_together(path: Path, column: str) -> None:
    source = ParquetSource(path, target="y", features=NAMES, groups=column, spool="disk")
    found = LogisticRegressionCV(**CHOSEN, cv=4).fit(source)
    values = TABLE[column].to_pylist()
    distinct = sorted(set(values))
    fold = dict(zip(distinct, folds_of_values(distinct, 4), strict=True))
    assert same(found, [fold[value] for value in values])
    # In memory the splitter finds the same.
    in_memory = HashKFold(4).folds(N, values)
    assert in_memory.tolist() == [fold[value] for value in values]


def test_splitters_of_others_get_the_groups() -> None:
    source = ArrowSource(TABLE, target="y", features=NAMES, groups="number")
    found = LogisticRegressionCV(**CHOSEN, cv=GroupKFold(3)).fit(source)
    folds = np.empty(N, dtype=int)
    keys = NUMBERS.astype(np.int64).view(np.uint64)
    for fold, (_, test) in enumerate(GroupKFold(3).split(X, Y, keys)):
        folds[test] = fold
    assert same(found, folds)


def test_a_column_that_holds_the_folds(path: Path) -> None:
    source = ParquetSource(path, target="y", features=NAMES, folds="fold", spool="disk")
    assert same(LogisticRegressionCV(**CHOSEN).fit(source), TABLE["fold"].to_numpy())
    with pytest.raises(ValueError, match=r"cv=5 and the source's folds= are two ways"):
        LogisticRegressionCV(**CHOSEN, cv=5).fit(source)
    # No other function minds, and the column is no feature.
    assert fastlogit.fit(source).converged
    whole = ParquetSource(path, target="y", groups="shop", folds="fold", categorical=["text"])
    assert fastlogit.fit(whole).feature_names[:5] == [*NAMES, "w", "text[shop 1]"]


def test_the_splitter_is_one_of_scikit_learn() -> None:
    cv = HashKFold(3, seed=1)
    scores = cross_val_score(LogisticRegression(), X, Y, cv=cv)
    assert scores.shape == (3,)
    assert cv.get_n_splits() == 3
    tests = [test for _, test in cv.split(X, Y)]
    assert np.array_equal(np.sort(np.concatenate(tests)), np.arange(N))
    assert repr(cv) == "HashKFold(n_splits=3, seed=1)"
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegressionCV(**CHOSEN, cv=cv).fit(X, Y, groups=SHOPS)
    assert same(model, cv.folds(N, SHOPS))


def test_what_is_wrong_with_folds(path: Path) -> None:
    def fit(**options: Any) -> None:
        source = ParquetSource(path, target="y", features=NAMES, **options)
        LogisticRegressionCV(**CHOSEN).fit(source)

    with pytest.raises(TypeError, match=r"'text' \(folds\) must hold the fold .* has the type str"):
        fit(folds="text")
    with pytest.raises(ValueError, match=r"'number' \(folds\) must hold .*; found -[23]"):
        fit(folds="number")
    with pytest.raises(ValueError, match=r"no column 'shops' \(groups=\); did you mean 'shop'"):
        fit(groups="shops")
    with pytest.raises(ValueError, match=r"the column of folds holds \[0, 1\] alone|needs two"):
        LogisticRegressionCV(**CHOSEN).fit(
            ArrowSource(pa.table({"a": X[:, 0], "y": Y, "f": np.ones(N)}), target="y", folds="f")
        )
    nan = pa.table({"a": X[:, 0], "y": Y, "g": np.where(np.arange(N) == 7, np.nan, 1.5)})
    with pytest.raises(ValueError, match=r"column 'g' is NaN \(row 7\)"):
        LogisticRegressionCV(**CHOSEN).fit(ArrowSource(nan, target="y", groups="g"))
    source = ArrowSource(nan, target="y", groups="g", nulls="drop")
    with pytest.raises(ValueError, match=r"of 5 has no row: the groups are few"):
        LogisticRegressionCV(**CHOSEN).fit(source)
    with pytest.raises(ValueError, match="n_splits must be at least 2"):
        HashKFold(1)
    with pytest.raises(ValueError, match=r"groups has shape \(3,\), but there are 900 rows"):
        HashKFold(2).folds(N, [1, 2, 3])


@pytest.mark.parametrize("n_sets", [0, 2])
def test_weights_of_folds_are_those_of_the_array(n_sets: int) -> None:
    numbers = RNG.integers(0, 4, 50).astype(np.uint16)  # 3 is of no fold
    sets = RNG.uniform(size=(n_sets, 50))
    found = FoldWeights(numbers, 3).times(sets)
    kept = (numbers != np.arange(3)[:, None]).astype(float)
    expected = (kept[:, None] * sets).reshape(-1, 50) if n_sets else kept
    assert found.shape == expected.shape
    assert found.size == expected.size
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[np.array([2, 0])], expected[[2, 0]])
    np.testing.assert_array_equal(found[:, 10:20], expected[:, 10:20])
    np.testing.assert_array_equal(found[:, ::7], expected[:, ::7])
    np.testing.assert_allclose(found.sum(axis=1), expected.sum(axis=1), rtol=1e-15)
    np.testing.assert_array_equal(found.max(axis=0), expected.max(axis=0))
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), rtol=1e-14)
    together = expected.reshape(3, -1, 50).mean(axis=0)
    np.testing.assert_allclose(found.together(), together, rtol=1e-14)


def test_rows_on_disk_are_weighed_and_scored_block_by_block(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No weights of all rows and folds, and one pass for all scores."""

    def refuse(self: FoldWeights, *_: object) -> None:
        raise AssertionError("an array of all weights")

    monkeypatch.setattr(FoldWeights, "__array__", refuse)
    monkeypatch.setattr(row_scores, "GATHERED_BYTES", 8 * 3 * 100)
    source = ParquetSource(path, target="y", features=NAMES, folds="fold", spool="never")
    passes = []
    begin = DecodedNumbers._stop
    monkeypatch.setattr(DecodedNumbers, "_stop", lambda self: (passes.append(1), begin(self))[1])
    reading = row_scores.score_blocks
    before = []

    def score(*given: Any) -> Any:
        before.append(len(passes))
        found = reading(*given)
        before.append(len(passes))
        return found

    monkeypatch.setattr(scoring, "score_blocks", score)
    LogisticRegressionCV(**CHOSEN, refit=False).fit(source)
    assert before[1] - before[0] <= 2  # a pass begins, and ends
