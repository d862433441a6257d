"""A small game, rounds of it without a budget, and the bits of its state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tightrope.core.game import Knobs
from tightrope.recipes.gan import GAN
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter
from toys import ToyDataset

POINTS, IMAGES = ToyDataset((2,)), ToyDataset((3, 16, 16))
SMALL: dict[str, Any] = {"width": 8, "d_width": 8, "batch": 4, "z": 2, "pieces": 1, "norm": True}


CLOCK = ["rng/torch"]  # what is drawn goes on, as the clock does


def built(recipe: Any = None, data: Any = POINTS) -> tuple[Game, Feed]:
    recipe, engine = recipe or GAN(**SMALL), Engine("cpu")
    return Game(recipe, data.spec, engine, 0), Feed(recipe, data, engine, 0)


def rounds(game: Game, feed: Feed, count: int, half_life: float = 10.0, meter: Meter | None = None) -> None:
    for _ in range(count):
        batch = None
        for phase in game.recipe.phases():
            if phase.fresh or batch is None:
                batch, game.draws = feed.draw(game.draws, game.round), game.draws + 1
            move(game, batch, phase, Knobs(), meter or Meter())
        game.round += 1
        game.average.update(half_life, game.recipe.batch)


def state(game: Game) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in game.tensors().items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]
