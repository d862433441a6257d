"""Which precision is faster on this device, measured on this game: about a second at the start of a run."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from tightrope.core.data import Dataset
from tightrope.core.game import Batch, Recipe
from tightrope.core.given import latents
from tightrope.training.engine import PRECISIONS, Engine
from tightrope.training.game import Game

SAMPLES = 16  # of the probing batch of pictures
GAIN = 1.15  # bf16 has to be this much faster to be chosen
PATIENCE = 0.3  # seconds a precision


def measure(recipe: Recipe, dataset: Dataset, engine: Engine, precisions: Sequence[str] = PRECISIONS) -> dict[str, float]:
    """Samples a second of one round in each of some precisions, on throw-away networks."""
    game = Game(recipe, dataset.spec, Engine(str(engine.device)), seed=0)
    pack = getattr(recipe, "pack", 1)  # samples that D judges together
    most = recipe.batch if dataset.modality.exact else SAMPLES  # rows and points are cheap, and as fast as their batch is large
    size = -(-max(2, min(most, recipe.batch)) // pack) * pack
    index = torch.arange(size) % len(dataset)
    z = latents(recipe, dataset.spec, size, torch.Generator().manual_seed(0))
    index, labels = recipe.drawn(dataset, index, torch.Generator().manual_seed(0))
    batch = Batch(dataset.batch(index), z, labels, round=1)
    speeds = {}
    for precision in precisions:
        trial = Engine(str(engine.device), precision)
        nets = {name: trial.format(copy.deepcopy(net)) for name, net in game.nets.items()}
        real, z = trial.bring(batch.real), trial.bring(batch.z)
        best, start = float("inf"), time.perf_counter()
        while time.perf_counter() - start < PATIENCE or best == float("inf"):
            best = min(best, _round(recipe, nets, dataclasses.replace(batch, real=real, z=z, made={}), trial))
        speeds[precision] = size / best
    return speeds


def choose(speeds: Mapping[str, float]) -> str:
    """bf16 where it is clearly faster, else fp32."""
    return "bf16" if speeds["bf16"] > GAIN * speeds["fp32"] else "fp32"


def _round(recipe: Recipe, nets: dict[str, nn.Module], batch: Batch, engine: Engine) -> float:
    """Seconds of one round's forward and backward passes, after the device has finished them."""
    start = time.perf_counter()
    knobs = recipe.schedule(0, 1.0)  # what grows during a run has grown by then
    for phase in recipe.phases():
        if phase.fresh:  # what another phase made on another batch is not there
            batch = dataclasses.replace(batch, made={})
        for name, net in nets.items():
            net.requires_grad_(name in phase.moves + phase.keeps)
        with engine.autocast():
            total = phase.terms(nets, batch, knobs).total
        total.backward()
        if engine.device.type != "cpu":
            torch.accelerator.synchronize()
    return time.perf_counter() - start
