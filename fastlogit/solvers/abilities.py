"""What solvers can, said by each, and asked before work begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..objective.losses import Loss
from ..objective.penalties import Penalty

__all__ = ["Abilities", "refusal"]


@dataclass(frozen=True)
class Abilities:
    """What a solver takes.

    Attributes
    ----------
    penalties : type of Penalty
        It minimises with any penalty of this class.
    losses : type of Loss
    options : tuple of str
        Options of `fit` that it has for itself.
    """

    penalties: type
    losses: type = Loss
    options: tuple[str, ...] = ()

    def take(self, penalty: Penalty | None, loss: Loss | None) -> bool:
        """Say whether a fit may have these; None is L2, and the logistic loss."""
        return (penalty is None or isinstance(penalty, self.penalties)) and (
            loss is None or isinstance(loss, self.losses)
        )


def refusal(
    solvers: Mapping[str, Abilities], solver: str, penalty: Penalty | None, loss: Loss | None
) -> str | None:
    """Return what to say where a solver does not take penalty and loss, and which do; or None.

    "auto" is any of the solvers.
    """
    fit = [name for name, own in solvers.items() if own.take(penalty, loss)]
    if fit if solver == "auto" else solver in fit:
        return None
    what = " and ".join(
        f"the {kind} {type(given).__name__}"
        for kind, given in (("penalty", penalty), ("loss", loss))
        if given is not None
    )
    if fit:
        return f"solver={solver!r} does not take {what}; {' or '.join(map(repr, fit))} would"
    needed = sorted({own.penalties.__name__ for own in solvers.values()})
    return (
        f"no solver takes {what}: {', '.join(solvers)} take penalties that are a "
        f"fastlogit.objective.penalties.{' or '.join(needed)}"
    )
