"""Errors and warnings of their own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import FitResult

__all__ = ["DivergenceError", "SeparationWarning"]


class DivergenceError(ArithmeticError):
    """The cost grew: the step size is too large for the curvature of the data.

    Attributes
    ----------
    result : FitResult
        The best point seen, with its cost history.
    """

    def __init__(self, message: str, result: FitResult) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[DivergenceError], tuple[str, FitResult]]:
        return type(self), (str(self), self.result)


class SeparationWarning(UserWarning):
    """A combination of columns separates the classes: the unpenalised cost has no minimum."""
