"""Judging what anything made: where data, runs, metrics and pages meet. `evaluate` measures, `doctor` says it in words."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tightrope.judging.examine import doctor
    from tightrope.judging.logged import doctor_log
    from tightrope.judging.measure import evaluate
    from tightrope.judging.rank import leaderboard

__all__ = ["doctor", "doctor_log", "evaluate", "leaderboard"]

_HOME = {"doctor": "examine", "doctor_log": "logged", "evaluate": "measure", "leaderboard": "rank"}


def __getattr__(name: str) -> Any:
    """Import a function from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
