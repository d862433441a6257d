"""A page with a slider between each picture and its result: one file that loads nothing."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from PIL import Image

from tightrope.core.errors import InputError
from tightrope.core.files import write_text
from tightrope.report.html import asset, page
from tightrope.report.pictures import even, frame
from tightrope.report.words import esc
from tightrope.translate.batch import Outcome
from tightrope.translate.picture import read
from tightrope.translate.places import Job

MOST = 24  # pictures, evenly chosen
SIDE = 1400  # pixels that a picture is shown with at most
QUALITY = 88


def write(outcome: Outcome, name: str, version: str) -> Path:
    """Write the page of all pictures there are results of, compare.html or that beside the one file; returns its path.

    Args:
        name: of the network.
        version: of this program.
    """
    done, jobs = outcome.done, outcome.jobs
    path = done[0].target.with_suffix(".html") if jobs.folder is None else jobs.folder / "compare.html"
    chosen = [done[k] for k in even(list(range(len(done))), MOST)]
    some = f" {len(chosen)} of {len(done)}, evenly chosen." if len(chosen) < len(done) else ""
    cards = [card for job in chosen if (card := _card(job))]
    if len(cards) < len(chosen):
        some += f" {len(chosen) - len(cards)} are films, or too large for a page."
    head = "Left of the line what was given, right of it what came out; drag it."
    foot = "This file is complete in itself and loads nothing from the network."
    text = page(
        title=f"{name} · Tightrope",
        css=asset("report.css") + _own("compare.css"),
        scripts="script-src 'unsafe-inline'; ",
        brand="Tightrope translate",
        links=(),
        main=f'<header class="head"><h1>{esc(name)}</h1><p class="note">{head}{some}</p></header>\n{"".join(cards)}',
        footer=f"<p>Tightrope {esc(version)}. {foot}</p>",
        tail=f"\n<script>\n{_own('compare.js')}\n</script>",
    )
    write_text(path, text)
    return path


def _card(job: Job) -> str:
    """One slider; nothing where the result has more pixels than are decoded."""
    try:
        (before, small), (after, large) = _shown(job.source), _shown(job.target)
    except InputError:
        return ""
    width, height = after.size
    seen = [frame(0, image.resize((width, height), Image.Resampling.BICUBIC), QUALITY).uri for image in (before, after)]
    label = esc(job.source.name)
    return (
        f'<figure class="card couple"><figcaption><b>{label}</b> {small} to {large}</figcaption>'
        f'<div class="pair" style="aspect-ratio:{width}/{height};max-width:{width}px">'
        f'<img src="{seen[1]}" alt="{label}, the result"><img class="before" src="{seen[0]}" alt="{label}, as given">'
        '<i aria-hidden="true"></i><input type="range" min="0" max="1000" value="500" '
        f'aria-label="{label}: how much of what was given is shown"></div></figure>'
    )


def _shown(path: Path) -> tuple[Image.Image, str]:
    """A picture at the size it is shown with, and its own size in words."""
    picture = read(path)
    pixels = picture.pixels if picture.pixels.itemsize == 1 else (picture.pixels >> 8).astype("uint8")
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    words = f"{image.width} x {image.height}"
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image.convert("RGB"), words


def _own(name: str) -> str:
    """A file of this room."""
    return resources.files("tightrope.translate").joinpath(name).read_text(encoding="utf-8")
