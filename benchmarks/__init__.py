"""Benchmarks. Each checks its answer before it is timed; CONTRIBUTING.md says how to run them.

- `kernels.py`, `fits.py`, `start.py`, `memory.py`: asv suites (`asv run`).
- `checked/`: pytest-benchmark suite (`pytest benchmarks --benchmark-only`). It is no package, so
  that asv, which imports every module of this one, does not need pytest.
- `speed.py`: every row of the speed table in one run.
- `engine.py`, `estimators.py`: whole fits beside other libraries, which `peers.py` holds and
  `contest.py` lets compete; `workloads.py` has their data, `optimum.py` the judge.
- `first_call.py`: first calls in fresh processes, and the warm-up.
- `sparse_memory.py`: peak memory of fits of sparse rows and categorical codes.
- `headline.py`: copies ten ratios from docs/benchmarks.md, where the scripts above write their
  tables (`markers.py`), into README.md.
- `problems.py`, `answers.py`, `fresh.py`: data, checks against the oracle, fresh processes.

Shapes are small unless the environment variable FASTLOGIT_BENCH_FULL is 1.
"""
