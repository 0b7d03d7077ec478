"""Every check of `sklearn.utils.estimator_checks`, none expected to fail.

The CI runs this file under the newest scikit-learn and under the oldest that is supported, 1.6.0.
"""

import os
import subprocess
import sys
import warnings

import pytest
import sklearn
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from fastlogit import LogisticRegression, LogisticRegressionCV
from fastlogit.estimators.logistic import SOLVERS

pytestmark = pytest.mark.jit

MODES = ("multinomial", "ovr")
METHODS = ("auto", "gd", "lbfgs", "newton", "newton-cg")
# Looked at in a process of its own: scikit-learn asks for an environment variable at import.
APART = {"check_array_api_input"}


def failures(estimator) -> list[str]:
    """Names and errors of the checks that did not pass."""
    with warnings.catch_warnings():
        # scikit-learn's checks fit a few iterations of data that no model can explain.
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    return [
        f"{result['check_name']}: {result['status']}: {result['exception']!r}"
        for result in results
        if result["status"] != "passed" and result["check_name"] not in APART
    ]


def cases(names):
    return [
        pytest.param(LogisticRegression(solver=solver, multi_class=mode), id=f"{solver}-{mode}")
        for solver in names
        for mode in MODES
    ]


@pytest.mark.parametrize("estimator", cases(METHODS))
def test_every_check_passes(estimator) -> None:
    assert failures(estimator) == []


@pytest.mark.slow
@pytest.mark.parametrize("estimator", cases(sorted(set(SOLVERS) - set(METHODS))))
def test_every_check_passes_under_the_other_names_of_solvers(estimator) -> None:
    assert failures(estimator) == []


@pytest.mark.parametrize("legacy", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.parametrize("mode", MODES)
def test_every_check_passes_for_cross_validation(mode, legacy) -> None:
    options = {"multi_class": mode, "use_legacy_attributes": legacy}
    assert failures(LogisticRegressionCV(Cs=3, cv=3, **options)) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["check_param_validation", "check_class_weight_balanced_linear_classifier"]
)
def test_checks_that_scikit_learn_keeps_for_its_own(name, mode) -> None:
    check = getattr(estimator_checks, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check("LogisticRegression", LogisticRegression(multi_class=mode))
        check("LogisticRegressionCV", LogisticRegressionCV(Cs=3, cv=3, multi_class=mode))


def test_the_check_of_array_namespaces() -> None:
    """It runs where SCIPY_ARRAY_API is set before SciPy is imported."""
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from fastlogit import LogisticRegression\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "for mode in ('multinomial', 'ovr'):\n"
        "    model = LogisticRegression(multi_class=mode)\n"
        "    for result in check_estimator(model, on_fail=None, on_skip=None):\n"
        "        if result['status'] != 'passed':\n"
        "            print(result['check_name'], result['exception'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_oldest_version_that_is_supported() -> None:
    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    assert version >= (1, 6)
