"""README and docs are true: blocks run and print what they say, links lead somewhere."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastlogit

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
MOST_LINES = 150
VENV = "python3 -m venv .venv"
COMMANDS = [
    f"{VENV} && .venv/bin/pip install '.[all]' && .venv/bin/fastlogit demo",
    f"{VENV} && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n auto",
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
PROMISE = re.compile(r"^(?:print\(.*)?\)  # -> (.+)$", re.M)  # of calls of several lines too
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.S)
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.M)
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def with_python(pages: list[Path]) -> list[Path]:
    return [path for path in pages if BLOCK.search(path.read_text("utf-8"))]


@pytest.mark.jit
@pytest.mark.parametrize("path", with_python(PAGES), ids=page_id)
def test_python_blocks_run_and_print_what_they_say(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One page is one session: its blocks run in order and share their names."""
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    for match in BLOCK.finditer(text):
        first_line = text.count("\n", 0, match.start(1))
        code = compile("\n" * first_line + match.group(1), str(path), "exec")
        exec(code, names)
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in PROMISE.findall(match.group(1)) if line not in printed] == []


@pytest.mark.jit
def test_the_tutorial_runs_with_all_alone(tmp_path: Path) -> None:
    """What the test extras bring besides ``[all]`` is not there for its readers."""
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    (tmp_path / "tutorial.py").write_text("\n".join(BLOCK.findall(text)), "utf-8")
    hidden = ["pandas", "polars", "dask", "skops", "mlxtend", "mpmath", "pytest"]
    code = (
        "import importlib.abc, runpy, sys\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {hidden}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "runpy.run_path('tutorial.py')\n"
    )
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cross-validation.png").exists()


def test_the_two_commands_stand_at_the_top_of_the_readme() -> None:
    top = (ROOT / "README.md").read_text("utf-8").splitlines()[:20]
    assert [command for command in COMMANDS if command not in top] == []


def test_ci_runs_the_commands_as_the_readme_has_them() -> None:
    """The script takes them from README by these patterns, so that they cannot drift apart."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    patterns = re.findall(r"readme_command '(.+?)'", script)
    found = [[c for c in COMMANDS if re.search(pattern, c)] for pattern in patterns]
    assert found == [[COMMANDS[1]], [COMMANDS[0]]]


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= MOST_LINES


def test_the_readmes_ratios_are_those_of_the_long_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m benchmarks.headline` has been run since the tables were written."""
    monkeypatch.syspath_prepend(str(ROOT))
    headline = importlib.import_module("benchmarks.headline")
    tables = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    shown = headline.PLACE.section((ROOT / "README.md").read_text("utf-8"))
    assert shown == headline.table(tables)
    assert len(headline.rows_of(shown)) == 10


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a page's headings: lower case, hyphens for spaces, no punctuation."""
    titles = HEADING.findall(FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(path: Path) -> list[str]:
    """Links of a page to files or headings that are not there."""
    dead = []
    for file, heading in LINK.findall(FORMULA.sub("", FENCE.sub("", path.read_text("utf-8")))):
        if "://" in file or file.startswith("mailto:"):
            continue
        target = path.parent / file if file else path
        if not target.exists() or (heading and heading not in anchors(target)):
            dead.append(f"{file}#{heading}")
    return dead


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    assert dead_links(path) == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A `title`, of two-fold use\n```\n# code\n```\n", "utf-8")
    links = [
        "other.md", "other.md#a-title-of-two-fold-use", "#here", "https://x.example#y",
        "none.md", "other.md#code", "#there",
    ]  # fmt: skip
    page.write_text("## Here\n" + " ".join(f"[a]({link})" for link in links), "utf-8")
    assert dead_links(page) == ["none.md#", "other.md#code", "#there"]


def test_api_page_names_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert [name for name in fastlogit.__all__ if not re.search(rf"\b{name}\b", page)] == []
