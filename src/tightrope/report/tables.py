"""Pieces of a page about a table: marginals laid over each other, heat maps of association, clouds of points. SVG and HTML alone.

They take plain data (JSON): lists and dicts as `metrics.tables.overlays` makes them, and records of metrics. The classes they
use are in tables.css.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tightrope.report.records import Record, number, part
from tightrope.report.words import esc, measured, short

WIDE, TALL = 300, 118  # of a histogram, in units of its view box
ROW = 21  # height of a category's two bars
LABEL = 112  # width of a category's name
LETTERS = 17  # of a name that are shown beside a bar or a map
FAINT = 0.85  # score of a column below which it is marked
CELL, MARGIN = 22, 118  # of a heat map
CLOUD = 250
MOST = 60  # columns that are drawn
SPIKE = 5  # times the next bin
ROOTED = f'<text class="tick" x="{WIDE}" y="12" text-anchor="end">heights: square roots</text>'


def marginals(columns: Sequence[Record]) -> str:
    """A card a column, the least alike first: real shares filled, generated ones as a line or as a second bar."""
    if not columns:
        return ""
    ranked = sorted(columns, key=lambda column: number(column.get("score")) if column.get("score") is not None else 2.0)
    cards = "".join(map(_marginal, ranked[:MOST]))
    left = len(ranked) - MOST
    more = (
        f'<p class="note">The {MOST} columns whose shapes differ most; {left} more are alike at least as well.</p>'
        if left > 0
        else ""
    )
    return f'{legend()}<div class="marginals">{cards}</div>{more}'


def legend() -> str:
    """What is real and what generated."""
    return '<p class="sides"><span class="real">Real</span><span class="fake">Generated</span></p>'


def _marginal(column: Record) -> str:
    drawn = _histogram(column) if column.get("kind") == "number" else _bars(column)
    score = number(column.get("score")) if column.get("score") is not None else math.nan
    kind = "bad" if score < FAINT else ""
    said = f"{score:.2f}" if math.isfinite(score) else "–"
    return (
        f'<figure class="card marginal"><figcaption><b title="{esc(column["name"])}">{esc(column["name"])}</b>'
        f'<span class="{kind}" title="1 for equal shapes">{said}</span></figcaption>{drawn}{_gaps(column)}</figure>'
    )


def _gaps(column: Record) -> str:
    real, fake = (number(share) for share in column.get("missing") or (0.0, 0.0))
    if not real and not fake:
        return ""
    return f'<p class="note">Missing: real {_percent(real)}, generated {_percent(fake)}</p>'


# ---------------------------------------------------------------- numbers
def _histogram(column: Record) -> str:
    """Real shares as an area, generated ones as a step line, over bins of one width."""
    edges, real, fake = ([number(v) for v in column[key]] for key in ("edges", "real", "fake"))
    rooted = _spiky(real)
    if rooted:
        real, fake = ([math.sqrt(share) for share in side] for side in (real, fake))
    top, base = max([*real, *fake, 1e-12]), TALL - 18
    at = [WIDE * i / len(real) for i in range(len(real) + 1)]
    area = f"M0 {base}{_steps(at, real, top, base)}L{WIDE} {base}Z"
    line = "M" + _steps(at, fake, top, base)[1:]
    first, last = (number(v) for v in column.get("ends") or (edges[0], edges[-1]))
    low, high = _end(first, last), _end(last, first)
    ends = column.get("gathered") or (False, False)
    names = ("≤ " if ends[0] else "") + low, ("≥ " if ends[1] else "") + high
    return (
        f'<svg viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{esc(column["name"])}, real and generated">'
        f'<path class="area" d="{area}"/><path class="step" d="{line}"/><path class="base" d="M0 {base}H{WIDE}"/>'
        f'<text class="tick" x="0" y="{TALL - 4}">{esc(names[0])}</text>'
        f'<text class="tick" x="{WIDE}" y="{TALL - 4}" text-anchor="end">{esc(names[1])}</text>{ROOTED if rooted else ""}</svg>'
    )


def _spiky(shares: list[float]) -> bool:
    """Whether one bin would leave nothing to be seen of the others."""
    ranked = sorted(shares, reverse=True)
    return len(ranked) > 2 and ranked[0] > SPIKE * ranked[1]


def _steps(at: list[float], shares: list[float], top: float, base: int) -> str:
    height = base - 4
    points = [
        f"L{at[i]:.1f} {base - height * share / top:.1f}H{at[i + 1]:.1f}" if i == 0 else
        f"V{base - height * share / top:.1f}H{at[i + 1]:.1f}"
        for i, share in enumerate(shares)
    ]  # fmt: skip
    return "".join(points)


def _end(value: float, other: float) -> str:
    """An end of the axis; years and other numbers whose ends are close keep all their digits."""
    close = abs(value - other) < 0.1 * max(abs(value), abs(other), 1e-12)
    return f"{value:,.6g}" if close else short(value).replace("-", "−")


# ---------------------------------------------------------------- categories
def _bars(column: Record) -> str:
    """A category a line: the real share, the generated one below it."""
    real, fake = ([number(v) for v in column[key]] for key in ("real", "fake"))
    top, room = max([*real, *fake, 1e-12]), WIDE - LABEL - 40
    lines = ""
    for i, (level, p, q) in enumerate(zip(column["levels"], real, fake, strict=True)):
        y = i * ROW + 2
        gone = " bad" if p and not q else ""
        lines += (
            f'<text class="tick" x="{LABEL - 8}" y="{y + 12}" text-anchor="end"><title>{esc(level)}</title>{esc(_clipped(level))}</text>'
            f'<rect class="real" x="{LABEL}" y="{y}" width="{room * p / top:.1f}" height="7.5"/>'
            f'<rect class="fake" x="{LABEL}" y="{y + 8.5}" width="{room * q / top:.1f}" height="7.5"/>'
            f'<text x="{WIDE}" y="{y + 12}" text-anchor="end"><tspan class="tick{gone}">{_percent(p)}</tspan>'
            f"<title>real {_percent(p)}, generated {_percent(q)}</title></text>"
        )
    tall = len(real) * ROW + 2
    return f'<svg viewBox="0 0 {WIDE} {tall}" role="img" aria-label="{esc(column["name"])}, real and generated">{lines}</svg>'


def _clipped(text: Any, letters: int = LETTERS) -> str:
    whole = str(text)
    return whole if len(whole) <= letters else whole[: letters - 1] + "…"


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "–"
    if 0 < share < 0.001:
        return "&lt;0.1\u202f%"  # as HTML
    return f"{100 * share:.1f}\u202f%" if share < 0.1 else f"{100 * share:.0f}\u202f%"


# ---------------------------------------------------------------- associations
def associations(found: Record) -> str:
    """Three maps of all pairs of columns: real, generated, and how far the second is from the first."""
    names = [str(name) for name in found.get("names") or []]
    if len(names) < 2:
        return ""
    real, fake = ([[_maybe(v) for v in row] for row in found[side]] for side in ("real", "fake"))
    apart = [
        [None if p is None or q is None else q - p for p, q in zip(*rows, strict=True)] for rows in zip(real, fake, strict=True)
    ]
    worst = max((abs(v) for row in apart for v in row if v is not None), default=0.0)
    maps = "".join(
        f"<figure><figcaption>{title}</figcaption>{_map(names, values, colour)}</figure>"
        for title, values, colour in (
            ("Real", real, _bound),
            ("Generated", fake, _bound),
            (f'Generated less real <span class="muted">at most {worst:.2f}</span>', apart, _bound),
        )
    )
    return f'<div class="card"><div class="maps">{maps}</div>{_scale()}</div>'


def _map(names: list[str], values: list[list[float | None]], colour: Callable[[float], str]) -> str:
    many = len(names)
    side = MARGIN + many * CELL
    cells = labels = ""
    for i, name in enumerate(names):
        middle = MARGIN + i * CELL + CELL / 2
        text = esc(_clipped(name, 15))
        labels += (
            f'<text class="tick" x="{MARGIN - 6}" y="{middle + 4:.0f}" text-anchor="end">{text}</text>'
            f'<text class="tick" transform="translate({middle + 4:.0f} {MARGIN - 6}) rotate(-90)">{text}</text>'
        )
        for j, other in enumerate(names):
            value = values[i][j]
            if i == j:
                continue
            tip = f"{name} and {other}: {'constant' if value is None else f'{value:+.2f}'}"
            paint = f'style="{colour(value)}"' if value is not None else 'class="none"'
            cells += (
                f'<rect x="{MARGIN + j * CELL}" y="{MARGIN + i * CELL}" width="{CELL - 1}" height="{CELL - 1}" {paint}>'
                f"<title>{esc(tip)}</title></rect>"
            )
    return f'<svg viewBox="0 0 {side} {side}" role="img" aria-label="association of columns">{labels}{cells}</svg>'


def _bound(value: float) -> str:
    """Strength as opacity over the empty cell, sign as colour."""
    side = "fake" if value > 0 else "one"
    return f"fill:color-mix(in oklab, var(--{side}) {100 * min(1.0, abs(value)) ** 0.75:.0f}%, var(--sunk))"


def _scale() -> str:
    steps = "".join(f'<i style="{_bound(v / 4).replace("fill:", "background:")}"></i>' for v in range(-4, 5))
    return (
        f'<p class="note scale"><span>−1</span>{steps}<span>+1</span> Two numbers: correlation. Two categories: Cramér\'s V. '
        "A number and a category: the correlation ratio. Hover for the value.</p>"
    )


def _maybe(value: Any) -> float | None:
    return None if value is None or not math.isfinite(number(value)) else number(value)


# ---------------------------------------------------------------- clouds
def clouds(found: Sequence[Record]) -> str:
    """A pair of numbers a card: real rows beside generated ones, on the same axes."""
    cards = "".join(map(_cloud, found))
    return f'<div class="clouds">{cards}</div>' if cards else ""


def _cloud(pair: Record) -> str:
    spans = [
        _span([_maybe(v) for side in ("real", "fake") for v in pair[side][axis]], [_maybe(v) for v in pair["real"][axis]])
        for axis in (0, 1)
    ]
    r = [_maybe(v) for v in pair.get("r") or (None, None)]
    panes = "".join(
        f'<figure><figcaption class="{side}">{title}{"" if value is None else f" <small>r {value:.2f}</small>".replace("-", "−")}</figcaption>'
        f"{_points(pair[side], spans, side)}</figure>"
        for side, title, value in (("real", "Real", r[0]), ("fake", "Generated", r[1]))
    )
    return f'<div class="card cloud"><h3>{esc(pair["x"])} <span class="muted">and</span> {esc(pair["y"])}</h3><div class="two">{panes}</div></div>'


def _points(axes: Sequence[Sequence[Any]], spans: list[tuple[float, float]], side: str) -> str:
    dots = ""
    for x, y in zip(*axes, strict=True):
        if (p := _maybe(x)) is not None and (q := _maybe(y)) is not None:
            at = [min(1.03, max(-0.03, (v - low) / (high - low))) for v, (low, high) in zip((p, q), spans, strict=True)]
            dots += f'<circle cx="{10 + (CLOUD - 20) * at[0]:.1f}" cy="{CLOUD - 10 - (CLOUD - 20) * at[1]:.1f}" r="2.6"/>'
    frame = f'<rect class="ground" width="{CLOUD}" height="{CLOUD}" rx="4"/>'
    return f'<svg class="dots {side}" viewBox="0 0 {CLOUD} {CLOUD}" role="img" aria-label="{side} rows as points">{frame}{dots}</svg>'


def _span(values: list[float | None], real: list[float | None]) -> tuple[float, float]:
    """The axis: all points, but no more than twice what the real ones take at either side of their middle 98 %."""
    there, known = sorted(v for v in values if v is not None), sorted(v for v in real if v is not None)
    if not there or not known:
        return 0.0, 1.0
    low, high = known[len(known) // 100], known[-1 - len(known) // 100]
    room = high - low
    low, high = max(there[0], low - room), min(there[-1], high + room)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


# ---------------------------------------------------------------- figures
def figures(records: Sequence[Record]) -> str:
    """A figure a row: the value, its interval, and what real rows in the place of the generated ones give."""
    if not records:
        return ""
    heads = (("Figure", ""), ("Generated", "n"), ("95 %", "n"), ("Real rows instead", "n"))
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in heads)
    body = "".join(map(_figure, records))
    return f'<div class="card flush"><table class="figures"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{_notes(records)}'


def _figure(entry: Record) -> str:
    span = entry.get("interval")
    interval = f"{measured(span[0])} … {measured(span[1])}" if isinstance(span, (list, tuple)) and len(span) == 2 else ""
    arrow = {"lower": "↓", "higher": "↑"}.get(str(entry.get("better")), "")
    null = entry.get("null")
    trivial = part(entry, "protocol").get("trivial")
    guess = f' <span class="muted">guessing {measured(trivial)}</span>' if trivial is not None else ""
    return (
        f'<tr><th scope="row">{esc(entry["name"])} <span class="muted">{arrow}</span>{guess}</th>'
        f'<td class="n big">{measured(entry["value"])}</td><td class="n">{interval}</td>'
        f'<td class="n">{"–" if null is None else measured(null)}</td></tr>'
    )


def _notes(records: Sequence[Record]) -> str:
    notes = dict.fromkeys(str(note) for entry in records for note in entry.get("notes") or [])
    return "".join(f'<p class="note">{esc(note)}</p>' for note in notes)
