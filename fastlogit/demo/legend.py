"""The legend of pictures with points."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def legend(ax: Axes) -> None:
    """Put a legend over the points that hides none of the colours."""
    ax.legend(loc="best", framealpha=0.9, edgecolor="none")
