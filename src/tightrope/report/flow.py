"""The layout of a phase's diagram: sources on the left, players in the middle, what is minimised on the right.

Nodes stand in columns; an edge that skips columns is led through them by a stand-in in each, so that no line crosses a box.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tightrope.report.described import Call, Move

TERMS = "terms"
ORDER = ("latent", "class", "real")  # of sources, from the top


@dataclasses.dataclass(frozen=True)
class Node:
    """A place in the diagram: a source (by name), a call (by index), the terms, or a stand-in ("via") of an edge's source."""

    kind: str
    name: str | int
    column: int
    of: str = ""  # of a stand-in: the kind of node its edge comes from


@dataclasses.dataclass(frozen=True)
class Edge:
    """From node to node; `carries` is "real", "fake", "latent", "class" or "" (answers of players)."""

    start: Node
    end: Node
    carries: str


@dataclasses.dataclass(frozen=True)
class Flow:
    columns: list[list[Node]]
    edges: list[Edge]

    @property
    def nodes(self) -> list[Node]:
        return [node for column in self.columns for node in column]


def flow(move: Move) -> Flow:
    """Lay out one phase."""
    depth = _columns(move.calls)
    last = max(depth, default=0) + 1
    used = {i for call in move.calls for i in call.inputs if isinstance(i, str)}
    sources = {name: Node("source", name, 0) for name in ORDER if name in used}
    calls = [Node("call", i, column) for i, column in enumerate(depth)]
    terms = Node(TERMS, TERMS, last)
    wires = [(sources[i] if isinstance(i, str) else calls[i], calls[c]) for c, call in enumerate(move.calls) for i in call.inputs]
    wires += [(calls[c], terms) for c in sorted({c for term in move.terms for c in term.calls})]
    columns: list[list[Node]] = [[*sources.values()]] + [[n for n in calls if n.column == c] for c in range(1, last)] + [[terms]]
    edges: list[Edge] = []
    for start, end in wires:
        carries = str(start.name) if start.kind == "source" else move.calls[int(start.name)].output
        edges += _led(start, end, carries, columns)
    edges = list(dict.fromkeys(edges))
    for index in range(1, len(columns)):
        _order(columns[index], columns[index - 1], edges)
    return Flow(columns, edges)


def _columns(calls: tuple[Call, ...]) -> list[int]:
    """The column of each call: right of all that it is given."""
    depth: list[int] = []
    for call in calls:
        depth.append(1 + max((depth[i] for i in call.inputs if isinstance(i, int)), default=0))
    return depth


def _led(start: Node, end: Node, carries: str, columns: list[list[Node]]) -> list[Edge]:
    """The edge, through a stand-in in each column between. Edges from one source share their stand-ins."""
    edges, now = [], start
    for column in range(start.column + 1, end.column):
        via = Node("via", start.name, column, start.kind)
        if via not in columns[column]:
            columns[column].append(via)
        edges.append(Edge(now, via, carries))
        now = via
    return [*edges, Edge(now, end, carries)]


def _order(column: list[Node], before: list[Node], edges: list[Edge]) -> None:
    """Bring a column into the order of what its nodes are given."""
    place = {node: i for i, node in enumerate(before)}

    def middle(node: Node) -> float:
        found = [place[edge.start] for edge in edges if edge.end == node and edge.start in place]
        return sum(found) / len(found) if found else len(before)

    column.sort(key=middle)


def heights(laid: Flow, height: Callable[[Node], float], gap: float) -> dict[Node, float]:
    """The middle of every node from the top, so that edges run as level as they can.

    The fullest column is stacked; its neighbours follow where their edges go, without overlapping.
    """
    full = max(range(len(laid.columns)), key=lambda c: sum(height(n) + gap for n in laid.columns[c]))
    y: dict[Node, float] = {}
    _pack(laid.columns[full], dict.fromkeys(laid.columns[full], 0.0), y, height, gap)
    for side in (range(full + 1, len(laid.columns)), range(full - 1, -1, -1)):
        for c in side:
            wish = {}
            for node in laid.columns[c]:
                near = [y[e.start] for e in laid.edges if e.end == node and e.start in y and e.start != node]
                near += [y[e.end] for e in laid.edges if e.start == node and e.end in y]
                wish[node] = sum(near) / len(near) if near else 0.0
            _pack(laid.columns[c], wish, y, height, gap)
    top = min(y[node] - height(node) / 2 for node in laid.nodes)
    return {node: value - top for node, value in y.items()}


def _pack(
    column: list[Node], wish: dict[Node, float], y: dict[Node, float], height: Callable[[Node], float], gap: float
) -> None:  # fmt: skip
    """Give each node its wish where there is room; then move all so that the wishes are met on average."""
    bottom = float("-inf")
    for node in column:
        y[node] = max(wish[node], bottom + gap + height(node) / 2)
        bottom = y[node] + height(node) / 2
    shift = sum(wish[node] - y[node] for node in column) / max(1, len(column))
    for node in column:
        y[node] += shift
