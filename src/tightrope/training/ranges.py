# ruff: noqa: PT028 - `test` is no test of pytest
"""A rate range test for every player, on throw-away copies of a game: which learning rates can be used here?

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3 (arXiv:1506.01186), made for games: while one
player's rate rises exponentially from 1e-6 to 1e-1, all others are held still. Critics come first; generators then play
against critics that have learned for ten steps. The rule:

    high = the rate at which the loss is worse than at the start, but at most that which moves the weights by 0.2 of their size in
           one step
    low  = the rate that moves the weights by 6e-4 of their size; for gradient descent, whose step has no size of its own, a
           hundredth of the rate of steepest descent

Against a still opponent a player learns at rates far below those of a game (recipes' own are 0.3 to 65 times that of steepest
descent) and, where its loss has a floor, at rates far above them: the size of the weights (`core.rates`) bounds what the curve
leaves open. The factors were widened until the rates of swift, dcgan, gan, wgan_gp and lsgan lie inside on images and points, and
their hundredfold and hundredth outside (`tests/training/test_ranges.py`).

    from tightrope import data, recipes
    from tightrope.training import ranges
    points = data.load("ring8")
    print(ranges.test(recipes.build("gan", points.spec), points))
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.game import Batch, Phase, Recipe
from tightrope.core.rates import normalised, weight_size, with_rate
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.optimizers import Optimizer

LOW, HIGH = 1e-6, 1e-1  # rates between which a sweep goes
STEPS, FEWEST = 80, 20  # of a sweep, and the least of one whose steps are slow
WARM = 10  # steps of the critics before a generator's sweep
PICTURES, POINTS = 16, 256  # the most samples of a batch
SECONDS = 10.0  # for one player; slower games are given fewer steps
BELOW = 100.0  # times less than the rate of steepest descent
FULL_STEP, LEAST_STEP = 0.2, 6e-4  # shares of the weights' size
WINDOW = 5  # steps that a point of the smoothed curve is the median of: one step that jumps is no divergence


@dataclass(frozen=True, kw_only=True)
class Range:
    """What one player's sweep showed.

    Attributes:
        player: its name.
        own: the greatest rate of the recipe's schedule.
        low, high: the rates between which the player can learn in this game.
        steepest: the rate of steepest descent; None where the loss falls at no rate.
        diverges: the first rate at which the loss is worse than at the start, or not finite; None where there is none.
        rates, losses: the curve, one entry a step.
    """

    player: str
    own: float
    low: float
    high: float
    steepest: float | None
    diverges: float | None
    rates: tuple[float, ...] = dataclasses.field(repr=False)
    losses: tuple[float, ...] = dataclasses.field(repr=False)

    def place(self, rate: float | None = None) -> str:
        """Where a rate (the player's own) is: "below", "within" or "above"."""
        rate = self.own if rate is None else rate
        return "below" if rate < self.low else "above" if rate > self.high else "within"

    @property
    def sentence(self) -> str:
        """The finding in words."""
        able = f"what {self.player} can use here: {self.low:.1g} ... {self.high:.1g}"
        return f"rate {self.own:.2g} lies {self.place()} {able}" + ("" if self.steepest else " (its loss fell at no rate)")

    def to_json(self) -> dict[str, Any]:
        """All of it; a loss that JSON cannot hold is null."""
        losses = [loss if math.isfinite(loss) else None for loss in self.losses]
        return dataclasses.asdict(self) | {"losses": losses, "place": self.place(), "sentence": self.sentence}


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The outcome.

    Attributes:
        players: the range of each that was tested.
        skipped: why others were not.
        steps: of all sweeps together.
        seconds: of wall time.
    """

    players: dict[str, Range]
    skipped: dict[str, str]
    steps: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        found = {name: one.to_json() for name, one in self.players.items()}
        return {"players": found, "skipped": self.skipped, "steps": self.steps, "seconds": self.seconds}


def test(
    recipe: Recipe, dataset: Dataset, engine: Engine | None = None, *, seed: int = 0, steps: int = STEPS, seconds: float = SECONDS
) -> Ranges:
    """Sweep every player's rate. No game, optimizer or random generator outside is touched.

    Args:
        engine: device and precision; None takes the default device in fp32.
        seed: of networks and batches; it and the number of steps determine the outcome.
        steps: of a sweep.
        seconds: for one player; where `steps` would take longer there are fewer, 20 at least. inf: always `steps`.
    """
    began, engine = time.perf_counter(), engine or Engine()
    found: dict[str, Range] = {}
    skipped: dict[str, str] = {}
    critics, others = _sides(recipe)
    with torch.random.fork_rng(devices=[engine.device] if engine.device.type == "cuda" else []):
        feed = Feed(recipe, dataset, engine, seed)
        for player in critics + others:
            sweep = _Sweep(Game(recipe, dataset.spec, engine, seed), feed)
            if player in others:
                for critic in [one for one in critics if one in found]:
                    sweep.warm(critic, found[critic])
            size = weight_size(sweep.game.nets[player]) if normalised(sweep.rules[player]) else None
            if not sweep.play(player, [LOW] * 3):
                skipped[player] = "no loss depends on it"
                continue
            rates = _rising(_affordable(steps, sweep.pace, seconds))
            found[player] = _read(recipe, player, size, rates, sweep.play(player, rates))
    count = sum(len(one.rates) for one in found.values())
    return Ranges(players=found, skipped=skipped, steps=count, seconds=time.perf_counter() - began)


class _Sweep:
    """A game that is thrown away, in which one player at a time moves.

    Attributes:
        pace: seconds of the newest step.
    """

    def __init__(self, game: Game, feed: Feed) -> None:
        self.game, self.feed, self.draws, self.pace = game, feed, 0, 0.0
        self.phases = game.recipe.phases()
        self.rules = game.recipe.optimizers()
        self.knobs = game.recipe.schedule(0, 0.5)  # as in the middle of a run
        self.most = POINTS if len(game.spec.shape) == 1 else PICTURES

    def warm(self, critic: str, known: Range) -> None:
        """Ordinary steps of a critic: at its own rate, or at the nearest one that does not spoil it."""
        self.play(critic, [min(max(known.own, known.low), known.high)] * WARM)

    def play(self, player: str, rates: Sequence[float]) -> list[float]:
        """One step at each rate; returns the losses before them, read back at the end. Empty: no loss depends on the player."""
        optimizer = Optimizer(self.game.nets[player], with_rate(self.rules[player], 1.0))
        losses: list[Tensor] = []
        for turn, rate in enumerate(rates):
            began = time.perf_counter()
            parts = [self._move(phase, batch, player, optimizer, rate) for phase, batch in self._needed(player, turn)]
            losses += [torch.stack(own).sum()] if (own := [part for part in parts if part is not None]) else []
            self.pace = time.perf_counter() - began
        return torch.stack(losses).tolist() if losses else []

    def _needed(self, player: str, turn: int) -> Iterator[tuple[Phase, Batch]]:
        """The phases of a round in which the player moves, and those on whose batches it then does, with their batches.

        `every` is counted in turns, and a phase is played once, however often it is repeated in a round.
        """
        batch = None
        for index, phase in enumerate(self.phases):
            used = [phase, *itertools.takewhile(lambda later: not later.fresh, self.phases[index + 1 :])]
            if turn % phase.every or not any(player in one.moves for one in used):
                continue
            if phase.fresh or batch is None:
                batch = self._few(self.feed.draw(self.draws, turn))
                self.draws += 1
            yield phase, batch

    def _few(self, batch: Batch) -> Batch:
        labels = None if batch.labels is None else batch.labels[: self.most]
        return dataclasses.replace(batch, real=batch.real[: self.most], z=batch.z[: self.most], labels=labels)

    def _move(self, phase: Phase, batch: Batch, player: str, optimizer: Optimizer, rate: float) -> Tensor | None:
        """The loss before the player's step; None where this is another's phase, played for what it leaves on the batch."""
        game = self.game
        game.engine.seed(seeds.derive(game.seed, "ranges", player, phase.name, self.draws))
        game.only((player,))
        with game.engine.autocast():
            terms = phase.terms(game.nets, batch, self.knobs)
        if player not in phase.moves or not terms or not terms.total.requires_grad:
            return None
        optimizer.zero()
        terms.total.backward()
        optimizer.step(dataclasses.replace(self.knobs, lr=rate))
        if phase.constrain:
            with torch.no_grad():
                phase.constrain(game.nets)
        return terms.total.detach()


def _sides(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Players that learn from real samples, and the others; those alone that have a rule and a phase."""
    rules = recipe.optimizers()
    movers = dict.fromkeys(player for phase in recipe.phases() for player in phase.moves if player in rules)
    critics = [player for player in movers if any(phase.clock and player in phase.moves for phase in recipe.phases())]
    return critics, [player for player in movers if player not in critics]


def _affordable(steps: int, pace: float, seconds: float) -> int:
    """`steps`, or as many as there is time for at `pace` seconds a step, but not below FEWEST."""
    return steps if steps * pace <= seconds else max(min(steps, FEWEST), int(seconds / pace))


def _rising(steps: int) -> list[float]:
    return [LOW * (HIGH / LOW) ** (k / max(1, steps - 1)) for k in range(steps)]


def _read(recipe: Recipe, player: str, size: float | None, rates: Sequence[float], losses: Sequence[float]) -> Range:
    """Landmarks of a curve, and the interval that follows from them and from the size of the weights."""
    own = recipe.optimizers()[player].lr * max(recipe.schedule(0, k / 32).lr for k in range(33))
    low, high = LOW, HIGH
    steepest, diverges = landmarks(rates, losses)
    if diverges:
        high = min(high, diverges)
    if size:
        low, high = max(low, LEAST_STEP * size), min(high, FULL_STEP * size)
    elif steepest:
        low = max(low, steepest / BELOW)
    return Range(
        player=player, own=own, low=min(low, high), high=high, steepest=steepest, diverges=diverges,
        rates=tuple(rates), losses=tuple(losses),
    )  # fmt: skip


def landmarks(rates: Sequence[float], losses: Sequence[float]) -> tuple[float | None, float | None]:
    """The rate of steepest descent of a curve, and the first at which it is worse than at its start or not finite.

    Only new lows count as descent, not the way back from a jump. Falls are compressed (x / (1 + x), in units of the start or of 1
    where that is greater), since a Wasserstein generator's loss falls without a floor, the faster the greater the rate.
    """
    curve = _smooth(losses)
    calm = max(3, len(losses) // 10)  # steps at the start, at rates too small to move anything: they show the noise
    start = statistics.fmean(losses[:calm])
    if not math.isfinite(start):
        return None, rates[0]
    noise = statistics.pstdev(losses[:calm]) / math.sqrt(WINDOW)
    bound = start + 4 * noise + 0.1 * abs(start)
    end = next((k for k, value in enumerate(curve) if k >= calm and value > bound), len(curve))
    unit, reach = max(1.0, abs(start)), max(1, len(losses) // 20)
    falls = [max(0.0, start - value) / unit for value in itertools.accumulate(curve[:end], min)]
    squashed = [fall / (1 + fall) for fall in falls]
    slopes = {k: squashed[k + reach] - squashed[k - reach] for k in range(reach, end - reach)}
    best = max(slopes, key=lambda k: slopes[k], default=None)
    fell = best is not None and falls[-1] * unit > 4 * noise
    return (rates[best] if best is not None and fell else None), (rates[end] if end < len(curve) else None)


def _smooth(losses: Sequence[float]) -> list[float]:
    """Medians of WINDOW neighbours; a loss that is no number counts as infinite."""
    numbers, side = [math.inf if math.isnan(loss) else loss for loss in losses], WINDOW // 2
    return [statistics.median(numbers[max(0, k - side) : k + side + 1]) for k in range(len(losses))]
