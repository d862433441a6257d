"""What may be done about a verdict: each remedy is one bounded change of the turns, with its reason and what it should bring.

Sources: two time-scales, Heusel et al. 2017 (rates of single players); gap-aware rates, Hazimeh & Ponomareva 2023,
arXiv:2302.00089 (D's rate goes down by up to ten and up by up to two with its distance from the ideal loss); R1 and R2,
Mescheder et al. 2018; instance noise, Arjovsky & Bottou 2017; augmentation against overfit critics, Karras et al. 2020 and Zhao
et al. 2020; the relativistic game with R1 and R2, Huang et al. 2024.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tightrope.balance.decision import Facts
from tightrope.core.turns import Turns

LEAST, MOST = 1e-3, 1e3  # of a player's rate over its own
STEP = 0.02  # of the weights' size that a rate of the safer game moves them a step
SLOW, QUICK = 0.002, 0.05  # steps below and above which a rate is called small and large
HEAVY = 0.9  # momentum beyond which steps follow a gradient that is long gone
SUPPORT = 0.035  # R1 and R2's weight over the root of a sample's numbers: 0.05 in the plane, 1.1 for 32 px of grey
CALM: dict[str, Any] = {"beta1": 0.0, "beta2": 0.99}  # Adam's decay rates in the safer game (Huang et al. 2024)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remedy:
    """One thing that can be done.

    Attributes:
        name: a few words; the same change has the same name.
        expects: what should come of it.
        needs: knobs that must do something in the game.
        change: (turns, facts) -> new turns.
        from_start: the networks begin anew.
        wait: share of the run after which it is checked.
    """

    name: str
    expects: str
    needs: frozenset[str]
    change: Callable[[Turns, Facts], Turns]
    from_start: bool = False
    wait: float = 0.08


def step(facts: Facts, turns: Turns, player: str) -> float:
    """By how much of its weights' size a player moves them a step, at most; 0 where that is not known."""
    size = facts.sizes.get(player, 0.0)
    return facts.rates.get(player, 0.0) * turns.rates.get(player, 1.0) / size if size > 0 else 0.0


def _rates(turns: Turns, factors: Mapping[str, float]) -> Turns:
    rates = dict(turns.rates)
    for player, factor in factors.items():
        rates[player] = min(MOST, max(LEAST, rates.get(player, 1.0) * factor))
    return dataclasses.replace(turns, rates=rates)


def _scaled(name: str, expects: str, **factors: float) -> Remedy:
    return Remedy(name=name, expects=expects, needs=frozenset({"rates"}), change=lambda turns, facts: _rates(turns, factors))


slower_d = _scaled("slower D", "D no longer runs ahead, and G has a gradient again", D=0.3)
slower_g = _scaled("slower G", "D can follow what G does", G=0.3)
faster_d = _scaled("faster D", "D learns to tell, and leads G", D=4.0)
faster_g = _scaled("faster G", "G makes use of what D teaches", G=4.0)
both_slower = _scaled("both slower", "the players settle instead of chasing each other", D=0.3, G=0.3)
both_faster = _scaled("both faster", "learning gets anywhere within the budget", D=4.0, G=4.0)


def _support(turns: Turns, facts: Facts) -> Turns:
    return dataclasses.replace(turns, support=max(2 * turns.support, SUPPORT * facts.numbers**0.5))


def _safer(g: float = 1.0, d: float = 1.0) -> Callable[[Turns, Facts], Turns]:
    factors = {"G": g, "D": d}

    def change(turns: Turns, facts: Facts) -> Turns:
        known = {player: step(facts, Turns(), player) for player in facts.rates}
        players = {player: factors.get(player, 1.0) * STEP / own for player, own in known.items() if own > 0}
        return Turns(
            rates={player: min(MOST, max(LEAST, factor)) for player, factor in players.items()},
            support=SUPPORT * facts.numbers**0.5, repeats={"D": 1}, ema=0.04, safer=True, augment=turns.augment, **CALM,
        )  # fmt: skip

    return change


def _replaced(**changes: Any) -> Callable[[Turns, Facts], Turns]:
    return lambda turns, facts: dataclasses.replace(turns, **changes)


calmer = Remedy(
    name="less momentum", expects="steps follow the gradient of now", needs=frozenset({"beta1"}), change=_replaced(beta1=0.0)
)
penalised = Remedy(
    name="penalty on D's slope", expects="D's landscape is smooth and the game settles", needs=frozenset({"support"}),
    change=_support,
)  # fmt: skip
noisy = Remedy(
    name="instance noise", expects="real and fake overlap, and D's gradient means something", needs=frozenset({"noise"}),
    change=_replaced(noise=0.1),
)  # fmt: skip
augmented = Remedy(
    name="augmentation", expects="D can no longer know its data by heart", needs=frozenset({"augment"}),
    change=lambda turns, facts: dataclasses.replace(turns, augment=min(0.8, turns.augment + 0.4)),
)  # fmt: skip
averaged = Remedy(
    name="longer average", expects="the average of G's weights does not swing with them", needs=frozenset({"ema"}),
    change=_replaced(ema=0.05),
)  # fmt: skip
safer = Remedy(
    name="safer game", expects="the relativistic game with R1 and R2 learns from here to the end", change=_safer(), wait=0.15,
    needs=frozenset({"safer", "support", "rates"}), from_start=True,
)  # fmt: skip
safer_slower = dataclasses.replace(  # goes on with the networks as they are: rates that are too high are no reason to begin anew
    safer, name="safer game, slower", expects="steps small enough for what D tells to add up", change=_safer(g=0.3, d=0.3),
    from_start=False,
)  # fmt: skip
safer_leading = dataclasses.replace(safer, name="safer game, D first", change=_safer(d=3.0))

CALM_DOWN = (both_slower, penalised, safer, safer_slower)
FOR: dict[str, tuple[Remedy, ...]] = {
    "non-finite": CALM_DOWN,
    "diverging": CALM_DOWN,
    "duplicating": (slower_g, penalised, safer, safer_slower),
    "mode dropping": (slower_g, penalised, safer, safer_slower),
    "shrinking": (averaged, slower_g, penalised, safer),
    "D overpowers": (slower_d, penalised, noisy, safer, safer_slower),
    "G overpowers": (slower_g, faster_d, penalised, safer, safer_slower, safer_leading),
    "oscillating": (both_slower, averaged, penalised, safer, safer_slower),
    "stalled": (both_faster, penalised, safer, safer_slower),
    "memorising": (augmented, slower_d),
}
FEEDS: dict[str, tuple[Remedy, ...]] = {  # what would make the one who leads lead by more
    "D overpowers": (faster_d, slower_g),
    "memorising": (faster_d, slower_g),
    "G overpowers": (faster_g, slower_d),
}


def choices(verdict: str, facts: Facts, turns: Turns, tried: tuple[str, ...]) -> list[Remedy]:
    """What is left to do about a verdict, the first first: known to do something here, allowed, not tried before."""
    found = [*_first(facts, turns), *FOR.get(verdict, ())]
    found = [remedy for remedy in found if remedy not in FEEDS.get(verdict, ())]
    allowed = [r for r in found if r.needs <= facts.knobs and r.name not in tried and (facts.safer or "safer" not in r.needs)]
    steps = [step(facts, turns, player) for player in ("G", "D")]
    if max(steps) > STEP:
        allowed = [remedy for remedy in allowed if remedy is not both_faster]
    if turns.safer:  # nothing but its own variants beside it
        allowed = [r for r in allowed if "safer" in r.needs]
    return list({remedy.name: remedy for remedy in allowed}.values())


def _first(facts: Facts, turns: Turns) -> list[Remedy]:
    """What momentum and the sizes of the steps say is wrong, whatever the verdict."""
    steps = {player: step(facts, turns, player) for player in ("G", "D")}
    large = [player for player, size in steps.items() if size > QUICK]
    small = [player for player, size in steps.items() if 0 < size < SLOW]
    if max(facts.momentum.values(), default=0.0) > HEAVY and turns.beta1 is None:
        return [calmer]
    if len(large) == 2:
        return [both_slower]
    if len(small) == 2:
        return [both_faster]
    found = [slower_d if player == "D" else slower_g for player in large]
    return found + [faster_d if player == "D" else faster_g for player in small]
