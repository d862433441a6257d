"""The loop. It plays phases and knows nothing of GANs, files or clocks."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tightrope.core import seeds
from tightrope.core.game import Batch, Knobs, Phase
from tightrope.training.budget import Budget
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.meter import Meter


def move(game: Game, batch: Batch, phase: Phase, knobs: Knobs, meter: Meter) -> None:
    """One move: the phase's players follow the gradients of its terms on a batch."""
    engine = game.engine
    engine.seed(seeds.derive(game.seed, engine.rank, phase.name, game.draws))  # dropout, noise inputs
    game.only(phase.moves + phase.keeps)
    for player in phase.moves:
        game.optimizers[player].zero()
    with engine.autocast():
        terms = phase.terms(game.nets, batch, knobs)
    terms.total.backward()
    for player in phase.moves:
        engine.average_gradients(game.optimizers[player].parameters)
        game.optimizers[player].step(knobs, player)
    if phase.constrain and not knobs.safer:
        with torch.no_grad():
            phase.constrain(game.nets)
    meter.add(phase.name, terms, game.seen)
    if phase.clock:
        game.seen += game.recipe.batch


def play(game: Game, feed: Feed, budget: Budget, meter: Meter, after: Callable[[Knobs], None]) -> None:
    """Play rounds until the budget is spent; `after` is called with the knobs of each round that is over."""
    phases = game.recipe.phases()
    while not budget.done(game.seen):
        knobs = game.knobs(budget.progress(game.seen))
        before, batch = game.seen, None
        for phase in phases:
            for turn in range(phase.times(game.round, knobs.repeats.get(phase.name))):
                more = turn >= phase.times(game.round)  # than the recipe has: what a phase left on the batch is used up
                if phase.fresh or batch is None or more:
                    batch, game.draws = feed.draw(game.draws, game.round), game.draws + 1
                move(game, batch, phase, knobs, meter)
        game.round += 1
        game.average.update(knobs.ema, game.seen - before)
        after(knobs)
