"""The penalty as the command line says it."""

from __future__ import annotations

from collections.abc import Sequence

from fastlogit.fitting.column_groups import FEATURES
from fastlogit.inference.row_weights import KINDS
from fastlogit.io.categories import names_in
from fastlogit.io.faults import quoted
from fastlogit.options import check_number, check_option

__all__ = ["check_strengths", "check_summary", "column_groups"]

# The covariances that need nothing but the rows.
COVARIANCES = ("nonrobust", "HC0", "HC1", "HC2", "HC3")


def check_strengths(
    cv: bool, C: float | None, l1_ratio: Sequence[float], l2_reg: float | None,
    penalty_groups: Sequence[str],
) -> None:  # fmt: skip
    """Raise for strengths that do not go together, in the words of the options."""
    if cv and (C is not None or l2_reg is not None):
        raise ValueError("--cv chooses the strength of the penalty: leave --C and --l2-reg out")
    for ratio in l1_ratio:
        check_number("--l1-ratio", ratio, low=0.0, high=1.0)
    if len(l1_ratio) > 1 and not cv:
        raise ValueError(
            f"--l1-ratio is given {len(l1_ratio)} times: --cv chooses one of several; give one, or "
            "--cv in place of --C"
        )
    has_l1 = any(l1_ratio)
    if has_l1 and C is None and not cv:
        raise ValueError(
            "--l1-ratio is the share of L1 in the penalty of --C: give --C too, or --cv, which "
            "chooses it"
        )
    if penalty_groups and not has_l1:
        raise ValueError(
            "--penalty-groups says which columns L1 holds together: give --l1-ratio above 0 too"
        )


def check_summary(summary: str | None, weights_are: str | None, *, has_penalty: bool) -> None:
    """Raise for a table of standard errors that there is not, in the words of the options."""
    if summary is None:
        if weights_are is not None:
            raise ValueError("--weights-are is for --summary: give --summary too, or leave it out")
        return
    check_option("--summary", summary, COVARIANCES)
    if weights_are is not None:
        check_option("--weights-are", weights_are, KINDS)
    if has_penalty:
        raise ValueError(
            "--summary is of fits without a penalty, whose coefficients are not drawn towards 0: "
            "leave --C, --l2-reg and --cv out"
        )


def column_groups(groups: Sequence[str], names: Sequence[str]) -> list[str] | str:
    """Return the group of each column, as `fit` takes it: a text for each, or "features".

    Parameters
    ----------
    groups : sequence of str
        Names of columns with commas between them, or one "features".
    names : sequence of str
        Those of all columns. One that is in no group is a group of its own.
    """
    if list(groups) == [FEATURES]:
        return FEATURES
    taken: dict[str, str] = {}
    for group in groups:
        parts = names_in(group, names)
        for name in parts:
            if name not in names:
                raise ValueError(
                    f"--penalty-groups names {name!r}, which is no column of the fit; its columns "
                    f"are {quoted(names)}"
                )
            if name in taken:
                raise ValueError(f"--penalty-groups has the column {name!r} twice")
            taken[name] = " + ".join(parts)
    shared = set(taken.values()) & (set(names) - taken.keys())
    if shared:
        raise ValueError(
            f"--penalty-groups has a group that would be called {shared.pop()!r}, as a column is; "
            "rename the column"
        )
    return [taken.get(name, name) for name in names]
