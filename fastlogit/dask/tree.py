"""A tree over partitions, in which what they say is put together: two neighbours at a time.

Its shape depends on the number of partitions alone, and not on where they lie: a worker puts
together what neighbours of its own say, and whoever has all that is left goes on in the same tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Answer", "Combine", "Node", "Nodes", "fold", "join_nodes", "n_nodes"]

Combine: TypeAlias = Callable[[Sequence[Any]], Any]


class Answer(NamedTuple):
    """What a partition says, or several together, and how many rows were read for it."""

    value: Any
    n_rows: int


class Node(NamedTuple):
    """The `place`-th of the nodes that have ``2**level`` partitions each; a leaf is one."""

    level: int
    place: int

    @property
    def first(self) -> int:
        """The first partition below."""
        return self.place << self.level


# None for partitions that have no rows.
Nodes: TypeAlias = dict[Node, Answer | None]


def fold(
    found: Iterable[tuple[Node, Answer | None]], n_leaves: int, combine: Combine | None
) -> Nodes:
    """Return what nodes come to: as few as can be, without those that are not there.

    Parameters
    ----------
    found : iterable of (Node, Answer or None)
        In the order of their first partitions.
    n_leaves : int
    combine : callable or None
        None puts nothing together, but counts.
    """
    nodes: Nodes = {}
    for node, answer in found:
        while node.first or 1 << node.level < n_leaves:
            if node.place % 2:
                left = Node(node.level, node.place - 1)
                if left not in nodes:
                    break
                answer = _together(nodes.pop(left), answer, combine)
            elif (node.place + 1) << node.level < n_leaves:
                break
            node = Node(node.level + 1, node.place // 2)
        nodes[node] = answer
    return nodes


def join_nodes(several: Iterable[Nodes], n_leaves: int, combine: Combine) -> Nodes:
    """Return what the nodes of several come to together."""
    items = [item for nodes in several for item in nodes.items()]
    return fold(sorted(items, key=lambda item: item[0].first), n_leaves, combine)


def n_nodes(members: Sequence[int], n_leaves: int) -> int:
    """Return how many nodes some partitions come to."""
    return len(fold(((Node(0, leaf), None) for leaf in members), n_leaves, None))


def _together(one: Answer | None, other: Answer | None, combine: Combine | None) -> Answer | None:
    if one is None or combine is None:
        return other
    if other is None:
        return one
    return Answer(combine([one.value, other.value]), one.n_rows + other.n_rows)
