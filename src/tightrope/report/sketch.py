"""A phase's diagram as plain text: boxes and lines of box-drawing characters, for the console."""

from __future__ import annotations

from collections.abc import Iterable

from tightrope.report.described import Call, Move, Term
from tightrope.report.flow import Edge, Flow, Node, flow, heights

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
LINES = " │─└││┌├─┘─┴┐┤┬┼"  # by the sum of the directions a line leaves a place
GAP = 9  # between two columns: room for an arrow and the name of what it carries
INDENT = 5
WORDS = {"latent": "latents", "class": "classes", "real": "real"}


def role(call: Call) -> list[str]:
    """What a player does in a phase, a few words a line."""
    words = {"learns": ["learns"], "frozen": ["frozen"], "passes": ["frozen", "gradients pass"]}[call.role]
    return words + ["graph is kept"] * call.kept + ([f"ran in phase {call.since}"] if call.since else [])


def times(move: Move) -> str:
    """How often a phase is played."""
    words = "once" if move.repeat == 1 else f"{move.repeat} times"
    words += " a round" if move.every == 1 else f" in every {ordinal(move.every)} round"
    return words + (f", {move.most} in some" if move.most > move.repeat else "")


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def facts(move: Move) -> list[str]:
    """What is to be said of a phase besides its picture."""
    found = [times(move), "on a fresh batch" if move.fresh else "on the batch before"]
    found += ["its reals count as seen"] if move.clock else []
    return found + (["then the weights are bounded"] if move.constrained else [])


def term_line(term: Term, width: int = 0) -> str:
    """A term with what it is computed on."""
    lazy = f"   every {ordinal(term.every)} round" if term.every > 1 else ""
    return f"{term.name:<{width}}   {', '.join(term.inputs)}{lazy}".rstrip()


def sketch(move: Move) -> str:
    """One phase: a title, and under it the picture."""
    head = f"{move.name}   " + "; ".join(facts(move))
    return head + "\n\n" + "\n".join(" " * INDENT + line for line in picture(move))


def picture(move: Move) -> list[str]:
    """The lines of the picture."""
    laid = flow(move)
    texts = {node: _text(node, move) for node in laid.nodes}
    y = {node: int(middle) for node, middle in heights(laid, lambda node: len(texts[node]), 1).items()}
    widths = [max((len(line) for node in column for line in texts[node]), default=0) for column in laid.columns]
    left = [sum(widths[:c]) + GAP * c for c in range(len(widths))]
    top = min(y[node] - (len(texts[node]) - 1) // 2 for node in laid.nodes)
    rows = max(y[node] - top + len(texts[node]) for node in laid.nodes) + 1
    canvas = [[" "] * (left[-1] + widths[-1]) for _ in range(rows)]
    _draw_edges(canvas, laid, {n: v - top for n, v in y.items()}, left, widths, texts)
    for node in laid.nodes:
        first = y[node] - top - (len(texts[node]) - 1) // 2
        for i, line in enumerate(texts[node]):
            start = left[node.column] + (widths[node.column] - len(line) if node.kind == "source" else 0)
            canvas[first + i][start : start + len(line)] = line
    return [line for row in canvas if (line := "".join(row).rstrip())]


def _text(node: Node, move: Move) -> list[str]:
    if node.kind == "source":
        return [WORDS.get(str(node.name), str(node.name))]
    if node.kind == "via":
        return [""]
    if node.kind == "terms":
        width = max((len(term.name) for term in move.terms), default=0)
        return [term_line(term, width) for term in move.terms]
    call = move.calls[int(node.name)]
    lines = role(call)
    width = max(len(line) for line in [*lines, call.player + "  "])
    head = f"┌ {call.player} " + "─" * (width - len(call.player)) + "┐"
    return [head, *(f"│ {line:<{width}} │" for line in lines), "└" + "─" * (width + 2) + "┘"]


def _draw_edges(
    canvas: list[list[str]], laid: Flow, y: dict[Node, int], left: list[int], widths: list[int], texts: dict[Node, list[str]]
) -> None:  # fmt: skip
    marks = [[0] * len(canvas[0]) for _ in canvas]
    for edge in laid.edges:
        a, b = edge.start, edge.end
        begin = left[a.column] + (0 if a.kind == "via" else widths[a.column] if a.kind == "source" else len(texts[a][0])) + 1
        begin -= int(a.kind == "via")
        end = left[b.column] - 2
        middle = left[b.column] - 4
        _line(marks, ((begin, y[a]), (middle, y[a]), (middle, y[b]), (end if b.kind != "via" else end + 2, y[b])))
        if b.kind == "via":
            _line(marks, ((left[b.column], y[b]), (left[b.column] + widths[b.column], y[b])))
    for row, line in enumerate(marks):
        for column, mark in enumerate(line):
            if mark:
                canvas[row][column] = LINES[mark]
    for edge in laid.edges:
        if edge.end.kind != "via":
            canvas[y[edge.end]][left[edge.end.column] - 2] = ">"
        _name(canvas, edge, y, left, widths, texts)


def _name(
    canvas: list[list[str]], edge: Edge, y: dict[Node, int], left: list[int], widths: list[int], texts: dict[Node, list[str]]
) -> None:  # fmt: skip
    """What is carried, above the line where it leaves a player."""
    if edge.start.kind == "call" and edge.carries and y[edge.start] > 0:
        begin = left[edge.start.column] + len(texts[edge.start][0]) + 1
        canvas[y[edge.start] - 1][begin : begin + len(edge.carries)] = edge.carries


def _line(marks: list[list[int]], points: Iterable[tuple[int, int]]) -> None:
    """Lay a line of level and upright pieces; where lines meet they join."""
    path = list(points)
    for (x0, y0), (x1, y1) in zip(path[:-1], path[1:], strict=True):
        for x in range(min(x0, x1), max(x0, x1)):
            marks[y0][x] |= EAST
            marks[y0][x + 1] |= WEST
        for row in range(min(y0, y1), max(y0, y1)):
            marks[row][x1] |= SOUTH
            marks[row + 1][x1] |= NORTH
