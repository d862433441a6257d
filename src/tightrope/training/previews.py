"""Previews: reals once, then the same fixed latents through the averaged weights at every tick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.files import write_atomically
from tightrope.training.game import Game

IMAGES, POINTS = 64, 2500  # samples of a preview


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 array as a PNG, atomically."""
    write_atomically(path, lambda partial: Image.fromarray(picture).save(partial, format="PNG"))


class Previews:
    """Draws `samples/NNNNNNNNNNNN.png`."""

    def __init__(self, game: Game, dataset: Dataset, folder: Path, seed: int) -> None:
        self.recipe, self.engine, self.modality, self.folder = game.recipe, game.engine, dataset.modality, folder
        count = POINTS if dataset.modality.exact else IMAGES
        self.z = self.engine.bring(self.recipe.latents(count, seeds.generator(seed, "preview")))
        if not (folder / "reals.png").exists():
            index = torch.randperm(len(dataset), generator=seeds.generator(seed, "reals"))[:count]
            save_picture(folder / "reals.png", self.modality.grid(dataset.batch(index)))

    @torch.no_grad()
    def draw(self, nets: dict[str, nn.Module], seen: int) -> Path:
        """Write the preview of these weights; returns its path."""
        with self.engine.autocast():
            samples = self.recipe.sample(nets, self.z)
        path = self.folder / "samples" / f"{seen:012d}.png"
        save_picture(path, self.modality.grid(samples.float().cpu()))
        return path
