"""numba's compiler without the work that these kernels have no use for.

A small fit is one entry that calls a hundred short functions. To numba each of them is a function
that Python may call: it links all that it calls into its module, optimises the whole, and walks its
code some ten times for language that no kernel has (`with`, `raise`, closures). Here

- a part has LLVM code of its own alone, and the entry takes each part once, to be optimised whole;
- so have parallel loops, which numba makes machine code of three times before their function;
- the passes over a function's code are those that change it;
- which types an operation takes and gives is asked once;
- entries are optimised once, where numba does so twice, and functions before them;
- no loop is unrolled.

All of it is made of numba's private parts. It is left out with versions that it was not tried with,
and where those parts have changed.
"""

from __future__ import annotations

import contextlib
import copy
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numba
from llvmlite import binding
from numba.core import compiler, config, types

__all__ = ["LEAN", "Lean", "make_lean"]

# Those that `.ci/run` compiles kernels with in this way.
TRIED = ("0.67.", "0.68.")


class Lean(NamedTuple):
    """Of parts, and of what calls them: the compilers, in numba's words, or their libraries."""

    part: Any
    whole: Any


def make_lean() -> Lean | None:
    """Return the compilers; None of a version not tried, or whose private parts have changed."""
    if not numba.__version__.startswith(TRIED):
        return None
    try:
        from numba.core.codegen import JITCodeLibrary
        from numba.core.compiler_machinery import PassManager
        from numba.extending import _Intrinsic

        from .lean_lowering import LeanLowering, lean_context

        plain, rewriting = _passes(LeanLowering)
        remembered = _Remembered(_Intrinsic)
    except (ImportError, AttributeError):
        return None
    used = (
        "_optimize_functions", "_optimize_final_module", "_finalize_final_module",
        "_finalize_dynamic_globals", "_get_module_for_linking", "get_pointer_to_function",
        "add_linking_library", "finalize",
    )  # fmt: skip
    if not (all(hasattr(JITCodeLibrary, name) for name in used)
            and hasattr(PassManager, "_runPass")
            and hasattr(compiler.Compiler, "compile_extra")):  # fmt: skip
        return None
    libraries = _libraries(JITCodeLibrary)
    return _compilers(libraries, _managers(PassManager), plain, rewriting, remembered, lean_context)


# ------------------------------------------------------------------------------------------------
# Libraries: the LLVM code of a function and of what it calls


class _NoEnvironment:
    """numba's code generator for functions without an address to keep an environment at."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, env_name: str, env: Any) -> None:
        """Do nothing: only wrappers for calls from Python read it."""


class _LoopsAsParts(_NoEnvironment):
    """numba's code generator for a function with parallel loops, which are parts of it.

    numba makes a function of each loop and two around it, and optimises all three, and makes
    machine code of them, before the function of which they are a part has its turn.
    """

    def __init__(self, codegen: Any, part: Any) -> None:
        super().__init__(codegen)
        self._part = part

    def create_library(self, name: str, **more: Any) -> Any:
        """Return a new library."""
        if any(what in name for what in _OF_LOOPS):
            return self._part(self._codegen, name, **more)
        return self._codegen.create_library(name, **more)


# In the names of libraries that are made of a parallel loop.
_OF_LOOPS = ("__numba_parfor_gufunc", "_GufuncWrapper", "parallelgufuncwrapper")


class _Own(NamedTuple):
    """One part's own code, in the place of its library."""

    library: Any

    @property
    def _reload_init(self) -> Any:
        return self.library._reload_init

    def _get_module_for_linking(self) -> Any:
        return self.library.own_module()


def _reached(caller: Any) -> list[Any]:
    """Return all libraries that one reaches, callers before what they call."""
    found: dict[int, Any] = {}

    def visit(libraries: list[Any]) -> None:
        for library in libraries:
            if id(library) not in seen:
                seen.add(id(library))
                if _is_part(library):
                    visit(library._linking_libraries)
                found[id(library)] = library

    seen: set[int] = set()
    visit(caller._linking_libraries)
    ordered = list(reversed(found.values()))
    parts = [_Own(one) for one in ordered if _is_part(one)]
    # LLVM takes what is asked for by then alone. Of a part that is its one function; libraries
    # of many functions come when all has been asked.
    return parts + [one for one in ordered if not _is_part(one)]


def _is_part(library: Any) -> bool:
    return hasattr(library, "own_module")


def _libraries(base: Any) -> Lean:
    """Return the classes of libraries, made of numba's own."""

    class _Whole(base):  # type: ignore[misc]
        """Machine code of a function and of all that it reaches, each linked in once."""

        def finalize(self) -> None:
            self._linking_libraries = _reached(self)
            super().finalize()

        def _optimize_functions(self, ll_module: Any) -> None:
            ll_module.data_layout = self._codegen._data_layout

        def _optimize_final_module(self) -> None:
            passes, builder = _module_passes(self._codegen)
            passes.run(self._final_module, builder)

    return Lean(_part_library(base), _Whole)


def _module_passes(codegen: Any) -> tuple[Any, Any]:
    """Return LLVM's passes over a whole entry, and what they are built by."""
    tuning = binding.create_pipeline_tuning_options(min(2, int(config.OPT)))
    tuning.loop_vectorization = bool(config.LOOP_VECTORIZE)
    tuning.slp_vectorization = bool(config.SLP_VECTORIZE)
    # Kernels are unrolled by hand where that pays. LLVM's copies of the other loops were half of
    # what it made, and took a third of its time.
    tuning.loop_unrolling = False
    builder = binding.create_pass_builder(codegen._tm, tuning)
    passes = builder.getModulePassManager()
    passes.add_refprune_pass()
    return passes, builder


def _part_library(base: Any) -> Any:
    """Return the class of libraries of parts."""

    class _Part(base):  # type: ignore[misc]
        """LLVM code that is linked into that of callers: nothing is made of it here."""

        _shared_module: Any

        @property
        def codegen(self) -> Any:
            return _NoEnvironment(self._codegen)

        def _optimize_functions(self, ll_module: Any) -> None:
            ll_module.data_layout = self._codegen._data_layout

        def finalize(self) -> None:
            for library in self._linking_libraries:
                self._reload_init.update(library._reload_init)
            self._finalize_dynamic_globals()
            self._finalized = True

        def own_module(self) -> Any:
            """Return its own functions, in a form that several callers may link."""
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage.name == "external":
                    function.linkage = "linkonce_odr"
            return self._final_module

        def _get_module_for_linking(self) -> Any:
            """Return all that it reaches: for libraries of numba's own kind."""
            if self._shared_module is None:
                whole = self.own_module().clone()
                for library in _reached(self):
                    whole.link_in(library._get_module_for_linking(), preserve=True)
                self._shared_module = whole
            return self._shared_module

        def get_pointer_to_function(self, name: str) -> int:
            return 0

    return _Part


# ------------------------------------------------------------------------------------------------
# Compilers: the passes over a function


def _managers(base: Any) -> Any:
    """Return the class of sequences of passes, made of numba's own."""

    class _Passes(base):  # type: ignore[misc]
        """Runs passes that do not look whether others have kept their word."""

        def _runPass(self, index: int, pss: Any, internal_state: Any) -> None:
            pss.analysis = self._analysis
            pss.run_pass(internal_state)

    return _Passes


def _compilers(
    libraries: Lean, manager: Any, plain: list[Any], rewriting: list[Any],
    remembered: _Remembered, lean_context: Callable[[Any], Any],
) -> Lean:  # fmt: skip
    """Return the compilers, made of numba's own."""

    class _LeanCompiler(compiler.Compiler):  # type: ignore[misc]
        """Compiles functions of few parts of the language."""

        def compile_extra(self, func: Any) -> Any:
            context = self.state.targetctx
            self.state.library = self._library(context.codegen(), func)
            if self.state.flags.auto_parallel.enabled:
                self.state.targetctx = copy.copy(context)
                self.state.targetctx._internal_codegen = _LoopsAsParts(
                    context.codegen(), libraries.part
                )
            else:
                self.state.targetctx = lean_context(context)
            with remembered.types():
                return super().compile_extra(func)

        def define_pipelines(self) -> list[Any]:
            flags = self.state.flags
            if flags.force_pyobject or flags.auto_parallel.enabled or _has_closures(self.state):
                return super().define_pipelines()
            passes = manager("lean")
            for one in plain if flags.no_rewrites else rewriting:
                passes.add_pass(one, one.__name__)
            passes.finalize()
            return [passes]

    class _Part(_LeanCompiler):
        def _library(self, codegen: Any, func: Any) -> Any:
            return libraries.part(codegen, func.__qualname__)

    class _Whole(_LeanCompiler):
        def _library(self, codegen: Any, func: Any) -> Any:
            library = libraries.whole(codegen, func.__qualname__)
            library.enable_object_caching()
            return library

    return Lean(_Part, _Whole)


def _passes(lowering: Any) -> tuple[list[Any], list[Any]]:
    """Return the passes over a function without rewrites, and over one with them."""
    from numba.core import ir_utils, ssa, typed_passes, untyped_passes
    from numba.core.compiler_machinery import FunctionPass, register_pass

    class _OneAssignment(FunctionPass):  # type: ignore[misc]
        """`ReconstructSSA` without lifetimes of variables, which nobody asks for."""

        _name = "fastlogit_ssa"

        def __init__(self) -> None:  # which is abstract in numba's
            super().__init__()

        def run_pass(self, state: Any) -> bool:
            state.func_ir = ssa.reconstruct_ssa(state.func_ir)
            state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
            return True

    class _NoPhis(typed_passes.PreLowerStripPhis):  # type: ignore[misc]
        """The same of `PreLowerStripPhis`."""

        _name = "fastlogit_strip_phis"

        def run_pass(self, state: Any) -> bool:
            state.func_ir = self._strip_phi_nodes(state.func_ir)
            state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
            return True

    for one in (_OneAssignment, _NoPhis):
        register_pass(mutates_CFG=True, analysis_only=False)(one)
    untyped, typed = untyped_passes, typed_passes
    read = [untyped.TranslateByteCode, untyped.FixupArgs]
    made = [typed.IRLegalization, lowering, typed.NoPythonBackend]
    plain = [*read, _OneAssignment, typed.NopythonTypeInference, _NoPhis, *made]
    rewriting = [
        *read, untyped.IRProcessing, untyped.RewriteSemanticConstants, untyped.DeadBranchPrune,
        untyped.GenericRewrites, untyped.IRProcessing, untyped.ReconstructSSA,
        untyped.DeadBranchPrune, untyped.IRProcessing, typed.NopythonTypeInference,
        typed.PreLowerStripPhis, typed.NopythonRewrites, *made,
    ]  # fmt: skip
    return plain, rewriting


def _has_closures(state: Any) -> bool:
    return any(hasattr(constant, "co_code") for constant in state.func_id.code.co_consts)


# ------------------------------------------------------------------------------------------------
# Types of operations on numbers

_OPERATORS = frozenset(getattr(operator, name) for name in operator.__all__)
_KINDS: Any = types
_PLAIN = (
    _KINDS.Number, _KINDS.Boolean, _KINDS.IntegerLiteral, _KINDS.BooleanLiteral, _KINDS.Array,
    _KINDS.NamedUniTuple, _KINDS.NamedTuple,
)  # fmt: skip


class _Remembered:
    """Types that operators and intrinsics take and give, by those of their arguments.

    numba tries some ten templates for each, NumPy's among them: a tenth of the seconds of a kernel.

    Parameters
    ----------
    intrinsic : type
        numba's class of intrinsics.
    """

    def __init__(self, intrinsic: Any) -> None:
        self._named: Any = (type, intrinsic)
        self._known: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    @contextlib.contextmanager
    def types(self) -> Iterator[None]:
        """Let numba ask once, inside its compiler lock."""
        function: Any = types.functions.BaseFunction
        asked = function.get_call_type
        if hasattr(asked, "remembers"):
            yield
            return
        function.get_call_type = self._remembering(asked)
        try:
            yield
        finally:
            function.get_call_type = asked

    def _remembering(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def get_call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
            what = function.typing_key
            is_known = what in _OPERATORS or isinstance(what, self._named)
            if kws or not is_known or not all(isinstance(kind, _PLAIN) for kind in args):
                return ask(function, context, args, kws)
            key = (function, *args)
            if key not in self._known:
                signature = ask(function, context, args, kws)
                self._known[key] = signature, function._impl_keys[signature.args]
            signature, implementation = self._known[key]
            function._impl_keys[signature.args] = implementation
            return signature

        get_call_type.remembers = True  # type: ignore[attr-defined]
        return get_call_type


LEAN = make_lean()
