"""A way to keep a compiled function from being inlined."""

from __future__ import annotations

from typing import Any

from numba import config, types
from numba.extending import intrinsic

__all__ = ["keep_apart"]


def _plain_keep_apart() -> None:
    """Do nothing: plain Python inlines nothing."""


def _llvm_keep_apart(typing_context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


# keep_apart(): the function that calls it is not inlined anywhere. For functions that are called
# from several places, each copy of which would take time to compile. It has a file of its own
# because the cache takes the whole source of an intrinsic's module for its code.
keep_apart = _plain_keep_apart if config.DISABLE_JIT else intrinsic(_llvm_keep_apart)
