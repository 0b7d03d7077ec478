"""The command line, ``fastlogit``: this room's door, which needs the standard library only."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the process ends with 0, 1 for a failure or 2 for bad input."""
    try:
        from fastlogit.cli.commands import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "click"):
            raise
        print(
            f"error: the command line needs {error.name}; install it with: "
            "pip install 'fastlogit[cli]'",
            file=sys.stderr,
        )
        sys.exit(1)
    app(prog_name="fastlogit")
