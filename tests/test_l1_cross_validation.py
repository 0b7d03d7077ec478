"""`LogisticRegressionCV` with L1: scikit-learn's scores and attributes, choices, relaxed fits."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from problems import sized, three_classes
from sklearn.linear_model import LogisticRegressionCV as Theirs
from sklearn.model_selection import KFold, StratifiedKFold

import fastlogit
from fastlogit import LogisticRegressionCV
from fastlogit.estimators.cross_validation import choose
from fastlogit.fitting import l1_grid
from fastlogit.objective.working_columns import WorkingColumns

pytestmark = pytest.mark.jit

QUIET = {"scoring": "neg_log_loss", "use_legacy_attributes": False}
CS = (0.08, 0.2, 0.5)


def two(n_samples=150, n_features=12):
    """Few columns of some, so that saga comes to its end."""
    rng = np.random.default_rng(n_samples)
    X = rng.standard_normal((n_samples, n_features))
    y = X[:, :3] @ [1.0, -1.5, 0.5] + 0.3 + rng.logistic(size=n_samples) > 0
    return X, y.astype(int)


def overlapping(n_samples, n_features):
    """Three classes that no columns separate."""
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((n_samples, n_features))
    return X, (X[:, :3] + rng.gumbel(size=(n_samples, 3))).argmax(axis=1)


def ours(Cs=CS, l1_ratios=(1,), cv=3, **options):
    return LogisticRegressionCV(Cs=Cs, cv=cv, l1_ratios=l1_ratios, **{**QUIET, **options})


def stacked(value):
    return np.stack(list(value.values())) if isinstance(value, dict) else np.asarray(value)


def cost(X, y, coef, intercept, C, ratio):
    """Scikit-learn's cost of two classes."""
    raw = X @ coef + intercept
    penalty = ratio * np.abs(coef).sum() + 0.5 * (1.0 - ratio) * coef @ coef
    return C * np.logaddexp(0.0, np.where(y == 1, -raw, raw)).sum() + penalty


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("ratios", [np.array([1.0]), np.array([0.0, 0.5, 1.0])])
def test_it_is_scikit_learns(ratios, refit, legacy) -> None:
    X, y = two()
    options = {"refit": refit, "use_legacy_attributes": legacy}
    found = ours(l1_ratios=ratios, **options).fit(X, y)
    wanted = Theirs(
        Cs=CS, cv=3, l1_ratios=ratios, solver="saga", tol=1e-10, max_iter=100_000,
        **{**QUIET, **options},
    ).fit(X, y)  # fmt: skip
    for name in ("C_", "l1_ratio_", "l1_ratios_", "Cs_", "scores_", "coefs_paths_", "n_iter_"):
        mine, theirs = getattr(found, name), getattr(wanted, name)
        assert type(mine) is type(theirs), name
        mine, theirs = stacked(mine), stacked(theirs)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype), name
        # With L1 alone, and without a last fit, scikit-learn 1.9 says 0.
        if name != "n_iter_" and (name != "l1_ratio_" or refit or ratios.size > 1):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-4)
    np.testing.assert_allclose(found.intercept_, wanted.intercept_, atol=1e-4)
    assert all(grid.converged.all() for grid in found.grids_)


def test_no_cost_is_above_that_of_liblinear() -> None:
    """Which penalises the intercept: a little above, and never below."""
    X, y = two()
    cv = list(StratifiedKFold(3).split(X, y))
    found = ours(cv=cv, tol=1e-8).fit(X, y)
    options = {"solver": "liblinear", "intercept_scaling": 1e3, "tol": 1e-10, "max_iter": 10_000}
    wanted = Theirs(Cs=CS, cv=cv, l1_ratios=(1,), **options, **QUIET).fit(X, y)
    for (train, _), mine, theirs in zip(
        cv, found.coefs_paths_[:, 0, :, 0], wanted.coefs_paths_[:, 0, :, 0], strict=True
    ):
        for C, own, other in zip(CS, mine, theirs, strict=True):
            at = X[train], y[train]
            low = cost(*at, own[:-1], own[-1], C, 1.0)
            high = cost(*at, other[:-1], other[-1], C, 1.0)
            assert low <= high * (1.0 + 1e-12)
            assert high <= low * (1.0 + 1e-3)


@pytest.mark.parametrize("sparse", [False, True])
def test_one_vs_all_is_its_single_fits(sparse) -> None:
    X, y = three_classes(150, 40)
    X = np.where(np.abs(X) < 0.8, 0.0, X)
    cv = list(StratifiedKFold(3).split(X, y))
    rows = scipy.sparse.csr_array(X) if sparse else X
    model = ours(cv=cv, multi_class="ovr", l1_ratios=(0.5, 1)).fit(rows, y)
    assert model.coefs_paths_.shape == (3, 2, 3, 3, 41)
    assert model.scores_.shape == (3, 2, 3)
    for fold, (train, _) in enumerate(cv):
        for place, ratio in enumerate((0.5, 1.0)):
            single = fastlogit.fit(X[train], y[train], C=CS[1], l1_ratio=ratio)
            path = model.coefs_paths_[fold, place, 1]
            np.testing.assert_allclose(path[:, :-1], single.coef.T, atol=1e-4)
            np.testing.assert_array_equal(path[:, :-1] != 0.0, single.coef.T != 0.0)
    last = fastlogit.fit(X, y, C=model.C_, l1_ratio=model.l1_ratio_)
    np.testing.assert_allclose(model.coef_, last.coef.T, atol=1e-5)
    assert model.predict(rows).shape == (150,)


def test_weights_names_and_penalty_factors() -> None:
    X, y = two()
    weight = np.where(np.arange(150) % 5 == 0, 0.0, 1.5)
    factor = np.r_[0.0, np.ones(11)]
    frame = pd.DataFrame(X, columns=[f"c{k}" for k in range(12)])
    cv = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    model = ours(cv=cv).fit(frame, y, weight, penalty_factor=factor)
    single = fastlogit.fit(
        X[:100], y[:100], C=CS[0], l1_ratio=1.0, sample_weight=weight[:100], penalty_factor=factor
    )
    np.testing.assert_allclose(model.coefs_paths_[0, 0, 0, 0, :-1], single.coef, atol=1e-5)
    assert single.coef[0] != 0.0
    assert model.feature_names_in_[3] == "c3"


def test_no_row_of_x_is_copied_for_a_fold(monkeypatch) -> None:
    """A fold is weights: what is copied are columns, and few of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 800))
    y = X[:, 0] + rng.logistic(size=300) > 0
    copied = []

    def counted(before):
        def copy_of(self, columns, *more):
            copied.append(len(columns))
            return before(self, columns, *more)

        return copy_of

    for holder, name in ((l1_grid.Objective, "of_columns"), (WorkingColumns, "add")):
        monkeypatch.setattr(holder, name, counted(getattr(holder, name)))
    model = ours(Cs=[0.005, 0.02, 0.05]).fit(X, y)
    assert model.grid_.converged.all()
    assert 0 < max(copied) <= 200


def test_the_penalty_by_its_old_name() -> None:
    X, y = two()
    wanted = ours().fit(X, y)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        found = ours(penalty="l1", l1_ratios=None).fit(X, y)
    np.testing.assert_array_equal(found.coef_, wanted.coef_)
    assert found.l1_ratio_ == 1.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ours(penalty="l1", l1_ratios=(0,)).fit(X, y)
    assert any("penalty='l1' ignores l1_ratios" in str(w.message) for w in caught)
    np.testing.assert_array_equal(found.coef_, wanted.coef_)
    with pytest.warns(FutureWarning):
        found = ours(penalty="elasticnet", l1_ratios=(0.5,)).fit(X, y)
    np.testing.assert_array_equal(found.coef_, ours(l1_ratios=(0.5,)).fit(X, y).coef_)


def test_l2_is_the_same_beside_l1() -> None:
    X, y = two()
    alone = ours(l1_ratios=(0,)).fit(X, y)
    beside = ours(l1_ratios=(0, 1)).fit(X, y)
    np.testing.assert_array_equal(alone.grid_.coef, beside.grids_[0].coef)
    np.testing.assert_array_equal(alone.scores_[:, 0], beside.scores_[:, 0])


@pytest.mark.parametrize("ratios", [(0,), (1,)])
def test_one_standard_error_takes_a_stronger_penalty(ratios) -> None:
    X, y = two(120, 30)
    Cs = np.geomspace(0.01, 100.0, 15)
    best, plain = (
        ours(Cs, ratios, cv=5, selection=name).fit(X, y) for name in ("best", "one_standard_error")
    )
    assert plain.C_ < best.C_
    chosen = choose(plain.scores_, Cs, "one_standard_error", together=True)
    assert plain.C_ == Cs[chosen.Cs[0]]
    np.testing.assert_allclose(
        plain.coef_[0], fastlogit.fit(X, y, C=plain.C_, l1_ratio=float(ratios[0])).coef, atol=1e-5
    )
    assert plain.grid_ is plain.grids_[0]


@pytest.mark.parametrize("data", ["two", "three"])
def test_a_relaxed_fit_is_that_of_the_chosen_columns(data) -> None:
    X, y = two(200, 30) if data == "two" else overlapping(200, 30)
    model = ours([0.05], relax=True, multi_class="ovr").fit(X, y)
    penalised = np.atleast_2d(model.result_.coef.T)
    for k, coef in enumerate(penalised):
        chosen = np.flatnonzero(coef)
        assert 0 < chosen.size < 30
        single = fastlogit.fit(X[:, chosen], y == (1 if data == "two" else k))
        np.testing.assert_allclose(model.coef_[k, chosen], single.coef, rtol=1e-4)
        np.testing.assert_allclose(model.intercept_[k], single.intercept, rtol=1e-4)
        assert not np.delete(model.coef_[k], chosen).any()
        assert model.relaxed_[k].converged
    np.testing.assert_array_equal(model.scores_, ours([0.05], multi_class="ovr").fit(X, y).scores_)
    model.set_params(relax=False).fit(X, y)
    assert not hasattr(model, "relaxed_")


def test_a_relaxed_fit_of_no_columns_is_the_intercept() -> None:
    X, y = two()
    model = ours([1e-4], relax=True).fit(X, y)
    assert not model.coef_.any()
    assert model.relaxed_ == [None]
    assert model.intercept_[0] == pytest.approx(np.log(y.mean() / (1.0 - y.mean())))


def test_where_l2_is_chosen_there_is_nothing_to_relax() -> None:
    X, y = two()
    model = ours([1e-3], (0, 1), relax=True).fit(X, y)
    assert model.l1_ratio_ == 0.0
    assert not hasattr(model, "relaxed_")


def test_softmax_is_its_single_fits() -> None:
    X, y = overlapping(150, 20)
    cv = list(StratifiedKFold(3).split(X, y))
    model = ours(cv=cv, l1_ratios=(0.5, 1)).fit(X, y)
    assert model.coefs_paths_.shape == (3, 2, 3, 3, 21)
    for fold, (train, _) in enumerate(cv):
        for place, ratio in enumerate((0.5, 1.0)):
            single = fastlogit.fit(
                X[train], y[train], C=CS[1], l1_ratio=ratio, multi_class="multinomial"
            )
            path = model.coefs_paths_[fold, place, 1]
            np.testing.assert_allclose(path[:, :-1], single.coef.T, atol=1e-4)
            np.testing.assert_array_equal(path[:, :-1] != 0.0, single.coef.T != 0.0)
    assert all(grid.converged.all() for grid in model.grids_)
    with pytest.raises(ValueError, match="relax=True is for two classes"):
        ours(relax=True).fit(X, y)


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_a_fold_of_two_classes_of_a_softmax(ratio) -> None:
    """Its cost is that of the softmax of both, whose coefficients are opposite."""
    X, y = overlapping(150, 6)
    train = np.flatnonzero(y < 2)
    cv = [(train, np.arange(150)), (np.arange(150), np.arange(150))]
    with pytest.warns(UserWarning, match="lack class"):
        model = ours([0.3], (ratio,), cv=cv).fit(X, y)
    coef, intercept = model.grid_.coef[0, 0], model.grid_.intercept[0, 0]
    assert not coef[2].any()
    np.testing.assert_array_equal(coef[0], -coef[1])

    def of_pair(direction):
        own = coef[:2] + direction * np.array([[-0.5], [0.5]])
        raw = X[train] @ own.T + intercept[:2]
        losses = np.logaddexp(raw[:, 0], raw[:, 1]) - raw[np.arange(len(train)), y[train]]
        penalty = ratio * np.abs(own).sum() + 0.5 * (1.0 - ratio) * np.square(own).sum()
        return 0.3 * losses.sum() + penalty

    least = of_pair(np.zeros(6))
    for column in range(6):
        for step in (1e-3, -1e-3):
            assert of_pair(step * np.eye(6)[column]) >= least


def test_folds_that_lack_a_class_warn_once() -> None:
    X, y = three_classes(120, 5)
    order = np.argsort(y, kind="stable")
    with pytest.warns(UserWarning, match="lack class") as caught:
        model = ours(l1_ratios=(0.5, 1), cv=KFold(3), multi_class="ovr").fit(X[order], y[order])
    assert len(caught) == 1
    assert np.isfinite(model.scores_).all()


def test_ctrl_c_among_the_folds(monkeypatch) -> None:
    X, y = two()
    model = ours(l1_ratios=(0, 1))
    count = 0
    before = l1_grid.solve_next

    def solve_next(*args):
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return before(*args)

    monkeypatch.setattr(l1_grid, "solve_next", solve_next)
    with pytest.raises(KeyboardInterrupt) as caught:
        model.fit(X, y)
    assert caught.value.result.converged.tolist() == [[True, False, False]] * 3
    assert not hasattr(model, "coef_")


def test_a_limit_of_time_is_divided_among_the_ratios() -> None:
    X, y = two(sized(400, 100), 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ours(np.geomspace(0.01, 1e6, 30), (0.1, 1), time_limit=1e-3).fit(X, y)
    assert not all(grid.converged.all() for grid in model.grids_)
    assert np.isfinite(model.coef_).all()


def test_verbose_tells_of_each_ratio(capsys) -> None:
    ours(l1_ratios=(0, 1), verbose=1).fit(*two())
    said = capsys.readouterr().out
    assert "folds of l1_ratio=0: 9 of 9 fits converged" in said
    assert "folds of l1_ratio=1: 9 of 9 fits converged" in said
