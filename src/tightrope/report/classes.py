"""The classes of a run whose samples are made for them: a grid with a class a column, and a table with a class a row."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tightrope.core.labels import WIDEST
from tightrope.report import pictures
from tightrope.report.records import Record, number, part, whole
from tightrope.report.words import count, esc, measured

BY_CLASS = " by class"  # in the name of a record that holds one figure a class
ACCURACY = f"class accuracy{BY_CLASS}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """One class: its samples below each other, uint8 (H, W, 3), and real ones where they are at hand."""

    name: str
    made: np.ndarray
    real: np.ndarray | None = None


def is_by_class(record: Record) -> bool:
    """Whether a record holds one figure a class."""
    return isinstance(record.get("value"), dict) and BY_CLASS in str(record.get("name"))


def section(run: Record, folder: Path, events: list[Record], metrics: list[Record]) -> str:
    """The report's section, or nothing where samples are made without classes."""
    columns = stripes(run, folder, events) if part(run, "recipe").get("conditional") else []
    rows = table(metrics)
    if not columns and not rows:
        return ""
    left_out = len(part(run, "data", "spec").get("classes") or []) - len(columns)
    more = f" The first {len(columns)} classes of {len(columns) + left_out}." if columns and left_out > 0 else ""
    said = f'<p class="note columns-note">A class a column, a latent a row.{more}</p>' if columns else ""
    return f'<section id="classes"><h2>Classes</h2>{grid(columns)}{said}{rows}</section>'


def stripes(run: Record, folder: Path, events: list[Record]) -> list[Column]:
    """The newest preview, cut into its columns."""
    spec = part(run, "data", "spec")
    classes, shape = spec.get("classes") or [], spec.get("shape") or []
    found, _ = pictures.previews(folder, events)
    image = pictures.opened(found[max(found)]) if found else None
    if image is None or len(shape) != 3 or not classes:
        return []
    many, side = min(len(classes), WIDEST), whole(shape[2])
    gap = (image.width - many * side) / (many + 1)
    if not 0 <= gap <= side:  # not a sheet with a class a column
        return []
    sheet = np.asarray(image)
    left = [round(k * (side + gap)) for k in range(many)]
    width = round(side + 2 * gap)
    return [Column(name=str(classes[k]), made=sheet[:, left[k] : left[k] + width]) for k in range(many)]


def grid(columns: Sequence[Column]) -> str:
    """A class a column with its name above; generated samples, then real ones."""
    if not columns:
        return ""
    cells = "".join(
        f"<figure><figcaption>{esc(column.name)}</figcaption>{_picture(column.made, f'Generated: {column.name}')}"
        f"{'' if column.real is None else _picture(column.real, f'Real: {column.name}', 'real')}</figure>"
        for column in columns
    )
    return f'<div class="card pixelated"><div class="columns" style="--n:{len(columns)}">{cells}</div></div>'


def _picture(pixels: np.ndarray, text: str, kind: str = "fake") -> str:
    shown = pictures.frame(0, Image.fromarray(np.ascontiguousarray(pixels)))
    return f'<img class="{kind}" src="{shown.uri}" width="{shown.width}" height="{shown.height}" alt="{esc(text)}">'


def table(metrics: list[Record]) -> str:
    """A class a row: how often its samples are recognised, and the distance within it; the newest measurement of each."""
    tables = {str(m["name"]): m for m in sorted(metrics, key=lambda m: whole(m.get("seen"))) if is_by_class(m)}
    right = next((m for name, m in reversed(tables.items()) if name.startswith(ACCURACY)), None)
    apart = next((m for name, m in reversed(tables.items()) if not name.startswith(ACCURACY)), None)
    found = [m for m in (right, apart) if m is not None]
    if not found:
        return ""
    heads = [("Class", "")]
    heads += [("Recognised as the class asked for", ""), ("Real", "n")] if right else []
    heads += [(f"{apart['name']} ↓", "n"), ("Real halves", "n")] if apart else []
    head = "".join(f'<th scope="col" class="{kind}">{esc(name)}</th>' for name, kind in [*heads, ("Samples", "n")])
    names = dict.fromkeys(name for m in found for name in m["value"])
    body = "".join(f'<tr><th scope="row">{esc(name)}</th>{_row(name, right, apart)}</tr>' for name in names)
    return f'<div class="card flush"><table class="classes"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(name: str, right: Record | None, apart: Record | None) -> str:
    cells = ""
    if right is not None:
        share, usual = number(right["value"].get(name)), number(part(right, "null").get(name))
        cells += f"<td>{_bar(share, usual)}</td><td class='n'>{_percent(usual)}</td>"
    if apart is not None:
        distance, null = number(apart["value"].get(name)), number(part(apart, "null").get(name))
        cells += "".join(f'<td class="n">{measured(v) if math.isfinite(v) else "too few"}</td>' for v in (distance, null))
    many = (part(right, "n").get(name) if right else None) or (part(apart, "n").get(name) if apart else None)
    return f'{cells}<td class="n">{count(many[-1] if isinstance(many, list) else many)}</td>'


def _bar(share: float, usual: float) -> str:
    """The share as a bar, what real samples give as a line on it."""
    width = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    mark = f'<u style="left:{100 * min(usual, 1.0):.1f}%"></u>' if math.isfinite(usual) else ""
    return (
        f'<span class="share"><b aria-hidden="true"><i style="width:{width:.1f}%"></i>{mark}</b><em>{_percent(share)}</em></span>'
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u202f%" if math.isfinite(share) else "–"
