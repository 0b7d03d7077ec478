#!/usr/bin/env bash
# distributed 2026.8.0 with NumPy 2.4.6, on Linux with glibc.
#
# A worker process that a nanny started (LocalCluster, `dask worker`) pays for each page of each array
# of 128 KiB or more, every time one is made: an array of 100,000 float64 that is made, dropped and
# made again costs some 200 page faults each time. The same function in a plain process, or in a worker
# without a nanny, faults once and then uses the memory again. In vectors of this size that is most of
# the time of a short task.
#
# One would have guessed that a worker runs NumPy as any process does. The nanny sets
# MALLOC_TRIM_THRESHOLD_=65536 before the worker starts (so that memory goes back to the system at
# once). That one variable also ends glibc's own rule, by which the size from which memory is mapped
# and unmapped grows with what is freed, so the size stays 128 KiB. A larger trim threshold alone does
# not bring the rule back; MALLOC_MMAP_THRESHOLD_ must be set beside it.
set -euo pipefail

if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
  echo "this is about glibc"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet distributed==2026.8.0 numpy==2.4.6
cat >"$folder/faults.py" <<'PY'
import os
import resource

import numpy as np


def faults(rounds: int = 200) -> tuple[float, str]:
    """Return page faults for each array of 100,000 numbers that is made and dropped."""
    for _ in range(10):
        np.ones(100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        np.ones(100_000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    return (after - before) / rounds, os.environ.get("MALLOC_TRIM_THRESHOLD_", "not set")


if __name__ == "__main__":
    from distributed import Client, LocalCluster

    def in_worker() -> tuple[float, str]:
        options = dict(n_workers=1, threads_per_worker=1, dashboard_address=":0")
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            return client.submit(faults, pure=False).result()

    plain, variable = faults()
    print(f"plain process: {plain:.1f} page faults an array; the variable is {variable}")
    worker, variable = in_worker()
    print(f"worker of a nanny: {worker:.1f} page faults an array; the variable is {variable}")
    os.environ["MALLOC_TRIM_THRESHOLD_"] = str(2**25)  # which the nanny leaves as it is
    larger, variable = in_worker()
    print(f"with a larger threshold: {larger:.1f} page faults an array; the variable is {variable}")
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**25)
    both, variable = in_worker()
    print(f"with both thresholds: {both:.1f} page faults an array; the variable is {variable}")
    assert plain < 5 and worker > 150 and larger > 150 and both < 5
PY
cd "$folder"
env -u MALLOC_TRIM_THRESHOLD_ -u MALLOC_MMAP_THRESHOLD_ PYTHONPATH="$folder" "$folder/venv/bin/python" faults.py
# Seen:
#   plain process: 0.0 page faults an array; the variable is not set
#   worker of a nanny: 196.0 page faults an array; the variable is 65536
#   with a larger threshold: 196.0 page faults an array; the variable is 33554432
#   with both thresholds: 0.0 page faults an array; the variable is 33554432
