"""What a folder says about its licence. A statement is repeated, never judged."""

from __future__ import annotations

import re
from pathlib import Path

from tightrope.data.catalog import shown

_FILES = ("LICENSE", "LICENCE", "COPYRIGHT", "COPYING", "NOTICE", "README")
_KNOWN = (
    (r"CC0|Creative Commons Zero", "CC0"),
    (r"public domain", "public domain"),
    (r"MIT License", "MIT"),
    (r"Apache License", "Apache-2.0"),
    (r"Open Database License|\bODbL\b", "ODbL"),
    (r"GNU General Public License", "GPL"),
)
_CREATIVE = re.compile(r"\bCC[ -](BY(?:-(?:NC|SA|ND))*)(?:[ -](\d\.\d))?", re.IGNORECASE)
_MOST = 1 << 16  # characters that are looked at


def licence_in(folder: Path) -> str | None:
    """`MIT, CC BY-SA 4.0 (as LICENSE says)`, or None when no file of the folder speaks of it."""
    try:
        files = {path.stem.upper(): path for path in sorted(folder.iterdir(), reverse=True) if path.is_file()}
    except OSError:
        return None
    for stem in _FILES:
        path = files.get(stem)
        if path is None or path.suffix.lower() not in ("", ".txt", ".md", ".rst"):
            continue
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(_MOST)
        except OSError:
            continue
        found = _stated(text) or ([] if stem == "README" else _first_line(text))
        if found:
            return f"{', '.join(found)} (as {shown(path.name)} says)"
    return None


def _stated(text: str) -> list[str]:
    found = [label for pattern, label in _KNOWN if re.search(pattern, text, re.IGNORECASE)]
    creative = {f"CC {kind.upper()} {version}".strip() for kind, version in _CREATIVE.findall(text)}
    return found + sorted(creative)


def _first_line(text: str) -> list[str]:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return [shown(line[:100])] if line else []
