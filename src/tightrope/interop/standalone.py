"""A folder that draws samples without this package: the ONNX file, its weights and card, latents of seeds, and a short script.

    tightrope export RUN --to folder --out DIR
    cd DIR && python infer.py --seed 3 --count 16 --out grid.png          # numpy, onnxruntime and pillow

Seeds are torch's random numbers, which numpy cannot draw; the first `SEEDS` latents (and classes) are therefore written down.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tightrope.core import seeds
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically, write_text
from tightrope.core.game import Recipe
from tightrope.explore.generator import Generator
from tightrope.explore.truncation import require_normal

SEEDS = 256  # whose latents are written down
PROBED = 4_096
UNIFORM = 0.2  # largest distance of a coordinate's mean from 0, variance from 1/3 and kurtosis from 1.8
SCRIPT = Path(__file__).with_name("infer.py")


def distribution(recipe: Recipe) -> str:
    """What latents are, as a sample of them shows: "normal", "uniform" (from -1 to 1), or "own"."""
    try:
        require_normal(recipe, "")
        return "normal"
    except InputError:
        z = recipe.latents(PROBED, seeds.generator(0, "distribution", "probe")).double()
    variance = z.var(0)
    kurtosis = (z - z.mean(0)).pow(4).mean(0) / variance.square().clamp(min=1e-12)
    apart = torch.stack([z.mean(0), variance - 1 / 3, kurtosis - 1.8]).abs()
    return "uniform" if z.abs().max() <= 1 and bool((apart < UNIFORM).all()) else "own"


def write_seeds(generator: Generator, path: Path) -> None:
    """The latents of seeds 0 to SEEDS - 1, and their classes, as arrays."""
    chosen = list(range(SEEDS))
    labels = generator.labels(chosen)
    arrays = {"z": generator.latents(chosen).numpy()} | ({} if labels is None else {"labels": labels.numpy()})

    def save(partial: Path) -> None:
        with open(partial, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    write_atomically(path, save)


def write_script(path: Path) -> None:
    """infer.py, as it stands beside this file."""
    write_text(path, SCRIPT.read_text(encoding="utf-8"))
