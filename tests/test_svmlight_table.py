"""The command line on svmlight files that are too large for memory: the same, block by block."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file
from test_cli import fail, run, succeed

from fastlogit import io
from fastlogit.io import svmlight, svmlight_table
from fastlogit.io.svmlight_table import RowsOfFile, SvmlightTable
from fastlogit.model_file import load_model

pytestmark = pytest.mark.jit


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Write a file of some blocks, which is read at once; its rows and labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(svmlight, "BLOCK_BYTES", 4_000)
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((700, 60), density=0.1, rng=rng, format="csr")
    y = (X @ rng.standard_normal(60) + 0.3 * rng.logistic(size=700) > 0).astype(int)
    dump_svmlight_file(X, y, "words.svm", zero_based=False)
    return X, y


@pytest.fixture
def small_memory(monkeypatch):
    """Return what makes every file too large from then on."""
    return lambda: monkeypatch.setattr(svmlight_table, "SHARE", 0.0)


def test_a_table_in_blocks_is_the_table_at_once(words, small_memory):
    at_once = io.read_table(Path("words.svm"))
    small_memory()
    table = io.read_table(Path("words.svm"))
    assert isinstance(table, SvmlightTable)
    assert len(table.file._spool.places) > 5
    assert (table.names, table.n_rows) == (at_once.names, at_once.n_rows)
    np.testing.assert_array_equal(table.y, at_once.y)
    np.testing.assert_array_equal(table.column("f7"), at_once.column("f7"))
    for names in (table.names, ("f9", "f2", "f70"), ("f3", "f4")):
        rows, expected = table.matrix(names), at_once.matrix(names).toarray()
        assert rows.shape == expected.shape
        for part in (slice(None), slice(0, 1), slice(111, 409), slice(699, 700), slice(5, 5)):
            np.testing.assert_array_equal(rows[part].toarray(), expected[part])
    few = np.array([3, 600, 7])
    np.testing.assert_array_equal(
        table.rows(few).matrix(table.names).toarray(), at_once.matrix(table.names)[few].toarray()
    )
    assert io.complete_rows(table, table.names) is table


def test_fit_predict_and_evaluate_say_the_same(words, small_memory):
    asked = ("--C", "2", "--drop", "f5")
    said = succeed("fit", "words.svm", *asked)
    predicted = succeed("predict", "words.model.npz", "words.svm", "--proba")
    scores = succeed("evaluate", "words.model.npz", "words.svm", "--drop-missing")
    expected = load_model("words.model.npz")
    small_memory()
    assert succeed("fit", "words.svm", *asked).splitlines()[0] == said.splitlines()[0]
    model = load_model("words.model.npz")
    assert (model.feature_names, model.target) == (expected.feature_names, expected.target)
    assert model.settings == expected.settings
    assert model.result.converged
    np.testing.assert_allclose(model.result.coef, expected.result.coef, rtol=1e-3, atol=1e-4)
    assert model.result.history[-1] == pytest.approx(expected.result.history[-1], rel=1e-7)
    lines = succeed("predict", "words.model.npz", "words.svm", "--proba").splitlines()
    found, wanted = (
        np.array([line.split(",") for line in text[1:]], float)
        for text in (lines, predicted.splitlines())
    )
    assert lines[0] == predicted.splitlines()[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert succeed("evaluate", "words.model.npz", "words.svm", "--drop-missing") == scores


def test_files_of_other_columns_than_the_model(words, small_memory):
    succeed("fit", "words.svm")
    Path("new.svm").write_text("1 2:1 3:4\n0 1:1 99:3\n")
    at_once = run("predict", "words.model.npz", "new.svm")
    small_memory()
    in_blocks = run("predict", "words.model.npz", "new.svm")
    assert (in_blocks.stdout, in_blocks.stderr) == (at_once.stdout, at_once.stderr)
    assert "f99" in in_blocks.stderr


def test_a_wrong_line_and_too_many_columns_are_one_error(words, small_memory):
    small_memory()
    Path("wrong.svm").write_text("1 2:1\n0 1:1 x\n")
    assert "wrong.svm, line 2: '0 1:1 x' is no row of svmlight" in fail(2, "fit", "wrong.svm")
    Path("wide.svm").write_text("1 2:1\n0 1000001:1\n")
    assert "wide.svm: 1,000,001 columns" in fail(2, "fit", "wide.svm")
    assert "target column 'z' is not in words.svm" in fail(2, "fit", "words.svm", "--target", "z")


def test_cross_validation_chooses_the_same(words, small_memory):
    asked = ("--cv", "--folds", "2")
    said = succeed("fit", "words.svm", *asked)
    small_memory()
    assert succeed("fit", "words.svm", *asked).splitlines()[:2] == said.splitlines()[:2]


def test_small_files_are_read_at_once(words):
    assert not isinstance(io.read_table(Path("words.svm")), SvmlightTable)
    assert RowsOfFile.format == "csr"
