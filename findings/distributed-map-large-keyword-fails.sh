#!/usr/bin/env bash
# distributed 2026.8.0.
#
# `Client.map(function, items, table=array)` works until the keyword argument has more than 100 kB.
# Then it becomes a task of its own, whose key is the bare name of the keyword ("table"), and the
# call ends with `AssertionError(<TaskState 'table' processing>)`.
#
# One would have guessed that size makes things slow, with a warning, but not wrong. Bound to the
# function by functools.partial, the same argument works.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet distributed==2026.8.0 numpy
cat >"$folder/map.py" <<'PY'
from functools import partial

import numpy as np
from distributed import Client, LocalCluster


def first(item, table):
    return int(table[0])


def said(client, function, **keywords):
    try:
        return client.gather(client.map(function, [0], pure=False, **keywords))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    options = {"n_workers": 1, "threads_per_worker": 1, "silence_logs": 50}
    with LocalCluster(dashboard_address=":0", **options) as cluster, Client(cluster) as client:
        small, large = (np.full(size, 7) for size in (1_000, 100_000))
        found = said(client, first, table=small), said(client, partial(first, table=large))
        print("small, bound:", *found)
        assert found == ([7], [7])
        found = said(client, first, table=large)
        print("large:", found)
        assert "AssertionError" in found
PY
timeout 120 "$folder/venv/bin/python" "$folder/map.py"
# Seen:
#   small, bound: [7] [7]
#   large: Exception: AssertionError(<TaskState 'table' processing>)
