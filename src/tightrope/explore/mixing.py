"""Style mixing: coarse layers of one place and fine layers of another (Karras et al. 2019, arXiv:1812.04948, section 3.1).

Axes: R rows, C columns, P parts, D width of a part.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tightrope.core import labels as labelling
from tightrope.core.errors import InputError
from tightrope.explore.spaces import Places, Space


def matrix(space: Space, rows: Places, columns: Places, layers: Sequence[int]) -> Places:
    """R * C places, a row beside each other: the row's, with the column's numbers in the chosen layers and the row's class.

    Raises:
        InputError: the space has one layer alone, or not these.
    """
    if space.layers < 2:
        raise InputError(
            f"mixing: recipe {space.generator.name} gives its latent to one layer, so that nothing can be mixed in space "
            f"{space.name}; it needs styles (stylegan2), or a latent that enters layer by layer (biggan)."
        )
    mask = space.mask(layers)
    at = torch.where(mask, columns.at[None], rows.at[:, None]).flatten(0, 1)
    return Places(at, None if rows.labels is None else rows.labels.repeat_interleave(len(columns), 0))


def joined(*several: Places) -> Places:
    """Places one after the other; classes become shares where some are."""
    labels: list[Tensor] = [places.labels for places in several if places.labels is not None]
    if any(given.is_floating_point() for given in labels):
        width = next(given.shape[1] for given in labels if given.is_floating_point())
        labels = [labelling.weights(given, width) for given in labels]
    return Places(torch.cat([places.at for places in several]), torch.cat(labels) if labels else None)
