"""What translates: an imported network, a run's generator, or a mixture of two networks' weights."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch

from tightrope import run
from tightrope.core.errors import InputError
from tightrope.core.translation import Translating, Translator
from tightrope.explore.generator import NETWORK, read
from tightrope.interop import translating


def opened(path: str | Path, *, recipe: str | None = None, way: str | None = None) -> Translator:
    """The network of a file of `tightrope import`, of a run, or of a run's generator.safetensors.

    Args:
        recipe: the recipe's file, where the run was trained with a file of your own.
        way: which of the ways in which a recipe translates, such as "B-to-A"; None is the usual one.

    Raises:
        InputError: it is none, or makes no pictures of pictures.
    """
    file = Path(path)
    if file.is_file():
        header, tensors = read(file)
        if header["format"] == NETWORK:
            if way is not None:
                raise InputError(f"--way {way}: {file} is one network and translates in one way; leave it out.")
            try:
                return translating.opened(header, tensors)
            except InputError as error:
                raise InputError(f"{file}: {error}") from None
    elif not file.exists():
        raise InputError(f"{path}: no such file or run; `tightrope import` makes networks of checkpoints, `train` makes runs.")
    return _trained(file, recipe, way)


def _trained(path: Path, recipe: str | None, way: str | None) -> Translator:
    generator = run.load(path, recipe)
    if not isinstance(generator.recipe, Translating):
        raise InputError(f"{path}: {generator.name} makes samples of latents; `tightrope sample` draws them.")
    ways = generator.recipe.translators(generator.nets)
    if way is not None and way not in ways:
        raise InputError(f"--way {way}: {generator.name} translates {', '.join(ways)}.")
    return ways[way or next(iter(ways))]


def between(one: Translator, other: Translator, strength: float) -> Translator:
    """Weights on the straight line from one network (0) to another (1) of the same kind and size.

    Wang et al. 2018, "ESRGAN", section 3.4: between a network trained for exactness and one trained by a critic, the line gives
    every degree of invented detail without artefacts. Strengths outside of 0 to 1 go on along it.

    Raises:
        InputError: the networks have not the same tensors.
    """
    ours, theirs = one.net.state_dict(), other.net.state_dict()
    shapes, others = ({key: value.shape for key, value in state.items()} for state in (ours, theirs))
    if one.name != other.name or shapes != others or (one.scale, one.darkest) != (other.scale, other.darkest):
        raise InputError(f"--towards: a {other.name} of other tensors; weights are mixed of two networks of one kind and size.")
    mixed = {key: torch.lerp(value, theirs[key], strength) if value.is_floating_point() else value for key, value in ours.items()}
    one.net.load_state_dict(mixed)
    return dataclasses.replace(one)


def fingerprint(network: Translator) -> str:
    """Of the weights: what was made by others is not taken for this network's."""
    digest = hashlib.sha256(network.name.encode())
    for key, value in network.net.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
