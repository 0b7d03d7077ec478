"""The pictures of docs/inference.md come from its script."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"

pytestmark = pytest.mark.jit


def test_the_script_draws_what_the_page_shows(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    drawn = {path.name for path in script.draw(tmp_path)}
    page = (DOCS / "inference.md").read_text("utf-8")
    shown = set(re.findall(r"pictures/(inference-[\w-]+\.png)", page))
    assert shown
    assert shown <= drawn
    for name in shown:
        assert (tmp_path / name).stat().st_size > 5000
        assert (DOCS / "pictures" / name).exists()
