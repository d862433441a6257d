"""The sample grids of a run as data URIs, small enough that forty of them fit into one file."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
from PIL import Image, features

from tightrope.report.records import Record, number, part, whole

BUDGET_BYTES = 4_200_000  # of all pictures; base64 makes them a third larger, the whole file stays below 6 MB
LADDER: tuple[tuple[int, int | None, float], ...] = (  # (pictures, WebP quality or None for lossless, scale)
    (40, None, 1.0),
    (40, 95, 1.0),
    (40, 85, 1.0),
    (24, 80, 1.0),
    (24, 75, 0.5),
    (12, 70, 0.5),
    (12, 60, 0.25),
    (4, 50, 0.25),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """One grid: when it was made, its picture as a data URI, and the size people should see it at, in pixels."""

    seen: int
    uri: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gallery:
    """All grids of a run. `notes` says, in sentences, what was left out."""

    reals: Frame | None
    frames: list[Frame]
    total: int
    notes: list[str]


def gallery(run: Path, events: list[Record]) -> Gallery:
    """The reals and an even choice of the previews, the first and the last always among them."""
    reals = opened(run / "reals.png")
    paths, foreign = previews(run, events)
    notes = [f"{foreign} recorded previews lie outside the run's folder and were left out."] if foreign else []
    # A file that is missing or half-written is found by opening it; decoding waits until the choice is made.
    readable = {seen: path for seen, path in paths.items() if opened(path) is not None}
    if len(readable) < len(paths):
        notes.append(f"{len(paths) - len(readable)} of {len(paths)} previews are missing or damaged and were left out.")
    seens = sorted(readable)
    count, quality, scale = _rung([readable[seen] for seen in seens], reals)
    chosen = even(seens, count)
    frames = [frame(seen, image, quality, scale) for seen in chosen if (image := opened(readable[seen])) is not None]
    shown = None if reals is None else frame(0, reals, quality, scale)
    return Gallery(reals=shown, frames=frames, total=len(seens), notes=notes)


def even(items: list[int], count: int) -> list[int]:
    """At most `count` items, evenly spread, with the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def previews(run: Path, events: list[Record]) -> tuple[dict[int, Path], int]:
    """{seen: file} of the recorded previews, and how many point out of the run's folder (never read)."""
    home, paths, foreign = run.resolve(), {}, 0
    for record in events:
        if record.get("event") != "preview" or number(record.get("seen")) != number(record.get("seen")):
            continue
        path = (home / str(record.get("path", ""))).resolve()
        if path.is_relative_to(home):
            paths[whole(record["seen"])] = path
        else:
            foreign += 1
    return paths, foreign


def opened(path: Path) -> Image.Image | None:
    """The picture, decoded, or None when it is missing, damaged or beyond Pillow's size limit."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _rung(paths: list[Path], reals: Image.Image | None) -> tuple[int, int | None, float]:
    """The best (pictures, quality, scale) that fits the budget, judged by the first, middle and last picture."""
    probes = [image for i in sorted({0, len(paths) // 2, len(paths) - 1}) if paths and (image := opened(paths[i])) is not None]
    probes += [] if reals is None else [reals]
    for count, quality, scale in LADDER:
        sizes = [len(_encode(image, quality, scale)) for image in probes]
        if not sizes or sum(sizes) / len(sizes) * (min(count, len(paths)) + 1) <= BUDGET_BYTES:
            return count, quality, scale
    return LADDER[-1]


def _encode(image: Image.Image, quality: int | None, scale: float) -> bytes:
    if scale != 1.0:
        image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))), Image.Resampling.BOX)
    buffer = io.BytesIO()
    if not features.check("webp") or max(image.size) > 16383:  # the format's limit
        image.save(buffer, "PNG", optimize=True)
    elif quality is None:
        image.save(buffer, "WEBP", lossless=True, quality=40, method=2)
    else:
        image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def frame(seen: int, image: Image.Image, quality: int | None = None, scale: float = 1.0) -> Frame:
    """A picture as a data URI; lossless where no quality is asked for."""
    data = _encode(image, quality, scale)
    kind = "png" if data[:4] == b"\x89PNG" else "webp"
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Frame(seen=seen, uri=uri, width=image.width, height=image.height)


def pixelated(record: Record) -> bool:
    """Whether single pixels are what people want to see: yes for images, no for scatter plots and charts."""
    return part(record, "data", "spec").get("modality", "images") not in ("points", "table")
