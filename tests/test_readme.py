"""README and docs are true: blocks run and print what they say, links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastlogit

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
VENV = "python3 -m venv .venv"
COMMANDS = [
    f"{VENV} && .venv/bin/pip install '.[all]' && .venv/bin/fastlogit demo",
    f"{VENV} && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n auto",
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
PROMISE = re.compile(r"^print\(.*\)  # -> (.+)$", re.M)
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")


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


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_relative_links_lead_to_files(path: Path) -> None:
    targets = [target for target, _ in LINK.findall(path.read_text("utf-8"))]
    local = [
        target for target in targets if "://" not in target and not target.startswith("mailto")
    ]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_api_page_names_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert [name for name in fastlogit.__all__ if not re.search(rf"\b{name}\b", page)] == []
