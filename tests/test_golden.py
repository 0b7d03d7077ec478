"""Numbers of all kinds of fits are what they were: values anywhere, bits on the same machine."""

import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import fastlogit

sys.path.insert(0, str(Path(__file__).parent / "golden"))
import cases

pytestmark = pytest.mark.jit

STORED, TOLD = cases.stored()


@pytest.mark.parametrize("name", cases.CASES)
def test_values_and_bits(name) -> None:
    found = cases.run(name)
    assert {key for key in found if not key.startswith("~")} == STORED[name].keys()
    for key, wanted in STORED[name].items():
        assert (found[key].dtype, found[key].shape) == (wanted.dtype, wanted.shape)
        size = np.abs(wanted).max(initial=0.0) if wanted.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(found[key], wanted, rtol=0.0, atol=1e-12 * size, err_msg=key)
    if cases.where() == TOLD["where"]:
        assert cases.digest(found) == TOLD["digests"][name]


def test_every_case_is_kept() -> None:
    assert STORED.keys() == cases.CASES.keys() == TOLD["digests"].keys()
    assert len(cases.CASES) >= 40


def test_a_bit_or_a_type_makes_another_digest() -> None:
    arrays = {"coef": np.array([1.0, 2.0])}
    nearby = {"coef": np.array([1.0, np.nextafter(2.0, 3.0)])}
    single = {"coef": arrays["coef"].astype(np.float32)}
    assert len({cases.digest(each) for each in (arrays, nearby, single)}) == 3


def test_pickles_of_0_1_0_load_and_go_on() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        kept = pickle.loads((Path(__file__).parent / "data/estimators-0.1.0.pickle").read_bytes())
    X = kept["X"]
    for name, proba in (("estimator", "proba"), ("cv", "cv_proba"), ("online", "online_proba")):
        np.testing.assert_allclose(kept[name].predict_proba(X), kept[proba], rtol=0.0, atol=1e-13)
    np.testing.assert_allclose(kept["result"].predict_proba(X), kept["proba"], rtol=0.0, atol=1e-13)
    assert kept["result"].feature_names is None
    assert kept["path"].converged.all()
    assert "FitResult(" in repr(kept["binary"])
    for name in ("estimator", "cv", "online"):  # with the parameters that are of later versions
        assert repr(kept[name]).startswith("LogisticRegression")
    assert kept["estimator"].get_params()["categories"] == "auto"
    assert clone(kept["estimator"]).fit(X, kept["estimator"].predict(X)).coef_.shape == (3, 4)
    kept["online"].partial_fit(X, kept["estimator"].predict(X))
    codes = kept["estimator"].predict(X)
    assert fastlogit.fit(X, codes, C=1.0, multi_class="multinomial", start=kept["result"]).converged
