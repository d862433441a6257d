"""The report's section "Steering": what `tightrope explore` and `tightrope project` left in a run's folder `explored`."""

from __future__ import annotations

import base64
from pathlib import Path

from tightrope.report.words import esc

FOLDER = "explored"
KINDS = {".png": "png", ".gif": "gif", ".webp": "webp"}
LARGEST = 3_000_000  # bytes of one picture; larger ones are named
MOST = 12  # pictures, the newest


def section(run: Path) -> str:
    """The newest pictures of the folder, each under its file's name; "" where there are none."""
    folder = run / FOLDER
    found = [path for path in folder.rglob("*") if path.suffix in KINDS] if folder.is_dir() else []
    newest = sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))[:MOST]
    if not newest:
        return ""
    figures = "".join(_figure(path, path.relative_to(folder).as_posix()) for path in newest)
    return f'<section id="steering"><h2>Steering <small>the newest of {FOLDER}/</small></h2><div class="steered">{figures}</div></section>'


def _figure(path: Path, name: str) -> str:
    if path.stat().st_size > LARGEST:
        return f'<figure class="card"><figcaption>{esc(name)} (too large to show here)</figcaption></figure>'
    uri = f"data:image/{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
    return f'<figure class="card"><figcaption>{esc(name)}</figcaption><img src="{uri}" alt="{esc(name)}"></figure>'
