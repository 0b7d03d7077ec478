"""Coefficients of R's glmnet, stored for tests: `python tests/data/glmnet.py` makes them anew.

It needs R with its package glmnet, and writes glmnet.json beside this file, with the versions. The
data are those that scikit-learn ships, standardised here, so that R is not needed by the tests.
"""

import csv
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

STORED = Path(__file__).with_name("glmnet.json")
# Data, mixing parameter alpha, lambdas, what else glmnet is told.
CASES: list[tuple[str, float, list[float], dict[str, Any]]] = [
    ("cancer", 1.0, [0.1, 0.01, 0.001], {}),
    ("cancer", 0.5, [0.1, 0.01, 0.001], {}),
    ("cancer", 1.0, [0.02], {"penalty.factor": [0.0, 2.0, *[1.0] * 28]}),
    ("cancer", 0.7, [0.005], {"lower.limits": -0.2, "upper.limits": 0.1}),
    ("digits", 1.0, [0.02, 0.002], {}),
    ("digits", 1.0, [0.005], {"lower.limits": 0.0}),
    ("irises", 1.0, [0.1, 0.01], {"family": "multinomial"}),
    ("irises", 0.5, [0.05], {"family": "multinomial"}),
    ("irises", 1.0, [0.1, 0.01], {"family": "multinomial", "type.multinomial": "grouped"}),
]
# As few steps between lambdas as it needs to be near the optimum.
PROGRAM = """
library(glmnet)
X <- as.matrix(read.csv("X.csv", header = FALSE))
y <- read.csv("y.csv", header = FALSE)[[1]]
wanted <- c({wanted})
lambdas <- sort(unique(c(wanted, wanted * 3, wanted * 10, wanted * 30)), decreasing = TRUE)
fit <- glmnet(X, y, family = "{family}", alpha = {alpha}, lambda = lambdas, standardize = FALSE,
              thresh = 1e-15, maxit = 1e7{more})
for (lambda in wanted) {{
  found <- coef(fit, s = lambda)
  if (!is.list(found)) found <- list(found)
  rows <- do.call(rbind, lapply(found, function(part) as.vector(part)))
  cat(apply(rows, 1, function(row) paste(format(row, digits = 17), collapse = ",")), sep = "\\n")
  cat("\\n")
}}
cat(as.character(packageVersion("glmnet")), "\\n", sep = "")
"""


def data(name: str) -> tuple[Any, Any]:
    """The data of a name: columns that vary, standardised, and labels from 0."""
    load = {
        "cancer": datasets.load_breast_cancer, "digits": datasets.load_digits,
        "irises": datasets.load_iris,
    }[name]  # fmt: skip
    X, y = load(return_X_y=True)
    X = X[:, X.std(axis=0) > 0.0]
    return (X - X.mean(axis=0)) / X.std(axis=0), y % 2 if name == "digits" else y


def words_of(value: Any) -> str:
    """A value as R writes it."""
    if isinstance(value, str):
        return f'"{value}"'
    return f"c({', '.join(map(repr, value))})" if isinstance(value, list) else repr(value)


def ask(
    name: str, alpha: float, wanted: list[float], options: dict[str, Any]
) -> tuple[list[Any], str]:
    """Coefficients for each lambda, the intercept first, a row for each class; and the version."""
    X, y = data(name)
    family = options.get("family", "binomial")
    more = [f", {key} = {words_of(value)}" for key, value in options.items() if key != "family"]
    program = PROGRAM.format(
        wanted=", ".join(map(repr, wanted)), family=family, alpha=alpha, more="".join(more)
    )
    with tempfile.TemporaryDirectory() as folder:
        for file, rows in (("X.csv", X), ("y.csv", y[:, None])):
            with (Path(folder) / file).open("w", newline="") as handle:
                csv.writer(handle).writerows(rows.tolist())
        done = subprocess.run(
            ["Rscript", "-e", program], cwd=folder, text=True, capture_output=True, check=True
        )
    *lines, version = [line for line in done.stdout.splitlines() if line.strip()]
    found = np.array([[float(value) for value in line.split(",")] for line in lines])
    return found.reshape(len(wanted), -1, X.shape[1] + 1).tolist(), version


def main() -> None:
    stored, version = [], ""
    for name, alpha, wanted, options in CASES:
        coef, version = ask(name, alpha, wanted, options)
        stored.append(
            {"data": name, "alpha": alpha, "lambdas": wanted, "options": options, "coef": coef}
        )
    STORED.write_text(json.dumps({"glmnet": version, "cases": stored}, indent=1) + "\n")


if __name__ == "__main__":
    main()
