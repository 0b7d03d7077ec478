"""Tables of ratios that scripts write into docs/benchmarks.md, and what is said above them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .markers import Place
from .speed import commit, machine

__all__ = ["Line", "about", "in_order", "publish", "table"]


@dataclass(frozen=True)
class Line:
    """One figure beside its target; it is met at `limit` or above, or below where that is < 0."""

    row: str
    what: str
    setting: str
    against: str
    value: float
    limit: float
    times: str
    unit: str = "times faster"

    def __str__(self) -> str:
        """Return the line of the table."""
        least = self.limit > 0.0
        met = self.value >= self.limit if least else self.value <= -self.limit
        target = f"{'>=' if least else '<='} {abs(self.limit):g} {self.unit}"
        return (
            f"| {self.row} | {self.what} | {self.setting} | {self.against} | {target} | "
            f"{self.value:.3g} | {'yes' if met else 'NO'} | {self.times} |"
        )


def about(script: str, how: str) -> str:
    """Return when, where and by which script a table was measured, and how."""
    here = machine()
    commit_of = f", commit {commit()}" if commit() else ""
    return (
        f"Measured {time.strftime('%Y-%m-%d')}{commit_of}, on {here['cpu']}, {here['cores']} "
        f"cores, {here['system']}; Python {here['python']}, NumPy {here['numpy']}, "
        f"numba {here['numba']}, by `python -m benchmarks.{script}`. {how}"
    )


def in_order(times: dict[str, float], scale: float = 1e6, unit: str = "us") -> str:
    """Return times by name, for the last cell of a line."""
    return ", ".join(f"{name} {scale * value:.3g} {unit}" for name, value in times.items())


def table(said: str, lines: Iterable[Line]) -> str:
    """Return what is said, and the lines below their head."""
    head = [
        "| row | what | with | against | target | measured | met | median times |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([said, "", *head, *map(str, lines)])


def publish(place: Place, how: str, lines: Iterable[Line], page: Path | None) -> None:
    """Print lines and, where a page is given, write their table into a place of a script's name."""
    lines = list(lines)
    if page is not None:
        place.write(page, table(about(place.name, how), lines))
    for line in lines:
        print(line)
