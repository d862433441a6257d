"""What a guardian is told of a game before it starts, and what it decides at a tick. Plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tightrope.balance.verdict import Verdict
from tightrope.core.turns import Turns

MODES = ("act", "watch", "off")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """A game as the guardian sees it.

    Attributes:
        rates: learning rate of each player, as its rule has it.
        sizes: root mean square of each player's weights at the start (median over its matrices); a step's size is told by it.
        knobs: names of the turns that do something in this game.
        numbers: values of one sample (channels times pixels); scales penalties on slopes.
        steps: moves of D in the whole run, as far as is known.
        target: samples' figures that the user calls good enough, name to least value; empty: none was named.
        safer: whether the user allows another objective.
        ideals: a player's adversarial loss at balance, where the objective has one.
        momentum: Adam's first decay rate of each player, 0 where its rule has none.
    """

    rates: Mapping[str, float]
    sizes: Mapping[str, float]
    knobs: frozenset[str] = frozenset()
    numbers: int = 1
    steps: float = 0.0
    target: Mapping[str, float] = dataclasses.field(default_factory=dict)
    safer: bool = False
    ideals: Mapping[str, float] = dataclasses.field(default_factory=dict)
    momentum: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done after a reading.

    Attributes:
        verdict: what the guardian holds of the run now.
        told: records to be written, each with its "event".
        turns: the new turns; None where nothing changes.
        back_to: `seen` of the snapshot that is taken up again; None where the run goes on from where it is.
        keep: take a snapshot of the state as it is now.
        stop: why the run ends here; "" where it goes on.
    """

    verdict: Verdict
    told: tuple[dict[str, Any], ...] = ()
    turns: Turns | None = None
    back_to: int | None = None
    keep: bool = False
    stop: str = ""
