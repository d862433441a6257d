"""The watch: at ticks, fresh samples of the averaged weights go to an observer, whose figures become signals.

It knows nothing of what is observed. It draws from generators of its own, so a run with it is bit-equal to one without; and it
looks at every tick, or every 2nd, 4th, 8th ..., so that what is seen when depends on the clock alone, also after a resume.
"""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tightrope.core import labels, seeds
from tightrope.core.data import Modality
from tightrope.training.game import Game

SHARE, SHARE_EXACT = 0.02, 0.06  # of the training time that looking may take: of images; of points, where a tick is short
SAMPLES = 256  # of one look
BATCH = 64  # samples generated at once
KEY = "watch/held"  # of what the observer remembers, in a checkpoint


class Observer(Protocol):
    """`metrics.online.Window` is one. `fake` is what it remembers of earlier looks."""

    fake: Tensor

    def look(self, stored: np.ndarray) -> dict[str, float]:
        """Samples as files hold them -> figures by name; "score", where there is one, is the better the higher."""
        ...

    def forget(self) -> None: ...


class Watch:
    """Looks at the game's samples now and then.

    Attributes:
        every: ticks between two looks; 0 until it is known (the first two ticks always look).
        spent: seconds.
    """

    def __init__(self, game: Game, modality: Modality, observer: Observer, every: int = 0) -> None:
        self.game, self.modality, self.observer, self.every = game, modality, observer, every
        self.spent = 0.0
        self._costs: list[float] = []  # of the first looks

    def look(self, tick: int, *, always: bool = False) -> dict[str, float]:
        """The observer's figures, as "samples/NAME"; {} at ticks (counted from 1) that are passed over."""
        if not always and self.every and tick % self.every:
            return {}
        start = time.perf_counter()
        figures = self.observer.look(self._samples())
        cost = time.perf_counter() - start
        self.spent += cost
        if not self.every:
            self._costs.append(cost)
        return {f"samples/{name}": value for name, value in figures.items()}

    def pace(self, tick_seconds: float) -> None:
        """Choose `every`, once, from what the second look cost (the first one warms up): the smallest power of two that keeps
        to the share of the time."""
        if not self.every and len(self._costs) == 2:
            share, self.every = SHARE_EXACT if self.modality.exact else SHARE, 1
            while self._costs[-1] > share * self.every * tick_seconds and self.every < 1024:
                self.every *= 2

    @torch.no_grad()
    def _samples(self) -> np.ndarray:
        game, engine = self.game, self.game.engine
        generator = seeds.generator(game.seed, "watch", game.seen)
        z = engine.bring(game.recipe.latents(SAMPLES, generator)).split(BATCH)
        asked: tuple[Tensor | None, ...] = (None,) * len(z)
        if game.recipe.CONDITIONAL:
            asked = engine.bring(labels.draw(game.spec, SAMPLES, generator)).split(BATCH)
        nets = game.average.nets
        with engine.autocast():
            parts = [game.recipe.sample(nets, *pair).float().cpu() for pair in zip(z, asked, strict=True)]
        return self.modality.to_array(torch.cat(parts))
