"""Places in a page of Markdown that a script writes: what stands between two comments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The part of a page between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

    name: str

    @property
    def begin(self) -> str:
        return f"<!-- {self.name}:begin -->"

    @property
    def end(self) -> str:
        return f"<!-- {self.name}:end -->"

    def section(self, text: str) -> str:
        """Return what stands between the markers of a page."""
        return self._parts(text)[1].strip("\n")

    def replaced(self, text: str, section: str) -> str:
        """Return the page with `section` between the markers."""
        before, _, after = self._parts(text)
        return f"{before}{self.begin}\n{section}\n{self.end}{after}"

    def write(self, path: Path, section: str) -> None:
        """Put `section` between the markers of the page in `path`."""
        path.write_text(self.replaced(path.read_text("utf-8"), section), "utf-8")

    def _parts(self, text: str) -> tuple[str, str, str]:
        before, opening, rest = text.partition(self.begin)
        inside, closing, after = rest.partition(self.end)
        if not (opening and closing):
            raise SystemExit(f"the page lacks {self.begin} and, after it, {self.end}")
        return before, inside, after
