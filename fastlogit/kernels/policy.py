"""How everything in this package is compiled, and where the compiled code is kept.

Design rules, with their reasons:

- Three decorators, one per storey: `formula` (scalar maths), `kernel` (one block of rows) and
  `entry` (what Python calls). Only entries are kept on disk: the storeys below are compiled into
  them, and numba makes no machine code of their own.
- `error_model="numpy"` everywhere: Python's division check is a branch that keeps LLVM from
  vectorising a loop.
- `contract` (fused multiply-add) is the only fast-math flag. `fastmath=True` folds `isnan` away,
  and `reassoc` destroys the add-a-magic-number rounding in exp, also where a caller with that flag
  inlines it.
- numba's own disk cache is not used. It misses an edit in a callee that lives in another file
  (numba#8851); its key ignores `parallel=` and `fastmath=` (numba#6845), so that a serial function
  may be served the parallel code of the same name; and two processes that fill one index at once
  can pair a signature with the code of another. Here the key has a digest of a function's code and
  of all that it calls (see `identity`), each twin has a folder of its own, and there is no index:
  one file per signature, named by the hash of its key, which the file repeats.
- No two pieces of machine code share a symbol. numba numbers its symbols anew in every process, so
  that cached code from two processes can carry one symbol twice, and the linker silently takes the
  first for both: measured with two kernels of one factory, one answered with the other's result.
- Of the processes that miss one file at once a single one compiles (see `turns`).
- The cache is a help, never a condition: whatever goes wrong with it, the function is compiled.
- Ctrl-C while a named tuple is given back is an exception, not a crash (see `_box_safely`).
"""

import contextlib
import gc
import hashlib
import itertools
import os
import pickle
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

import llvmlite
import numba
import numpy as np
from numba.core import bytecode, compiler, serialize, types
from numba.core.runtime import rtsys

from .identity import identity
from .inner import Formula, Inner
from .lean_compiler import LEAN
from .turns import TURN

_FASTMATH = frozenset({"contract"})
_TWINS = ("serial", "parallel")
_DIGEST_BYTES = hashlib.sha256().digest_size
_FINGERPRINT_DIGITS = 24
_DAY = 24 * 3600.0
_STALE = 30 * _DAY
# Counts up where files of an older version of this module cannot be used.
_FORMAT = 3

# Settings of numba that change the machine code but not the key of numba's own cache: with a warm
# cache, NUMBA_BOUNDSCHECK=1 would check nothing.
_CODE_SETTINGS = (
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "ENABLE_AVX",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
)


# A function that Python calls, of arrays and numbers.
Compiled: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Twins:
    """One Python function, compiled twice.

    Attributes
    ----------
    serial : callable
        Compiled with `prange` meaning `range`: it starts no threads, so that it is safe anywhere.
    parallel : callable
        Compiled with `parallel=True`. Call it inside `fastlogit.threads.team` only.
    """

    serial: Compiled
    parallel: Compiled

    def choose(self, parallel: bool) -> Compiled:
        """Return the parallel twin if `parallel`, else the serial one."""
        return self.parallel if parallel else self.serial

    def has_serial(self, arguments: tuple[Any, ...]) -> bool:
        """Say whether the serial twin's code is there: in this process, or on the disk for these.

        Of what is in this process the types are not compared, which would take time in each call.
        """
        overloads = getattr(self.serial, "overloads", None)
        if overloads is None or overloads:  # without the JIT there is nothing to compile
            return True
        kinds = tuple(self.serial.typeof_pyval(each) for each in arguments)  # type: ignore[attr-defined]
        disk = self.serial._cache  # type: ignore[attr-defined]
        return isinstance(disk, _DiskCache) and disk.holds(kinds, self.serial.targetctx)  # type: ignore[attr-defined]


def formula(func: Callable[..., Any]) -> Any:
    """Compile scalar maths, to be inlined into the loops that call it.

    Parameters
    ----------
    func : callable
        Function of scalars.

    Returns
    -------
    callable
        A `Formula`, or `func` itself under NUMBA_DISABLE_JIT=1.
    """
    if numba_setting("DISABLE_JIT"):
        return func
    suffix = _local_suffix(func)
    options = _for_compiled_code(counts=False)
    return Formula(_named(func, suffix), options, numba.njit, partial(_njit, func, suffix))


def kernel(func: Callable[..., Any]) -> Any:
    """Compile a serial loop over one block of rows, for entries and other kernels to call.

    numba optimises each function with all that it calls and makes machine code of that, which
    nobody runs: what lies five calls deep is compiled six times. Of a kernel only LLVM code is
    made; the entry is optimised as a whole. `small.binomial.fit_small` takes less than half the
    processor time to compile (8.7 and 11.1 s, without this 23.4 and 22.4, in turn on two busy
    cores).
    It has no way in from Python (wrap it in an entry).

    Parameters
    ----------
    func : callable
        Function of arrays and scalars.

    Returns
    -------
    callable
        An `Inner`, or `func` itself under NUMBA_DISABLE_JIT=1.
    """
    return _kernel(func)


def part(func: Callable[..., Any]) -> Any:
    """Compile as `kernel` does, without numba's search for array expressions.

    For functions of numbers and single elements, a few hundredths of a second each. They count no
    references to arrays: an entry made of them alone takes a fifth less to compile.

    Parameters
    ----------
    func : callable
        Function of arrays and scalars, without array expressions and constant indices of tuples,
        which allocates nothing.

    Returns
    -------
    callable
        An `Inner`, or `func` itself under NUMBA_DISABLE_JIT=1.
    """
    return _kernel(func, counts=False, no_rewrites=True)


def entry(func: Callable[..., Any], name: str | None = None) -> Twins:
    """Compile a function that Python calls: a serial and a parallel twin, both kept on disk.

    Both release the GIL.

    Parameters
    ----------
    func : callable
        Its parallel loops use `numba.prange`, which is `range` in the serial twin.
    name : str, optional
        Name that no other entry of the module has, for the file names in the cache; for factories
        that make several entries out of one function.

    Returns
    -------
    Twins
        Under NUMBA_DISABLE_JIT=1 both are `func` itself.
    """
    suffix = (f"_{name}" if name else "") + _local_suffix(func)
    serial, parallel = (_cached(func, suffix, twin) for twin in _TWINS)
    return Twins(serial, parallel)


def cache_folder() -> Path | None:
    """Return the folder of the compiled code of this version, or None if it cannot be kept.

    It is `$NUMBA_CACHE_DIR/fastlogit/<fingerprint>`, else the same in the user's cache folder. The
    fingerprint covers the versions of numba, llvmlite, numpy and Python, and settings of numba.
    """
    return _prepared_folder(str(numba_setting("CACHE_DIR") or ""))


def numba_setting(name: str) -> Any:
    """Return a setting of `numba.config`, whose names are made at run time; None if unknown."""
    return getattr(numba.config, name, None)


# ------------------------------------------------------------------------------------------------
# Compiling


def _box_safely() -> None:
    """Let compiled code that gives back a named tuple survive Ctrl-C.

    numba asks a Python function for the class of the tuple, which hears the Ctrl-C of the time that
    the kernel ran; and it then calls the null pointer that it gets (numba 0.68): a crash, or memory
    that is overwritten. Here nothing is made of a null pointer, and the exception is raised.
    """
    try:
        from numba.core import cgutils
        from numba.core.boxing import box_tuple
        from numba.core.pythonapi import _boxers
    except ImportError:  # numba's private parts have changed
        return

    def box_named_tuple(kind: Any, value: Any, c: Any) -> Any:
        class_ = c.pyapi.unserialize(c.pyapi.serialize_object(kind.instance_class))
        found = cgutils.alloca_once_value(c.builder, c.pyapi.get_null_object())
        with c.builder.if_then(cgutils.is_not_null(c.builder, class_), likely=True):
            fields = box_tuple(kind, value, c)
            c.builder.store(c.pyapi.call(class_, fields), found)
            c.pyapi.decref(fields)
            c.pyapi.decref(class_)
        return c.builder.load(found)

    kinds: Any = types
    for kind in (kinds.NamedTuple, kinds.NamedUniTuple):
        _boxers.functions[kind] = box_named_tuple


_box_safely()


def _kernel(func: Callable[..., Any], counts: bool = True, **more: Any) -> Any:
    if numba_setting("DISABLE_JIT"):
        return func
    options = _for_compiled_code(counts, **more)
    return Inner(_named(func, _local_suffix(func)), options, numba.njit)


def _for_compiled_code(counts: bool, **more: Any) -> dict[str, Any]:
    """Return options of functions that Python does not call; `counts` references to arrays."""
    # Without wrappers for calls from Python: a fifth less to compile.
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **more}
    if LEAN is not None:
        options["pipeline_class"] = LEAN.part
        if not counts:
            options["_nrt"] = False
    return _options(options)


def _njit(func: Callable[..., Any], suffix: str, **options: Any) -> Any:
    if numba_setting("DISABLE_JIT"):
        return func
    return numba.njit(**_options(options))(_named(func, suffix))


def _options(more: dict[str, Any]) -> dict[str, Any]:
    return {"error_model": "numpy", "fastmath": set(_FASTMATH), **more}


def _cached(func: Callable[..., Any], suffix: str, twin: str) -> Any:
    """Compile one twin and give it a place on the disk."""
    options = {"no_cfunc_wrapper": True}
    if LEAN is not None:
        options["pipeline_class"] = LEAN.whole
    dispatcher = _njit(func, f"{suffix}_{twin}", nogil=True, parallel=twin == "parallel", **options)
    folder = cache_folder()
    if folder is not None and hasattr(dispatcher, "_cache"):
        dispatcher._cache = _DiskCache(dispatcher, folder / twin)
        dispatcher.compile = _in_turn(dispatcher.compile)
    return dispatcher


def _in_turn(compile_one: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a dispatcher end the turn that its cache may have taken, whatever came of it.

    Python's search for cycles of objects waits so long: a compiler makes millions of objects and
    few cycles, and would spend a tenth of its time on it.
    """

    def compile_in_turn(signature: Any) -> Any:
        nested, collects = TURN.is_mine, gc.isenabled()
        gc.disable()
        try:
            return compile_one(signature)
        finally:
            if collects:
                gc.enable()
            if not nested:
                TURN.end()

    return compile_in_turn


def _named(func: Callable[..., Any], suffix: str) -> Callable[..., Any]:
    """Return a copy of a function whose qualified name, hence machine-code symbol, is its own."""
    if not suffix:
        return func
    new = FunctionType(
        func.__code__, func.__globals__, func.__name__, func.__defaults__, func.__closure__
    )
    new.__qualname__ = func.__qualname__ + suffix
    for name in ("__module__", "__doc__", "__kwdefaults__", "__annotations__"):
        setattr(new, name, getattr(func, name))
    return new


def _local_suffix(func: Callable[..., Any]) -> str:
    """Tell apart the functions that a factory made: they share a qualified name."""
    if "<locals>" not in func.__qualname__:
        return ""
    return "_" + identity(func, names=False)[:12]


# ------------------------------------------------------------------------------------------------
# Where the compiled code lies


@cache
def _fingerprint() -> str:
    """Hash all that machine code depends on, except the function, its signature and the CPU."""
    versions = (_FORMAT, numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    settings = [(name, numba_setting(name)) for name in _CODE_SETTINGS]
    digest = hashlib.sha256(repr((versions, settings)).encode())
    return digest.hexdigest()[:_FINGERPRINT_DIGITS]


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@cache
def _prepared_folder(chosen: str) -> Path | None:
    """Make the folder of this fingerprint, in the `chosen` place if that is given."""
    try:
        folder = (Path(chosen) if chosen else _user_cache()) / "fastlogit" / _fingerprint()
        is_new = not folder.is_dir()
        for twin in _TWINS:
            (folder / twin).mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home folder
        return None
    with contextlib.suppress(OSError):  # a filled folder that cannot be written is of use too
        if is_new:
            _prune(folder)
        elif _is_older(folder, _DAY):
            os.utime(folder)
            _prune_files(folder)
    return folder


def _prune(newest: Path) -> None:
    """Remove the folders of other fingerprints that no process has opened for 30 days."""
    ours = re.compile(rf"[0-9a-f]{{{_FINGERPRINT_DIGITS}}}")
    for folder in newest.parent.iterdir():
        if folder == newest or not ours.fullmatch(folder.name):
            continue
        with contextlib.suppress(OSError):
            if _is_older(folder, _STALE):
                shutil.rmtree(folder, ignore_errors=True)


def _prune_files(folder: Path) -> None:
    """Remove the code that no process has loaded for 30 days: of kernels since edited."""
    for path in folder.glob("*/*"):
        with contextlib.suppress(OSError):
            if _is_older(path, _STALE):
                path.unlink()


def _is_older(path: Path, seconds: float) -> bool:
    return path.stat().st_mtime < time.time() - seconds


# ------------------------------------------------------------------------------------------------
# The cache of one dispatcher


class _DiskCache:
    """The part of numba's cache protocol that a dispatcher uses, with one file per signature."""

    def __init__(self, dispatcher: Any, folder: Path) -> None:
        func = dispatcher.py_func
        name = re.sub(r"[^\w.]", "", func.__qualname__)
        self._folder, self._dispatcher = folder, dispatcher
        self._base = f"{func.__module__.rpartition('.')[2]}.{name}"
        self._enabled = True

    @cached_property
    def _identity(self) -> str:
        """What the code depends on: made when it is first asked for, with all that it calls."""
        return identity(self._dispatcher)

    @property
    def cache_path(self) -> str:
        return str(self._folder)

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        for path in self._folder.glob(f"{self._base}-*.nbc"):
            with contextlib.suppress(OSError):
                path.unlink()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kept compile result of a signature; None if it is missing or not whole."""
        if not self._enabled:
            return None
        rebuild: Any = compiler.CompileResult._rebuild
        try:
            key = self._key(sig, target_context.codegen())
            payload = _read(self._path(key), key)
            if payload is None:
                TURN.take(self._path(key).with_suffix(".turn"))
                payload = _read(self._path(key), key)
            if payload is not None:
                with contextlib.suppress(OSError):
                    if _is_older(self._path(key), _DAY):
                        os.utime(self._path(key))
                # What compiled code needs to run. numba's own cache also fills the tables that
                # only a compilation reads, and imports scipy.linalg for it: 0.17 s.
                rtsys.initialize(target_context)
                return rebuild(target_context, *payload)
            _number_symbols(key)
        except Exception:  # numba's private parts may have changed: compile instead
            return None
        return None

    def holds(self, sig: Any, target_context: Any) -> bool:
        """Say whether there is a file for a signature."""
        try:
            return self._path(self._key(sig, target_context.codegen())).exists()
        except Exception:  # numba's private parts may have changed
            return False

    def save_overload(self, sig: Any, result: Any) -> None:
        """Keep a compile result, if it can be kept."""
        if not self._enabled:
            return
        # A full disk, a folder without write permission, a private part of numba that has changed:
        # the caller has its compiled function all the same.
        with contextlib.suppress(Exception):
            if not result.lifted and not result.library.has_dynamic_globals:
                key = self._key(sig, result.codegen)
                _write(self._path(key), key, result._reduce())

    def _key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (sig, _field_names(sig), codegen.magic_tuple(), self._identity)

    def _path(self, key: tuple[Any, ...]) -> Path:
        digest = hashlib.sha256(repr(key).encode()).hexdigest()
        return self._folder / f"{self._base}-{digest[:16]}.nbc"


def _field_names(kinds: Any) -> tuple[Any, ...]:
    """Return the names of the fields of all named tuples among types: these do not tell them."""
    tuples: Any = types
    return tuple(
        (getattr(getattr(kind, "instance_class", None), "_fields", ()), _field_names(list(kind)))
        for kind in getattr(kinds, "args", kinds)
        if isinstance(kind, tuples.BaseTuple)
    )


def _number_symbols(key: tuple[Any, ...]) -> None:
    """Let the symbols of the compilation that follows bear numbers that belong to its key.

    A parallel loop is named by an address in memory, which is the same in two forked processes, and
    by this number.
    """
    identity: Any = bytecode.FunctionIdentity
    used = next(identity._unique_ids) % 2**24  # in one process no number comes twice
    belongs = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:5])
    identity._unique_ids = itertools.count(belongs * 2**24 + used + 1)


def _read(path: Path, key: tuple[Any, ...]) -> Any:
    """Return what `_write` put there for the same key; None if the file is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body = content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != content[:_DIGEST_BYTES]:
        return None
    found, payload = pickle.loads(body)
    return payload if found == key else None


def _write(path: Path, key: tuple[Any, ...], payload: Any) -> None:
    """Write beside `path`, then rename: a reader sees a whole file or none."""
    dumps: Any = serialize.dumps
    body = dumps((key, payload))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}.tmp")
    try:
        temporary.write_bytes(hashlib.sha256(body).digest() + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
