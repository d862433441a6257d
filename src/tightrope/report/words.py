"""Numbers, durations and links as people read them; every function that returns markup escapes what it is given."""

from __future__ import annotations

import html
import math
import re
from typing import Any

from tightrope.report.records import number

URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:)\]]")
ARXIV = re.compile(r"arXiv:\s?(\d{4}\.\d{4,5})", re.IGNORECASE)


def esc(text: Any) -> str:
    """Text that is safe inside an element and inside a quoted attribute."""
    return html.escape(str(text), quote=True)


def count(value: Any) -> str:
    """1234567 -> 1,234,567."""
    as_float = number(value)
    return f"{int(as_float):,}" if math.isfinite(as_float) else "–"


def short(value: Any) -> str:
    """1234567 -> 1.23 M: three significant digits and a letter; below 10,000 the number itself."""
    as_float = number(value)
    if not math.isfinite(as_float):
        return "–"
    if abs(as_float) < 9999.5:
        return f"{as_float:,.0f}" if abs(as_float) >= 100 else f"{as_float:.3g}"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(as_float) >= size * 0.9995:
            scaled = as_float / size
            return f"{scaled:.0f}\u202f{letter}" if abs(scaled) >= 100 else f"{scaled:.3g}\u202f{letter}"
    return "–"


def value(anything: Any) -> str:
    """A field, a metric or a protocol entry on one line."""
    if anything is None:
        return "–"
    if isinstance(anything, bool):
        return "true" if anything else "false"
    if isinstance(anything, int):
        return f"{anything:,}" if abs(anything) >= 10_000 else str(anything)
    if isinstance(anything, float):
        return f"{anything:.6g}"
    if isinstance(anything, (list, tuple)):
        return ", ".join(value(item) for item in anything)
    if isinstance(anything, dict):
        return ", ".join(f"{key}: {value(item)}" for key, item in anything.items())
    return str(anything)


def measured(anything: Any) -> str:
    """A metric's value: four significant digits."""
    as_float = number(anything)
    if math.isnan(as_float):
        return "not a number"
    if math.isinf(as_float):
        return "infinite"
    return f"{as_float:,.0f}" if abs(as_float) >= 10_000 else f"{as_float:.4g}"


def duration(seconds: Any) -> str:
    """4523 -> 1 h 15 min; 50.2 -> 50 s; 205 -> 3.4 min."""
    left = number(seconds)
    if not math.isfinite(left):
        return "–"
    if left < 60:
        return f"{left:.3g}\u202fs" if left < 10 else f"{left:.0f}\u202fs"
    if left < 3600:
        return f"{left / 60:.1f}\u202fmin"
    hours, minutes = divmod(round(left / 60), 60)
    days, hours = divmod(hours, 24)
    return f"{days}\u202fd {hours}\u202fh" if days else f"{hours}\u202fh {minutes}\u202fmin"


def linked(text: Any) -> str:
    """Escaped text in which one address, or an arXiv number, became a plain link."""
    raw = str(text or "")
    found = URL.search(raw)
    address = found.group(0) if found else ""
    if found is None and (found := ARXIV.search(raw)) is not None:
        address = f"https://arxiv.org/abs/{found.group(1)}"
    if found is None:
        return esc(raw)
    link = f'<a href="{esc(address)}" rel="noopener noreferrer">{esc(found.group(0))}</a>'
    return esc(raw[: found.start()]) + link + esc(raw[found.end() :])


def moment(iso: Any) -> str:
    """2026-03-14T09:26:53+00:00 -> 2026-03-14 09:26."""
    found = re.match(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)", str(iso or ""))
    return f"{found.group(1)} {found.group(2)}" if found else str(iso or "–")
