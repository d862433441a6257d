"""What a run does besides the recipe: where it writes, how often, who looks at it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from tightrope.core.game import Networks
from tightrope.training.game import Game
from tightrope.training.gauge import HeldOut
from tightrope.training.guard import Warden
from tightrope.training.watch import Observer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does besides the recipe.

    Attributes:
        folder: the run directory.
        tick: samples between two ticks.
        checkpoint_minutes: wall time between two checkpoints (one is always written at the end).
        seed: of everything random.
        facts: what the generator's file says of the recipe and the data.
        observer: is shown fresh samples at ticks; its figures are signals, and the best "score" keeps its generator.
        look: ticks between two such looks; 0 for as many as SHARE of the time allows.
        guardian: makes the game's guardian; None plays without.
        held_out: real samples that D does not learn from, and how D is asked; None where there are none.
        begin: brings freshly built networks to where the run begins; None: they are there.
        until_converged: ends where the guardian says that more training does not help.
    """

    folder: Path
    tick: int
    seed: int
    checkpoint_minutes: float = 2.0
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    observer: Observer | None = None
    look: int = 0
    guardian: Callable[[Game], Warden] | None = None
    held_out: HeldOut | None = None
    begin: Callable[[Networks], None] | None = None
    until_converged: bool = False
