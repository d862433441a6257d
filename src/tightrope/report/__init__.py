"""The run report: one HTML file that holds a whole run and needs no network. `tightrope report RUN` writes it."""

from __future__ import annotations

from pathlib import Path

from tightrope.report.records import read_events, read_metrics, read_run, summary

__all__ = ["build", "read_events", "read_metrics", "read_run", "summary"]


def build(run: Path) -> Path:
    """Write `report.html` into a run's folder, atomically, and return its path.

    Raises:
        InputError: `run` is not a run's folder, or the file cannot be written.
    """
    from tightrope.report.html import write  # Pillow is needed here only; reading records stays light

    return write(Path(run))
