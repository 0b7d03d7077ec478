"""Several models side by side in one table: `compare_models`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Array, Vector
from ..options import check_level, check_option
from .estimates import LEVEL
from .frames import as_frame
from .inference import Inference
from .table import Table, four_decimals, number, probability

__all__ = ["ModelTable", "compare_models"]

VALUES = ("coef", "odds_ratio")
BRACKETS = ("std_error", "interval", "p_value")
# p below which a coefficient has so many stars more.
STARS = (0.05, 0.01, 0.001)


@dataclass(frozen=True)
class ModelTable(Table):
    """Models side by side: a column for each, two rows for each coefficient, facts below.

    Attributes
    ----------
    models : dict of str to Inference
    """

    models: dict[str, Inference] = field(default_factory=dict[str, Inference])

    def to_frame(self) -> object:
        """Return a pandas data frame, a row for each coefficient and three columns for each model.

        Columns are (model, "coef"), (model, "std_error") and (model, "p_value"); NaN where a model
        has no such coefficient. Where pandas is not installed it is a dict of arrays, with the
        names under "term".
        """
        names = _names_of(self.models)
        columns: dict[object, Array] = {}
        for model, found in self.models.items():
            places = [found.names.index(name) if name in found.names else -1 for name in names]
            for what, values in (
                ("coef", found.coef), ("std_error", found.standard_errors),
                ("p_value", found.p_values),
            ):  # fmt: skip
                columns[model, what] = np.append(values, np.nan)[places]
        return as_frame(columns, names)

    def fit_statistics(self) -> object:
        """Return a pandas data frame of what is said of each model as a whole, a row for each.

        Columns are n_samples, n_parameters, log_likelihood, aic, bic, mcfadden, nagelkerke. Where
        pandas is not installed it is a dict of arrays, with the models' names under "model".
        """
        kept = (
            "n_samples", "n_parameters", "log_likelihood", "aic", "bic", "mcfadden", "nagelkerke",
        )  # fmt: skip
        each = [model.likelihood for model in self.models.values()]
        columns = {name: np.array([getattr(one, name) for one in each]) for name in kept}
        return as_frame(columns, [*self.models], "model")


def compare_models(
    models: Mapping[str, Inference] | Sequence[Inference],
    *,
    values: str = "coef",
    brackets: str = "std_error",
    level: float = LEVEL,
    stars: bool = False,
) -> ModelTable:
    """Return a table of several models, as papers have it.

    Parameters
    ----------
    models : mapping of str to Inference, or sequence of Inference
        Without names they are (1), (2), ...
    values : {"coef", "odds_ratio"}, default "coef"
    brackets : {"std_error", "interval", "p_value"}, default "std_error"
        What stands below each value: its standard error (of an odds ratio by the delta method),
        interval of `level`, or p of the coefficient's being 0: Wald's, of a `BiasReducedInference`
        those of its penalised likelihood, which a note says.
    level : float between 0 and 1, default 0.95
    stars : bool, default False
        Mark p below 0.05, 0.01 and 0.001 by one, two and three stars, which a note explains. Off by
        default: a p on one side of a limit is no other finding than one on its other side.

    Returns
    -------
    ModelTable
        A `str`, HTML in notebooks, `to_markdown`, `to_latex`, `to_frame`, and rich prints it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as said.

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import compare_models, fit, infer
    >>> X = np.array([[0.5, 1], [1.2, 0], [-0.3, 0], [2.1, 1], [0.8, 0], [-1.1, 1], [0.2, 1]])
    >>> y = np.array([0, 1, 0, 1, 1, 1, 0])
    >>> both = [infer(fit(X[:, :k], y, C=np.inf), X[:, :k], y) for k in (1, 2)]
    >>> print(compare_models(both))
    Coefficients and, in brackets, standard errors
    ----------------------------------
                         (1)       (2)
    ----------------------------------
    intercept        -0.0352    0.3254
                    (0.8844)  (1.3271)
    x0                0.7335    0.7030
                    (0.9100)  (0.9031)
    x1                         -0.6164
                              (1.6520)
    ----------------------------------
    observations           7         7
    log-likelihood   -4.4097   -4.3393
    AIC              12.8195   14.6786
    BIC              12.7113   14.5163
    McFadden's R2     0.0775    0.0923
    ----------------------------------
    """
    found = _named(models)
    check_option("values", values, VALUES)
    check_option("brackets", brackets, BRACKETS)
    level = check_level(level)
    if not isinstance(stars, bool):
        raise TypeError(f"stars must be True or False, got {stars!r}")
    cells = {name: _cells(model, values, brackets, level, stars) for name, model in found.items()}
    rows = []
    for name in _names_of(found):
        pairs = [own.get(name, ("", "")) for own in cells.values()]
        rows += [[name, *(pair[0] for pair in pairs)], ["", *(pair[1] for pair in pairs)]]
    return ModelTable(
        _title(values, brackets, level), [], ["", *found], rows, _foot(found),
        _notes(found, stars), list(range(2, len(found) + 1)), found,
    )  # fmt: skip


def _named(models: object) -> dict[str, Inference]:
    if isinstance(models, Mapping):
        found = {str(name): model for name, model in models.items()}
    elif isinstance(models, list | tuple):
        found = {f"({place})": model for place, model in enumerate(models, 1)}
    else:
        raise TypeError(
            f"models must be a dict of names, or a list, of Inference, got {type(models).__name__}"
        )
    for name, model in found.items():
        if not isinstance(model, Inference):
            raise TypeError(
                f"model {name} must be an Inference, as infer(...) or model.inference(...) "
                f"returns, got {type(model).__name__}"
            )
    if not found:
        raise ValueError("models is empty: a table needs one model at least")
    return found


def _names_of(models: Mapping[str, Inference]) -> list[str]:
    """Return the names of all coefficients, each once, in the order in which they come."""
    return list(dict.fromkeys(name for model in models.values() for name in model.names))


def _cells(
    model: Inference, values: str, brackets: str, level: float, stars: bool
) -> dict[str, tuple[str, str]]:
    """Return what stands in the two rows of each coefficient."""
    is_ratio = values == "odds_ratio"
    shown = model.odds_ratios if is_ratio else model.coef
    below = _below(model, is_ratio, brackets, level)
    marks = [_stars(p) if stars else "" for p in model.p_values.tolist()]
    return {
        name: (number(value) + mark, text)
        for name, value, mark, text in zip(model.names, shown.tolist(), marks, below, strict=True)
    }


def _below(model: Inference, is_ratio: bool, brackets: str, level: float) -> list[str]:
    if brackets == "interval":
        ends = model.odds_ratio_intervals(level) if is_ratio else model.conf_int(level)
        return [f"[{number(low)}, {number(high)}]" for low, high in ends.tolist()]
    if brackets == "p_value":
        return [f"({probability(p)})" for p in model.p_values.tolist()]
    errors: Vector = model.standard_errors * (model.odds_ratios if is_ratio else 1.0)
    return [f"({number(error)})" for error in errors.tolist()]


def _stars(p_value: float) -> str:
    return "*" * sum(p_value < limit for limit in STARS)


def _title(values: str, brackets: str, level: float) -> str:
    shown = "Coefficients" if values == "coef" else "Odds ratios"
    below = {
        "std_error": "standard errors",
        "p_value": "p",
        "interval": f"{100.0 * level:.4g} % intervals",
    }[brackets]
    return f"{shown} and, in brackets, {below}"


def _foot(models: Mapping[str, Inference]) -> list[list[str]]:
    each = list(models.values())
    found = [model.likelihood for model in each]
    rows = [
        ["observations", *(f"{one.n_samples:,.10g}" for one in found)],
        ["log-likelihood", *(f"{one.log_likelihood:.4f}" for one in found)],
        ["AIC", *(_if_any(one.aic) for one in found)],
        ["BIC", *(_if_any(one.bic) for one in found)],
        ["McFadden's R2", *(four_decimals(one.mcfadden) for one in found)],
    ]
    if any(model.cov_type != "nonrobust" for model in each):
        rows.append(["covariance", *(model.cov_type for model in each)])
    return rows


def _if_any(value: float) -> str:
    """Return a criterion; where there is no likelihood or no maximum of it, nothing."""
    return "" if np.isnan(value) else f"{value:.4f}"


def _notes(models: Mapping[str, Inference], stars: bool) -> list[str]:
    notes = []
    if stars:
        marks = [f"{'*' * (place + 1)} p < {limit:g}" for place, limit in enumerate(STARS)]
        notes.append(", ".join(marks))
    found = [model.likelihood for model in models.values()]
    if len({one.n_samples for one in found}) > 1:
        notes.append(
            "The models are of different numbers of observations: likelihoods, AIC and BIC do not "
            "compare them."
        )
    links = dict.fromkeys(model.link for model in models.values())
    if len(links) > 1:
        of = [f"{name} {model.link}" for name, model in models.items()]
        notes.append(f"Coefficients are on scales of different links: {', '.join(of)}.")
    pseudo = {name: model for name, model in models.items() if not model.likelihood.is_likelihood}
    shares = [name for name, model in pseudo.items() if model._optimum.weights.is_quasi]
    if shares:
        notes.append(
            f"Of {', '.join(shares)} the log-likelihood is that of shares that are no counts, no "
            "likelihood: it has no AIC and BIC."
        )
    sampled = [name for name in pseudo if name not in shares]
    if sampled:
        notes.append(
            f"Of {', '.join(sampled)} the log-likelihood is that of a sample with sampling "
            "weights, no likelihood: it has no AIC and BIC."
        )
    return [*notes, *_notes_of_reduced(models)]


def _notes_of_reduced(models: Mapping[str, Inference]) -> list[str]:
    """Say what estimates of reduced bias are, and what is not to be compared."""
    kinds = {name: model._fit.bias_reduction for name, model in models.items()}
    reduced = [f"{name} ({kind})" for name, kind in kinds.items() if kind is not None]
    if not reduced:
        return []
    note = (
        f"Of reduced bias: {', '.join(reduced)}. The log-likelihood there is that of the rows "
        "alone, and not at its maximum: it has no AIC and BIC. Intervals and "
        "p are those of the penalised likelihood, of median ones Wald's."
    )
    return [note]
