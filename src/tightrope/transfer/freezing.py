"""Layers of D that stay as they are: which come first, counted from the image, and how they are held.

Mo, Cho & Shin 2020, "Freeze the discriminator: a simple baseline for fine-tuning GANs", arXiv:2002.10964, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn.utils import parametrize

from tightrope.core.game import Batch, Networks
from tightrope.core.given import latents
from tightrope.training.game import Game
from tightrope.training.probe import SAMPLES

LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def layers(game: Game) -> list[list[str]]:
    """D's layers and blocks in the order in which a sample passes them, each with the gains and biases that follow it.

    The order is that of a move of D on noise. What is passed by another way (a critic that computes its penalty's gradient
    itself), by nothing but a class, or not at all (resolutions out of use) comes behind, in the order in which it was built.
    """
    parts, passed = dict(_parts("", game.nets["D"])), list[str]()
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: passed.append(name)) for name, part in parts.items()]
    _move(game)
    for hook in hooks:
        hook.remove()
    groups: list[list[str]] = []
    for name in dict.fromkeys([*passed, *parts]):
        if groups and all(parameter.dim() < 2 for parameter in parts[name].parameters()):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _parts(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """A network's parts as its author divided it: lists are opened, and what wraps a single part; blocks stay whole."""
    inner = [(name, part) for name, part in module.named_children() if next(part.parameters(), None) is not None]
    own = next(module.parameters(recurse=False), None) is not None or parametrize.is_parametrized(module)
    if inner and (not path or isinstance(module, LISTS) or (len(inner) == 1 and not own)):
        for name, part in inner:
            yield from _parts(f"{path}.{name}" if path else name, part)
    elif path and (inner or own):
        yield path, module


def _move(game: Game) -> None:
    """D's terms on a batch of noise."""
    recipe, device, dice = game.recipe, game.engine.device, torch.Generator().manual_seed(0)
    size = max(2, min(SAMPLES, recipe.batch))
    phase = next(phase for phase in recipe.phases() if "D" in phase.moves)
    real = torch.randn(size, *game.spec.shape, generator=dice).clamp(-1, 1).to(device)
    labels = torch.zeros(size, dtype=torch.long, device=device) if game.spec.classes else None
    z = latents(recipe, game.spec, size, dice).to(device)
    phase.terms(game.nets, Batch(real, z, labels, round=1), recipe.schedule(0, 1.0))  # what grows has grown by then


def hold(nets: Networks, names: Sequence[str]) -> None:
    """Make buffers of the parameters of these modules of D: optimizers never see them, and state dicts have them as before."""
    for name in names:
        for module in nets["D"].get_submodule(name).modules():
            for own, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, own)
                module.register_buffer(own, parameter.detach())
