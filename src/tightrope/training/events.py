"""Events: plain records, one JSON object a line, flushed line by line. Console, report and other programs read them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

Listener = Callable[[dict[str, Any]], None]


class Events:
    """Appends records to a file and hands each to the listeners. Without a path it only does the latter."""

    def __init__(self, path: Path | None, listeners: tuple[Listener, ...] = ()) -> None:
        self.listeners = listeners
        self._file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115 - closed by close()

    def write(self, event: str, **fields: Any) -> None:
        """Append one record; numbers that JSON cannot hold become the strings "nan", "inf", "-inf"."""
        record = {"event": event, **fields}
        if self._file:
            self._file.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        self.tell(event, **fields)

    def tell(self, event: str, **fields: Any) -> None:
        """Hand a record to the listeners without keeping it."""
        for listener in self.listeners:
            listener({"event": event, **fields})

    def close(self) -> None:
        if self._file:
            self._file.close()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
