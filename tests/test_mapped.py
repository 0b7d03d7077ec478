"""Maps that fit in memory are read as arrays; how much memory there is."""

import math
import mmap
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import TWO_THREADS, memory_mapped, problem, sized
from sklearn.multiclass import OneVsRestClassifier
from test_streamed import SOURCES

import fastlogit
from fastlogit.design import mapped
from fastlogit.design.blockwise import SlicedDesign
from fastlogit.design.dense import DenseDesign
from fastlogit.design.mapped import available_memory, in_place
from fastlogit.design.streamed import StreamedDesign
from fastlogit.estimators.logistic import LogisticRegression
from fastlogit.inputs.opening import open_design


def little_memory(monkeypatch: pytest.MonkeyPatch, available: float = 0.0) -> None:
    monkeypatch.setattr(mapped, "SMALL_BYTES", 4096)
    monkeypatch.setattr(mapped, "available_memory", lambda: available)
    monkeypatch.setattr(mapped, "MOUNTS", Path("/nowhere"))


def bits(result: Any) -> tuple[bytes, ...]:
    return tuple(np.asarray(part).tobytes() for part in (result.coef, result.intercept))


MAPS = [kind for kind in SOURCES if "memmap" in kind]


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_that_fits_is_the_array_that_it_is(kind, tmp_path) -> None:
    X, y = problem(300, 12)[:2]
    source = SOURCES[kind](X, tmp_path / "X.npy")
    found = in_place(source)
    assert type(found) is np.ndarray
    assert np.shares_memory(found, source)
    np.testing.assert_array_equal(found, X)
    assert type(open_design(source, None)) is DenseDesign
    wanted = bits(fastlogit.fit(source.view(np.ndarray), y, C=1.0))
    assert bits(fastlogit.fit(source, y, C=1.0)) == wanted
    if kind == "memmap":  # other layouts are gathered, as arrays of theirs are
        assert wanted == bits(fastlogit.fit(X, y, C=1.0))


@pytest.mark.jit
def test_a_large_map_is_read_in_slices_as_a_large_array(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.design.opening.SLICE_BYTES", 1000.0)
    X, y = problem(300, 12)[:2]
    source = memory_mapped(X, tmp_path)
    assert type(open_design(source, None)) is SlicedDesign
    assert bits(fastlogit.fit(source, y, C=1.0)) == bits(fastlogit.fit(X, y, C=1.0))


def test_a_map_is_streamed_where_it_takes_more_than_half_of_the_memory(
    tmp_path, monkeypatch
) -> None:
    X = problem(300, 12).X
    source = memory_mapped(X, tmp_path)
    little_memory(monkeypatch, 2.0 * X.nbytes - 1.0)
    assert in_place(source) is source
    assert type(open_design(source, None)) is StreamedDesign
    assert type(open_design(source[:40], None)) is DenseDesign
    # A few columns of all rows span nearly all of the file.
    little_memory(monkeypatch, 1.9 * X.nbytes)
    assert type(open_design(source[:, :2], None)) is StreamedDesign
    little_memory(monkeypatch, 2.0 * X.nbytes)
    assert type(open_design(source, None)) is DenseDesign


def test_a_small_map_is_never_streamed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mapped, "available_memory", lambda: 0.0)
    source = memory_mapped(problem(300, 12).X, tmp_path)
    assert type(in_place(source)) is np.ndarray


def test_a_file_that_lies_in_memory_fits_already(tmp_path, monkeypatch) -> None:
    source = memory_mapped(problem(300, 12).X, tmp_path)
    little_memory(monkeypatch)
    monkeypatch.setattr(mapped, "MOUNTS", tmp_path / "mounts")
    for kind, expected in (("tmpfs", np.ndarray), ("ext4", np.memmap)):
        (tmp_path / "mounts").write_text(f"root / ext4 rw 0 0\nx {tmp_path} {kind} rw 0 0\n")
        assert type(in_place(source)) is expected
    (tmp_path / "mounts").write_text("root / ext4 rw 0 0\nshm /dev/shm tmpfs rw 0 0\n")
    assert type(in_place(source)) is np.memmap


@pytest.mark.parametrize("X", [np.zeros((4, 2)), [[1.0]], None, "text"], ids=lambda X: type(X))
def test_what_is_no_map_comes_back_as_it_was(X, tmp_path) -> None:
    assert in_place(X) is X


def test_parts_of_a_map_that_are_in_memory_come_back_as_they_were(tmp_path) -> None:
    copied = memory_mapped(problem(30, 5).X, tmp_path).copy()
    assert in_place(copied) is copied


def test_ctrl_c_is_answered_while_pages_are_brought(tmp_path, monkeypatch) -> None:
    X = problem(2000, 12).X
    source = memory_mapped(X, tmp_path)
    little_memory(monkeypatch, math.inf)
    brought = []

    def interrupt(values: Any, *_: Any, **__: Any) -> Any:
        brought.append(values)
        signal.raise_signal(signal.SIGINT)

    class Bytes(np.ndarray):
        max = interrupt

    plain = np.frombuffer
    monkeypatch.setattr(np, "frombuffer", lambda *given: plain(*given).view(Bytes))
    with pytest.raises(KeyboardInterrupt):
        in_place(source)
    assert len(brought) == 1
    assert len(brought[0]) <= 4096 // mmap.PAGESIZE + 1


# ------------------------------------------------------------------------------------------------
# In scikit-learn's workers


@pytest.mark.jit
def test_estimators_read_maps_in_place(tmp_path) -> None:
    X, y = problem(sized(3000, 300), 9)[:2]
    source = memory_mapped(X, tmp_path)
    wanted, found = LogisticRegression().fit(X, y), LogisticRegression().fit(source, y)
    assert bits(found.result_) == bits(wanted.result_)
    assert found.predict_proba(source).tobytes() == wanted.predict_proba(X).tobytes()


@pytest.mark.slow
@pytest.mark.jit
def test_the_workers_of_joblib_get_the_bits_of_one_process() -> None:
    X = problem(20_000, 20).X
    y = np.digitize(X[:, 0] + np.random.default_rng(0).logistic(size=len(X)), [-1.0, 1.0])
    one, two = (
        OneVsRestClassifier(LogisticRegression(n_jobs=TWO_THREADS), n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    for alone, worker in zip(one.estimators_, two.estimators_, strict=True):
        assert bits(alone.result_) == bits(worker.result_)


# ------------------------------------------------------------------------------------------------
# How much memory there is

MEMINFO = "MemTotal:       24684092 kB\nMemFree: 5 kB\nMemAvailable:   4000000 kB\n"
STAT = "anon 1\n{}inactive_file 1000\n{}active_file 500\nshmem 77\n"


@pytest.fixture
def system(tmp_path, monkeypatch) -> Path:
    """A system of files of our own."""
    for name, place in (
        ("MEMINFO", "meminfo"), ("GROUPS", "cgroup"), ("GROUP_ROOT", "groups"),
    ):  # fmt: skip
        monkeypatch.setattr(mapped, name, tmp_path / place)
    (tmp_path / "groups").mkdir()
    return tmp_path


def group(folder: Path, version: int, limit: str, use: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    limit_file, use_file, _ = mapped.GROUP_FILES[version]
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / use_file).write_text(f"{use}\n")
    prefix = "total_" if version == 1 else ""
    (folder / "memory.stat").write_text(STAT.format(prefix, prefix))


def test_the_machine_says_what_is_available(system) -> None:
    (system / "meminfo").write_text(MEMINFO)
    assert available_memory() == 4_000_000 * 1024


@pytest.mark.parametrize(("version", "line"), [(2, "0::/a/b"), (1, "4:cpu,memory:/a/b")])
def test_the_tightest_control_group_counts(version, line, system) -> None:
    (system / "meminfo").write_text(MEMINFO)
    (system / "cgroup").write_text(f"7:blkio:/\n{line}\n")
    root = system / "groups" / ("memory" if version == 1 else "")
    none = "max" if version == 2 else "9223372036854771712"
    group(root, version, none, 0)
    group(root / "a" / "b", version, none, 0)
    assert available_memory() == 4_000_000 * 1024
    group(root / "a", version, "10000", 7000)
    assert available_memory() == 10_000 - 7000 + 1500
    group(root / "a" / "b", version, "4000", 9000)
    assert available_memory() == 0.0


def test_a_container_sees_its_own_group_as_the_root(system) -> None:
    (system / "meminfo").write_text(MEMINFO)
    (system / "cgroup").write_text("4:memory:/docker/0123\n")
    group(system / "groups" / "memory", 1, "10000", 7000)
    assert available_memory() == 4500


def test_where_the_system_says_nothing(system, monkeypatch) -> None:
    monkeypatch.setattr(
        mapped.os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__
    )
    assert available_memory() == 0.5 * 1000 * 4096
    monkeypatch.delattr(mapped.os, "sysconf")
    assert available_memory() == mapped.UNKNOWN_BYTES


def test_this_system_says_something() -> None:
    assert 1e6 < available_memory() < math.inf
