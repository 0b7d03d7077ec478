#!/usr/bin/env bash
# marginaleffects 0.6.0 with polars 2.1.0, which its requirements (polars >= 1.26) let pip choose.
#
# Average slopes, comparisons and predictions of any logit of statsmodels end in an error of polars:
# the package asks whether the numbers of a column of floats are among the integers 0 and 1, and
# polars 2 does not compare these with `is_in`. Even a model with one column of floats fails; with
# polars 1.44 the same script prints its slopes (with 1.38, which is allowed too, it fails elsewhere).
#
# One would have guessed that two releases which pip puts side by side without a word work together,
# and that a column of floats is the plainest there is. fastlogit's adapter
# (`Inference.to_marginaleffects`) says itself what kind each column is, so that the package does not
# look (tests/test_margins_package.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/slopes.py" <<'PY'
import sys

import marginaleffects
import numpy as np
import pandas as pd
import polars as pl
import statsmodels.formula.api as smf

rng = np.random.default_rng(0)
rows = pd.DataFrame({"x": rng.normal(size=200)})
rows["y"] = (rows["x"] + rng.logistic(size=200) > 0.0).astype(int)
model = smf.logit("y ~ x", rows).fit(disp=0)
for call in ("avg_slopes", "avg_comparisons"):
    try:
        found = f"{getattr(marginaleffects, call)(model)['estimate'][0]:.4f}"
    except pl.exceptions.PolarsError as error:
        found = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    print(f"polars {pl.__version__}, {call}: {found}")
    is_refused = found.startswith("InvalidOperationError") and "is_in" in found
    assert is_refused == (sys.argv[1] == "fails"), found
PY
common=(marginaleffects==0.6.0 statsmodels==0.15.0 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1)
for case in "polars==2.1.0 fails" "polars==1.44.2 works"; do
  read -r polars expected <<<"$case"
  python3 -m venv --clear "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet "${common[@]}" "$polars"
  "$folder/venv/bin/python" -W ignore "$folder/slopes.py" "$expected"
done

# Seen on 2026-11-29, Python 3.11:
#   polars 2.1.0, avg_slopes: InvalidOperationError: 'is_in' cannot check for Float64 values in List(Int64) data.
#   polars 2.1.0, avg_comparisons: InvalidOperationError: 'is_in' cannot check for Float64 values in List(Int64) data.
#   polars 1.44.2, avg_slopes: 0.2158
#   polars 1.44.2, avg_comparisons: 0.2129
