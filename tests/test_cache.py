"""The disk cache: never stale, never the other twin's code, never in the way.

The tests with processes edit a copy of the package, to which they add two small kernel modules:
an entry in one file that calls a kernel in another. They run with the JIT on in every test pass.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import prange
from numba.core import compiler

from fastlogit.kernels import identity, policy

PACKAGE = Path(policy.__file__).parents[1]

CALLEE = """
from .policy import kernel

@kernel
def scaled(value):
    return 2.0 * value

@kernel
def negated(value):
    return -value
"""

ENTRIES = """
import math
from numba import prange
from .policy import entry, kernel
from .probe_callee import negated, scaled

def _fill(values, out):
    for row in prange(out.size):
        out[row] = scaled(values[row])

fill = entry(_fill)

def _factory(inner, name):
    @kernel
    def block(values, start, stop, out):  # too long to be inlined into its two callers
        for row in range(start, stop):
            value = values[row]
            for power in range(1, 9):
                if value > 1e300 / power:
                    value = math.exp(value) * math.sin(value) + math.atan2(value, power)
                elif value < -1e300 / power:
                    value = math.log1p(value) * math.cos(value) + math.hypot(value, power)
            out[row] = inner(value) + 1.0

    def pass_over(values, out):
        for half in prange(2):
            if half == 0:
                block(values, 0, 1, out)
            else:
                block(values, 1, out.size, out)

    return entry(pass_over, name=name)

plus_scaled = _factory(scaled, "scaled")
plus_negated = _factory(negated, "negated")
"""

# Runs `name.twin` for each argument and says what came out, how it was compiled, and whether the
# thread pool runs, which serial code never starts.
DRIVER = """
import json, sys
import numba, numpy as np
from fastlogit.kernels import policy, probe

report = []
for argument in sys.argv[1:]:
    name, twin = argument.split(".")
    function = getattr(getattr(probe, name), twin)
    out = np.empty(3)
    function(np.array([1.0, 2.0, 3.0]), out)
    try:
        pool = numba.threading_layer() is not None
    except ValueError:
        pool = False
    hits, misses = (sum(counts.values()) for counts in function.stats[1:])
    report.append({"out": out.tolist(), "hits": hits, "misses": misses, "pool": pool})
print(json.dumps({"runs": report, "folder": str(policy.cache_folder())}))
"""

# `scaled` by way of all that code can depend on, beside other compiled code.
DEPENDENT = """
from collections import namedtuple
from numba import types
from numba.extending import intrinsic, overload
from .policy import kernel

FACTOR = 2.0
TABLE = (0.0, 1.0)
Pair = namedtuple("Pair", "first second")

def public(value):
    return value

@overload(public)
def _public(value):
    return lambda value: value + 0.0

@intrinsic
def same(context, value):
    def generate(context, builder, signature, arguments):
        return arguments[0]

    def other(context, builder, signature, arguments):
        hundred = context.get_constant(types.float64, 100.0)
        return builder.fadd(arguments[0], hundred)

    return types.float64(value), generate

@kernel
def scaled(value):
    pair = Pair(0.0, 200.0)
    return same(public(FACTOR * value)) + TABLE[1] + pair.first

@kernel
def negated(value):
    return -value
"""

SCALED, PLUS_SCALED, PLUS_NEGATED = [2.0, 4.0, 6.0], [3.0, 5.0, 7.0], [0.0, -1.0, -2.0]


class Copy:
    """A copy of the package with the probe modules, and a cache folder of its own."""

    def __init__(self, place: Path) -> None:
        self.package = place / "copy" / "fastlogit"
        self.cache = place / "cache"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        (self.package / "kernels" / "probe.py").write_text(ENTRIES)
        (self.package / "kernels" / "probe_callee.py").write_text(CALLEE)

    def start(
        self, *arguments: str, before: str = "", **settings: str | None
    ) -> subprocess.Popen[str]:
        environment = os.environ | {
            "PYTHONPATH": str(self.package.parent),
            # Python's own byte code would be stale after an edit of equal size within a second.
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_DISABLE_JIT": "0",
            "NUMBA_CACHE_DIR": str(self.cache),
        }
        kept = {name: value for name, value in (environment | settings).items() if value}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", before + DRIVER, *arguments],
            env=kept,
            cwd=self.package.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, before: str = "", **settings: str | None) -> dict[str, Any]:
        return finish(self.start(*arguments, before=before, **settings))

    def edit(self, old: str, new: str) -> None:
        path = self.package / "kernels" / "probe_callee.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_second_process_compiles_nothing(copy: Copy) -> None:
    names = ("fill.serial", "fill.parallel", "plus_scaled.serial", "plus_negated.serial")
    expected = [SCALED, SCALED, PLUS_SCALED, PLUS_NEGATED]
    cold, warm = copy.run(*names)["runs"], copy.run(*names)["runs"]
    assert [run["out"] for run in cold] == [run["out"] for run in warm] == expected
    assert [run["misses"] for run in cold] == [1, 1, 1, 1]
    assert [(run["hits"], run["misses"]) for run in warm] == [(1, 0)] * 4


def test_an_edit_in_a_callee_of_another_file_is_never_served_stale(copy: Copy) -> None:
    first = copy.run("fill.serial", "plus_scaled.serial")
    copy.edit("2.0 * value", "3.0 * value")  # of equal size, at once: no help from dates
    second = copy.run("fill.serial", "plus_scaled.serial", "fill.parallel")
    assert [run["out"] for run in second["runs"]] == [
        [3.0, 6.0, 9.0],
        [4.0, 7.0, 10.0],
        [3.0, 6.0, 9.0],
    ]
    assert [run["hits"] for run in second["runs"]] == [0, 0, 0]
    assert second["folder"] == first["folder"]
    copy.edit("3.0 * value", "2.0 * value")
    back = copy.run("fill.serial")
    assert (back["runs"][0]["out"], back["runs"][0]["hits"]) == (SCALED, 1)


def test_an_edit_costs_what_it_touches(copy: Copy) -> None:
    names = ("fill.serial", "plus_scaled.serial", "plus_negated.serial")
    copy.run(*names)
    # A comment and a docstring, and lines that move.
    copy.edit("def scaled(value):\n", 'def scaled(value):\n    """Twice."""\n    # a comment\n')
    copy.edit("from .policy", "import math\n\nfrom .policy")
    assert [run["hits"] for run in copy.run(*names)["runs"]] == [1, 1, 1]
    copy.edit("return -value", "return 1.0 - value")
    runs = copy.run(*names)["runs"]
    assert [run["hits"] for run in runs] == [1, 1, 0]
    assert [run["out"] for run in runs] == [SCALED, PLUS_SCALED, [1.0, 0.0, -1.0]]


def test_edits_of_constants_flags_and_what_is_put_in_the_place_of_a_function(copy: Copy) -> None:
    """Whatever the machine code depends on, beside the code of the functions that are called."""
    (copy.package / "kernels" / "probe_callee.py").write_text(DEPENDENT)
    answers = [copy.run("fill.serial")["runs"][0]]
    for old, new in (
        ("FACTOR = 2.0", "FACTOR = 3.0"), ("TABLE = (0.0, 1.0)", "TABLE = (0.0, 2.0)"),
        ("return lambda value: value + 0.0", "return lambda value: value + 1.0"),
        ("types.float64(value), generate", "types.float64(value), other"),
        ('"first second"', '"second first"'),
    ):  # fmt: skip
        copy.edit(old, new)
        answers.append(copy.run("fill.serial")["runs"][0])
    assert [answer["hits"] for answer in answers] == [0] * len(answers)
    first = [answer["out"][0] for answer in answers]
    assert first == [3.0, 4.0, 5.0, 6.0, 106.0, 306.0]


def test_an_edit_before_the_code_is_read_is_the_codes_own(copy: Copy) -> None:
    source = copy.package / "kernels" / "probe_callee.py"
    edit = (
        "from pathlib import Path\nimport fastlogit.kernels.policy\n"
        f"path = Path({str(source)!r})\n"
        "path.write_text(path.read_text().replace('2.0 *', '5.0 *'))\n"
    )
    assert copy.run("fill.serial", before=edit)["runs"][0]["out"] == [5.0, 10.0, 15.0]
    run = copy.run("fill.serial")["runs"][0]
    assert (run["out"], run["hits"]) == ([5.0, 10.0, 15.0], 1)


def test_what_only_a_source_tells_is_not_kept_where_it_was_edited_since(copy: Copy) -> None:
    source = copy.package / "kernels" / "probe_callee.py"
    source.write_text(DEPENDENT)
    edit = (
        "from pathlib import Path\nimport fastlogit.kernels.probe\n"
        f"path = Path({str(source)!r})\n"
        "path.write_text(path.read_text().replace('value), generate', 'value), other'))\n"
    )
    assert copy.run("fill.serial", before=edit)["runs"][0]["out"][0] == 3.0
    assert list(copy.cache.rglob("*.nbc")) == []
    assert copy.run("fill.serial")["runs"][0]["out"][0] == 103.0


@pytest.mark.parametrize("order", [("serial", "parallel"), ("parallel", "serial")])
def test_no_twin_is_served_the_code_of_the_other(copy: Copy, order: tuple[str, str]) -> None:
    for twin in order:
        run = copy.run(f"fill.{twin}")["runs"][0]
        assert (run["out"], run["hits"], run["misses"]) == (SCALED, 0, 1)
        assert run["pool"] == (twin == "parallel")
    warm_serial, warm_parallel = copy.run("fill.serial", "fill.parallel")["runs"]
    assert (warm_serial["out"], warm_serial["hits"], warm_serial["pool"]) == (SCALED, 1, False)
    assert (warm_parallel["out"], warm_parallel["hits"], warm_parallel["pool"]) == (SCALED, 1, True)


def test_code_of_two_entries_of_one_factory_never_meets(copy: Copy) -> None:
    # numba numbers its symbols anew in each process, so that the kernels of the two had one symbol
    # if only numba named them; the linker would take the first for both.
    names, answers = ("plus_scaled.serial", "plus_negated.serial"), [PLUS_SCALED, PLUS_NEGATED]
    copy.run(names[0])
    mixed = copy.run(*names)["runs"]
    assert [run["out"] for run in mixed] == answers
    assert [run["hits"] for run in mixed] == [1, 0]
    for order in (1, -1):
        warm = copy.run(*names[::order])["runs"]
        assert [run["out"] for run in warm] == answers[::order]
        assert [run["hits"] for run in warm] == [1, 1]


def test_symbols_of_parallel_loops_are_numbered_by_entry(copy: Copy) -> None:
    # Their names hold an address, which may be the same in two forked processes.
    for name in ("plus_scaled", "plus_negated"):
        copy.run(f"{name}.parallel")
    loop = re.compile(rb"__numba_parfor_gufunc_0x[0-9a-f]+B\d+v(\d+)")
    first, second = (set(loop.findall(path.read_bytes())) for path in copy.cache.rglob("*.nbc"))
    assert first
    assert second
    assert not first & second


def test_processes_that_fill_an_empty_cache_at_once(copy: Copy) -> None:
    orders = [("fill.serial", "plus_scaled.serial"), ("plus_scaled.serial", "fill.serial")]
    answers = {"fill.serial": SCALED, "plus_scaled.serial": PLUS_SCALED}
    for order, process in [(order, copy.start(*order)) for order in orders]:
        assert [run["out"] for run in finish(process)["runs"]] == [answers[n] for n in order]
    assert [run["hits"] for run in copy.run(*orders[0])["runs"]] == [1, 1]
    assert list(copy.cache.rglob("*.tmp")) == []


@pytest.mark.parametrize("moment", ["half written", "before the renaming"])
def test_a_process_killed_while_it_writes(copy: Copy, moment: str) -> None:
    if moment == "half written":
        name, action = "write_bytes", "open(path, 'wb').write(rest[0][:100])"
    else:
        name, action = "replace", "None"
    die = (
        "import os, pathlib, signal\n"
        f"def die(path, *rest):\n    {action}\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"pathlib.Path.{name} = die\n"
    )
    process = copy.start("fill.serial", before=die)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(list(copy.cache.rglob("*.tmp"))) == 1
    run = copy.run("fill.serial")["runs"][0]
    assert (run["out"], run["misses"]) == (SCALED, 1)
    assert copy.run("fill.serial")["runs"][0]["hits"] == 1


def test_a_place_that_cannot_be_written_does_not_break_the_import(copy: Copy) -> None:
    copy.cache.write_text("a file where the folder should be")
    answer = copy.run("fill.serial")
    assert answer["folder"] == "None"
    assert answer["runs"][0]["out"] == SCALED


def test_a_user_without_a_home_goes_on_without_the_cache(copy: Copy) -> None:
    blocked = copy.cache
    blocked.write_text("a file where the folder should be")
    places = dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"), str(blocked))
    assert copy.run(NUMBA_CACHE_DIR=None, **places)["folder"] == "None"


# ------------------------------------------------------------------------------------------------
# In this process: damage, failures and housekeeping


def doubled(values: Any, out: Any) -> None:
    for row in prange(out.size):
        out[row] = 2.0 * values[row]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, with the JIT on."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    yield tmp_path
    policy._prepared_folder.cache_clear()


def hits_of_a_fresh_entry() -> int:
    """Compile or load `doubled` anew; return the number of loads from the cache (0 or 1)."""
    function = policy.entry(doubled).serial
    out = np.empty(4)
    function(np.arange(4.0), out)
    np.testing.assert_array_equal(out, [0.0, 2.0, 4.0, 6.0])
    return sum(function.stats.cache_hits.values())


def kept_files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.nbc"))


def test_code_is_kept_and_loaded(place: Path) -> None:
    assert [hits_of_a_fresh_entry() for _ in range(2)] == [0, 1]
    (kept,) = kept_files(place)
    folder = policy.cache_folder()
    assert folder is not None
    assert kept.parent == folder / "serial"
    assert folder.parent == place / "fastlogit"
    assert kept.name.startswith("test_cache.doubled_serial-")


def test_a_serial_twin_is_there_once_its_code_is(place: Path) -> None:
    arguments = np.zeros(3), np.empty(3)
    twins = policy.entry(doubled)
    assert not twins.has_serial(arguments)
    twins.parallel(*arguments)
    assert not twins.has_serial(arguments)
    twins.serial(*arguments)
    assert twins.has_serial(arguments)
    # Another process's is seen on the disk, that for other types is not.
    later = policy.entry(doubled)
    assert later.has_serial(arguments)
    assert not later.has_serial((np.zeros(3, dtype=np.float32), np.empty(3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy._DiskCache, "_path", None)
        assert not later.has_serial(arguments)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:7],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
        lambda whole: b"garbage" * 100,
    ],
    ids=["empty", "no digest", "half", "one bit", "garbage"],
)
def test_a_damaged_file_is_ignored_and_rewritten(
    place: Path, damage: Callable[[bytes], bytes]
) -> None:
    hits_of_a_fresh_entry()
    (kept,) = kept_files(place)
    kept.write_bytes(damage(kept.read_bytes()))
    assert [hits_of_a_fresh_entry() for _ in range(2)] == [0, 1]


def test_names_of_fields_count() -> None:
    """numba's type of a named tuple has the name of the class, and no names of fields."""
    keys = []
    for fields in ("first second", "second first"):
        pair = namedtuple("Pair", fields)
        keys.append(policy._field_names((numba.typeof((1, pair(1.0, 2.0))), numba.float64)))
    assert keys[0] != keys[1]


def test_a_file_of_another_key_is_ignored(tmp_path: Path) -> None:
    policy._write(tmp_path / "file", ("one",), "payload")
    assert policy._read(tmp_path / "file", ("one",)) == "payload"
    assert policy._read(tmp_path / "file", ("other",)) is None
    assert policy._read(tmp_path / "missing", ("one",)) is None


@pytest.mark.parametrize("broken", ["_reduce", "_rebuild"])
def test_changed_private_parts_of_numba_cost_only_the_cache(
    place: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "_rebuild":
        hits_of_a_fresh_entry()

    def gone(*_: Any) -> None:
        raise AttributeError(broken)

    monkeypatch.setattr(compiler.CompileResult, broken, gone)
    assert hits_of_a_fresh_entry() == 0


def test_a_dispatcher_without_a_cache_slot_is_left_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "_njit", lambda func, suffix, **options: func)
    assert policy.entry(doubled).serial is doubled


@pytest.mark.parametrize("failing", ["write_bytes", "replace", "mkdir"])
def test_a_failure_to_write_costs_only_the_cache(
    place: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    assert policy.cache_folder() is not None

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, failing, refuse)
        assert hits_of_a_fresh_entry() == 0
    assert list(place.rglob("*.*")) == []


def test_a_filled_folder_that_cannot_be_written_is_still_read(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits_of_a_fresh_entry()
    policy._prepared_folder.cache_clear()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("read-only file system")

    for module, name in ((os, "utime"), (Path, "write_bytes"), (Path, "replace")):
        monkeypatch.setattr(module, name, refuse)
    assert hits_of_a_fresh_entry() == 1


@pytest.mark.parametrize("failing", ["mkdir", "is_dir"])
def test_no_folder_is_no_error(place: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, failing, refuse)
        assert policy.cache_folder() is None
        assert hits_of_a_fresh_entry() == 0


def test_what_has_no_description_is_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> str:
        raise identity.Unknown("a thing")

    monkeypatch.setattr(policy, "identity", unknown)
    assert [hits_of_a_fresh_entry() for _ in range(2)] == [0, 0]
    assert kept_files(place) == []


def test_a_cache_can_be_switched_off_and_emptied(place: Path) -> None:
    function = policy.entry(doubled).serial
    cache = function._cache
    cache.disable()
    function(np.ones(1), np.ones(1))
    assert kept_files(place) == []
    cache.enable()
    assert hits_of_a_fresh_entry() == 0
    assert len(kept_files(place)) == 1
    assert cache.cache_path == str(kept_files(place)[0].parent)
    cache.flush()
    assert kept_files(place) == []


def test_every_version_and_setting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = policy._fingerprint.__wrapped__
    seen = [fingerprint()]
    monkeypatch.setattr(numba, "__version__", "0.0")
    seen.append(fingerprint())
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", not numba.config.BOUNDSCHECK)
    seen.append(fingerprint())
    assert len(set(seen)) == len(seen)
    assert fingerprint() == seen[-1]


def test_old_folders_are_pruned_when_a_new_one_is_made(place: Path) -> None:
    root = place / "fastlogit"
    day = 24 * 3600.0
    ages = {"a" * 24: 40.0, "b" * 24: 10.0, "someone else's": 400.0, "c" * 23: 400.0}
    for name, age in ages.items():
        (root / name / "serial").mkdir(parents=True)
        os.utime(root / name, (time.time() - age * day,) * 2)
    newest = policy.cache_folder()
    assert newest is not None
    assert {path.name for path in root.iterdir()} == set(ages) - {"a" * 24} | {newest.name}


def test_opening_a_folder_keeps_it_young(place: Path) -> None:
    folder = policy.cache_folder()
    assert folder is not None
    os.utime(folder, (0, 0))
    policy._prepared_folder.cache_clear()
    assert policy.cache_folder() == folder
    assert folder.stat().st_mtime > time.time() - 3600.0


def test_code_that_nobody_loads_is_removed_one_day(place: Path) -> None:
    hits_of_a_fresh_entry()
    (kept,) = kept_files(place)
    folder = policy.cache_folder()
    assert folder is not None
    other = kept.with_name("edited.kernel-0123456789abcdef.nbc")
    other.write_bytes(b"of a kernel that is no more")
    for path in (kept, other, folder):
        os.utime(path, (time.time() - 40 * 24 * 3600.0,) * 2)
    assert hits_of_a_fresh_entry() == 1  # which makes it young
    policy._prepared_folder.cache_clear()
    assert policy.cache_folder() == folder
    assert kept_files(place) == [kept]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "{home}/x"}, "x/fastlogit"),
        ("linux", {}, ".cache/fastlogit"),
        ("darwin", {}, "Library/Caches/fastlogit"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/fastlogit"),
        ("win32", {}, "AppData/Local/fastlogit"),
    ],
)
def test_the_place_is_the_users_cache_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(policy.sys, "platform", platform)
    folder = policy._prepared_folder.__wrapped__("")
    assert folder == tmp_path / expected / policy._fingerprint()
