"""What can be seen to be wrong with a game before any time is spent on it: pure functions of networks, rules, batch and budget.

    for caution in look(survey(recipe, nets, spec, seen=200_000)):
        print(caution.sentence)

`Start` is plain facts, so that the checks serve a loop of your own too. Every threshold lies beyond what any recipe of this
house has in any preset on data it is for (`tests/balance/test_startup.py` keeps it so); the nearest is named beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tightrope.core.game import Phase, Recipe
from tightrope.core.given import latents
from tightrope.core.rates import normalised, weight_size
from tightrope.core.rules import SGD, Lookahead, RMSprop, Rule
from tightrope.core.spec import DataSpec

FEWEST_NORMED = 3  # samples of a batch below which its statistics say nothing; the least of a toy preset: 4
UNEQUAL = 10.0  # ratio of the players' parameters; the nearest: 5.9 (sngan's residual networks on 64 px: G over D)
APART = 100.0  # ratio of two players' rates; the nearest: 10 (gan's "unrolled")
JOLT = 0.1  # share of its weights' size that a player moves in one step; DCGAN's 2e-4 over 0.02: 0.01; the nearest: 0.05
REACH = 0.3  # share of its weights' size that a player can move in the whole run
FEW = 10_000  # images below which D learns them by heart unless they are augmented
VIEWS = 300.0  # how often D then sees each: ADA (Karras et al. 2020, figure 1) lost quality after some hundreds
LEAST_LATENT = 3  # numbers of a latent for images
MOMENTUM = 0.95  # first decay rate; the nearest: 0.9 (sngan's "F"), and half of that or none is usual in games
TURNS = 20.0  # moves of the critics a move of the generators; the nearest: 5.2 (wgan, longer turns included)
HASTE = 5.0  # moves of the generators a move of the critics; the nearest: 1


@dataclass(frozen=True, kw_only=True)
class Caution:
    """One thing that is wrong from the start.

    Attributes:
        name: of the check ("jolt", "reach", "batch norm" ...).
        sentence: what is wrong, where, and what to do.
        evidence: the numbers it rests on, by name.
    """

    name: str
    sentence: str
    evidence: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A game before it begins.

    Attributes:
        nets: every player.
        rules: how each that learns is moved.
        critics: the players that learn from real samples; all others with a rule are generators.
        spec: of the data.
        batch: samples of one process's batch.
        latent: numbers of one latent; 0 where there are none.
        seen: real samples of the whole run; 0 where that is not known.
        moves: of each player in the whole run; a player that is not there is not judged by its reach.
        turns: moves of the critics a move of the generators.
        peak, mean: the greatest and the mean factor that the schedule lays over the rates.
        augmented: what D sees is augmented.
        fields: the recipe's, for advice: what is no field is not advised.
    """

    nets: Mapping[str, nn.Module]
    rules: Mapping[str, Rule]
    critics: tuple[str, ...]
    spec: DataSpec
    batch: int
    latent: int = 0
    seen: float = 0.0
    moves: Mapping[str, float] = dataclasses.field(default_factory=dict)
    turns: float = 1.0
    peak: float = 1.0
    mean: float = 1.0
    augmented: bool = False
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def flag(self, *names: str) -> str | None:
        """The command line's name of the first of these fields that the recipe has."""
        return next((f"--{name.replace('_', '-')}" for name in names if name in self.fields), None)

    def rate_flag(self, player: str) -> str:
        """Where a player's rate is set, as words of a sentence: the field that holds it, or those it may be made of."""
        own = [name for name in (f"lr_{player.lower()}", f"{player.lower()}_lr", "lr") if name in self.fields]
        exact = next((name for name in own if math.isclose(self.fields[name], self.rules[player].lr)), None)
        if exact:
            return f"--{exact.replace('_', '-')}"
        return f"the rate of {player}" + (f" (--{' times --'.join(own).replace('_', '-')})" if own else "")


def survey(recipe: Recipe, nets: Mapping[str, nn.Module], spec: DataSpec, seen: float = 0.0, processes: int = 1) -> Start:
    """The facts of a recipe's game.

    Args:
        seen: real samples of the whole run; 0 where that is not known.
        processes: that share a batch.
    """
    phases, points = recipe.phases(), [k / 32 for k in range(33)]
    factors = [recipe.schedule(int(seen * at), at).lr for at in points]
    fields: dict[str, Any] = {}
    if dataclasses.is_dataclass(recipe):
        fields = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    critics = tuple(dict.fromkeys(player for phase in phases if phase.clock for player in phase.moves))
    return Start(
        nets=nets, rules=recipe.optimizers(), critics=critics, spec=spec, batch=max(1, recipe.batch // processes), seen=seen,
        latent=latents(recipe, spec, 1, torch.Generator().manual_seed(0)).shape[-1], moves=_moves(phases, recipe.batch, seen),
        turns=_turns(phases, critics), peak=max(factors), mean=sum(factors) / len(factors),
        augmented=bool(fields.get("augment_target") or recipe.schedule(int(seen / 2), 0.5).augment), fields=fields,
    )  # fmt: skip


def look(start: Start) -> tuple[Caution, ...]:
    """Every caution there is, in the order of `CHECKS`."""
    return tuple(caution for check in CHECKS for caution in check(start))


def _moves(phases: tuple[Phase, ...], batch: int, seen: float, most: int = 2000) -> dict[str, float]:
    """How often each player moves in a run: counted over `most` rounds at most, in proportion beyond."""
    counts: dict[str, float] = {}
    clock = 0
    for round in range(most):
        if clock >= seen:
            break
        for phase in phases:
            times = phase.times(round)
            clock += batch * times * phase.clock
            counts |= {player: counts.get(player, 0.0) + times for player in phase.moves}
    more = max(1.0, seen / clock) if clock else 0.0
    return {player: count * more for player, count in counts.items()} if more else {}


def _turns(phases: tuple[Phase, ...], critics: tuple[str, ...], first: int = 1000, rounds: int = 500) -> float:
    """Moves of the critics a move of the generators, once the game is under way; 1 where only one side moves."""
    sides = [0, 0]
    for phase in phases:
        sides[set(phase.moves) <= set(critics)] += sum(phase.times(r) for r in range(first, first + rounds))
    return sides[1] / sides[0] if all(sides) else 1.0


def batch_norm(start: Start) -> list[Caution]:
    """A batch of one or two samples under batch normalisation."""
    normed = [name for name, net in start.nets.items() if any(isinstance(m, _BatchNorm) for m in net.modules())]
    if not normed or start.batch >= FEWEST_NORMED:
        return []
    sentence = (
        f"{' and '.join(normed)} use{'s' * (len(normed) == 1)} batch normalisation and a batch holds {start.batch} "
        f"sample{'s' * (start.batch > 1)}: its statistics say nothing of the data; raise --batch to 16 or more, or choose a "
        "recipe without it (swift has none in D)."
    )
    return [Caution(name="batch norm", sentence=sentence, evidence={"batch": start.batch})]


def batch_size(start: Start) -> list[Caution]:
    """A batch that holds more samples than the data."""
    if not 0 < start.spec.count < start.batch:
        return []
    sentence = (
        f"a batch holds {start.batch:,} samples and the data {start.spec.count:,}: every batch shows the same samples; lower "
        "--batch or bring more data."
    )
    return [Caution(name="batch size", sentence=sentence, evidence={"batch": start.batch, "count": start.spec.count})]


def sizes(start: Start) -> list[Caution]:
    """One side that has ten times the parameters of the other."""
    counts = {name: sum(p.numel() for p in start.nets[name].parameters()) for name in start.rules}
    sides: tuple[list[str], list[str]] = [], []
    for name in counts:
        sides[name in start.critics].append(name)
    (small, few), (large, many) = sorted(((side, sum(counts[n] for n in side)) for side in sides), key=lambda pair: pair[1])
    if not few or many / few < UNEQUAL:
        return []
    sentence = (
        f"{' and '.join(small)} has {few:,} parameters against {many:,} of {' and '.join(large)}, {many / few:.0f} times as "
        f"many, and cannot follow; widen {' and '.join(small)} or narrow the other until they are within {UNEQUAL:g} times."
    )
    d, g = (float(sum(counts[n] for n in sides[side])) for side in (True, False))
    return [Caution(name="sizes", sentence=sentence, evidence={"critics": d, "generators": g})]


def rates(start: Start) -> list[Caution]:
    """Two players whose rates are a hundredfold apart, under rules that mean the same by a rate."""
    found = []
    for alike in (True, False):
        lrs = {name: rule.lr for name, rule in start.rules.items() if normalised(rule) == alike and rule.lr > 0}
        if len(lrs) < 2:
            continue
        slow, fast = min(lrs, key=lambda name: lrs[name]), max(lrs, key=lambda name: lrs[name])
        if (ratio := lrs[fast] / lrs[slow]) >= APART * (1 - 1e-9):
            sentence = (
                f"{fast} learns at {lrs[fast]:g} and {slow} at {lrs[slow]:g}, {ratio:,.0f} times slower: {slow} stands still "
                f"for {fast}; set {start.rate_flag(slow)} and {start.rate_flag(fast)} within 10 times of each other."
            )
            found.append(Caution(name="rates", sentence=sentence, evidence={fast: lrs[fast], slow: lrs[slow]}))
    return found


def steps(start: Start) -> list[Caution]:
    """Jolt: one step that moves the weights by a tenth of their size. Reach: a whole run that moves them by less than a third.

    Both are lr / size, with the size of `core.rates.weight_size`, and defined where a step is about its rate.
    """
    found = []
    for player, rule in start.rules.items():
        size = weight_size(start.nets[player]) if normalised(rule) else None
        if size is None:
            continue
        jolt, flag = rule.lr * start.peak / size, start.rate_flag(player)
        moves = start.moves.get(player, math.inf)
        reach = rule.lr * start.mean / size * moves
        if jolt >= JOLT:
            sentence = (
                f"one step of {player} at {rule.lr:g} moves its weights by {jolt:.0%} of their size ({size:.2g}): it cannot "
                f"settle; set {flag} near {0.01 * size / start.peak:.0e} (1 %), at most {0.05 * size / start.peak:.0e}."
            )
            found.append(Caution(name="jolt", sentence=sentence, evidence={"lr": rule.lr, "size": size, "jolt": jolt}))
        elif reach < REACH:
            sentence = (
                f"{moves:,.0f} steps of {player} at {rule.lr:g} can move its weights by {reach:.1%} of their size ({size:.2g}) "
                f"in this whole run: it cannot learn; train for longer, or set {flag} near {0.01 * size / start.peak:.0e}."
            )
            found.append(Caution(name="reach", sentence=sentence, evidence={"lr": rule.lr, "moves": moves, "reach": reach}))
    return found


def momentum(start: Start) -> list[Caution]:
    """Momentum that carries a player on after its opponent has turned (Gidel et al. 2019b)."""
    found = []
    for player, rule in start.rules.items():
        plain = rule.inner if isinstance(rule, Lookahead) else rule
        value = 0.0 if isinstance(plain, RMSprop) else plain.momentum if isinstance(plain, SGD) else plain.beta1
        if value >= MOMENTUM:
            sentence = (
                f"{player}'s momentum is {value:g}: it follows gradients from {1 / max(1 - value, 1e-9):.0f} steps ago, when its "
                f"opponent was another, and the game circles; set {start.flag('beta1', 'momentum') or 'it'} to 0.5 or 0."
            )
            found.append(Caution(name="momentum", sentence=sentence, evidence={"momentum": value}))
    return found


def turns(start: Start) -> list[Caution]:
    """One side that moves far more often than the other."""
    if 1 / HASTE < start.turns < TURNS:
        return []
    often, seldom = ("the critic", "the generator") if start.turns >= 1 else ("the generator", "the critic")
    ratio = max(start.turns, 1 / start.turns)
    sentence = (
        f"{often} moves {ratio:.3g} times a move of {seldom}, whose time is then mostly waiting; set "
        f"{start.flag('critic_steps', 'd_steps', 'n_critic') or 'the phases'} to between 1 and 5."
    )
    return [Caution(name="turns", sentence=sentence, evidence={"turns": start.turns})]


def data(start: Start) -> list[Caution]:
    """Few images, each seen hundreds of times, and nothing that augments them."""
    count = start.spec.count
    views = start.seen / count if count else 0.0
    if not start.spec.pictures or count >= FEW or views < VIEWS or start.augmented:
        return []
    flag = start.flag("augment")
    remedy = f"add {flag} 1" if flag else "this recipe has no augmentation, swift has (tightrope train swift DATA)"
    sentence = (
        f"D sees each of {count:,} images {views:,.0f} times in this run and none is augmented: it learns them by heart and "
        f"G's samples get worse; {remedy}, bring more images, or train for less."
    )
    return [Caution(name="data", sentence=sentence, evidence={"count": count, "views": views})]


def latent(start: Start) -> list[Caution]:
    """A latent of one or two numbers for images."""
    if not start.spec.pictures or not 0 < start.latent < LEAST_LATENT:
        return []
    sentence = (
        f"a latent of {start.latent} number{'s' * (start.latent > 1)} can hardly make different images; set "
        f"{start.flag('z') or 'its dimension'} to 32 or more."
    )
    return [Caution(name="latent", sentence=sentence, evidence={"latent": start.latent})]


CHECKS: tuple[Callable[[Start], list[Caution]], ...] = (
    batch_norm, batch_size, sizes, rates, steps, momentum, turns, data, latent,
)  # fmt: skip
