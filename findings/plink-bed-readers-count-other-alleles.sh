#!/usr/bin/env bash
# bed-reader 1.1.0 beside pandas-plink 2.3.2: one .bed file of PLINK, two tables of genotypes.
#
# Both read a genotype as the number of copies of one allele, and both call the alleles by numbers,
# but not by the same ones nor the same allele: bed-reader counts the first of the two columns of the
# .bim file (`allele_1`, PLINK's A1), pandas-plink the second, which it calls `a1` (and the first
# `a0`). So every 2 of one is a 0 of the other, and each log odds ratio has the other sign, with the
# same standard error and p. Neither says so when it reads. As int8, which is how genotypes fit in
# memory, bed-reader writes a missing one as -127, where PLINK's text files have -9; and pandas-plink
# lays variants in rows.
#
# One would have guessed that two readers of one format agree on what they count, or that the one
# whose column is called a1 counts what PLINK calls A1. `fastlogit.scan` takes the numbers of either:
# docs/many-small-fits.md says which allele the coefficient then is of, and to pass missing=-127.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet \
  bed-reader==1.1.0 pandas-plink==2.3.2 numpy==1.26.4 pandas==2.3.3 xarray==2026.9.0
cat >"$folder/alleles.py" <<'PY'
import sys
from pathlib import Path

import bed_reader
import numpy as np
import pandas_plink

path = Path(sys.argv[1]) / "study.bed"
written = np.array([[0, 1], [1, 2], [2, 0], [0, -127]], dtype=np.int8)  # 4 people, 2 variants
names = {"sid": ["v1", "v2"], "allele_1": ["A", "C"], "allele_2": ["G", "T"]}
bed_reader.to_bed(path, written, properties=names)
with bed_reader.open_bed(path) as bed:
    first = bed.read(dtype="int8")
variants, _, table = pandas_plink.read_plink(str(path.with_suffix("")), verbose=False)
second = table.compute()
print("the .bim file:", path.with_suffix(".bim").read_text().split("\n")[0].split("\t")[-2:])
print("bed-reader, people in rows:", first.tolist())
print("pandas-plink, variants in rows:", second.tolist())
print("pandas-plink's columns:", variants.loc[0, ["a0", "a1"]].tolist())
known = first.T != -127
assert variants["a0"].tolist() == names["allele_1"]
assert (second[known] == 2 - first.T[known]).all()
assert first[3, 1] == -127 and np.isnan(second[1, 3])
PY
"$folder/venv/bin/python" -W ignore "$folder/alleles.py" "$folder"

# Seen on 2026-11-30, Python 3.11:
#   the .bim file: ['A', 'G']
#   bed-reader, people in rows: [[0, 1], [1, 2], [2, 0], [0, -127]]
#   pandas-plink, variants in rows: [[2.0, 1.0, 0.0, 2.0], [1.0, 0.0, 2.0, nan]]
#   pandas-plink's columns: ['A', 'G']
