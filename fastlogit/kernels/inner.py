"""Functions that only compiled code calls, made known to numba when it first meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

__all__ = ["Formula", "Inner"]


def _plain(kind: Any) -> Any:
    """Return the type of a number for that of a constant: each would be compiled by itself."""
    return getattr(kind, "literal_type", kind)


class Inner:
    """A function for compiled code alone: numba's dispatcher of it is made when it is asked for.

    There are four hundred of them, of which a call reaches a hundred when it compiles and none when
    its code is in the cache: all dispatchers take a third of the import of `fastlogit.fit`. Unlike
    them it cannot be called from Python, where it has no way in.

    Parameters
    ----------
    func : callable
    options : mapping
    decorate : callable
        Takes the options, and gives the decorator that makes the dispatcher.
    """

    def __init__(
        self, func: Callable[..., Any], options: Mapping[str, Any], decorate: Callable[..., Any]
    ) -> None:
        self.py_func = func
        self.options = options
        self._decorate = decorate
        self.__name__, self.__qualname__ = func.__name__, func.__qualname__
        self.__module__, self.__doc__ = func.__module__, func.__doc__

    @cached_property
    def dispatcher(self) -> Any:
        """What numba compiles it by."""
        dispatcher = self._decorate(**self.options)(self.py_func)
        find = dispatcher.get_call_template

        def get_call_template(kinds: Any, named: Any) -> Any:
            return find(
                tuple(_plain(kind) for kind in kinds),
                {name: _plain(kind) for name, kind in named.items()},
            )

        dispatcher.get_call_template = get_call_template
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """The type by which numba knows a value of a class that is not its own."""
        return self.dispatcher._numba_type_

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dispatcher, name)


class Formula(Inner):
    """Such a function that Python may call too: then it is compiled once more, by itself.

    Parameters
    ----------
    func : callable
    options : mapping
    decorate : callable
    alone : callable
        Makes the dispatcher for Python.
    """

    def __init__(
        self, func: Callable[..., Any], options: Mapping[str, Any], decorate: Callable[..., Any],
        alone: Callable[[], Callable[..., Any]],
    ) -> None:  # fmt: skip
        super().__init__(func, options, decorate)
        self._make_alone = alone

    @cached_property
    def _alone(self) -> Callable[..., Any]:
        return self._make_alone()

    def __call__(self, *arguments: Any) -> Any:
        """Call what is compiled for Python."""
        return self._alone(*arguments)
