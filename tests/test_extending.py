"""The code of docs/extending.md runs, and does what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
from problems import problem, three_classes

import fastlogit
from fastlogit.design.dense import DenseDesign

pytestmark = pytest.mark.jit

PAGE = (Path(__file__).parents[1] / "docs/extending.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^## A (\w+)\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("title", BLOCKS)
def test_what_the_page_prints(title, capsys) -> None:
    block = BLOCKS[title]
    exec(block, {})
    assert capsys.readouterr().out.split() == re.search(r"# -> (.*)", block).group(1).split()
    assert len([line for line in block.splitlines() if line.strip()]) < 60


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "newton-cg", "gradient_descent"])
def test_a_design_of_ones_own_through_every_solver(solver) -> None:
    names: dict = {}
    exec(BLOCKS["design"], names)
    X, y, *_ = problem(300, 4)
    design = names["ListedDesign"]([X[:100], X[100:130], X[130:]])
    result = fastlogit.fit(design, y, l2_reg=0.01, solver=solver)
    wanted = fastlogit.fit(X, y, l2_reg=0.01, solver=solver)
    assert result.converged
    np.testing.assert_allclose(result.coef, wanted.coef, atol=1e-5)
    np.testing.assert_allclose(result.raw_prediction(design), result.raw_prediction(X), atol=1e-12)


def test_softmax_paths_and_leave_one_out_of_a_design() -> None:
    names: dict = {}
    exec(BLOCKS["design"], names)
    X, y = three_classes(240, 3)
    design = names["ListedDesign"]([X[:50], X[50:]])
    result = fastlogit.fit(design, y, C=1.0, multi_class="multinomial")
    wanted = fastlogit.fit(X, y, C=1.0, multi_class="multinomial")
    np.testing.assert_allclose(result.coef, wanted.coef, atol=1e-6)
    path = fastlogit.logistic_path(design, y, [0.1, 1.0])
    np.testing.assert_allclose(
        path.coefs, fastlogit.logistic_path(X, y, [0.1, 1.0]).coefs, atol=1e-5
    )
    assert fastlogit.leave_one_out(result, design, y).log_loss == pytest.approx(
        fastlogit.leave_one_out(wanted, X, y).log_loss, rel=1e-6
    )
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="X contains NaN in column 1"):
        fastlogit.fit(DenseDesign(bad), y, C=1.0)
