"""The njit policy: what it compiles to, and that nothing of the package goes round it."""

import ast
import gc
import importlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import prange

from fastlogit.kernels import policy
from fastlogit.kernels.identity import Unknown, identity
from fastlogit.kernels.lean_compiler import TRIED, make_lean

PACKAGE = Path(policy.__file__).parents[1]
JIT = not numba.config.DISABLE_JIT
FORBIDDEN = {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc", "generated_jit"}
FORBIDDEN_OPTIONS = {"fastmath", "cache", "error_model", "parallel_target", "nogil", "forceobj"}


def double_all(values: Any, out: Any) -> None:
    for row in prange(out.size):
        out[row] = 2.0 * values[row]


def is_finite(value: float) -> bool:
    return math.isfinite(value)


def inverse(value: float) -> float:
    return 1.0 / value


def breaches(source: str) -> Iterator[str]:
    """Names and options of numba's that only kernels/policy.py may use."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            yield from ({alias.name for alias in node.names} & (FORBIDDEN | {"*"}))
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
            yield node.attr
        elif isinstance(node, ast.Call):
            yield from ({word.arg for word in node.keywords if word.arg} & FORBIDDEN_OPTIONS)


def flags(dispatcher: Any) -> dict[str, Any]:
    return dict(dispatcher.targetoptions) if JIT else {}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_policy_compiles(path: Path) -> None:
    found = list(breaches(path.read_text()))
    if path == Path(policy.__file__):
        assert "njit" in found
    else:
        assert found == [], f"{path.name}: use the decorators of kernels/policy.py"


@pytest.mark.parametrize(
    "source",
    [
        "from numba import njit",
        "import numba\n@numba.njit\ndef f(): pass",
        "import numba as nb\nf = nb.jit(nopython=True)(g)",
        "from numba.core.decorators import jit",
        "from numba import *",
        "@kernel(fastmath=True)\ndef f(): pass",
        "entry(f, cache=True)",
    ],
)
def test_the_guard_sees_what_goes_round_the_policy(source: str) -> None:
    assert list(breaches(source)) != []


def test_the_guard_lets_the_building_blocks_pass() -> None:
    assert list(breaches("from numba import prange, types\nfrom numba.extending import x")) == []


@pytest.mark.parametrize("decorate", [policy.formula, policy.kernel])
def test_inner_storeys_contract_but_never_reassociate(decorate: Any) -> None:
    compiled = decorate(inverse)
    if JIT:
        assert flags(compiled)["error_model"] == "numpy"
        assert flags(compiled)["fastmath"] == {"contract"}
        assert flags(compiled)["nopython"] is True
    else:
        assert compiled is inverse


def test_entries_reach_kernels_and_kernels_formulas() -> None:
    divide = policy.formula(inverse)

    def block(values: Any, out: Any) -> None:
        for row in range(out.size):
            out[row] = divide(values[row])

    block = policy.kernel(block)
    twins = policy.entry(lambda values, out: block(values, out), name="reach")
    out = np.empty(2)
    twins.serial(np.array([4.0, -0.5]), out)
    np.testing.assert_array_equal(out, [0.25, -2.0])
    if JIT:  # NumPy's rule for division; plain Python raises
        assert divide(0.0) == math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.0])
def test_nan_and_infinity_stay_visible(value: float) -> None:
    assert policy.formula(is_finite)(value) == math.isfinite(value)


def test_parts_are_compiled_into_what_calls_them_alone() -> None:
    divide = policy.part(inverse)

    def block(values: Any, out: Any) -> None:
        for row in range(out.size):
            out[row] = divide(values[row])

    block = policy.part(block)
    twins = policy.entry(lambda values, out: block(values, out), name="parts")
    out = np.empty(2)
    twins.serial(np.array([4.0, -0.5]), out)
    np.testing.assert_array_equal(out, [0.25, -2.0])
    if not JIT:
        assert divide is inverse
        return
    assert flags(divide)["error_model"] == "numpy"
    assert flags(divide)["fastmath"] == {"contract"}

    @numba.njit
    def users_own(value: float) -> float:
        return divide(value)

    assert users_own(0.0) == math.inf
    for made in divide.overloads.values():  # by itself it has no machine code
        assert made.library.get_pointer_to_function(made.fndesc.llvm_func_name) == 0


def test_twins_are_one_function_compiled_twice() -> None:
    twins = policy.entry(double_all)
    assert twins.choose(True) is twins.parallel
    assert twins.choose(False) is twins.serial
    if JIT:
        serial, parallel = flags(twins.serial), flags(twins.parallel)
        assert (serial["parallel"], parallel["parallel"]) == (False, True)
        for options in (serial, parallel):
            assert options["error_model"] == "numpy"
            assert options["fastmath"] == {"contract"}
            assert options["nogil"] is True
        names = {twin.py_func.__qualname__ for twin in (twins.serial, twins.parallel)}
        assert names == {"double_all_serial", "double_all_parallel"}
    else:
        assert twins.serial is twins.parallel is double_all
    values = np.arange(5.0)
    for twin in (twins.serial, twins.parallel):
        out = np.empty(5)
        twin(values, out)
        np.testing.assert_array_equal(out, 2.0 * values)


def test_kernels_are_common_functions_where_numba_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("numba.core.codegen.JITCodeLibrary", object)
        assert make_lean() is None
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba.core.codegen", None)
        assert make_lean() is None
    with monkeypatch.context() as patch:
        patch.delattr("numba.core.typed_passes.PreLowerStripPhis")
        assert make_lean() is None
    assert (make_lean() is not None) == numba.__version__.startswith(TRIED)
    with monkeypatch.context() as patch:
        patch.setattr(numba, "__version__", "99.0.1")
        assert make_lean() is None
    monkeypatch.setattr(policy, "LEAN", None)
    monkeypatch.setattr(policy, "Inner", lambda func, options, decorate: sorted(options))
    if JIT:
        common = ["error_model", "fastmath", "no_cfunc_wrapper", "no_cpython_wrapper"]
        assert policy.kernel(inverse) == common
        assert policy.part(inverse) == [*common, "no_rewrites"]


@pytest.mark.skipif(not JIT, reason="compiled code")
def test_inner_functions_are_made_known_to_numba_when_they_are_met() -> None:
    met, never = policy.part(inverse), policy.part(is_finite)

    @numba.njit
    def users_own(value: float) -> float:
        return met(value)

    assert users_own(4.0) == 0.25
    assert "dispatcher" in vars(met)
    assert "dispatcher" not in vars(never)
    with pytest.raises(TypeError, match="not callable"):
        never(1.0)


@pytest.mark.skipif(not JIT, reason="compiled code")
def test_numba_is_left_as_it_was() -> None:
    ask = numba.core.types.functions.BaseFunction.get_call_type
    add = policy.part(lambda a, b: a + b)

    @numba.njit
    def users_own(value: Any) -> Any:
        return add(value, 1)

    assert users_own(1.5) == 2.5
    assert numba.core.types.functions.BaseFunction.get_call_type is ask
    with pytest.raises(numba.errors.TypingError):
        users_own("text")
    assert numba.core.types.functions.BaseFunction.get_call_type is ask


@pytest.mark.skipif(not JIT, reason="compiled code")
def test_closures_take_the_common_way_through_numba() -> None:
    @policy.kernel
    def doubled(value: float) -> float:
        def twice(one: float) -> float:
            return 2.0 * one

        return twice(value)

    assert policy.entry(lambda value: doubled(value), name="closure").serial(1.5) == 3.0


def test_a_compiled_copy_keeps_documentation_and_defaults() -> None:
    def shifted(value: float, by: float = 3.0) -> float:
        """Add."""
        return value + by

    compiled = policy.formula(shifted)
    assert compiled.__doc__ == "Add."
    assert compiled(1.0) == 4.0


def test_functions_of_one_factory_have_names_of_their_own() -> None:
    def make(inner: Any) -> Any:
        def outer(value: float) -> float:
            return inner(value)

        return policy.formula(outer)

    first, second = make(policy.formula(inverse)), make(policy.formula(is_finite))
    assert first(4.0) == 0.25
    if JIT:
        assert first.py_func.__qualname__ != second.py_func.__qualname__
    else:
        assert first is not second


def describe_closure_over(content: Any) -> str:
    def inner() -> Any:
        return content

    return identity(inner)


def test_the_description_of_a_closure_tells_values_apart() -> None:
    contents = [1, 1.0, "1", (1, 2), [1, 2], np.arange(3), np.arange(3.0), inverse, is_finite]
    contents += [numba.float64, numba.float32, policy.formula(double_all)]
    texts = [describe_closure_over(content) for content in contents]
    assert len(set(texts)) == len(texts)
    assert texts == [describe_closure_over(content) for content in contents]


def test_the_description_sees_names_constants_and_defaults() -> None:
    variants = [
        lambda x: x.real,
        lambda x: x.imag,
        lambda x: x + 1,
        lambda x: x + 2,
        lambda x, by=1: x + by,
        lambda x, by=2: x + by,
        lambda x: (lambda y: y + 1)(x),
        lambda x: (lambda y: y + 2)(x),
    ]
    assert len({identity(variant) for variant in variants}) == len(variants)


def test_the_description_bears_recursion_and_names_bound_later() -> None:
    def descend(n: int) -> int:
        return 0 if n == 0 else descend(n - 1)

    def reads_later() -> Any:
        return later

    assert identity(descend) == identity(descend)
    before = identity(reads_later)
    later = 1
    assert reads_later() == later
    assert identity(reads_later) != before


def test_what_differs_in_every_process_has_no_identity() -> None:
    thing = object()
    with pytest.raises(Unknown, match="object object at 0x"):
        identity(lambda: thing)


def entries() -> list[Any]:
    """All that Python calls, of all kernel modules."""
    for path in (PACKAGE / "kernels").rglob("*.py"):
        names = path.relative_to(PACKAGE.parent).with_suffix("").parts
        importlib.import_module(".".join(names))
    return [cache._dispatcher for cache in gc.get_objects() if type(cache) is policy._DiskCache]


def test_every_entry_has_an_identity_of_its_own() -> None:
    found = [dispatcher for dispatcher in entries() if "kernels" in dispatcher.py_func.__module__]
    assert len({identity(dispatcher) for dispatcher in found}) == len(found)
    if JIT and policy.cache_folder():
        assert len(found) > 50


@pytest.mark.slow
@pytest.mark.skipif(not JIT, reason="compiled code")
def test_all_that_numba_compiles_into_an_entry_is_reached_by_names() -> None:
    """Else an edit there would be served stale. Compiled without the cache, in a fresh process."""
    script = """
import numpy as np
import numba.core.event as events
from numba.core.dispatcher import Dispatcher
from fastlogit.kernels import identity, policy

class Seen(events.Listener):
    def __init__(self):
        self.compiled = []
    def on_start(self, event):
        self.compiled.append(event.data["dispatcher"].py_func)
    def on_end(self, event):
        pass

roots = []
policy._DiskCache.load_overload = lambda self, *_: roots.append(self._dispatcher)
policy._DiskCache.save_overload = lambda *_: None
seen = Seen()
with events.install_listener("numba:compile", seen):
    import fastlogit
    X = np.random.default_rng(0).normal(size=(60, 12))
    y = np.arange(60) % 3
    fastlogit.fit(X, y, C=1.0, multi_class="multinomial").predict_proba(X)
    fastlogit.fit(X[:, :2], y > 0, C=1.0, solver="gradient_descent", max_iter=20_000)
    fastlogit.sigmoid(X)
found = [identity.reached(root) for root in roots]
known = {f.__code__ for functions, _ in found for f in functions}
whole = set().union(*(modules for _, modules in found))
ours = [f for f in seen.compiled if f.__module__.startswith("fastlogit")]
missed = {f for f in ours if f.__code__ not in known and f.__module__ not in whole}
assert len(ours) > 40, len(ours)
assert not missed, missed
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_without_jit_twins_are_the_plain_function() -> None:
    script = (
        "import math\n"
        "from fastlogit.kernels import policy\n"
        "twins = policy.entry(math.hypot)\n"
        "assert twins.serial is twins.parallel is math.hypot\n"
        "assert policy.kernel(len) is policy.formula(len) is len\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        timeout=60,
    )
