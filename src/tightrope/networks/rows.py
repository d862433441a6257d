"""What networks of rows share: how they end, and what is known of a row beforehand. Axes: N batch, W numbers of a row, B blocks.

Xu et al. 2019 (arXiv:1907.00503), section 4.4: tanh for scalars, a Gumbel softmax for one-hots.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tightrope.core.blocks import Block
from tightrope.networks.layers import dice


class Heads(nn.Module):
    """The end of a generator of rows: tanh for scalars, softmax for one-hots, all of them at once.

    Args:
        temperature: of the softmax.
        drawn: Gumbel noise, drawn from the latent, is added before the softmax, so that its greatest number is a draw.
    """

    places: Tensor
    groups: Tensor
    hot: Tensor

    def __init__(self, blocks: Sequence[Block], *, temperature: float = 0.2, drawn: bool = True) -> None:
        super().__init__()
        self.temperature, self.drawn = temperature, drawn
        hots = [block for block in blocks if block.kind == "onehot"]
        widest = max((block.size for block in hots), default=0)
        # each group's numbers side by side, filled up with a number that does not exist
        width = blocks[-1].stop
        table = [[*range(block.start, block.stop), *[width] * (widest - block.size)] for block in hots]
        self.register_buffer("groups", torch.tensor(table, dtype=torch.long).reshape(len(hots), widest), persistent=False)
        numbers = [place for block in hots for place in range(block.start, block.stop)]
        within = [i * widest + k for i, block in enumerate(hots) for k in range(block.size)]
        self.register_buffer("hot", torch.tensor(numbers, dtype=torch.long), persistent=False)
        self.register_buffer("places", torch.tensor(within, dtype=torch.long), persistent=False)

    def forward(self, raw: Float[Tensor, "N W"], z: Float[Tensor, "N z"]) -> Float[Tensor, "N W"]:
        """`z` is the latent that draws."""
        rows = torch.tanh(raw)
        if not len(self.hot):
            return rows
        logits = raw + dice.gumbel(z, raw.shape[1]) if self.drawn else raw
        padded = nn.functional.pad(logits / self.temperature, (0, 1), value=float("-inf"))
        shares = padded[:, self.groups].softmax(2).flatten(1)
        return rows.index_copy(1, self.hot, shares[:, self.places])


def split(known: Float[Tensor, "N W"]) -> tuple[Float[Tensor, "N W"], Bool[Tensor, "N W"]]:
    """What is known of rows, 0 where nothing is, and where something is."""
    return known.nan_to_num(0.0), ~known.isnan()


def starts(blocks: Sequence[Block]) -> list[int]:
    """The first number of every block: one of each is enough to say whether it is known."""
    return [block.start for block in blocks]
