"""Write the figures that `python -m benchmarks.speed --json FILE` kept into README.md.

`python -m benchmarks.readme_table FILE [README]` replaces what stands between the two markers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .fresh import ROOT
from .speed import Figure, load, markdown_table

BEGIN, END = "<!-- speed:begin -->", "<!-- speed:end -->"


def speed_section(machine: dict[str, str], figures: list[Figure]) -> str:
    """Return the sentence about the machine, and the table."""
    dates = sorted({figure.date for figure in figures})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    about = (
        f"Measured {when} on {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"Python {machine['python']}, NumPy {machine['numpy']}, SciPy {machine['scipy']}, "
        f"numba {machine['numba']}. Medians of calls that take turns in one run of "
        "`python -m benchmarks.speed`; NumPy with its BLAS on all cores."
    )
    return f"{about}\n\n{markdown_table(figures)}"


def replaced(text: str, section: str, begin: str = BEGIN, end: str = END) -> str:
    """Return `text` with `section` between the markers."""
    before, opening, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not (opening and closing):
        raise SystemExit(f"want {begin} and, after it, {end}")
    return f"{before}{begin}\n{section}\n{end}{after}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", type=Path, help="file written by benchmarks.speed --json")
    parser.add_argument("readme", type=Path, nargs="?", default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    text = replaced(options.readme.read_text("utf-8"), speed_section(*load(options.figures)))
    options.readme.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
