"""The tightrope picture: which player led, by how much, what the guardian concluded and what it did, as one inline SVG.

The rope is the level line in the middle. The curve of the lead walks over samples seen: above the rope is D's side, below it G's.
Drawn twice, wide and narrow, so that its text can be read on a desk and on a phone; the style sheet shows one of them.
"""

from __future__ import annotations

import math

from tightrope.report.layout import area, breaks, line, pieces, round_steps, smoothed, thinned
from tightrope.report.rope_frame import LANE, Frame, frame, names, span
from tightrope.report.rope_marks import marks, walker
from tightrope.report.story import Story, Stretch, leader, outcomes
from tightrope.report.words import count, esc, short

MOST = 500  # points drawn; with more, the extremes of each group
HOVERS = 90  # columns that tell their values


def svg(told: Story, narrow: bool = False) -> str:
    """The picture."""
    box = frame(told, narrow)
    drawn = [(box.x(seen), box.y(lead)) for seen, lead in smoothed(thinned(told.lead, MOST))]
    layers = [
        _defs(box),
        *(_shade(box, stretch) for stretch in told.stretches),
        _axes(box, told),
        _tints(box, drawn),
        *(f'<path class="fallen" d="{_path(box, piece)}"/>' for piece in told.fallen),
        _raw(box, told),
        _rope(box),
        _curve(box, drawn),
        _strip(box, told),
        _hovers(box, told),
        *(_name(box, stretch, lane) for stretch, lane in names(box, told)),
        marks(box, told, drawn),
        walker(box, told, drawn),
    ]
    return (
        f'<svg class="{box.name}" viewBox="0 0 {box.width:g} {box.height:g}" role="img" aria-label="{esc(in_words(told))}">'
        f"{''.join(layers)}</svg>"
    )


def in_words(told: Story) -> str:
    """The picture for those who cannot see it."""
    values = [v for _, v in told.lead if math.isfinite(v)]
    span = f" It was between {min(values):.2f} and {max(values):.2f}." if values else ""
    bad = "; ".join(f"{s.name} from {count(s.start)} to {count(s.end)} samples seen" for s in told.bad[:12])
    return (
        f"Balance of the game over {count(told.end)} samples seen: the lead from 1, D's side, over 0, balance, to -1, G's side. "
        f"At the end: {leader(told.now)}.{span} {f'Bad verdicts: {bad}.' if bad else 'No bad verdict.'}"
        f"{f' {outcomes(told)}.' if told.marks else ''}"
    )


def _defs(box: Frame) -> str:
    """Tints that deepen away from the rope, and the two sides to clip to."""
    sides = (("d", box.top - 4, box.rope, box.rope, box.top), ("g", box.rope, box.bottom + 4, box.rope, box.bottom))
    return "<defs>" + "".join(
        f'<linearGradient id="tint-{side}-{box.name}" gradientUnits="userSpaceOnUse" x1="0" x2="0" y1="{near:g}" y2="{far:g}">'
        f'<stop class="{side}" stop-opacity=".06"/><stop class="{side}" offset="1" stop-opacity=".62"/></linearGradient>'
        f'<clipPath id="side-{side}-{box.name}"><rect x="0" y="{top:g}" width="{box.width:g}" height="{bottom - top:g}"/></clipPath>'
        for side, top, bottom, near, far in sides
    ) + "</defs>"  # fmt: skip


def _shade(box: Frame, stretch: Stretch) -> str:
    """The ribbon above the plot; under a bad verdict the plot is shaded too."""
    x, kind = box.x(stretch.start), "good" if stretch.good else "bad"
    width = max(2.0, box.x(stretch.end) - x)
    x = min(x, box.right - width)
    ribbon = f'<rect class="ribbon {kind}" x="{x:.1f}" y="{box.top - 9:g}" width="{width:.1f}" height="4"><title>{_told(stretch)}</title></rect>'
    if stretch.good:
        return ribbon
    return (
        f'{ribbon}<rect class="shade" x="{x:.1f}" y="{box.top - 5:g}" width="{width:.1f}" height="{box.bottom - box.top + 5:g}"/>'
    )


def _told(stretch: Stretch) -> str:
    sure = f", {100 * stretch.sure:.0f} % sure" if math.isfinite(stretch.sure) else ""
    return esc(f"{stretch.name}, seen {count(stretch.start)} to {count(stretch.end)}{sure}. {stretch.sentence}".strip())


def _axes(box: Frame, told: Story) -> str:
    """Words on the left, samples seen below, resumes as dashed lines."""
    bottom = box.strip[1]
    words = ((box.top + 4, "D leads", "d"), (box.rope + 4, "balance", "b"), (box.bottom + 4, "G leads", "g"))
    found = [
        f'<text class="side {kind}" x="{box.left - 12:g}" y="{y:.1f}" text-anchor="end">{word}</text>' for y, word, kind in words
    ]
    found += [f'<path class="grid" d="M{box.left:g} {box.y(v):.1f}H{box.right:g}"/>' for v in (1, 0.5, -0.5, -1)]
    steps = round_steps(box.end, 4 if box.name == "narrow" else 8)
    for step in steps:
        x = box.x(step)
        found.append(f'<path class="notch" d="M{x:.1f} {bottom:g}v4"/>')
        if x < box.right - 70 or box.name == "narrow":
            found.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{short(step)}</text>')
    if box.name == "wide":
        found.append(f'<text class="tick" x="{box.right:g}" y="{bottom + 18:g}" text-anchor="end">samples seen</text>')
    found.append(f'<path class="base" d="M{box.left:g} {bottom:g}H{box.right:g}"/>')
    found += [
        f'<path class="resume" d="M{box.x(s):.1f} {box.top:g}V{bottom:g}"><title>resumed at {count(s)}</title></path>'
        for s in told.resumes
    ]
    return "".join(found)


def _tints(box: Frame, drawn: list[tuple[float, float]]) -> str:
    d = "".join(area(piece, box.rope) for piece in pieces(drawn))
    sides = (f'<path fill="url(#tint-{s}-{box.name})" clip-path="url(#side-{s}-{box.name})" d="{d}"/>' for s in "dg")
    return "".join(sides) if d else ""


def _path(box: Frame, points: list[tuple[int, float]]) -> str:
    return "".join(line(piece) for piece in pieces([(box.x(seen), box.y(lead)) for seen, lead in points]))


def _raw(box: Frame, told: Story) -> str:
    """The values as they were read, thin, where the curve over them is smoothed."""
    points = thinned(told.lead, MOST)
    return f'<path class="raw" d="{_path(box, points)}"/>' if smoothed(points) != points else ""


def _rope(box: Frame) -> str:
    """Two posts and the rope between them."""
    posts = "".join(f'<path class="post" d="M{x:g} {box.rope - 9:g}V{box.bottom:g}"/>' for x in (box.left, box.right))
    d = f"M{box.left - 5:g} {box.rope:g}H{box.right + 5:g}"
    return f'{posts}<path class="cord" d="{d}"/><path class="twist" d="{d}"/>'


def _curve(box: Frame, drawn: list[tuple[float, float]]) -> str:
    """The lead, in the colour of the side it is on; lonely values as dots, values that are no numbers as crosses."""
    parts = pieces(drawn)
    d = "".join(line(piece) for piece in parts if len(piece) > 1)
    found = [f'<path class="lead {s}" clip-path="url(#side-{s}-{box.name})" d="{d}"/>' for s in "dg" if d]
    found += [f'<circle class="dot" cx="{p[0][0]:.1f}" cy="{p[0][1]:.1f}" r="3"/>' for p in parts if len(p) == 1]
    for first, last in breaks(drawn):
        cross = f"M{first - 4:.1f} {box.rope - 4:g}l8 8m0-8-8 8M{first:.1f} {box.rope:g}H{last:.1f}"
        found.append(f'<path class="broken" d="{cross}"><title>not a number</title></path>')
    return "".join(found)


def _strip(box: Frame, told: Story) -> str:
    """The health of the samples, on a strip of its own."""
    if not box.health:
        return ""
    top, bottom = box.strip
    points = [(box.x(seen), bottom - (bottom - top) * v) for seen, v in smoothed(thinned(told.health, MOST))]
    parts = pieces(points)
    fill = "".join(area(piece, bottom) for piece in parts)
    d = "".join(line(piece) for piece in parts)
    dots = "".join(f'<circle class="dot health" cx="{p[0][0]:.1f}" cy="{p[0][1]:.1f}" r="2.5"/>' for p in parts if len(p) == 1)
    words = ((top + 4, "healthy"), (bottom + 1, "useless"))
    text = "".join(f'<text class="tick" x="{box.left - 12:g}" y="{y:g}" text-anchor="end">{word}</text>' for y, word in words)
    return f'<path class="grid asked" d="M{box.left:g} {top:g}H{box.right:g}"/>{text}<path class="glow" d="{fill}"/><path class="health" d="{d}"/>{dots}'


def _hovers(box: Frame, told: Story) -> str:
    """Invisible columns whose titles tell the values at that moment."""
    points = told.lead[:: math.ceil(len(told.lead) / HOVERS)] if told.lead else []
    edges = [box.left, *((box.x(a) + box.x(b)) / 2 for (a, _), (b, _) in zip(points, points[1:], strict=False)), box.right]
    health = dict(told.health)
    found = []
    for (seen, lead), low, high in zip(points, edges, edges[1:], strict=False):
        held = health.get(seen, math.nan)
        verdict = next((s.name for s in told.stretches if s.start <= seen <= s.end), "")
        words = f"seen {count(seen)}: {leader(lead)}" + (f", samples' health {held:.2g}" if math.isfinite(held) else "")
        words += f", {verdict}" if verdict else ""
        size = f'width="{max(0.0, high - low):.1f}" height="{box.strip[1] - box.top:.1f}"'
        found.append(f'<rect class="hover" x="{low:.1f}" y="{box.top:g}" {size}><title>{esc(words)}</title></rect>')
    return "".join(found)


def _name(box: Frame, stretch: Stretch, lane: int) -> str:
    """A name on a pole at the beginning of its stretch, like a flag."""
    x, y = box.x(stretch.start), box.top - 16 - LANE * lane
    right = span(box, stretch)[0] == x
    place = f'x="{x + (5 if right else -5):.1f}" y="{y:g}" text-anchor="{"start" if right else "end"}"'
    pole = f'<path class="pole" d="M{x + 0.5:.1f} {box.top - 5:g}V{y - 10:g}"/>'
    return f'{pole}<text class="name" {place}>{esc(stretch.name)}<title>{_told(stretch)}</title></text>'
