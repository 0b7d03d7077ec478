"""The package as a whole: version, light import, documented public names, clean files."""

import importlib.metadata
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fastlogit

ROOT = Path(__file__).parents[1]
PUBLIC = sorted(fastlogit.__all__)
HEAVY = {"numba", "llvmlite", "scipy", "sklearn", "matplotlib", "pyarrow", "rich", "typer"}


def tracked_files() -> list[Path]:
    """Every file that git tracks or would track, without those deleted in the work tree."""
    command = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def run_fresh(code: str) -> str:
    """Output of a fresh Python that runs `code` with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_version_stands_in_one_place_and_equals_the_installed_one() -> None:
    holders = [
        path.relative_to(ROOT).as_posix()
        for path in tracked_files()
        if path.suffix in {".py", ".toml"}
        and (ROOT / "tests") not in path.parents
        and re.search(rf"""["']{re.escape(fastlogit.__version__)}["']""", path.read_text("utf-8"))
    ]
    assert holders == ["fastlogit/__init__.py"]
    assert importlib.metadata.version("fastlogit") == fastlogit.__version__


def test_typing_marker_is_shipped() -> None:
    assert (Path(fastlogit.__file__).parent / "py.typed").is_file()


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, fastlogit; print(*{name.split('.')[0] for name in sys.modules})"
    assert HEAVY.isdisjoint(run_fresh(code).split())


def test_dir_lists_the_public_names_before_any_is_used() -> None:
    listed = run_fresh("import fastlogit; print(*dir(fastlogit))").split()
    assert sorted(listed) == sorted([*PUBLIC, "__version__"])
    # What was used before does not change it.
    again = run_fresh("import fastlogit; fastlogit.fit; print(*dir(fastlogit))").split()
    assert again == listed


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        fastlogit.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    "name", ["compiled.sigmoid", "io.svmlight_source", "model_file.load_model", "online"]
)
def test_modules_need_no_import_of_their_own(name: str) -> None:
    assert name in run_fresh(f"import fastlogit; fastlogit.{name}; print({name!r})")


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    public = getattr(fastlogit, name)
    assert inspect.getdoc(public)
    if inspect.isfunction(public):
        assert_numpydoc(public)
    for key, member in inspect.getmembers(public, inspect.isfunction):
        assert key.startswith("_") or inspect.getdoc(member), f"{name}.{key}"


def assert_numpydoc(function: Callable[..., Any]) -> None:
    """Sections that numpydoc asks for, and every parameter by its name."""
    doc = inspect.getdoc(function) or ""
    parameters = [key for key in inspect.signature(function).parameters if key != "self"]
    if parameters:
        assert re.search(r"^Parameters\n-{10}$", doc, re.M), f"{function.__name__}: Parameters"
    assert re.search(r"^Returns\n-{7}$", doc, re.M), f"{function.__name__}: Returns"
    for parameter in parameters:
        assert re.search(rf"^(.*, )?\*{{0,2}}{parameter}(,.*)?( : .+)?$", doc, re.M), (
            f"{function.__name__}: parameter {parameter} is not described"
        )


def test_files_name_no_registry_host_and_no_absolute_machine_path() -> None:
    machine_path = re.compile(r"(?:^|[\s'\"(=])/(?:work|farm|root|tmp|home|opt)/", re.M)
    registry = re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.npmjs|conda\.anaconda|deb\.debian"
    )
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an archive
        found += [
            f"{path.relative_to(ROOT)}: {match.group().strip()}"
            for pattern in (machine_path, registry)
            for match in pattern.finditer(text)
        ]
    assert found == []


def test_ci_script_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_pythons_that_ci_tests_are_those_that_are_claimed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = {line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line}
    beside = re.search(r"for version in ([\d. ]+); do", (ROOT / ".ci" / "run").read_text())
    assert beside is not None
    tested = set(beside[1].split())
    assert tested | {project["requires-python"].removeprefix(">=")} <= claimed
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"| under Python {', '.join(sorted(tested))} |" in told
