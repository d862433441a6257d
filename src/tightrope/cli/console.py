"""The console's view of long work: one live line on a terminal; of a run, a line a tick elsewhere."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tightrope.cli import rope

SECONDS = 10.0  # between two lines about long work where nothing is live


def duration(seconds: float | None) -> str:
    """Seconds as "1:02:03" or "4:05"; "?" when unknown."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class JsonLines:
    """Prints every event as one line of JSON."""

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] not in ("pulse", "decoding"):
            print(json.dumps({k: v for k, v in event.items() if k != "record"}, default=str), flush=True)


class Progress:
    """A live line: seen, samples a second, time left, who leads, each player's terms; above it the guardian's words."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if self.console.is_terminal else None
        self._terms = ""
        self._told = rope.Told(plain=not self.console.encoding.lower().startswith("utf"))

    def __enter__(self) -> Progress:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        lines = self._told(event, self.console.width)
        if lines:
            self._say(lines, whole_words=self.console.is_terminal)
        if kind in ("start", "resume"):
            self._say(self._opening(event))
        elif kind == "tick":
            self._terms = "  ".join(f"{name} {value:.3f}" for name, value in sorted(event["terms"].items()))
            if not self.live:
                self._say(self._line(event))
        elif kind == "pulse" and self.live:
            self.live.update(Text(self._line(event), overflow="ellipsis", no_wrap=True), refresh=True)
        elif kind == "decoding" and self.live:
            self.live.update(Text(f"decoding {event['done']:,} of {event['total']:,} files"), refresh=True)
        elif kind == "judging":
            self._say(f"judging {event['count']:,} samples at most ...")
        elif kind == "warning":
            self._say(f"warning: {event['message']}")
        elif kind in ("rate", "note"):
            self._say(event["message"])

    def _say(self, text: str, whole_words: bool = False) -> None:
        self.console.print(text, markup=False, soft_wrap=not whole_words)

    def _line(self, event: dict[str, Any]) -> str:
        return (
            f"{event['seen']:>12,} seen  {event['speed']:>7,.0f}/s  {duration(event['seconds'])} gone  "
            f"{duration(event['left'])} left  {self._told.gauge}{'  ' * bool(self._told.gauge)}{self._terms}"
        )

    def _opening(self, event: dict[str, Any]) -> str:
        record = event["record"]
        budget = record["budget"]
        length = f"{budget['seen']:,} samples" if budget["seen"] else f"{budget['minutes']:g} minutes"
        players = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in record["parameters"].items())
        probe = ", ".join(f"{name} {speed:,.0f}/s" for name, speed in record["probe"].items())
        threads = f"{record['threads']} thread{'s' * (record['threads'] > 1)}"
        verb = f"resuming at {event['seen']:,} seen" if event["event"] == "resume" else "training"
        return (
            f"{verb}: {record['recipe']} on {record['data']} for {length}, in {event['path']}\n"
            f"  weights {players}; {record['precision']} (measured: {probe}); {threads}"
            + (f", {record['processes']} processes" if record["processes"] > 1 else "")
        )


@contextlib.contextmanager
def counting(quiet: bool) -> Iterator[Counting]:
    """A Counting whose live line is cleared at the end."""
    console = Console(file=sys.stderr, highlight=False)
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal and not quiet else None
    with live or contextlib.nullcontext():
        yield Counting(console, live, quiet)


class Counting:
    """Shows (done, total) callbacks with the time left: one live line on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, live: Live | None, quiet: bool) -> None:
        self.console, self.live = console, live
        self.quiet, self._total = quiet, 0
        self._began = self._said = time.perf_counter()

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        if total != self._total or done <= 1:  # another piece of work has begun
            self._began, self._total = now, total
        text = f"{done:,} of {total:,}, {duration((now - self._began) * (total - done) / max(done, 1))} left"
        if self.live:
            self.live.update(Text(text), refresh=True)
        elif not self.quiet and now - self._said > SECONDS:
            self._said = now
            self.console.print(text, markup=False)
