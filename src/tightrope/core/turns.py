"""Turns: what a guardian has done to a game's knobs, laid over what the recipe's schedule says. Plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tightrope.core.game import Knobs
from tightrope.core.schedules import cosine, warm_up

WARM = 0.02  # of the rest of the run, over which rates rise after the safer game began
FADE = 0.01  # of its penalty that is left at the end of the run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turns:
    """Neutral as it is made.

    Attributes:
        rates: factors of single players' rates.
        beta1, beta2: Adam's decay rates; None leaves them.
        support: weight of additional R1 and R2.
        augment: probability of augmentation, at least.
        noise: standard deviation of instance noise, at least; it fades along a line to 0 at the end of the run.
        repeats: how often phases are played a round.
        ema: half-life of the weight average as a share of the run; 0 leaves it.
        safer: the relativistic game instead of the recipe's losses; its rates fall along a cosine from `since` to the end.
        since: progress at which the last change was made; `from_seen`: the clock then.
    """

    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    beta1: float | None = None
    beta2: float | None = None
    support: float = 0.0
    augment: float = 0.0
    noise: float = 0.0
    repeats: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ema: float = 0.0
    safer: bool = False
    since: float = 0.0
    from_seen: int = 0

    @property
    def neutral(self) -> bool:
        return dataclasses.replace(self, since=0.0, from_seen=0) == Turns()

    def over(self, knobs: Knobs, seen: int, progress: float) -> Knobs:
        """The schedule's knobs with these turns laid over them."""
        if self.neutral:
            return knobs
        rest = max(progress - self.since, 0.0) / max(1 - self.since, 1e-9)  # a budget in minutes may take progress back
        fall = cosine(1, 0, rest) if self.safer else 1.0
        turned: dict[str, Any] = {
            "lr": (warm_up(rest, WARM) if self.safer else knobs.lr) * fall,
            "rates": {**knobs.rates, **self.rates},
            "support": self.support * FADE ** (1 - fall),
            "augment": max(knobs.augment, self.augment),
            "noise": max(knobs.noise, self.noise * (1 - rest)),
            "repeats": {**knobs.repeats, **self.repeats},
            "safer": self.safer,
        }
        for name in ("beta1", "beta2"):
            if getattr(self, name) is not None:
                turned[name] = getattr(self, name)
        if self.ema:
            run = seen / max(progress, 1e-9)  # samples of the whole run
            turned["ema"] = max(knobs.ema, min(self.ema * run, 0.1 * (seen - self.from_seen)))
        return dataclasses.replace(knobs, **turned)

    def to_json(self) -> dict[str, Any]:
        """What differs from neutral."""
        neutral = dataclasses.asdict(Turns())
        return {name: value for name, value in dataclasses.asdict(self).items() if value != neutral[name]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Turns:
        return cls(**record)
