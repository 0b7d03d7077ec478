"""What a first call costs, with nothing compiled and after `fastlogit warmup`; and the warm-up.

`python -m benchmarks.first_call [--write docs/benchmarks.md] [--all]` prints the tables, and writes
them into that page. Each call is made by a fresh process, with a cache of its own; the
seconds are those from `import fastlogit` to the result, and in brackets those of processors.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from . import fresh
from .markers import Place
from .speed import commit
from .speed import machine as machine_facts

PLACE = Place("first-call")
TIMES = 5

# After which all byte code is there, as where packages are installed.
IMPORTS = "import fastlogit, fastlogit.warming; fastlogit.LogisticRegression, fastlogit.fit"

CALL = """
import sys, time
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris
irises, kinds = load_iris(return_X_y=True)
tumours, malign = load_breast_cancer(return_X_y=True)
start, used = time.perf_counter(), time.process_time()
import fastlogit
{call}
print(time.perf_counter() - start, time.process_time() - used)
assert fitted.converged, fitted.message
"""
CALLS = {
    "`fit`, two kinds of iris, 150 x 4": "fitted = fastlogit.fit(irises, kinds > 0, C=1.0)",
    "softmax of three kinds, and `predict_proba`": """
fitted = fastlogit.fit(irises, kinds, C=1.0, multi_class="multinomial")
fitted.predict_proba(irises)""",
    "`fit`, tumours, 569 x 30": "fitted = fastlogit.fit(tumours, malign, C=1.0)",
    "`LogisticRegression`, three kinds of iris, and `predict`": """
model = fastlogit.LogisticRegression().fit(irises, kinds)
model.predict(irises)
fitted = model.result_""",
}


def seconds_of(call: str, cache: Path) -> tuple[float, float]:
    """Make a call in a fresh process; return its seconds, and those of processors."""
    _, printed = fresh.run("-c", CALL.format(call=call), compile_cache=cache)
    wall, used = printed.split()
    return float(wall), float(used)


def warm_up(cache: Path, *options: str) -> tuple[float, float, str]:
    """Run the command; return its seconds, those of processors, and the line that sums it up."""
    used = _seconds_of_children()
    start = time.perf_counter()
    _, printed = fresh.run("-m", "fastlogit", "warmup", *options, compile_cache=cache)
    seconds = time.perf_counter() - start
    [line] = [line for line in printed.splitlines() if " steps compiled " in line]
    return seconds, _seconds_of_children() - used, line


def _seconds_of_children() -> float:
    """Return the seconds of processors in processes that ended, theirs included."""
    times = os.times()
    return times.children_user + times.children_system


def first_call_rows(name: str, call: str, warm_cache: Path) -> str:
    """Return the row of a call: from an empty cache once, from a filled one several times."""
    with tempfile.TemporaryDirectory() as empty:
        cold = seconds_of(call, Path(empty))
    found = [seconds_of(call, warm_cache) for _ in range(TIMES)]
    warm = tuple(median(column) for column in zip(*found, strict=True))
    return f"| {name} | {_cell(*cold)} | {_cell(*warm)} |"


def _cell(wall: float, used: float) -> str:
    return f"{wall:.1f} s ({used:.1f})" if wall >= 1.0 else f"{wall:.2f} s ({used:.2f})"


def section(with_all: bool) -> str:
    """Measure everything; return what the page of benchmarks says."""
    machine, source = machine_facts(), commit()
    when = time.strftime("%Y-%m-%d") + (f", commit {source}," if source else "")
    about = (
        f"Measured {when} on {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"Python {machine['python']}, numba {machine['numba']}, by "
        "`python -m benchmarks.first_call`. Seconds, and in brackets those of processors: other "
        "work on the machine lengthens the first."
    )
    lines = [
        about,
        "",
        "| warm-up | from an empty cache | what it does |",
        "| --- | --- | --- |",
    ]
    fresh.run("-c", IMPORTS)
    with tempfile.TemporaryDirectory() as folder:
        for options in (["--quick"], [], *([["--all"]] if with_all else [])):
            cache = Path(folder, *(options or ["common"]))
            wall, used, line = warm_up(cache, *options)
            command = " ".join(["fastlogit warmup", *options])
            lines.append(f"| `{command}` | {wall:.0f} s ({used:.0f}) | {line.partition(',')[0]} |")
        wall, used, line = warm_up(Path(folder, "common"))
        if not line.startswith("0 steps compiled"):
            raise RuntimeError(f"a second warm-up compiles again: {line}")
        lines.append(f"| the same again | {wall:.1f} s ({used:.1f}) | nothing to compile |")
        lines += [
            "",
            "| first call | nothing compiled | after `fastlogit warmup` |",
            "| --- | --- | --- |",
        ]
        for name, call in CALLS.items():
            lines.append(first_call_rows(name, call, Path(folder, "common")))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="measure `warmup --all` too: minutes")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    options = parser.parse_args(arguments)
    text = section(options.all)
    print(text)
    if options.write:
        PLACE.write(options.write, text)


if __name__ == "__main__":
    main()
