"""The page of `tightrope augment`: the recommendation, and a row a way, points with intervals. Needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tightrope.core.files import write_text
from tightrope.report import sections
from tightrope.report.html import asset, page
from tightrope.report.words import esc
from tightrope.scarce.outcome import Line, Outcome

WIDE, TALL, NAMES, FIGURES = 880, 34, 190, 250  # pixels: the drawing, a row, what is written left and right of the points
MARGIN = 0.06  # of the axis, free at both ends
STYLE = """
.ways { width: 100%; height: auto; font-size: 13.5px; }
.ways text { fill: var(--ink); dominant-baseline: middle; }
.ways .soft { fill: var(--soft); }
.ways line { stroke: var(--line); }
.ways .span { stroke-width: 2.4; stroke-linecap: round; stroke: var(--real); }
.ways circle { fill: var(--real); }
.ways .made .span { stroke: var(--fake); }
.ways .made circle { fill: var(--fake); }
.ways .base { stroke: var(--edge); stroke-dasharray: 3 4; }
"""


def write(path: Path, title: str, main: Outcome, others: Sequence[Outcome], record: Mapping[str, Any]) -> Path:
    """Write the page atomically and return its path."""
    good = "good" if main.recommended else "bad"
    verdict = "Augment" if main.recommended else "Against"
    seeds = f"{main.seeds} seed{'' if main.seeds == 1 else 's'}"
    notes = "".join(f'<p class="note">{esc(note)}</p>' for note in main.notes)
    facts = {
        key.replace("_", " "): value
        for key, value in record.items()
        if key not in ("outcome", "others", "recommended", "recommendation", "data")
    }
    body = (
        f'<header class="head"><div class="title"><h1>{esc(title)}</h1></div>'
        f'<p class="lead">Does learning from generated examples help? {seeds}, each on real examples kept apart.</p>'
        f'<div class="verdict {good}"><b>{verdict}</b><p>{esc(main.words)}</p></div>{notes}</header>'
        f'<section id="ways"><h2>Ways <small>{esc(main.figure)}</small></h2>{chart(main)}'
        '<p class="note">Points are means over the seeds, bars 95 % intervals, wider where all seeds split the same examples. '
        "The gain is paired, seed by seed, over the best way without a GAN (dashed).</p></section>"
        + (f'<section id="others"><h2>Others</h2>{"".join(map(_other, others))}</section>' if others else "")
        + f'<section id="details"><h2>Details</h2><div class="card">{sections.pairs(facts)}</div></section>'
    )
    text = page(
        title=f"{title} · Tightrope augment",
        css=asset("report.css") + asset("doctor.css") + STYLE,
        scripts="",
        skip="",
        brand="Tightrope augment",
        links=("Ways", *(["Others"] if others else []), "Details"),
        tools="",
        main=body,
        footer="<p>This file is complete in itself and loads nothing from the network.</p>",
        tail="",
    )
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))
    return path


def _other(outcome: Outcome) -> str:
    return f"<h3>{esc(outcome.figure)}</h3>{chart(outcome)}<p>{esc(outcome.words)}</p>"


def chart(outcome: Outcome) -> str:
    """A row a way, the best on top: its mean with its interval, and its gain in words."""
    least = -1.0 if outcome.figure.startswith("R2") else 0.0  # an interval of few seeds may go beyond what can be
    low, high = max(least, min(x.mean.low for x in outcome.lines)), min(1.0, max(x.mean.high for x in outcome.lines))
    room = max(high - low, 1e-6)
    low, high = low - MARGIN * room, high + MARGIN * room

    def x(value: float) -> float:
        return NAMES + min(1.0, max(0.0, (value - low) / (high - low))) * (WIDE - NAMES - FIGURES)

    tall = TALL * (len(outcome.lines) + 1)
    base = x(next(line.mean.value for line in outcome.lines if line.way == outcome.baseline))
    rows = "".join(_row(line, TALL * (i + 0.5), x) for i, line in enumerate(outcome.lines))
    foot = "".join(
        f'<text class="soft" x="{x(value):.1f}" y="{tall - TALL / 2:.1f}" text-anchor="middle">{value:.2f}</text>'
        for value in (low + MARGIN * room, high - MARGIN * room)
    )
    said = f"{outcome.figure} by way; the best without a GAN is {outcome.baseline}"
    return (
        f'<div class="card"><svg class="ways" viewBox="0 0 {WIDE} {tall}" role="img" aria-label="{esc(said)}">'
        f'<line class="base" x1="{base:.1f}" x2="{base:.1f}" y1="0" y2="{tall - TALL}"/>{rows}{foot}</svg></div>'
    )


def _row(line: Line, y: float, x: Any) -> str:
    gain = "the best without" if line.gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line.gain)
    return (
        f'<g class="{"made" if line.generated else "plain"}"><text x="0" y="{y}">{esc(line.way)}</text>'
        f'<line class="span" x1="{x(line.mean.low):.1f}" x2="{x(line.mean.high):.1f}" y1="{y}" y2="{y}"/>'
        f'<circle cx="{x(line.mean.value):.1f}" cy="{y}" r="5"/>'
        f'<text x="{WIDE - FIGURES + 24}" y="{y}">{line.mean.value:.3f}</text>'
        f'<text class="soft" x="{WIDE}" y="{y}" text-anchor="end">{gain}</text></g>'
    )
