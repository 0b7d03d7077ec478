"""From numba's typed code to LLVM's, in few instructions: as numba does it, in shorter ways.

numba puts each array that is indexed on the stack, to read one field of it, makes a record of each
step of a loop, and writes nulls where variables end: thirty lines of LLVM for ``work[i]``, eighty
for a loop. LLVM's optimiser drops nearly all of them, but they are made by Python, written as text,
parsed and walked. Here

- items of arrays are read and written by the fields of the array at hand;
- loops over `range` of a known positive step count down without a branch of their own;
- callers of compiled functions ask only whether there was an error;
- variables that hold no reference to memory are not cleared;
- which form of an operator serves is not tried out with constants, of which only powers know any.

Everything else goes numba's way, and with bounds checks or debug information all of it does.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numba
from llvmlite import ir
from numba.core import callconv, cgutils, cpu, imputils, lowering, typed_passes, types
from numba.core.compiler_machinery import register_pass

__all__ = ["LeanLowering", "lean_context"]

_KINDS: Any = types
_RANGES = (range, numba.prange)
_POWERS = (operator.pow, operator.ipow)


def lean_context(context: Any) -> Any:
    """Return a copy of numba's target context that goes shorter ways; itself with bounds checks."""
    if context.enable_boundscheck:
        return context
    lean = copy.copy(context)
    lean.__class__ = _LeanContext
    lean.plain, lean.ranges = context, {}
    return lean


class _LeanConvention(callconv.CPUCallConv):  # type: ignore[misc]
    """The same calls, but of what came of them only whether it was an error."""

    def _get_return_status(self, builder: Any, code: Any, excinfoptr: Any) -> Any:
        is_error = builder.icmp_signed("!=", code, callconv.RETCODE_OK)
        return callconv.Status(
            code=code, is_ok=None, is_none=None, is_error=is_error, is_python_exc=None,
            is_stop_iteration=None, is_user_exc=None, excinfoptr=excinfoptr,
        )  # fmt: skip

    def return_status_propagate(self, builder: Any, status: Any) -> None:
        builder.store(status.excinfoptr, self._get_excinfo_argument(builder.function))
        self._return_errcode_raw(builder, status.code)


class _LeanContext(cpu.CPUContext):  # type: ignore[misc]
    """Answers what numba's lowering asks for, with own ways where there are some.

    `plain` is numba's own context, and `ranges` are the bounds and steps of ranges by the LLVM
    values that stand for them.
    """

    plain: Any
    ranges: dict[int, tuple[Any, ...]]

    def get_function(self, fn: Any, sig: Any, _firstcall: bool = True) -> Any:
        """Return what makes the code of an operation."""
        way = self._own_way(fn, sig)
        if way is None:
            return super().get_function(fn, sig, _firstcall)

        def generate(builder: Any, arguments: Sequence[Any], loc: Any = None) -> Any:
            return way(self, builder, sig, arguments)

        return generate

    def _own_way(self, fn: Any, sig: Any) -> Callable[..., Any] | None:
        if isinstance(fn, str):
            if fn == "getiter" and isinstance(sig.args[0], _KINDS.RangeType):
                return _start_range
            if fn == "iternext" and isinstance(sig.args[0], _KINDS.RangeIteratorType):
                return _next_of_range
            return None
        if isinstance(fn, _KINDS.Dispatcher):
            overload = fn.dispatcher.overloads.get(tuple(sig.args))
            if overload is None or isinstance(sig.return_type, (_KINDS.Optional, _KINDS.Generator)):
                return None
            return _calls(overload)
        what = getattr(fn, "typing_key", None)
        if what is operator.getitem and _is_item(sig.args):
            return _get_item
        if what is operator.setitem and _is_item(sig.args):
            return _set_item
        if what in _RANGES and isinstance(sig.return_type, _KINDS.RangeType):
            return _make_range
        return None

    def pair_first(self, builder: Any, val: Any, ty: Any) -> Any:
        return builder.extract_value(val, 0)

    def pair_second(self, builder: Any, val: Any, ty: Any) -> Any:
        return builder.extract_value(val, 1)


# ------------------------------------------------------------------------------------------------
# Items of arrays


def _is_item(kinds: Sequence[Any]) -> bool:
    """Say whether whole numbers pick one item of a plain array of numbers."""
    array, index = kinds[:2]
    if type(array) is not _KINDS.Array or not isinstance(
        array.dtype, (_KINDS.Number, _KINDS.Boolean)
    ):
        return False
    indices = index if isinstance(index, _KINDS.BaseTuple) else (index,)
    return len(indices) == array.ndim and all(isinstance(i, _KINDS.Integer) for i in indices)


def _item(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    """Return a pointer to an item."""
    (kind, index_kind), (array, index) = sig.args[:2], arguments[:2]
    fields = context.data_model_manager[kind]
    data, shape, strides = (
        builder.extract_value(array, fields.get_field_position(name))
        for name in ("data", "shape", "strides")
    )
    many = isinstance(index_kind, _KINDS.BaseTuple)
    kinds = tuple(index_kind) if many else (index_kind,)
    indices = cgutils.unpack_tuple(builder, index, len(kinds)) if many else [index]
    places = []
    for axis, (one, value) in enumerate(zip(kinds, indices, strict=True)):
        place = context.cast(builder, value, one, _KINDS.intp if one.signed else _KINDS.uintp)
        if one.signed and not _is_positive(place):
            from_end = builder.add(place, builder.extract_value(shape, axis))
            is_negative = builder.icmp_signed("<", place, place.type(0))
            place = builder.select(is_negative, from_end, place)
        places.append(place)
    if len(places) == 1 and kind.layout in "CF":
        return builder.gep(data, places)
    shapes, steps = (cgutils.unpack_tuple(builder, each, kind.ndim) for each in (shape, strides))
    return cgutils.get_item_pointer2(context, builder, data, shapes, steps, kind.layout, places)


def _is_positive(value: Any) -> bool:
    return isinstance(value, ir.Constant) and value.constant >= 0


def _get_item(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    kind, pointer = sig.args[0], _item(context, builder, sig, arguments)
    return context.unpack_value(builder, kind.dtype, pointer, align=None if kind.aligned else 1)


def _set_item(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    kind, value_kind = sig.args[0], sig.args[2]
    value = context.cast(builder, arguments[2], value_kind, kind.dtype)
    pointer = _item(context, builder, sig, arguments)
    context.pack_value(builder, kind.dtype, value, pointer, align=None if kind.aligned else 1)


# ------------------------------------------------------------------------------------------------
# Loops


def _record(context: Any, builder: Any, kind: Any, values: Sequence[Any]) -> Any:
    record = ir.Constant(context.get_value_type(kind), ir.Undefined)
    for place, value in enumerate(values):
        record = builder.insert_value(record, value, place)
    return record


def _make_range(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    number = context.get_value_type(sig.return_type.dtype)
    bounds = tuple(arguments) if len(arguments) > 1 else (number(0), *arguments)
    start, stop, step = (*bounds, number(1))[:3]
    made = _record(context, builder, sig.return_type, (start, stop, step))
    # With the value itself, so that no other gets its number.
    context.ranges[id(made)] = made, start, stop, step
    return made


def _start_range(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    """Return the state of a loop: where the next number and how many are left lie, stop, step."""
    made, *known = context.ranges.get(id(arguments[0]), (None,))
    if made is None or not _is_positive(known[2]) or known[2].constant == 0:
        return context.plain.get_function("getiter", sig)(builder, arguments)
    start, stop, step = known
    left = builder.sub(stop, start)
    if step.constant > 1:
        left = builder.sdiv(builder.add(left, step.type(step.constant - 1)), step)
    place, count = (cgutils.alloca_once(builder, start.type) for _ in range(2))
    builder.store(start, place)
    builder.store(left, count)
    return _record(context, builder, sig.return_type, (place, stop, step, count))


def _next_of_range(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
    """Return the next number and whether there is one; the state may run past the end."""
    place, _, step, count = (builder.extract_value(arguments[0], k) for k in range(4))
    left, number = builder.load(count), builder.load(place)
    is_valid = builder.icmp_signed(">", left, left.type(0))
    builder.store(builder.sub(left, left.type(1)), count)
    builder.store(builder.add(number, step), place)
    return _record(context, builder, sig.return_type, (number, is_valid))


# ------------------------------------------------------------------------------------------------
# Calls, variables and operators


def _calls(overload: Any) -> Callable[..., Any]:
    """Return what calls a compiled function."""
    description = overload.fndesc

    def call(context: Any, builder: Any, sig: Any, arguments: Sequence[Any]) -> Any:
        convention = _LeanConvention(context)
        function = context.declare_function(builder.module, description)
        status, value = convention.call_function(
            builder, function, description.restype, description.argtypes, arguments
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        context.add_linking_libs((overload.library,))
        return imputils.impl_ret_new_ref(context, builder, description.restype, value)

    return call


class _Lower(lowering.Lower):  # type: ignore[misc]
    """Lowers a function in a lean context."""

    context: Any

    @property
    def _is_lean(self) -> bool:
        return isinstance(self.context, _LeanContext)

    def delvar(self, name: str) -> None:
        """Let a variable end: nothing is to be done where it holds no reference."""
        if not self._is_lean or self._counts(name):
            super().delvar(name)

    def _counts(self, name: str) -> bool:
        model = self.context.data_model_manager[self.typeof(name)]
        return bool(self.context.enable_nrt and model.contains_nrt_meminfo())

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        """Lower an operator."""
        if not self._is_lean or op in _POWERS:
            return super().lower_binop(resty, expr, op)
        context, builder, taken = self.context, self.builder, self.fndesc.calltypes[expr]
        operands = [
            context.cast(builder, self.loadvar(one.name), self.typeof(one.name), kind)
            for one, kind in zip((expr.lhs, expr.rhs), taken.args, strict=True)
        ]
        function = context.typing_context.resolve_value_type(op)
        found = function.get_call_type(context.typing_context, taken.args, {})
        result = context.get_function(function, found)(builder, operands)
        return context.cast(builder, result, taken.return_type, resty)


@register_pass(mutates_CFG=True, analysis_only=False)
class LeanLowering(typed_passes.BaseNativeLowering):  # type: ignore[misc]
    """`NativeLowering` in shorter ways."""

    _name = "fastlogit_lowering"

    @property
    def lowering_class(self) -> Any:
        """Which class lowers."""
        return _Lower
