"""How a run is done on this machine: its budget, precision and ticks, and what run.json says of it all."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import torch

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.options import Options
from tightrope.training import machine, probe
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine

DEFAULT_MINUTES = 10.0
TICKS = 60  # of a run, unless that would be more than TICK_SECONDS each
TICK_SECONDS = 20.0


def budget_of(seen: int | None, minutes: float | None) -> Budget:
    """The one given, or ten minutes; InputError where both are, or one makes no sense."""
    if seen is not None and minutes is not None:
        raise InputError("--seen and --minutes are both given: a run has one budget, choose one.")
    if seen is not None and seen < 1:
        raise InputError(f"--seen {seen}: must be at least 1.")
    if minutes is not None and not 0 < minutes < 1e7:
        raise InputError(f"--minutes {minutes}: must be above 0.")
    return Budget(seen=seen) if seen is not None else Budget(minutes=minutes or DEFAULT_MINUTES)


def circumstances(built: Any, dataset: Dataset, engine: Engine, budget: Budget, options: Options) -> dict[str, Any]:
    """How this run is done on this machine: run.json's other half. Decides the precision."""
    engine.precision, speeds = _precision(built, dataset, engine, options.precision)
    (tick,) = engine.agree([float(options.tick or _tick(budget, speeds, built.batch))])
    return {
        "command": list(options.command or sys.argv),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "precision": engine.precision,
        "probe": speeds,
        "threads": torch.get_num_threads(),
        "processes": engine.processes,
        "tick": int(tick),
        "judge": options.judge,
        "watch": options.watch,
        "look": options.look,
        "guard": options.guard,
        "allow_safer": options.allow_safer,
        "enough": dict(options.enough),
        "until": options.until,
        "held_out": str(options.held_out) if options.held_out else None,
        "checkpoint_minutes": options.checkpoint_minutes,
        "machine": machine.describe(engine.device),
        "versions": machine.versions(),
        "device": str(engine.device),
    }


def _precision(built: Any, dataset: Dataset, engine: Engine, wish: str) -> tuple[str, dict[str, float]]:
    """The precision asked for, or the faster one; and the measured samples a second of each."""
    if wish != "auto":
        return wish, probe.measure(built, dataset, engine, (wish,))
    speeds = probe.measure(built, dataset, engine)
    fast = 1.0 if probe.choose(speeds) == "bf16" and not dataset.modality.exact else 0.0
    (fast,) = engine.agree([fast])
    return ("bf16" if fast else "fp32"), speeds


def _tick(budget: Budget, speeds: dict[str, float], batch: int) -> int:
    """Samples between two ticks, from the probe's speed."""
    speed = max(speeds.values())
    length = budget.seen / TICKS if budget.seen is not None else speed * (budget.minutes or 0) * 60 / TICKS
    return max(batch, int(min(length, speed * TICK_SECONDS)) // batch * batch)
