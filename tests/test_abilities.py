"""What solvers say that they take, and what is said where one does not."""

import numpy as np
import pytest

import fastlogit
from fastlogit.fitting import fit as front
from fastlogit.objective.losses import RowLoss
from fastlogit.objective.penalties import L2, Penalty, Quadratic
from fastlogit.solvers.abilities import Abilities, refusal

SOLVERS = {
    "smooth": Abilities(penalties=Quadratic),
    "proximal": Abilities(penalties=Penalty),
    "by rows": Abilities(penalties=Quadratic, losses=RowLoss),
}


class Absolute(Penalty):
    def value(self, coef):
        return np.abs(coef).sum(axis=1)

    gradient = prox = conjugate = scaled = times = value


@pytest.mark.parametrize(
    ("solver", "penalty", "loss", "text"),
    [
        ("smooth", None, None, None),
        ("smooth", L2(1.0, 2), None, None),
        ("proximal", Absolute(), None, None),
        ("auto", Absolute(), None, None),
        (
            "smooth",
            Absolute(),
            None,
            "'smooth' does not take the penalty Absolute; 'proximal'",
        ),
    ],
)
def test_what_is_refused_and_who_would_take_it(solver, penalty, loss, text) -> None:
    found = refusal(SOLVERS, solver, penalty, loss)
    assert found is None if text is None else text in found


def test_every_solver_of_fit_says_what_it_takes() -> None:
    assert set(front.SOLVERS) == {"auto", *front.ABLE}
    assert all(isinstance(own, Abilities) for own in front.ABLE.values())


def test_fit_asks_before_work(monkeypatch) -> None:
    monkeypatch.setitem(front.ABLE, "newton-cg", Abilities(penalties=Penalty))
    X, y = np.arange(6.0)[:, None], [0, 1, 0, 1, 1, 0]
    with pytest.raises(
        ValueError, match="solver='lbfgs' does not take the penalty Absolute; 'newton-cg' would"
    ):
        fastlogit.fit(X, y, penalty=Absolute(), solver="lbfgs")
