#!/usr/bin/env bash
# distributed 2026.8.0.
#
# A LocalCluster of processes that was opened and closed leaves six variables in the environment of the
# process that made it: OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS are 1,
# PYTHONHASHSEED is 6640, and MALLOC_TRIM_THRESHOLD_ and __DASK_PARENT_PID are set. They are meant for
# the workers. Each child that is started later inherits them, whether it has to do with dask or not:
# its BLAS takes one thread, and hashes of texts are the same in all of them.
#
# One would have guessed that the workers alone get them, or that closing takes them back: the nanny
# writes them into os.environ before it starts a worker, and a LocalCluster's nannies live in the
# process of the user.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet distributed==2026.8.0 numpy==2.4.6 threadpoolctl==3.6.0
cat >"$folder/left.py" <<'PY'
import os
import subprocess
import sys

from distributed import LocalCluster

# A child that knows nothing of dask: the threads of its BLAS, and the hash of a text.
CHILD = (
    "import numpy, threadpoolctl;"
    "print(max(pool['num_threads'] for pool in threadpoolctl.threadpool_info()), hash('text'))"
)


def child() -> tuple[str, str]:
    return tuple(subprocess.check_output([sys.executable, "-c", CHILD], text=True).split())


if __name__ == "__main__":
    before, first, second = dict(os.environ), child(), child()
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0"):
        pass
    left = {name: value for name, value in os.environ.items() if before.get(name) != value}
    print("left in the environment:", ", ".join(sorted(left)))
    print("threads of a child's BLAS before:", first[0])
    later, last = child(), child()
    print("and after:", later[0])
    print("children that hash a text alike before:", first[1] == second[1])
    print("and after:", later[1] == last[1])
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED"} <= set(left)
    assert first[0] != "1" or os.cpu_count() == 1
    assert left["OMP_NUM_THREADS"] == "1" and later[0] == "1"
    assert first[1] != second[1] and later[1] == last[1]
PY
cd "$folder"
env -u OMP_NUM_THREADS -u MKL_NUM_THREADS -u OPENBLAS_NUM_THREADS -u PYTHONHASHSEED \
  "$folder/venv/bin/python" left.py
# Seen:
#   left in the environment: MALLOC_TRIM_THRESHOLD_, MKL_NUM_THREADS, OMP_NUM_THREADS,
#     OPENBLAS_NUM_THREADS, PYTHONHASHSEED, __DASK_PARENT_PID
#   threads of a child's BLAS before: 2 (as many as cores)
#   and after: 1
#   children that hash a text alike before: False
#   and after: True
