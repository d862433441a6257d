"""What the guardian did, in the tightrope picture: a numbered mark a remedy, an arc a rollback; and who walks the rope."""

from __future__ import annotations

import math

from tightrope.report.layout import Curve, at, pieces, spread
from tightrope.report.rope_frame import BADGE, Frame
from tightrope.report.story import Mark, Story, leader
from tightrope.report.words import count, esc


def marks(box: Frame, told: Story, drawn: Curve) -> str:
    """Remedies: a stem from the curve to a numbered badge below the plot; rollbacks: an arc from there to the snapshot."""
    found = sorted(told.marks, key=lambda m: m.seen)
    stems, badges = [], []
    for row in range(box.badges):
        own = found[row :: box.badges]
        places = spread([box.x(m.seen) for m in own], BADGE, box.left + 8, box.right - 8)
        for mark, place in zip(own, places, strict=True):
            y = box.badge_row + BADGE * row
            stems.append(_stem(box, mark, place, y, drawn))
            badges.append(_badge(mark, place, y))
    arcs = [_arc(box, mark, mark.back_to, drawn) for mark in found if mark.back_to is not None]
    return "".join((*stems, *arcs, *badges))


def _stem(box: Frame, mark: Mark, place: float, y: float, drawn: Curve) -> str:
    x, height = box.x(mark.seen), _height(box, drawn, box.x(mark.seen))
    return (
        f'<path class="stem" d="M{x:.1f} {height:.1f}V{box.bottom:g}L{place:.1f} {y - 9:g}"/>'
        f'<circle class="knot" cx="{x:.1f}" cy="{height:.1f}" r="2.6"/>'
    )


def _badge(mark: Mark, x: float, y: float) -> str:
    words = [f"{mark.number}. {mark.name}, at seen {count(mark.seen)}: {mark.outcome}", mark.reason, mark.sentence]
    title = esc(". ".join(word.rstrip(".") for word in words if word))
    return (
        f'<g class="badge {mark.outcome}"><title>{title}</title><circle cx="{x:.1f}" cy="{y:g}" r="9.5"/>'
        f'<text x="{x:.1f}" y="{y + 3.8:g}" text-anchor="middle">{mark.number}</text></g>'
    )


def _height(box: Frame, drawn: Curve, x: float) -> float:
    found = at(drawn, x)
    return found if math.isfinite(found) else box.rope


def _arc(box: Frame, mark: Mark, back_to: int, drawn: Curve) -> str:
    """From where the run fell back to where it stood, on the side of the rope that the curve leaves free."""
    x0, x1 = box.x(mark.seen), box.x(back_to)
    y0, y1 = _height(box, drawn, x0), _height(box, drawn, x1)
    down = y0 + y1 <= 2 * box.rope
    deep = min(box.reach * 0.8, 14 + abs(x0 - x1) * 0.45)
    turn = (max(y0, y1, box.rope) + deep) if down else (min(y0, y1, box.rope) - deep)
    x, y = x1 + (x0 - x1) * 0.5, 2 * turn - (y0 + y1) / 2  # a parabola whose vertex is near `turn`
    y = min(box.bottom * 2 - box.rope, max(box.top * 2 - box.rope, y))
    angle = math.degrees(math.atan2(y1 - y, x1 - x))
    title = esc(f"{mark.number}. {mark.name}: rolled back from {count(mark.seen)} to the snapshot at {count(back_to)}")
    return (
        f'<g class="rollback"><title>{title}</title><path class="arc" d="M{x0:.1f} {y0:.1f}Q{x:.1f} {y:.1f} {x1:.1f} {y1:.1f}"/>'
        f'<path class="tip" d="M0 0-9-4.5v9z" transform="translate({x1:.1f} {y1:.1f}) rotate({angle:.0f})"/></g>'
    )


def walker(box: Frame, told: Story, drawn: Curve) -> str:
    """Somebody with a pole on the end of the curve, leaning the way the game leans; a cross where the guardian gave up."""
    ends = [point for piece in pieces(drawn)[-1:] for point in piece[-1:]]
    if not ends:
        return ""
    (x, y), now = ends[0], told.now
    word = f"{now:+.2f}".replace("-", "−")
    fell = '<path class="broken" d="m-5-5 10 10m0-10-10 10"/>'
    figure = (
        f'<g transform="rotate({-14 * now:.0f})"><circle class="head" cy="-20" r="3.3"/><path d="M0-16.5V-7.5"/><path class="pole" d="M-15-10.5 15-14.5"/></g>'
        '<path d="M0-7.5-3.2 0M0-7.5 3.2 0"/>'
    )
    return (
        f'<g class="walker" transform="translate({x:.1f} {y:.1f})"><title>{esc(leader(now))}</title>{fell if told.reason == "stopped" else figure}</g>'
        f'<text class="now" x="{min(x + 10, box.width - 44):.1f}" y="{y + 4:.1f}">{word}</text>'
    )
