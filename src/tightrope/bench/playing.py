"""Games without a run directory, and what a classifier says of their images: for benchmarks of hundreds of cases.

Axes: N samples, C H W pixels.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from tightrope.core import labels as labelling
from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.errors import RunStopped
from tightrope.core.game import Knobs, Recipe
from tightrope.data import load
from tightrope.metrics.extractors import load as load_extractor
from tightrope.metrics.features import Features, read
from tightrope.metrics.frechet import Moments, frechet_distance
from tightrope.metrics.scores import inception_score
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter, require_finite

SAMPLES = 2_000
REALS = 10_000
CHECK = 50  # rounds between two looks whether all is finite
PART = 500


def trained(recipe: Recipe, dataset: Dataset, *, seen: int, seed: int) -> dict[str, nn.Module]:
    """Play until D has seen `seen` real samples, in fp32 on the CPU; the averaged networks.

    Raises:
        RunStopped: a number became non-finite.
    """
    engine, meter = Engine("cpu"), Meter()
    game = Game(recipe, dataset.spec, engine, seed)

    def look(knobs: Knobs) -> None:
        if game.round % CHECK == 0:
            meter.read()

    play(game, Feed(recipe, dataset, engine, seed), Budget(seen=seen), meter, look)
    meter.read()
    require_finite(game.nets, game.seen)
    return game.average.nets


@torch.no_grad()
def samples(recipe: Recipe, nets: dict[str, nn.Module], dataset: Dataset, count: int = SAMPLES) -> np.ndarray:
    """Samples as files hold them: uint8 (N, H, W, C), or points (N, d).

    Raises:
        RunStopped: they are not finite.
    """
    z = recipe.latents(count, seeds.generator(0, "bench", "z"))
    classes = labelling.draw(dataset.spec, count, seeds.generator(0, "bench", "labels")) if recipe.CONDITIONAL else None
    parts = [
        recipe.sample(nets, z[i : i + PART], None if classes is None else classes[i : i + PART]) for i in range(0, count, PART)
    ]
    drawn = torch.cat(parts)
    if not torch.isfinite(drawn).all():
        raise RunStopped("the samples are not finite")
    return dataset.modality.to_array(drawn)


@functools.cache
def fashion(size: int) -> Dataset:
    """The embedded clothes at this size."""
    return load("fashion", size=size)


@functools.cache
def _real(size: int) -> tuple[Moments, float]:
    """Moments of real images' features, and their class score."""
    dataset = fashion(size)
    index = torch.randperm(len(dataset), generator=seeds.generator(0, "bench", "reals"))[:REALS]
    found = _features(dataset.modality.to_array(dataset.batch(index)))
    assert found.logits is not None
    return _moments(found), inception_score(found.logits[:SAMPLES], splits=1).value


def judged(images: np.ndarray) -> dict[str, float]:
    """frechet[fashion-cnn] to 10,000 real images of the same size, and the class score (the Inception Score's formula)."""
    found = _features(images)
    assert found.logits is not None
    moments, _ = _real(images.shape[1])
    return {
        "frechet": frechet_distance(moments, _moments(found)),
        "class score": inception_score(found.logits, splits=1).value,
    }


def real_score(size: int) -> float:
    """The class score of 2,000 real images."""
    return _real(size)[1]


def _features(images: np.ndarray) -> Features:
    return read(load_extractor("fashion-cnn"), (images[i : i + PART] for i in range(0, len(images), PART)))


def _moments(found: Features) -> Moments:
    moments = Moments()
    moments.add(found.values)
    return moments
