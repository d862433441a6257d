"""The guard: at ticks it tells a guardian what is read of the game, and does what the guardian decides.

It knows nothing of verdicts and remedies. Readings are taken at moments that `seen` alone decides, so that a run with a guardian
resumes to the bit; one whose guardian only watches equals one without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from tightrope.training.game import Game
from tightrope.training.gauge import Gauge
from tightrope.training.meter import Meter, Read, not_finite
from tightrope.training.ring import Ring

KEY = "guard/"  # of a checkpoint's tensors


class Decided(Protocol):
    """What the guard needs of a decision; `balance.decision.Decision` is one."""

    @property
    def told(self) -> tuple[dict[str, Any], ...]: ...
    @property
    def turns(self) -> Any: ...
    @property
    def back_to(self) -> int | None: ...
    @property
    def keep(self) -> bool: ...
    @property
    def stop(self) -> str: ...


class Warden(Protocol):
    """What the guard needs of a guardian; `balance.guardian.Guardian` is one."""

    acts: bool

    def observe(self, seen: int, progress: float, values: Mapping[str, float], bad: str) -> Decided: ...
    def finish(self, seen: int) -> Decided: ...
    def converged(self) -> bool: ...
    def known(self) -> dict[str, float]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class Guard:
    """One game's guardian, at work. In several processes the chief reads and every one of them decides the same."""

    def __init__(self, game: Game, meter: Meter, guardian: Warden, gauge: Gauge, ring: Ring) -> None:
        self.game, self.meter, self.guardian, self.gauge, self.ring = game, meter, guardian, gauge, ring

    def begin(self) -> None:
        """Before the first round: the state that everything else can fall back on."""
        if self.guardian.acts:
            self._keep()

    def tensors(self) -> dict[str, Tensor]:
        """What was read so far towards the next tick, for a checkpoint between two; names begin with "guard/"."""
        parts = {"meter": self.meter.state(), "gauge": self.gauge.state()}
        return {f"{KEY}{part}/{name}": value for part, state in parts.items() for name, value in state.items()}

    def take_up(self, tensors: dict[str, Tensor]) -> None:
        """Go on reading from a checkpoint's tensors; from one without them anew."""
        for part, owner in (("meter", self.meter), ("gauge", self.gauge)):
            prefix = f"{KEY}{part}/"
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            if state:
                owner.restore(state)

    def gauge_now(self, read: Read) -> tuple[dict[str, float], str]:
        """All values but the samples', and a sentence where something is not finite."""
        bad = read.bad or not_finite(self.game.nets, self.game.seen)
        return {**read.terms, **read.signals, **({} if bad else self.gauge.read(self.meter))}, bad

    def decide(self, progress: float, values: Mapping[str, float], bad: str) -> Decided:
        """Hand the values over and carry out the decision, but for its end."""
        values, bad = self.game.engine.tell((dict(values), bad))
        decision = self.guardian.observe(self.game.seen, progress, values, bad)
        self.carry_out(decision)
        return decision

    def finish(self) -> tuple[dict[str, Any], ...]:
        """The guardian's last word, carried out; returns what is to be told."""
        decision = self.guardian.finish(self.game.seen)
        self.carry_out(decision)
        return decision.told

    def carry_out(self, decision: Decided) -> None:
        """Keep, go back, turn."""
        if decision.keep:
            self._keep()
        if decision.back_to is not None:
            self.ring.take_up(self.game, decision.back_to)
        if decision.turns is not None:
            self.game.turns = decision.turns

    def _keep(self) -> None:
        if self.game.engine.chief or self.ring.folder is None:
            self.ring.keep(self.game)
        self.game.engine.barrier()
