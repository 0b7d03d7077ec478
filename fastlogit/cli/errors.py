"""How the command line fails: one clear line on stderr and an exit code, whatever went wrong."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
import typer.core
from rich.console import Console

from fastlogit.errors import SeparationWarning

#: Errors that the input caused (exit code 2); all others are failures (exit code 1).
BAD_INPUT = (ValueError, TypeError, FileNotFoundError, IsADirectoryError, NotADirectoryError,
             PermissionError)  # fmt: skip

#: Exit code after Ctrl-C: 128 and the number of the signal, as shells have it.
_INTERRUPTED = 130


def say(text: str) -> None:
    """Print one line on stderr, as it is: names from the user's files are no markup."""
    line = " ".join(text.split())
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


class OneLineErrors(typer.core.TyperGroup):
    """A group of commands that turns every exception into one line and an exit code.

    ``--debug`` may stand anywhere on the line and asks for the traceback as well.
    """

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command and end the process."""
        words = list(sys.argv[1:] if args is None else args)
        plain = [word for word in words if word != "--debug"]
        options["standalone_mode"] = False
        try:
            status = super().main(plain, *rest, **options)
            if status == _INTERRUPTED:
                say("interrupted; nothing was written")
        except typer.Abort:  # how older versions of typer report Ctrl-C
            say("interrupted; nothing was written")
            status = _INTERRUPTED
        except Exception as error:
            if len(plain) < len(words):
                traceback.print_exc()
            status = _report(error)
        sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception) -> int:
    """Print the error; return the exit code."""
    if hasattr(error, "format_message"):  # a fault in the use of the command line itself
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        if getattr(error, "option_name", None) == "--sep":  # what a shell makes of: --sep ; ...
            hint = "; put the separator in quotes, for a shell ends the command at a bare ; or |"
        say(f"error: {error.format_message().rstrip('.')}{hint}")
        return 2
    if isinstance(error, BAD_INPUT):
        say(f"error: {error}")
        return 2
    if isinstance(error, ModuleNotFoundError | ArithmeticError | MemoryError | OSError):
        say(f"error: {str(error) or type(error).__name__}")
        return 1
    say(f"error: {type(error).__name__}: {error} (unexpected; --debug shows where)")
    return 1


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print every warning to the user as one line, without the place in our code."""

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        # The library names its own options.
        hint = " (--C or --l2-reg; --drop)" if issubclass(category, SeparationWarning) else ""
        say(f"warning: {message}{hint}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
