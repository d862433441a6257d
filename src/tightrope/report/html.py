"""Puts the report together: one template, one style sheet, two scripts, and the parts of `sections`, in one file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.core.files import write_text
from tightrope.report import balance, classes, curves, explored, pictures, sections, tabled, translated
from tightrope.report.records import Record, number, part, read_events, read_metrics, read_run, summary, ticks
from tightrope.report.words import count, duration, esc, moment

SLOT = re.compile(r"\{\{(\w+)\}\}")
THEME = (
    '<button type="button" id="theme" aria-label="Colours: as the system"><svg viewBox="0 0 16 16" aria-hidden="true">'
    '<circle cx="8" cy="8" r="6.2"/><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z"/></svg><span>Auto</span></button>'
)


def write(run: Path) -> Path:
    """Build the report of `run` and write it to run/report.html."""
    path = run / "report.html"
    page = render(run)  # before anything is written: a folder that is no run is refused here
    write_text(path, page.encode("utf-8", "replace").decode("utf-8"))  # lone surrogates cannot be written
    return path


def render(run: Path) -> str:
    """The whole page."""
    record, events, metrics, facts = read_run(run), read_events(run), read_metrics(run), summary(run)
    moments = ticks(events)
    shown, by_class = pictures.gallery(run, events), classes.section(record, run, events, metrics)
    balanced, steered, judged = balance.section(events), explored.section(run), translated.section(run, metrics)
    rows = tabled.section(run, metrics)
    main = {
        "header": sections.header(record, facts),
        "tiles": sections.tiles(record, facts, run),
        "samples": samples(record, shown, moments),
        "translation": judged,
        "table": rows,
        "balance": balanced,
        "classes": by_class,
        "steering": steered,
        "curves": curves_section(moments),
        "metrics": sections.metrics(metrics),
        "recipe": sections.recipe(record),
        "provenance": sections.provenance(record),
        "commands": sections.commands(record, run, facts),
        "log": sections.log(events),
    }
    data = sections.script_json(
        {"curves": curves.document(moments, events, metrics), "frames": _frames(shown, moments), "name": facts["name"]}
    )
    script = asset("charts.js") + "\n" + asset("report.js")
    return page(
        title=f"{facts['name']} · Tightrope",
        css=asset("report.css")
        + asset("rope.css")
        + (asset("translated.css") if judged else "")
        + (asset("tables.css") if rows else ""),
        scripts="script-src 'unsafe-inline'; ",
        skip='<a class="skip" href="#samples">Skip to the samples</a>\n',
        brand="Tightrope",
        links=(
            "Samples",
            *(["Translation"] if judged else []),
            *(["Table"] if rows else []),
            *(["Balance"] if balanced else []),
            *(["Classes"] if by_class else []),
            *(["Steering"] if steered else []),
            "Curves",
            "Metrics",
            "Recipe",
            "Provenance",
        ),
        tools=THEME,
        main=fill("template.html", main),
        footer=_footer(record, facts),
        tail=f'\n<script type="application/json" id="data">{data}</script>\n<script>\n{script}\n</script>',
    )


def page(*, title: str, links: Sequence[str], **slots: str) -> str:
    """A whole page: the shell with its slots filled; `links` are titles of sections, whose ids are their lower case."""
    marks = "".join(f'<a href="#{link.lower()}">{link}</a>' for link in links)
    usual = {"scripts": "", "skip": "", "tools": "", "tail": ""}
    return fill("shell.html", usual | slots | {"title": esc(title), "links": marks})


def fill(name: str, slots: Mapping[str, str]) -> str:
    """A template with its slots filled in one pass: what a slot brings in is never searched for slots again."""
    return SLOT.sub(lambda found: slots[found.group(1)], asset(name))


def asset(name: str) -> str:
    """A file of this room."""
    return resources.files("tightrope.report").joinpath(name).read_text(encoding="utf-8")


def _frames(shown: pictures.Gallery, moments: list[Record]) -> list[dict[str, Any]]:
    """The previews with their time: training time at `seen`, interpolated between ticks.

    The last one's picture is already in the page, as the image people see first; the script takes it from there.
    """
    at = [0.0, *(float(tick["seen"]) for tick in moments)]
    spent = [0.0, *(number(tick.get("seconds")) for tick in moments)]
    last = len(shown.frames) - 1
    return [
        {"seen": f.seen, "time": duration(float(np.interp(f.seen, at, spent))), "src": "" if i == last else f.uri}
        for i, f in enumerate(shown.frames)
    ]


def samples(record: Record, shown: pictures.Gallery, moments: list[Record]) -> str:
    """The slider over training time, generated samples beside real ones."""
    notes = "".join(f'<p class="note">{esc(note)}</p>' for note in shown.notes)
    if not shown.frames and shown.reals is None:
        return notes + '<p class="empty">No sample grids yet: the first one appears with the first preview.</p>'
    style = "pixelated" if pictures.pixelated(record) else "smooth"
    last = shown.frames[-1] if shown.frames else None
    some = f" Showing {len(shown.frames)} of {shown.total} previews." if shown.total > len(shown.frames) else ""
    fake = _figure("fake", "Generated", f"Generated samples at seen {count(last.seen)}", last) if last else ""
    real = _figure("real", "Real", "Real samples", shown.reals) if shown.reals else ""
    when = f"seen <b>{count(last.seen)}</b>, {_frames(shown, moments)[-1]['time']}" if last else "no previews yet"
    return (
        f'<div class="card stage {style}" id="stage" data-view="side">{_controls(shown, when)}'
        f'<div class="panes">{fake}{real}</div></div>'
        f'<p class="note">{_the_same(record)} each time, averaged (EMA) weights.{some}</p>{notes}'
    )


def _the_same(record: Record) -> str:
    spec = part(record, "data", "spec")
    if not spec.get("given"):
        return "The same latent vectors"
    row = "given, made, wanted" if spec.get("modality") == "pairs" else "given, made"
    return f"From left to right {row}: the same pictures"


def _controls(shown: pictures.Gallery, when: str) -> str:
    """Play, slider, time; then view and zoom. Nothing to slide with fewer than two frames, nothing to swap without both."""
    total = len(shown.frames)
    slide = (
        '<button type="button" id="play" class="round" aria-label="Play">'
        '<svg viewBox="0 0 16 16" aria-hidden="true"><path class="go" d="M4 2.5v11l9-5.5z"/><path class="hold" d="M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z"/></svg></button>'
        f'<input type="range" id="slider" min="0" max="{total - 1}" value="{total - 1}" step="1" aria-label="Training time">'
    )
    view = (
        '<span class="seg" role="group" aria-label="View"><button type="button" data-set="side" aria-pressed="true">Side by side</button>'
        '<button type="button" data-set="swap" aria-pressed="false">Swap</button></span>'
    )
    zoom = (
        '<span class="seg" role="group" aria-label="Zoom"><button type="button" id="out" aria-label="Zoom out">−</button>'
        '<button type="button" id="fit">Fit</button><button type="button" id="in" aria-label="Zoom in">+</button></span>'
    )
    both = bool(total and shown.reals)
    return (
        f'<div class="controls">{slide if total > 1 else ""}<output id="when" for="slider">{when}</output>'
        f'<span class="tools">{view if both else ""}{zoom}</span></div>'
    )


def _figure(kind: str, title: str, alt: str, frame: pictures.Frame) -> str:
    return (
        f'<figure class="pane {kind}"><figcaption><i aria-hidden="true"></i>{title}</figcaption><div class="scroll">'
        f'<img id="{kind}" src="{frame.uri}" width="{frame.width}" height="{frame.height}" alt="{esc(alt)}"></div></figure>'
    )


def curves_section(moments: list[Record]) -> str:
    """The place where charts.js draws, and its tools."""
    if not moments:
        return '<p class="empty">No ticks yet: curves appear with the first record of training.</p>'
    return (
        '<div class="toolbar"><button type="button" id="log" aria-pressed="false">Log scale</button>'
        '<button type="button" id="smooth" aria-pressed="true">Smooth</button>'
        '<button type="button" id="csv">Save CSV</button><output id="cursor" aria-live="polite"></output></div>'
        '<div id="charts" tabindex="0" role="group" aria-label="Curves; the left and right arrow keys move the cursor"></div>'
        '<noscript><p class="note">The curves are drawn by a script in this file; allow scripts to see them.</p></noscript>'
    )


def _footer(record: Record, facts: Record) -> str:
    return (
        f"<p>Tightrope {esc(record.get('tightrope', ''))}: report of {esc(facts['name'])}"
        f", started {esc(moment(record.get('created')))}. "
        "This file is complete in itself and loads nothing from the network.</p>"
    )
