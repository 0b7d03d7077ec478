#!/usr/bin/env bash
# dask 2026.8.0.
#
# The dashboard groups tasks by the words of their keys. `key_split` leaves tokens out, and takes any
# word of eight letters that begins with one from a to f for a hexadecimal number: "evaluate",
# "distance", "download". Tasks "mine-evaluate-0" and "mine-distance-0" are one group, "mine".
#
# One would have guessed that a word must be hexadecimal throughout; the pattern is matched at its
# beginning only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet dask==2026.8.0
"$folder/venv/bin/python" - <<'PY'
from dask.utils import key_split

for word in ("gradient", "hessian", "evaluate", "distance", "evaluates"):
    print(word, "->", key_split(f"mine-{word}-0"))
assert key_split("mine-evaluate-0") == key_split("mine-distance-0") == "mine"
assert key_split("mine-gradient-0") == "mine-gradient"
assert key_split("mine-evaluates-0") == "mine-evaluates"
PY
# Seen:
#   gradient -> mine-gradient
#   hessian -> mine-hessian
#   evaluate -> mine
#   distance -> mine
#   evaluates -> mine-evaluates
