"""Of several processes that miss the same file of the cache one compiles, the others wait for it.

The processes run a copy of the package with the probe modules of test_cache.py. What they do is
held up, and told of, through files: no test depends on how long something takes.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from test_cache import PLUS_SCALED, SCALED, Copy, finish, kept_files

from fastlogit.clock import activity
from fastlogit.kernels import policy, turns

fcntl = pytest.importorskip("fcntl")

# Before a process writes its code it says so, and waits for leave.
HOLD = """
import pathlib, time
from fastlogit.kernels import policy
write = policy._write
def hold(*arguments):
    pathlib.Path("holds").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    write(*arguments)
policy._write = hold
"""
# Who waits for the turn of another says so.
TELL = """
import os, pathlib, time
from fastlogit.kernels import turns
class Telling:
    monotonic = staticmethod(time.monotonic)
    def sleep(self, seconds):
        pathlib.Path(f"waits-{os.getpid()}").touch()
        time.sleep(seconds)
turns.time = Telling()
"""


class Room:
    """Processes of a copy: one that has the turn, and others that wait for it."""

    def __init__(self, copy: Copy) -> None:
        self.copy, self.place = copy, copy.package.parent
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *names: str, before: str) -> subprocess.Popen[str]:
        process = self.copy.start(*names, before=before)
        self.processes.append(process)
        return process

    def holder(self) -> subprocess.Popen[str]:
        process = self.start("fill.serial", before=HOLD)
        self.until((self.place / "holds").exists, process)
        return process

    def waiting(self, *names: str) -> subprocess.Popen[str]:
        process = self.start(*(names or ("fill.serial",)), before=TELL)
        self.until((self.place / f"waits-{process.pid}").exists, process)
        return process

    def go(self) -> None:
        (self.place / "go").touch()

    def turns(self) -> list[Path]:
        return list(self.copy.cache.rglob("*.turn"))

    @staticmethod
    def until(is_true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        late = time.monotonic() + 120.0
        while not is_true():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < late
            time.sleep(0.01)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(Copy(tmp_path))
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_one_compiles_and_two_wait_for_its_file(room: Room) -> None:
    holder = room.holder()
    others = [room.waiting("fill.serial", "plus_scaled.serial"), room.waiting()]
    room.go()
    (run,) = finish(holder)["runs"]
    assert (run["out"], run["hits"], run["misses"]) == (SCALED, 0, 1)
    for process in others:
        runs = finish(process)["runs"]
        assert (runs[0]["out"], runs[0]["hits"], runs[0]["misses"]) == (SCALED, 1, 0)
        assert [run["out"] for run in runs[1:]] in ([], [PLUS_SCALED])
    assert room.turns() == []


def test_a_turn_ends_with_the_process_that_has_it(room: Room) -> None:
    holder, other = room.holder(), room.waiting()
    holder.kill()
    run = finish(other)["runs"][0]
    assert (run["out"], run["hits"], run["misses"]) == (SCALED, 0, 1)
    assert room.copy.run("fill.serial")["runs"][0]["hits"] == 1


def test_ctrl_c_ends_the_waiting_and_holds_up_nobody(room: Room) -> None:
    holder, other = room.holder(), room.waiting()
    other.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in other.communicate(timeout=120)[1]
    assert other.returncode == -signal.SIGINT
    room.go()
    assert finish(holder)["runs"][0]["misses"] == 1
    assert room.turns() == []


def test_ctrl_c_while_it_compiles_ends_the_turn(room: Room) -> None:
    holder, other = room.holder(), room.waiting()
    holder.send_signal(signal.SIGINT)
    holder.communicate(timeout=120)
    assert holder.returncode == -signal.SIGINT
    assert finish(other)["runs"][0]["out"] == SCALED


# ------------------------------------------------------------------------------------------------
# In this process


def doubled(values: Any, out: Any) -> None:
    for row in range(out.size):
        out[row] = 2.0 * values[row]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, with the JIT on."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    yield tmp_path
    assert not turns.TURN.is_held
    assert list(tmp_path.rglob("*.turn")) == []
    policy._prepared_folder.cache_clear()


def compile_and_run(place: Path) -> None:
    """Compile `doubled`, run it and see that it was kept."""
    out = np.empty(3)
    policy.entry(doubled).serial(np.arange(3.0), out)
    np.testing.assert_array_equal(out, [0.0, 2.0, 4.0])
    assert len(kept_files(place)) == 1


def test_a_turn_is_held_while_it_is_compiled_and_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, write = [], policy._write

    def watch(path: Path, *rest: Any) -> None:
        seen.append((turns.TURN.is_held, path.with_suffix(".turn").exists()))
        write(path, *rest)

    monkeypatch.setattr(policy, "_write", watch)
    compile_and_run(place)
    assert seen == [(True, True)]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(turns.fcntl, "flock", refuse)
    compile_and_run(place)
    for left in place.rglob("*.turn"):
        left.unlink()


def test_a_system_without_locks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "fcntl", None)
    compile_and_run(place)


def test_a_holder_that_was_stopped_is_not_waited_for_for_ever(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_SECONDS", 0.0)
    take = turns.TURN.take
    held = []

    def stopped(path: Path) -> None:
        held.append(os.open(path, os.O_RDWR | os.O_CREAT))
        fcntl.flock(held[0], fcntl.LOCK_EX)
        take(path)

    monkeypatch.setattr(turns.TURN, "take", stopped)
    compile_and_run(place)
    os.close(held[0])
    for left in place.rglob("*.turn"):
        left.unlink()


def test_a_folder_that_cannot_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError("read only")

    monkeypatch.setattr(turns.os, "open", refuse)
    out = np.empty(1)
    policy.entry(doubled).serial(np.ones(1), out)
    assert out[0] == 2.0


def test_what_cannot_be_compiled_ends_the_turn(place: Path) -> None:
    def wrong(values: Any) -> float:
        return values.no_such_thing  # type: ignore[no-any-return]

    with pytest.raises(numba.TypingError):
        policy.entry(wrong).serial(np.ones(1))
    compile_and_run(place)


def test_an_entry_inside_an_entry_is_part_of_its_turn(place: Path) -> None:
    inner = policy.entry(doubled).serial

    def _outer(values: Any, out: Any) -> None:
        inner(values, out)
        out[0] += 1.0

    out = np.empty(2)
    policy.entry(_outer).serial(np.ones(2), out)
    np.testing.assert_array_equal(out, [3.0, 2.0])


def test_a_turn_is_one_threads_and_not_that_of_a_fork(tmp_path: Path) -> None:
    turn = turns.Turn()
    turn.take(tmp_path / "a.turn")
    assert turn.is_mine
    turn._thread += 1
    turn.end()  # as if another thread had taken it
    assert turn.is_held
    turn._thread -= 1
    turn.take(tmp_path / "b.turn")  # within a turn: nothing
    assert not (tmp_path / "b.turn").exists()
    copied = os.dup(turn._descriptor)  # type: ignore[arg-type]  # as a forked process has it
    fork = turns.Turn()
    fork._descriptor = copied
    fork.forget()
    other = os.open(tmp_path / "a.turn", os.O_RDWR)
    with pytest.raises(BlockingIOError):  # still that of the process that took it
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    turn.end()
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    assert not turn.is_held


FORK = """
import os, pathlib, sys
from fastlogit.kernels import turns

path = pathlib.Path(sys.argv[1])
turns.TURN.take(path)
assert turns.TURN.is_mine
(until_end, end), (until_begun, begun) = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    held = turns.TURN.is_held
    os.close(end)  # else it would wait for itself
    os.write(begun, b"x")
    os.read(until_end, 1)
    os._exit(held)
os.read(until_begun, 1)
turns.TURN.forget()
turns.MOST_SECONDS = 0.0
other = turns.Turn()
other.take(path)  # while the child lives
assert other.is_mine
os.close(end)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_while_a_turn_is_held_does_not_keep_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path / "a.turn")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_waiting_counts_as_compiling(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a time limit does not end a fit that waits for another process's compiler."""
    depths, take = [], turns.TURN.take

    def watch(path: Path) -> None:
        depths.append(activity()._depth)
        take(path)

    monkeypatch.setattr(turns.TURN, "take", watch)
    compile_and_run(place)
    assert depths == [1]
