"""The report's section "Balance": the tightrope picture, its key, the verdicts in plain words, the remedies as a table."""

from __future__ import annotations

import math

from tightrope.report import rope
from tightrope.report.records import Record
from tightrope.report.story import Mark, Story, Stretch, headline, story
from tightrope.report.words import count, esc

LATEST = 8  # verdicts in the open; earlier ones unfold
OUTCOMES = {"helped": "Helped", "undone": "Undone", "open": "Not checked"}


def section(events: list[Record]) -> str:
    """The whole section; "" for a run without a word of balance in its records."""
    told = story(events)
    if not told.told:
        return ""
    said = headline(told)
    return (
        '<section id="balance"><h2>Balance <small>of the players, over samples seen</small></h2>'
        f'<figure class="card rope">{f"<figcaption>{esc(said)}</figcaption>" if said else ""}'
        f"{rope.svg(told)}{rope.svg(told, narrow=True)}{_key(told)}</figure>{verdicts(told)}{remedies(told)}</section>"
    )


def _key(told: Story) -> str:
    """What the picture's signs mean, those that are in it."""
    seen = {mark.outcome for mark in told.marks}
    signs = (
        ("d", "D leads", bool(told.lead)),
        ("g", "G leads", bool(told.lead)),
        ("health", "health of the samples", bool(told.health)),
        ("good", "a good verdict", any(s.good for s in told.stretches)),
        ("bad", "a bad verdict", bool(told.bad)),
        ("helped", "remedy that helped", "helped" in seen),
        ("undone", "remedy undone", "undone" in seen),
        ("open", "remedy not checked", "open" in seen),
        ("back", "rolled back to a snapshot", any(m.back_to is not None for m in told.marks)),
        ("resumed", "resumed", bool(told.resumes)),
    )
    return (
        '<ul class="signs">'
        + "".join(f'<li><i class="{s}" aria-hidden="true"></i>{word}</li>' for s, word, on in signs if on)
        + "</ul>"
    )


def verdicts(told: Story) -> str:
    """Every verdict in order, with its sentence."""
    if not told.stretches:
        return ""
    items = [_verdict(stretch) for stretch in told.stretches]
    early, late = items[:-LATEST], items[-LATEST:]
    hidden = f"<details><summary>{len(early)} earlier</summary><ol>{''.join(early)}</ol></details>" if early else ""
    return f'<div class="card verdicts"><h3>Verdicts</h3>{hidden}<ol>{"".join(late)}</ol></div>'


def _verdict(stretch: Stretch) -> str:
    kind = "good" if stretch.good else "bad"
    sure = f"{100 * stretch.sure:.0f}\u202f% sure" if math.isfinite(stretch.sure) else ""
    return (
        f'<li class="{kind}"><i aria-hidden="true"></i><span class="when">{count(stretch.start)} – {count(stretch.end)}</span>'
        f"<b>{esc(stretch.name)}</b><span>{esc(stretch.sentence)}</span><small>{sure}</small></li>"
    )


def remedies(told: Story) -> str:
    """Every remedy: when, what, why, what was turned, what was expected, what came of it."""
    if not told.marks:
        return ""
    columns = ("", "Seen", "Remedy", "Why", "Turned", "Expected", "Came of it")
    head = "".join(f'<th scope="col" class="{"n" if name == "Seen" else ""}">{name}</th>' for name in columns)
    rows = "".join(_remedy(mark) for mark in told.marks)
    return f'<div class="card flush"><table class="remedies"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _remedy(mark: Mark) -> str:
    back = f"rolled back to {count(mark.back_to)}" if mark.back_to is not None else ""
    did = "; ".join(part for part in (esc(mark.turned), back) if part)
    hope = esc(mark.expects) + (f" <small>by {count(mark.check_at)}</small>" if mark.check_at is not None else "")
    return (
        f'<tr><td data-is="number"><i class="badge {mark.outcome}">{mark.number}</i></td><td class="n" data-is="seen">{count(mark.seen)}</td>'
        f'<th scope="row">{esc(mark.name)}</th><td data-is="why">{esc(mark.reason)}</td><td data-is="turned">{did or "–"}</td>'
        f'<td data-is="expected">{hope or "–"}</td>'
        f'<td data-is="came of it"><b class="{mark.outcome}">{OUTCOMES[mark.outcome]}</b> {esc(mark.sentence)}</td></tr>'
    )
