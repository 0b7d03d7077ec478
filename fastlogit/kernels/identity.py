"""What the machine code of a function depends on: its own code, and all that it calls.

numba compiles what a function calls into it, as it stands in memory. So this goes the same way,
from byte code to the names that it uses, and makes a digest that is the same in every process for
the same code. A comment, a docstring or another kernel changes nothing.

Two things cannot be followed by names: what an intrinsic builds, and what numba is told to put in
the place of a plain function (`overload`). Where one is reached, the whole source of its module
counts.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from .inner import Inner

__all__ = ["Unknown", "identity", "reached"]

PACKAGE = __name__.partition(".")[0]


def _state(path: str | Path) -> tuple[int, int] | None:
    """Return what changes when a file is edited; None if there is no such file (in a zip file)."""
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


# A source that is edited later is not the one of the code in memory.
_FIRST_STATES = {str(path): _state(path) for path in Path(__file__).parent.rglob("*.py")}


class Unknown(Exception):
    """Something that has no description which is the same in every process."""


def identity(function: Callable[..., Any], names: bool = True) -> str:
    """Return a digest of a function's code and of all that it can reach.

    Parameters
    ----------
    function : callable
        A dispatcher of numba, or a plain function.
    names : bool, default True
        Whether to follow global names, beside closures.

    Returns
    -------
    str

    Raises
    ------
    Unknown
        If it reaches something that cannot be described.
    """
    return hashlib.sha256(_Walk(names).whole(function).encode()).hexdigest()


def reached(function: Callable[..., Any]) -> tuple[list[FunctionType], set[str]]:
    """Return the functions that a function can reach by names, and modules that count whole."""
    walk = _Walk(True)
    walk.whole(function)
    return walk.functions, walk.modules


class _Walk:
    """One way through the functions: each is described once, and is its number elsewhere."""

    def __init__(self, follows_names: bool) -> None:
        self._follows_names = follows_names
        self.functions: list[FunctionType] = []
        self.modules: set[str] = set()
        self._numbers: dict[FunctionType, int] = {}
        self._texts: list[str] = []

    def whole(self, function: Any) -> str:
        """Return the description of a function and of all others that it reaches."""
        plain = isinstance(function, FunctionType)
        first = self._function(function) if plain else self._describe(function)
        return "\n".join([first, *self._texts])

    def _describe(self, value: Any) -> str:
        if isinstance(value, Inner) or hasattr(value, "py_func"):  # a dispatcher of numba
            given = value.options if isinstance(value, Inner) else value.targetoptions
            options = [(n, self._plain(option)) for n, option in given.items()]
            return f"compiled {sorted(options)!r} {self._function(value.py_func)}"
        if hasattr(value, "_defn"):  # an intrinsic
            return f"intrinsic {value._defn.__qualname__} {self._source(value._defn)}"
        if isinstance(value, FunctionType):
            if not _is_ours(value):
                return f"function {value.__module__}.{value.__qualname__}"
            # Compiled code cannot call it as it is: it stands for what numba is told to take.
            return f"plain {self._function(value)} {self._source(value)}"
        return self._plain(value)

    def _plain(self, value: Any) -> str:
        if isinstance(value, ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, BuiltinFunctionType | np.ufunc):
            return f"builtin {getattr(value, '__module__', '')}.{value.__name__}"
        if isinstance(value, tuple | list):
            return f"{type(value).__name__} [{', '.join(self._describe(item) for item in value)}]"
        if isinstance(value, set | frozenset):
            return f"set {sorted(self._describe(item) for item in value)!r}"
        if isinstance(value, np.ndarray):
            return repr((value.dtype.str, value.shape, value.tobytes()))
        if dataclasses.is_dataclass(value):
            fields = [(f.name, self._describe(getattr(value, f.name)))
                      for f in dataclasses.fields(value)]  # fmt: skip
            return f"{type(value).__qualname__} {fields!r}"
        text = repr(value)
        if " at 0x" in text:
            raise Unknown(text)
        return text

    def _class(self, value: type) -> str:
        name = f"class {value.__module__}.{value.__qualname__}"
        if hasattr(value, "_fields"):
            return f"{name} {value._fields!r}"
        if issubclass(value, enum.Enum):
            return f"{name} {[(member.name, member.value) for member in value]!r}"
        return f"{name} {self._source(value)}" if _is_ours(value) else name

    def _source(self, value: Any) -> str:
        """Return a digest of the source of the module that something is from."""
        self.modules.add(value.__module__)
        return _source_of_module(value.__module__)

    def _function(self, function: FunctionType) -> str:
        """Return the number of a function; describe it, and what it reaches, when it is new."""
        number = self._numbers.get(function)
        if number is None:
            number = self._numbers[function] = len(self.functions)
            self.functions.append(function)
            self._texts.append("")
            self._texts[number] = self._text(function)
        return f"#{number}"

    def _text(self, function: FunctionType) -> str:
        code, names = _code(function.__code__, function.__doc__)
        known = function.__globals__
        parts = [function.__module__, function.__qualname__, code]
        parts += [self._describe(value) for value in function.__defaults__ or ()]
        parts += [_cell(cell, self._describe) for cell in function.__closure__ or ()]
        for name in names if self._follows_names else ():
            if name not in known:
                continue
            value = known[name]
            parts.append(f"{name} = {self._describe(value)}")
            if isinstance(value, ModuleType) and value.__name__.startswith(PACKAGE):
                parts += [f"{name}.{own} = {self._describe(getattr(value, own))}"
                          for own in names if hasattr(value, own)]  # fmt: skip
        return "\n ".join(parts)


@cache
def _code(code: CodeType, doc: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a text for byte code, without its docstring, and the names that it uses."""
    constants, names = [], set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            text, more = _code(constant, None)
            constants.append(text)
            names.update(more)
        else:
            constants.append("None" if doc is not None and constant == doc else _sorted(constant))
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    text = repr((code.co_code, arguments, code.co_names, code.co_freevars, constants,
                 code.co_exceptiontable))  # fmt: skip
    return text, tuple(sorted(names))


def _sorted(value: Any) -> str:
    """Return the text of a value; sets, whose order differs from process to process, in order."""
    return repr(sorted(map(repr, value))) if isinstance(value, set | frozenset) else repr(value)


def _cell(cell: Any, describe: Callable[[Any], str]) -> str:
    try:
        return describe(cell.cell_contents)
    except ValueError:  # an empty cell: the name is bound later
        return "empty"


def _is_ours(value: Any) -> bool:
    return str(value.__module__).partition(".")[0] == PACKAGE


@cache
def _source_of_module(name: str) -> str:
    try:
        module = sys.modules[name]
        path, source = str(module.__file__), inspect.getsource(module)
    except (OSError, KeyError, TypeError):
        raise Unknown(f"the source of {name}") from None
    if _state(path) != _FIRST_STATES.get(path):
        raise Unknown(f"the source of {name}, which was edited since it was read")
    return hashlib.sha256(source.encode()).hexdigest()
