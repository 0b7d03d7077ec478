"""Write the README's ten ratios from the tables of docs/benchmarks.md.

`python -m benchmarks.headline` measures nothing: it copies ten rows of the long tables, as they
stand, into README.md. Run it after a script has written a table anew; a test compares the two.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from .markers import Place

ROOT = Path(__file__).resolve().parents[1]
README, TABLES = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
PLACE = Place("headline")
FASTER, ITS_TIME = "times faster", "times its time"

Row = dict[str, str]


@dataclass(frozen=True)
class Headline:
    """A row of a long table, named by its cells.

    `setting` is how the cell "with" begins, and `against` how that of the baseline does, which is
    not named where the best peer changes from run to run.
    """

    table: str
    row: str
    what: str
    unit: str = FASTER
    setting: str = ""
    against: str = ""

    def picks(self, cells: Row) -> bool:
        """Say whether these are the cells of the row."""
        return (
            (cells["row"], cells["what"]) == (self.row, self.what)
            and cells["target"].endswith(f" {self.unit}")
            and cells["against"] != "on 1 thread"
            and cells["with"].startswith(self.setting)
            and cells["against"].startswith(self.against)
        )


# One of each kind of work, not the ten best: peers are near where rows are few or data are small.
HEADLINES = [
    Headline("groups", "groups", "fit_groups", setting="100,000 groups"),
    Headline("small-fits", "small fits", "fit", setting="400 x 8"),
    Headline("resampling", "resampling", "bootstrap"),
    Headline("scan", "scan", "scan", against="plink2 --glm no-firth"),
    Headline("engine", "wide_scales", "fit"),
    Headline("engine", "features_300", "fit"),
    Headline("engine", "few_rows", "fit"),
    Headline("estimators", "softmax_60000", "fit"),
    Headline("estimators", "cv_100000", "fit"),
    Headline("engine", "pass", "one pass", ITS_TIME, "1,000,000 x 100 float64, K = 1,"),
]


def rows_of(section: str) -> list[Row]:
    """Return the rows of the first table in a section, as cells by the names of their columns."""
    found = re.search(r"^\|.*(?:\n\|.*)*", section, re.M)
    lines = found.group().splitlines() if found else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def measured_on(section: str) -> str:
    """Return what a section says of date, commit and machine: "Measured ... numba 0.68.1"."""
    found = re.search(r"^Measured (.*?numba [\w.]+)", section, re.M)
    if not found:
        raise SystemExit("a table does not say when and where it was measured")
    return found.group(1)


def ratio(cells: Row) -> str:
    """Write what was measured. "0.7 times faster" would be misread, "0.7 times as fast" not."""
    unit = ITS_TIME if cells["target"].endswith(ITS_TIME) else "times as fast"
    return f"{cells['measured']} {unit}"


def table(text: str) -> str:
    """Return the README's table, from the text of the page with the long tables."""
    tables = dict.fromkeys(headline.table for headline in HEADLINES)
    sections = {name: Place(name).section(text) for name in tables}
    rows = {name: rows_of(section) for name, section in sections.items()}
    lines = ["| row | what | with | against | measured |", "| --- | --- | --- | --- | --- |"]
    for headline in HEADLINES:
        found = [cells for cells in rows[headline.table] if headline.picks(cells)]
        if len(found) != 1:
            raise SystemExit(f"the tables hold {len(found)} rows for {headline}: want one")
        [cells] = found
        shown = [*(cells[name] for name in ("row", "what", "with", "against")), ratio(cells)]
        lines.append("| " + " | ".join(shown) + " |")
    sources = [f"- {name}: measured {measured_on(section)}." for name, section in sections.items()]
    return "\n".join([*lines, "", *sources])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", type=Path, default=TABLES, help="page with the long tables")
    parser.add_argument("--write", type=Path, default=README, help="page to write the ratios into")
    options = parser.parse_args(arguments)
    PLACE.write(options.write, table(options.tables.read_text("utf-8")))


if __name__ == "__main__":
    main()
