"""The error of a descent that diverged carries the best point, through pickles too."""

import copy
import pickle

import numpy as np
import pytest
from problems import problem, three_classes

import fastlogit


def diverged(X, y) -> fastlogit.DivergenceError:
    with pytest.raises(fastlogit.DivergenceError) as caught:
        fastlogit.gradient_descent(X, y, step_size=1e3, l2_reg=0.1)
    return caught.value


def test_it_is_an_arithmetic_error_with_the_best_result() -> None:
    X, y = problem(60, 4)[:2]
    error = diverged(X, y)
    assert isinstance(error, ArithmeticError)
    assert error.result.message == str(error)
    assert error.result.solver == "gradient_descent"
    assert not error.result.converged
    assert error.result.predict(X).shape == (60,)


def test_each_model_keeps_its_own_best_point() -> None:
    X, codes = three_classes(90, 4)
    result = diverged(X, codes).result
    assert result.coef.shape == (4, 3)
    np.testing.assert_array_equal(result.history[-1], result.history.min(axis=0))


def test_it_survives_a_pickle() -> None:
    error = diverged(*problem(60, 4)[:2])
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is fastlogit.DivergenceError
        assert str(again) == str(error)
        np.testing.assert_array_equal(again.result.coef, error.result.coef)
