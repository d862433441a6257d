"""Whether the gradients of a batch's parts average to those of the whole, which is what several processes rely on."""

from __future__ import annotations

import copy

import torch
from torch import nn

from tightrope.core.game import Batch, Knobs
from tightrope.networks.layers.batch import MinibatchDiscrimination, MinibatchStd
from tightrope.training.game import Game

MIXING = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination, MinibatchStd)


def why_not(game: Game, batch: Batch) -> str:
    """Why they need not, or an empty string."""
    if any(isinstance(m, MIXING) for net in game.nets.values() for m in net.modules()):
        return "a layer mixes the samples of a batch: the result depends on the split"
    if getattr(game.recipe, "unroll", 0) or getattr(game.recipe, "top_k", 1.0) < 1:
        return "the best samples of a batch, or D's answer to it, depend on the split"
    for phase in game.recipe.phases():
        before = torch.get_rng_state()
        phase.terms(copy.deepcopy(game.nets), batch, Knobs())
        if not torch.equal(before, torch.get_rng_state()):
            return "random numbers of its own: the parts draw others than the whole"
    return ""
