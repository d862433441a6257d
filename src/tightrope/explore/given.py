"""Places that files name: latents that projection found, used like seeds. Axes: N places, P parts, D width of a part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.explore.latent_file import Latent, read_latent
from tightrope.explore.spaces import Places, Space


def places(space: Space, files: Sequence[str | Path]) -> Places:
    """The latents of these files, in their order. Noise maps that a latent brings are not used: places of a space have none.

    Raises:
        InputError: a file that is no latent, or one of another space, width or class than the generator's.
    """
    found = [read_latent(file) for file in files]
    at = [_at(space, latent, str(file)) for latent, file in zip(found, files, strict=True)]
    labels = [latent.label for latent in found]
    if not space.generator.recipe.CONDITIONAL:
        return Places(torch.stack(at))
    if any(label is None for label in labels):
        raise InputError(f"{files[labels.index(None)]}: has no class, and recipe {space.generator.name} makes samples by class.")
    return Places(torch.stack(at), torch.stack([label.reshape(()) for label in labels if label is not None]))


def _at(space: Space, latent: Latent, file: str) -> Tensor:
    """(P, D)."""
    values = latent.values if latent.values.ndim == 2 else latent.values[None]
    own = "z" if latent.space == "z" else "w"
    if own != space.name or values.shape[1] != space.width or values.shape[0] not in (1, space.parts):
        ours = f"{space.name} of {space.parts} x {space.width}"
        raise InputError(
            f"{file}: is a latent of space {latent.space}, {tuple(values.shape)}, and this is {ours}; choose --space {own}."
        )
    return values.expand(space.parts, -1).float()
