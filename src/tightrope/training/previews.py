"""Previews: reals once, then the same fixed latents through the averaged weights at every tick.

Where samples are made by class, each column is a class and each row one latent. Where they are made of pictures, each stands
beside the one it was made of, and before the one it should be where that is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tightrope.core import labels, seeds
from tightrope.core.data import Dataset
from tightrope.core.files import write_atomically
from tightrope.core.given import beside, pictures_of
from tightrope.training.game import Game

IMAGES, POINTS = 64, 2500  # samples of a preview
TRANSLATED = 24  # of pictures; three times as many are shown


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 array as a PNG, atomically."""
    write_atomically(path, lambda partial: Image.fromarray(picture).save(partial, format="PNG"))


class Previews:
    """Draws `samples/NNNNNNNNNNNN.png`."""

    def __init__(self, game: Game, dataset: Dataset, folder: Path, seed: int) -> None:
        self.recipe, self.engine, self.modality, self.folder = game.recipe, game.engine, dataset.modality, folder
        self.columns: int | None = None
        self.labels: Tensor | None = None
        self.beside: tuple[Tensor, ...] = ()  # pictures given, and what they should become
        if dataset.spec.given:
            self._give(dataset, seed)
            return
        count = rows = POINTS if dataset.modality.exact else IMAGES
        if self.recipe.CONDITIONAL:
            rows, self.columns = labels.side_by_side(dataset.spec, count)
            self.labels = self.engine.bring(torch.arange(self.columns).repeat(rows))
        z = self.recipe.latents(rows, seeds.generator(seed, "preview"))
        self.z = self.engine.bring(z.repeat_interleave(self.columns or 1, 0))
        if not (folder / "reals.png").exists():
            index = torch.randperm(len(dataset), generator=seeds.generator(seed, "reals"))[:count]
            save_picture(folder / "reals.png", self.modality.grid(dataset.batch(index)))

    def _give(self, dataset: Dataset, seed: int) -> None:
        """Fixed pictures to be translated: held-out ones where there are some."""
        source = pictures_of(dataset).held or dataset
        data, paired = pictures_of(source), dataset.spec.paired
        index = torch.randperm(data.givens, generator=seeds.generator(seed, "preview"))[:TRANSLATED]
        given = data.given(index)
        self.z = self.engine.bring(given)
        self.beside = (given, source.batch(index)) if paired else (given,)
        self.columns = 4 * (1 + len(self.beside))
        if not (self.folder / "reals.png").exists():
            some = index if paired else torch.randperm(len(source), generator=seeds.generator(seed, "reals"))[:TRANSLATED]
            save_picture(self.folder / "reals.png", self.modality.grid(source.batch(some)))

    @torch.no_grad()
    def draw(self, nets: dict[str, nn.Module], seen: int) -> Path:
        """Write the preview of these weights; returns its path."""
        with self.engine.autocast():
            samples = self.recipe.sample(nets, self.z, self.labels)
        path = self.folder / "samples" / f"{seen:012d}.png"
        made = samples.float().cpu()
        save_picture(path, self.modality.grid(beside(made, *self.beside) if self.beside else made, self.columns))
        return path
