"""The watch: at ticks, fresh samples of the averaged weights go to an observer, whose figures become signals.

It knows nothing of what is observed. It draws from generators of its own, so a run with it is bit-equal to one without.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tightrope.core import labels, seeds
from tightrope.core.data import Modality
from tightrope.training.game import Game

SHARE = 0.015  # of the training time that watching may take
SAMPLES = 256  # of one look
BATCH = 64  # samples generated at once

Observer = Callable[[np.ndarray], dict[str, float]]  # samples as files hold them -> figures by name


class Watch:
    """Looks at the game's samples now and then.

    Args:
        observe: is given SAMPLES fresh samples; the figure "score", where there is one, is the better the higher.
    """

    def __init__(self, game: Game, modality: Modality, observe: Observer) -> None:
        self.game, self.modality, self.observe = game, modality, observe
        self.spent = 0.0  # seconds
        self._cost = 0.0  # seconds of the last look

    def look(self, seconds: float, *, always: bool = False) -> dict[str, float]:
        """The observer's figures, as "samples/NAME"; {} while the share of `seconds`, the time trained so far, is used up."""
        if not always and self.spent + self._cost > SHARE * seconds:
            return {}
        start = time.perf_counter()
        figures = self.observe(self._samples())
        self._cost = time.perf_counter() - start
        self.spent += self._cost
        return {f"samples/{name}": value for name, value in figures.items()}

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
