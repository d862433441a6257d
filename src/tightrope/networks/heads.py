"""Heads that bring features of several layers into spaces of one dimension. Axes: N batch, S pieces, C channels, F units.

Park et al. 2020, "Contrastive learning for unpaired image-to-image translation", section 3 and appendix C: two layers each, 256
units, and results of length 1 (Chen et al. 2020, SimCLR, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.shapes import widened
from tightrope.networks.start import small


class Heads(nn.Module):
    """A perceptron a layer.

    Args:
        widths: channels of the layers.
        units: F.
    """

    def __init__(self, widths: Sequence[int], units: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(c, units), nn.ReLU(), nn.Linear(units, units)) for c in widths)
        self.apply(small)

    def forward(self, features: Sequence[Float[Tensor, "n s _"]]) -> list[Float[Tensor, "n s f"]]:
        """Of features of every layer, in order."""
        return [F.normalize(widened(head(x)), dim=2) for head, x in zip(self.heads, features, strict=True)]
