"""The doctor's page: one HTML file that says in words and pictures how samples stand to real data. Needs no network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tightrope.core.files import write_text
from tightrope.report import classes, logged, pictures, sections
from tightrope.report.classes import Column
from tightrope.report.html import asset, fill, page
from tightrope.report.records import Record, number, part
from tightrope.report.words import count, esc, measured

WELL = {  # what is well where a check found nothing
    "mode dropping": "all modes",
    "shrinking": "full variety",
    "duplicating": "no repeats",
    "memorising": "no copies",
    "unfaithful": "faithful",
    "ignores its classes": "obeys its classes",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """A picture of many samples: `pixels` uint8 (H, W, 3)."""

    title: str
    pixels: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gallery:
    """Couples of samples, one above the other.

    Attributes:
        caption: what they show, as a sentence.
        couples: uint8 (H, W, 3) pictures of both, each with a short caption.
    """

    title: str
    caption: str
    couples: Sequence[tuple[np.ndarray, str]]


def write(
    path: Path,
    record: Record,
    sheets: Sequence[Sheet],
    galleries: Sequence[Gallery],
    ticks: Sequence[Record] = (),
    columns: Sequence[Column] = (),
) -> Path:
    """Write the page atomically and return its path.

    Args:
        record: what `tightrope doctor --json` prints.
        sheets: generated and real samples.
        galleries: see Gallery.
        ticks: of the run, where the subject is one.
        columns: samples by class, where it is known which class each was made for.
    """
    main = {
        "header": _header(record),
        "findings": _findings(record),
        "samples": _sheets(sheets),
        "galleries": "".join(_gallery(gallery) for gallery in galleries if gallery.couples),
        "classes": _classes(record, columns),
        "training": logged.paragraph(record.get("over_the_run")) + _training(ticks),
        "protocol": f'<div class="card">{sections.pairs(record["protocol"])}</div>',
    }
    text = page(
        title=f"{record['subject']} · Tightrope doctor",
        css=asset("report.css") + asset("doctor.css") + asset("logged.css"),
        brand="Tightrope doctor",
        links=("Findings", "Samples", "Protocol"),
        main=fill("doctor.html", main),
        footer=f"<p>Tightrope {esc(record['tightrope'])}. This file is complete in itself and loads nothing from the network.</p>",
    )
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))
    return path


def _header(record: Record) -> str:
    good = "good" if record["verdict"] == "healthy" else "bad"
    notes = "".join(f'<p class="note">{esc(note)}</p>' for note in record["notes"])
    return (
        f'<div class="title"><h1>{esc(record["subject"])}</h1></div>'
        f'<p class="lead">{count(record["protocol"].get("n_generated"))} samples against '
        f"{count(record['protocol'].get('n_real'))} real ones of <b>{esc(record['data'])}</b></p>"
        f'<div class="verdict {good}"><b>{esc(record["verdict"])}</b><p>{esc(record["summary"])}</p></div>{notes}'
    )


def _findings(record: Record) -> str:
    return f'<ul class="findings">{"".join(_finding(check) for check in record["checks"])}</ul>'


def _finding(check: Record) -> str:
    aspect = WELL.get(check["name"], check["name"]) if check["ok"] else check["name"]
    return (
        f'<li class="card{"" if check["ok"] else " alarm"}"><span class="what"><i aria-hidden="true"></i>{esc(aspect)}</span>'
        f"<p>{esc(check['sentence'])}</p>{_gauge(number(check['figure']), number(check['null']))}</li>"
    )


def _gauge(figure: float, null: float) -> str:
    """The figure as a bar, the null as a mark on it."""
    if not math.isfinite(figure) or not math.isfinite(null):
        return "<span></span>"
    top = max(abs(figure), abs(null), 1e-9) * 1.15
    width, mark = (100 * min(max(value, 0) / top, 1) for value in (figure, null))
    return (
        f'<div class="gauge"><b><em>{measured(figure)}</em><span>real {measured(null)}</span></b>'
        f'<div aria-hidden="true"><i style="width:{width:.1f}%"></i><u style="left:{mark:.1f}%"></u></div></div>'
    )


def _sheets(sheets: Sequence[Sheet]) -> str:
    panes = "".join(
        f'<figure class="pane {"fake" if i == 0 else "real"}"><figcaption><i aria-hidden="true"></i>{esc(sheet.title)}</figcaption>'
        f'<div class="scroll">{_image(sheet.pixels, sheet.title)}</div></figure>'
        for i, sheet in enumerate(sheets)
    )
    return f'<div class="card stage pixelated"><div class="panes">{panes}</div></div>'


def _gallery(gallery: Gallery) -> str:
    couples = "".join(
        f"<figure>{_image(pixels, caption)}<figcaption>{esc(caption)}</figcaption></figure>"
        for pixels, caption in gallery.couples
    )
    return (
        f'<section><h2>{esc(gallery.title)}</h2><div class="card pixelated"><p class="muted">{esc(gallery.caption)}</p>'
        f'<div class="couples">{couples}</div></div></section>'
    )


def _image(pixels: np.ndarray, text: str) -> str:
    frame = pictures.frame(0, Image.fromarray(pixels))
    return f'<img src="{frame.uri}" width="{frame.width}" height="{frame.height}" alt="{esc(text)}">'


def _classes(record: Record, columns: Sequence[Column]) -> str:
    shares = record.get("classes")
    found = classes.grid(columns)
    found += (
        '<p class="note columns-note">A class a column: samples made for it, and below real ones of it.</p>' if columns else ""
    )
    found += classes.table(record.get("by_class") or []) + (sections.shares(shares) if shares else "")
    return f"<section><h2>Classes</h2>{found}</section>" if found else ""


def _training(ticks: Sequence[Record]) -> str:
    """What was seen of the samples during training, a small curve each."""
    rows = [(number(tick["seen"]), part(tick, "signals")) for tick in ticks]
    names = dict.fromkeys(name for _, signals in rows for name in signals if name.startswith("samples/"))
    curves = [_spark(name, [(seen, number(s[name])) for seen, s in rows if name in s]) for name in names]
    found = "".join(curve for curve in curves if curve)
    return (
        f'<section><h2>During training</h2><div class="card"><div class="sparks">{found}</div></div></section>' if found else ""
    )


def _spark(name: str, points: list[tuple[float, float]]) -> str:
    points = [(x, y) for x, y in points if math.isfinite(y)]
    if len(points) < 2:
        return ""
    low, high = min(y for _, y in points), max(y for _, y in points)
    left, right = points[0][0], points[-1][0]
    at = " L".join(
        f"{100 * (x - left) / max(right - left, 1e-9):.2f} {38 - 36 * (y - low) / max(high - low, 1e-9):.2f}" for x, y in points
    )
    return (
        f"<figure><figcaption><b>{esc(name.removeprefix('samples/'))}</b><span>{measured(points[-1][1])}</span></figcaption>"
        f'<svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label="{esc(name)} over training">'
        f'<path d="M{at}"/></svg></figure>'
    )
