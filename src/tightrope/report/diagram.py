"""A recipe's round as a picture: one row a phase, players as boxes, what each is given, what learns, what is minimised.

`svg(description)` is a stand-alone file without scripts or foreign fonts that follows the reader's light or dark setting.
"""

from __future__ import annotations

import textwrap

from tightrope.report.described import Call, Description, Move, Term
from tightrope.report.flow import Edge, Flow, Node, flow, heights
from tightrope.report.recipe_tables import flops
from tightrope.report.sketch import WORDS, facts, ordinal, role
from tightrope.report.words import esc

SIDE, PAD, GAP = 236, 28, 66  # width of the words beside a phase; margins; between two columns
PILL, BOX = 84, 148  # widths of a source and of a player
PILL_HIGH, TERM_HIGH, BETWEEN = 28, 25, 20
HEAD, FOOT, RETURN = 86, 56, 38  # title; legend; room for the arrow of the gradients under a phase
LETTER = 7.0  # pixels of a letter of 13 px, on average
COLOURS = {  # light, dark: those of report.css
    "page": ("#f6f6f3", "#101214"), "card": ("#ffffff", "#181b1e"), "sunk": ("#f0f0ec", "#202428"), "ink": ("#1b1d1f", "#e9eaeb"),
    "soft": ("#5b6168", "#a0a7ae"), "line": ("#e1e1db", "#2c3136"), "edge": ("#8a8f95", "#6d757d"), "move": ("#2a56b5", "#86aeff"),
    "tint": ("#e9eefb", "#1d2740"), "fake": ("#b8440b", "#ff9f66"), "real": ("#0c7064", "#4fcab6"), "class": ("#7a3f9d", "#d0a3ee"),
}  # fmt: skip


def svg(found: Description) -> str:
    """The whole picture."""
    laid = [flow(move) for move in found.moves]
    sizes = [_Size(move, one) for move, one in zip(found.moves, laid, strict=True)]
    width = max([size.width for size in sizes] + [820 - SIDE - 2 * PAD]) + SIDE + 2 * PAD
    rows, top = [], float(HEAD)
    for number, (move, size) in enumerate(zip(found.moves, sizes, strict=True), 1):
        rows.append(_row(number, move, size, top, width))
        top += size.height + 14
    title = f"A round of {found.name}: {'; '.join(_spoken(move) for move in found.moves)}"
    sentence = textwrap.shorten(found.sentence, int((width - 2 * PAD) / LETTER), placeholder=" …")
    head = _text(PAD, 44, found.name, "ink name") + _text(PAD, 67, sentence, "soft")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {top + FOOT:.0f}" width="{width:.0f}" '
        f'height="{top + FOOT:.0f}" role="img" aria-label="{esc(title)}">\n<title>{esc(title)}</title>\n<style>{_css()}</style>\n'
        f'{_arrowheads()}\n<rect class="page" width="100%" height="100%" rx="14"/>\n{head}\n'
        + "\n".join(rows) + "\n" + _legend(found, top + 22) + "\n</svg>\n"
    )  # fmt: skip


class _Size:
    """Where the nodes of a phase stand, from its own left and top."""

    def __init__(self, move: Move, laid: Flow) -> None:
        self.laid = laid
        self.panel = _panel(move.terms)
        widths = [PILL] + [BOX] * (len(laid.columns) - 2) + [self.panel]
        self.x = [sum(widths[:c]) + GAP * c for c in range(len(widths))]
        self.width = self.x[-1] + widths[-1]
        self.high = {node: _height(node, move) for node in laid.nodes}
        tall = heights(laid, lambda node: self.high[node], BETWEEN)
        inner = max(tall[node] + self.high[node] / 2 for node in laid.nodes)
        need = max(inner + 2 * 24 + RETURN, 62 + 20 * len(_side(move)) + 4)
        offset = (need - RETURN - inner) / 2
        self.y = {node: value + offset for node, value in tall.items()}
        self.bottom, self.height = inner + offset, need


def _height(node: Node, move: Move) -> float:
    if node.kind == "call":
        return 40.0 + 17 * len(role(move.calls[int(node.name)]))
    return {"source": float(PILL_HIGH), "via": 10.0, "terms": 20.0 + TERM_HIGH * len(move.terms)}[node.kind]


def _side(move: Move) -> list[str]:
    """The lines that stand beside a phase."""
    words = [*facts(move), f"{flops(move.flops)} a move"]
    return [line for fact in words for line in textwrap.wrap(fact, 29)]


def _row(number: int, move: Move, size: _Size, top: float, width: float) -> str:
    """One phase."""
    left = PAD + SIDE
    parts = [f'<rect class="card" x="{PAD / 2}" y="{top:.1f}" width="{width - PAD:.1f}" height="{size.height:.1f}" rx="12"/>']
    parts.append(
        _text(PAD + 4, top + 38, f"{number}", "edge number") + _text(PAD + 26, top + 38, f"phase {move.name}", "ink phase")
    )
    parts += [_text(PAD + 26, top + 62 + 20 * i, line, "soft") for i, line in enumerate(_side(move))]
    place = {node: (left + size.x[node.column], top + size.y[node]) for node in size.laid.nodes}
    parts += [_edge(edge, place, move) for edge in size.laid.edges]
    parts.append(_gradients(move, size, place, top))
    for node in size.laid.nodes:
        x, y = place[node]
        if node.kind == "source":
            parts.append(_pill(x, y, str(node.name)))
        elif node.kind == "call":
            parts.append(_box(x, y, size.high[node], move.calls[int(node.name)]))
        elif node.kind == "terms":
            parts.append(_terms(x, y, size.high[node], size.panel, move.terms))
    return "\n".join(part for part in parts if part)


def _pill(x: float, y: float, name: str) -> str:
    box = f'<rect class="sunk {name}-line" x="{x:.1f}" y="{y - PILL_HIGH / 2:.1f}" width="{PILL}" height="{PILL_HIGH}" rx="14"/>'
    return box + _text(x + PILL / 2, y + 4.5, WORDS.get(name, name), f"{name} middle strong")


def _box(x: float, y: float, high: float, call: Call) -> str:
    """A player: a solid blue frame where it learns, a dashed grey one where it is frozen."""
    top = y - high / 2
    box = f'<rect class="{"mover" if call.role == "learns" else "frozen"}" x="{x:.1f}" y="{top:.1f}" width="{BOX}" height="{high:.1f}" rx="10"/>'
    words = role(call)
    colour = "move strong" if call.role == "learns" else "soft"
    lines = [_text(x + BOX / 2, top + 45 + 17 * i, line, f"middle {colour if not i else 'soft'}") for i, line in enumerate(words)]
    return box + _text(x + BOX / 2, top + 26, call.player, "middle player ink") + "".join(lines)


def _panel(terms: tuple[Term, ...]) -> float:
    """The width of the panel of terms."""
    chips = [sum(len(w) * 6.6 + 24 for w in t.inputs) + (len(_every(t)) * 6.4 + 8 if t.every > 1 else 0) for t in terms]
    return 44 + 7.9 * max((len(term.name) for term in terms), default=0) + max(chips, default=0.0)


def _every(term: Term) -> str:
    return f"every {ordinal(term.every)} round"


def _terms(x: float, y: float, high: float, width: float, terms: tuple[Term, ...]) -> str:
    """What is minimised, each with dots that say what it is computed on."""
    top = y - high / 2
    parts = [f'<rect class="sunk" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{high:.1f}" rx="10"/>']
    parts.append(_text(x + 2, top - 7, "minimises", "edge small"))
    names = max((len(term.name) for term in terms), default=0) * 7.9
    for i, term in enumerate(terms):
        line = top + 10 + TERM_HIGH * (i + 0.5)
        parts.append(_text(x + 14, line + 4.5, term.name, "ink mono"))
        now = x + 14 + names + 16
        for word in term.inputs:
            parts.append(f'<circle class="{_colour(word)}" cx="{now + 4:.1f}" cy="{line:.1f}" r="4"/>')
            parts.append(_text(now + 12, line + 4.2, word, "soft small"))
            now += len(word) * 6.6 + 24
        if term.every > 1:
            parts.append(_text(now + 4, line + 4.2, _every(term), "edge small"))
    return "".join(parts)


def _colour(word: str) -> str:
    return word if word in ("real", "fake", "class") else "soft"


def _edge(edge: Edge, place: dict[Node, tuple[float, float]], move: Move) -> str:
    """A curve from a node's right to the next one's left; a stand-in is crossed on the level."""
    (ax, ay), (bx, by) = place[edge.start], place[edge.end]
    ax += PILL if edge.start.kind == "source" else BOX
    colour = edge.carries if edge.carries in ("real", "fake", "class") else "soft" if edge.carries else "edge"
    leads_on = edge.end.kind == "via"
    end = bx if leads_on else bx - 9
    bend = (end - ax) / 2
    path = f"M{ax:.1f} {ay:.1f}C{ax + bend:.1f} {ay:.1f} {end - bend:.1f} {by:.1f} {end:.1f} {by:.1f}"
    path += f"H{bx + BOX:.1f}" if leads_on else ""
    arrow = "" if leads_on else f' marker-end="url(#{colour})"'
    label = ""
    if edge.start.kind == "call" and edge.carries:
        label = _text(ax + 9, ay - 8, edge.carries, f"{colour} small strong")
    return f'<path class="wire {colour}-line" d="{path}"{arrow}/>{label}'


def _gradients(move: Move, size: _Size, place: dict[Node, tuple[float, float]], top: float) -> str:
    """The way back: from what is minimised to the players that learn."""
    terms = size.laid.columns[-1][0]
    x, y = place[terms]
    low, start = top + size.bottom + 25, x + min(size.panel / 2, 70)
    movers = [n for n in size.laid.nodes if n.kind == "call" and move.calls[int(n.name)].role == "learns"]
    parts = []
    for node in movers:
        bx, by = place[node]
        foot, middle = by + size.high[node] / 2, bx + BOX / 2
        path = f"M{start:.1f} {y + size.high[terms] / 2:.1f}V{low - 10:.1f}Q{start:.1f} {low:.1f} {start - 10:.1f} {low:.1f}"
        path += f"H{middle + 10:.1f}Q{middle:.1f} {low:.1f} {middle:.1f} {low - 10:.1f}V{foot + 10:.1f}"
        parts.append(f'<path class="wire move-line back" d="{path}" marker-end="url(#move)"/>')
    if movers:
        parts.append(_text(start - 14, low - 6, "gradients", "move small end"))
    return "".join(parts)


def _legend(found: Description, y: float) -> str:
    """What the colours mean; only those that occur."""
    words = {word for move in found.moves for term in move.terms for word in term.inputs}
    meaning = {"real": "real samples", "fake": "generated samples", "latent": "latents", "class": "classes"}
    x, parts = float(PAD + 4), []
    for word in (w for w in meaning if w in words | {"fake"}):
        parts.append(
            f'<circle class="{_colour(word)}" cx="{x + 4:.1f}" cy="{y - 4:.1f}" r="4"/>' + _text(x + 14, y, meaning[word], "soft")
        )
        x += 14 + len(meaning[word]) * LETTER + 22
    for style, text in (("mover", "learns in this phase"), ("frozen", "runs, stays as it is")):
        parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y - 12:.1f}" width="22" height="15" rx="4"/>' + _text(x + 30, y, text, "soft")
        )
        x += 30 + len(text) * LETTER + 22
    return "".join(parts)


def _spoken(move: Move) -> str:
    terms = ", ".join(f"{term.name} on {' and '.join(term.inputs)}" for term in move.terms)
    return f"phase {move.name} moves {' and '.join(move.moves)} to minimise {terms}"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{esc(text)}</text>'


def _arrowheads() -> str:
    kinds = ("real", "fake", "class", "soft", "edge", "move")
    return "<defs>" + "".join(
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="10" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="{kind}" d="M0 0L8 4L0 8z"/></marker>' for kind in kinds
    ) + "</defs>"  # fmt: skip


def _css() -> str:
    """Plain colours and, for readers who prefer dark, the others: no variables, so that every renderer understands it."""
    shared = (
        'text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif}'
        ".name{font-size:23px;font-weight:680}.phase{font-size:16px;font-weight:650}.number{font-size:16px}"
        ".player{font-size:18px;font-weight:680}.small{font-size:12px}.strong{font-weight:620}.middle{text-anchor:middle}"
        '.end{text-anchor:end}.mono{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}'
        ".wire{fill:none;stroke-width:1.8}.back{stroke-dasharray:5 4}.frozen{stroke-dasharray:4 4;stroke-width:1.4}.mover{stroke-width:2}"
    )
    return shared + _colours(0) + "@media(prefers-color-scheme:dark){" + _colours(1) + "}"


def _colours(scheme: int) -> str:
    c = {name: pair[scheme] for name, pair in COLOURS.items()}
    fills = "".join(
        f".{name}{{fill:{c[name]}}}" for name in ("page", "sunk", "ink", "soft", "edge", "move", "fake", "real", "class")
    )
    names = {"real": "real", "fake": "fake", "class": "class", "soft": "soft", "latent": "soft", "edge": "edge", "move": "move"}
    lines = "".join(f".{name}-line{{stroke:{c[colour]}}}" for name, colour in names.items())
    return (
        f"{fills}{lines}.latent{{fill:{c['soft']}}}.card{{fill:{c['card']};stroke:{c['line']}}}"
        f".mover{{fill:{c['tint']};stroke:{c['move']}}}.frozen{{fill:{c['card']};stroke:{c['edge']}}}"
    )
