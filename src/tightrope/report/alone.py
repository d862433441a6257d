"""The page of a guardian that watched somebody else's loop: the tightrope picture, verdicts and remedies; no run around it."""

from __future__ import annotations

from pathlib import Path

from tightrope.core.files import write_text
from tightrope.report import balance
from tightrope.report.html import asset, page
from tightrope.report.records import Record
from tightrope.report.words import esc


def write(path: Path, events: list[Record], version: str) -> Path:
    """Write the page of these records ("tick", "verdict", "remedy", "checked") atomically and return its path. `version` of this program."""
    main = balance.section(events) or '<p class="empty">Nothing has been read yet.</p>'
    text = page(
        title=f"{path.stem} · Tightrope guardian",
        css=asset("report.css") + asset("rope.css"),
        brand="Tightrope guardian",
        links=("Balance",),
        main=main,
        footer=f"<p>Tightrope {esc(version)}. This file is complete in itself and loads nothing from the network.</p>",
    )
    write_text(path, text)
    return path
