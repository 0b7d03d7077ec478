"""Files of svmlight as batches: the fits of memory, and one clear error for wrong files."""

import gc
import gzip
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import bits
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

import fastlogit
from fastlogit import BatchSource, LogisticRegression
from fastlogit.io import svmlight, svmlight_source

N_SAMPLES, N_FEATURES = 300, 12


def rows() -> tuple[Any, Any]:
    """Few values a row; an empty row, and columns that no row has: one inside, the last."""
    rng = np.random.default_rng(3)
    X = np.round(rng.normal(size=(N_SAMPLES, N_FEATURES)), 3)
    X[rng.random(X.shape) < 0.6] = 0.0
    X[7], X[:, 4], X[:, -1] = 0.0, 0.0, 0.0
    y = np.where(X @ np.linspace(-2.0, 2.0, N_FEATURES) + rng.logistic(size=N_SAMPLES) > 0, 1, -1)
    return sparse.csr_array(X), y


X0, Y0 = rows()


@pytest.fixture(params=[50, 700, 10**7], ids="{} bytes".format)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svmlight, "BLOCK_BYTES", request.param)


def written(folder: Path, name: str = "rows.svm", **options: Any) -> Path:
    path = folder / name
    dump_svmlight_file(X0, Y0, str(path), **options)
    return path


def joined(source: BatchSource) -> tuple[Any, Any]:
    """All rows of one epoch, and their labels."""
    parts = [(X, y) for X, y in source.factory()]
    assert all(len(y) for _, y in parts)
    return sparse.vstack([X for X, _ in parts]), np.concatenate([y for _, y in parts])


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("first", [0, 1])
def test_each_epoch_gives_what_scikit_learn_reads(first, tmp_path) -> None:
    path = written(tmp_path, zero_based=first == 0, comment="made by\nscikit-learn", query_id=Y0)
    for zero_based in ("auto", first == 0):
        source = svmlight_source(path, zero_based=zero_based)
        wanted, labels = load_svmlight_file(str(path), zero_based=first == 0)
        for _ in range(3):
            X, y = joined(source)
            assert X.shape == wanted.shape == (N_SAMPLES, N_FEATURES - 1)
            assert (X != wanted).nnz == 0
            np.testing.assert_array_equal(y, labels)
    X, _ = joined(svmlight_source(path, n_features=20))
    assert X.shape == (N_SAMPLES, 20)


@pytest.mark.jit
@pytest.mark.usefixtures("blocks")
def test_the_fit_of_memory(tmp_path) -> None:
    path = written(tmp_path)
    source = svmlight_source(path, n_features=N_FEATURES)
    wanted = fastlogit.fit(X0, Y0, C=1.0, tol=1e-20)
    for _ in range(2):
        found = fastlogit.fit(source, C=1.0, tol=1e-20)
        assert found.classes.tolist() == [-1.0, 1.0]
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-10)
    model = LogisticRegression().fit(svmlight_source(path, n_features=N_FEATURES))
    np.testing.assert_allclose(model.coef_[0], wanted.coef, atol=1e-5)


@pytest.mark.jit
def test_the_bits_are_those_of_any_block_and_number_of_threads(tmp_path, monkeypatch) -> None:
    path, found = written(tmp_path), set()
    for size, n_threads in ((50, 1), (10**7, 2)):
        monkeypatch.setattr(svmlight, "BLOCK_BYTES", size)
        result = fastlogit.fit(svmlight_source(path), C=1.0, n_threads=n_threads)
        found.add(bits(result))
    assert len(found) == 1


def test_compressed_files_and_ends_of_lines(tmp_path) -> None:
    text = written(tmp_path).read_bytes()
    packed = tmp_path / "rows.svm.gz"
    packed.write_bytes(gzip.compress(text.replace(b"\n", b"\r\n\n")))
    X, y = joined(svmlight_source(packed, n_features=N_FEATURES))
    assert (X != X0).nnz == 0
    np.testing.assert_array_equal(y, Y0)
    packed.write_bytes(gzip.compress(text)[:-100])
    with pytest.raises(ValueError, match=r"rows\.svm\.gz is damaged, truncated or not a svmlight"):
        joined(svmlight_source(packed))


LINES = {
    "columns fall": ("1 3:1 2:5", "should be sorted and unique"),
    "a column twice": ("1 2:1 2:5", "should be sorted and unique"),
    "no number": ("1 3:abc", "could not convert string to float"),
    "a label of text": ("spam 3:1", "could not convert string to float"),
    "two labels": ("1,2 3:1", "could not convert string to float"),
    "no colon": ("1 3", "need more than 1 value"),
    "below 0": ("1 -1:2", "Invalid index -1"),
    "a large column": ("1 3000000000:2", "too large"),
    "the largest column": ("1 2147483647:2", r"above 2,147,483,646"),
    "NaN": ("1 3:nan", "a number is not finite"),
    "an infinite label": ("inf 3:1", "a number is not finite"),
    "bytes": ("\xff\x00 1:2", "could not convert string to float"),
}


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("case", LINES)
def test_a_line_that_is_wrong_is_named(case, tmp_path) -> None:
    line, reason = LINES[case]
    path = tmp_path / "rows.svm"
    path.write_text("# rows\n" + "1 1:1 2:3\n0 1:5\n" * 20 + f"\n{line}\n1 1:1\n", "latin-1")
    words = rf"rows\.svm, line 43: .* is no row of svmlight \(.*{reason}.*\); .* mend that"
    source = svmlight_source(path)
    for _ in range(2):
        with pytest.raises(ValueError, match=words):
            fastlogit.fit(source, C=1.0)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, "rows.svm has no rows"),
        ("# nothing\n\n", {}, "rows.svm has no rows"),
        ("1\n0\n", {}, "rows.svm has no values in any row; pass n_features"),
        ("1 1:2\n0 0:1\n", {"zero_based": False}, r"column number 0 \(line 2\), but zero_based=F"),
        (
            "1 1:2 9:3\n0 10:1 # 9:1\n",
            {"n_features": 9},
            r"column number 10 \(line 2; 1 is the first\), but n_features=9; 10 are needed",
        ),
        (
            "1 0:2 9:3\n0 5:1\n",
            {"n_features": 9},
            r"column number 9 \(line 1; 0 is the first\), but n_features=9; 10 are needed",
        ),
    ],
)
def test_a_file_that_is_not_what_was_said(text, options, words, tmp_path) -> None:
    path = tmp_path / "rows.svm"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        fastlogit.fit(svmlight_source(path, **options), C=1.0)


def test_options_that_are_not_possible(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        svmlight_source(tmp_path / "none.svm")
    with pytest.raises(IsADirectoryError, match="is a folder, not a svmlight file"):
        svmlight_source(tmp_path)
    path = written(tmp_path)
    with pytest.raises(ValueError, match="zero_based must be 'auto', True or False, got 'no'"):
        svmlight_source(path, zero_based="no")
    with pytest.raises((TypeError, ValueError), match="n_features"):
        svmlight_source(path, n_features=0)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_temporary_file_goes_with_the_source_and_after_errors(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = written(tmp_path)
    gc.collect()
    before = open_files()
    source = svmlight_source(path)
    joined(source)
    assert open_files() == before + 1
    assert not list(folder.iterdir())  # it has no name
    del source
    gc.collect()
    assert open_files() == before
    path.write_text("1 1:2\n" * 30 + "1 x\n")
    source = svmlight_source(path)
    with pytest.raises(ValueError, match="line 31"):
        joined(source)
    assert open_files() == before


def test_an_epoch_that_is_left_early_is_begun_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(svmlight, "BLOCK_BYTES", 500)
    source = svmlight_source(written(tmp_path), n_features=N_FEATURES)
    for n_batches in (1, 3):
        epoch = source.factory()
        for _ in range(n_batches):
            next(epoch)
        epoch.close()
    X, _ = joined(source)
    assert (X != X0).nnz == 0


def test_text_is_parsed_once_and_a_copy_of_the_source_parses_anew(tmp_path, monkeypatch) -> None:
    source, calls, parse = svmlight_source(written(tmp_path)), [], svmlight._parse

    def counted(lines: list[bytes]) -> Any:
        calls.append(len(lines))
        return parse(lines)

    monkeypatch.setattr(svmlight, "_parse", counted)
    for _ in range(3):
        joined(source)
    assert len(calls) == 1
    other = pickle.loads(pickle.dumps(source))
    X, _ = joined(other)
    assert X.shape == (N_SAMPLES, N_FEATURES - 1)
    assert len(calls) == 2


@pytest.mark.jit
def test_a_time_limit_holds_while_text_is_parsed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(svmlight, "BLOCK_BYTES", 500)
    words = re.escape("during the first look at the batches")
    with pytest.raises(TimeoutError, match=rf"{words}.*: [1-9][0-9]* rows of text were seen"):
        fastlogit.fit(svmlight_source(written(tmp_path)), C=1.0, time_limit=1e-9)
