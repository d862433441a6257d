"""The networks of CTGAN: rows on one condition, a category of one column.

Xu et al. 2019 (arXiv:1907.00503), section 4.4: two residual layers that concatenate, a critic of packs with dropout; section 4.3: the
condition, and a cross-entropy that holds G to it.

Axes: N batch, W numbers of a row, C numbers of a condition, B blocks that conditions are drawn from, K categories of the widest, Z latent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tightrope.core.blocks import Block
from tightrope.networks.layers import dice
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.rows import Gates, Heads

Rows = Float[Tensor, "N W"]
Condition = Float[Tensor, "N C"]


def asked(blocks: Sequence[Block]) -> list[Block]:
    """The blocks of which a condition is one category: those of columns of categories, not of a number's modes."""
    return [block for block in blocks if block.kind == "onehot" and block.role != "mode"]


class Conditions(nn.Module):
    """What is known of rows -> one known category of each, the rarest; where none is known one is drawn from the latent.

    The drawn one is of a column by equal chances and a category by its share of the data (section 4.3, for the trained model).

    Args:
        counts: of each block of `asked(blocks)`, how many rows have each category.
    """

    places: Tensor
    groups: Tensor
    shares: Tensor
    sums: Tensor

    def __init__(self, blocks: Sequence[Block], counts: Sequence[Float[Tensor, " k"]]) -> None:
        super().__init__()
        some, self.width = asked(blocks), blocks[-1].stop
        widest = max((block.size for block in some), default=0)
        table = [[*range(block.start, block.stop), *[self.width] * (widest - block.size)] for block in some]
        shares = torch.zeros(len(some), widest)
        for row, count in zip(shares, counts, strict=True):
            row[: len(count)] = count / count.sum()
        self.register_buffer("groups", torch.tensor(table, dtype=torch.long).reshape(len(some), widest), persistent=False)
        places = [place for block in some for place in range(block.start, block.stop)]
        self.register_buffer("places", torch.tensor(places, dtype=torch.long), persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("sums", shares.cumsum(1), persistent=False)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> tuple[Int64[Tensor, " N"], Int64[Tensor, " N"]]:
        """Block and category of every row; `known`: NaN where nothing is, None where nothing is of any."""
        dealt = dice.uniform(z, self.width + 2)[:, self.width :]  # the numbers before these draw the categories
        block = (dealt[:, 0] * len(self.groups)).long()
        value = (self.sums[block] < dealt[:, 1:]).sum(1).clamp(max=(self.shares[block] > 0).long().cumsum(1).argmax(1))
        if known is None:
            return block, value
        there = ~known[:, self.groups[:, 0]].isnan()
        values = nn.functional.pad(known.nan_to_num(0.0), (0, 1))[:, self.groups].argmax(2)
        share = self.shares.expand(len(z), -1, -1).gather(2, values[:, :, None])[:, :, 0]
        rarest = share.masked_fill(~there, 2.0).argmin(1, keepdim=True)
        some = there.any(1)
        return torch.where(some, rarest[:, 0], block), torch.where(some, values.gather(1, rarest)[:, 0], value)

    def vector(self, block: Int64[Tensor, " N"], value: Int64[Tensor, " N"]) -> Condition:
        """The categories of all columns side by side, 1 at the one asked for (cond of the paper)."""
        whole = torch.zeros(len(block), self.width, device=block.device)
        return whole.scatter_(1, self.groups[block, value][:, None], 1.0)[:, self.places]


class CTGANGenerator(nn.Module):
    """Latents and what is known -> rows: h <- h (+) ReLU(BN(FC(h))) `depth` times from z (+) cond, then `Heads`."""

    def __init__(
        self,
        z: int,
        blocks: Sequence[Block],
        counts: Sequence[Float[Tensor, " k"]],
        *,
        width: int,
        depth: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.conditions = Conditions(blocks, counts)
        size, layers = z + len(self.conditions.places), []
        for _ in range(depth):
            layers.append(nn.Sequential(nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()))
            size += width
        self.layers = nn.ModuleList(layers)
        self.last = nn.Linear(size, blocks[-1].stop)
        self.heads, self.gates = Heads(blocks, temperature=temperature), Gates(blocks)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> Rows:
        return self.made(z, known)[0]

    def made(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> tuple[Rows, Float[Tensor, ""]]:
        """Rows, and the cross-entropy between what was asked for and the logits of that column (section 4.3)."""
        if not len(self.conditions.groups):
            return self._rows(self._raw(z), z), z.new_zeros(())
        block, value = self.conditions(z, known)
        raw = self._raw(torch.cat([z, self.conditions.vector(block, value)], 1))
        padded = nn.functional.pad(raw, (0, 1), value=float("-inf"))
        logits = padded.gather(1, self.conditions.groups[block])
        return self._rows(raw, z), nn.functional.cross_entropy(logits, value)

    def _raw(self, x: Float[Tensor, "N _"]) -> Rows:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        raw: Tensor = self.last(x)
        return raw.to(torch.promote_types(raw.dtype, torch.float32))

    def _rows(self, raw: Rows, z: Float[Tensor, "N Z"]) -> Rows:
        rows: Tensor = self.gates(self.heads(raw, z))
        return rows


class CTGANCritic(nn.Module):
    """`pack` rows with their conditions side by side -> one number: `depth` layers of `width`, LeakyReLU 0.2 and dropout."""

    places: Tensor

    def __init__(self, blocks: Sequence[Block], *, width: int, depth: int, pack: int, dropout: float) -> None:
        super().__init__()
        places = [place for block in asked(blocks) for place in range(block.start, block.stop)]
        self.register_buffer("places", torch.tensor(places, dtype=torch.long), persistent=False)
        self.pack, self.dropout = pack, dropout
        sizes = [pack * (blocks[-1].stop + len(places)), *[width] * depth]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.last = nn.Linear(width, 1)

    def forward(self, rows: Rows, known: Rows | None = None) -> Float[Tensor, " M"]:
        """`known` has the condition, NaN elsewhere; None: there is none."""
        return self.judged(self.packed(rows), self.condition(rows, known))

    def packed(self, rows: Rows) -> Float[Tensor, "M _"]:
        return rows.reshape(len(rows) // self.pack, -1)

    def condition(self, rows: Rows, known: Rows | None) -> Float[Tensor, "M _"]:
        """Of packs; 0 where nothing is known."""
        if known is None:
            return self.packed(rows.new_zeros(len(rows), len(self.places)))
        return self.packed(known[:, self.places].nan_to_num(0.0))

    def judged(self, rows: Float[Tensor, "M _"], condition: Float[Tensor, "M _"]) -> Float[Tensor, " M"]:
        """Of packs."""
        x = torch.cat([rows, condition], 1)
        for layer in self.layers:
            x = nn.functional.dropout(rectified(layer(x), 0.2), self.dropout, self.training)
        number: Tensor = self.last(x)[:, 0]
        return number.to(torch.promote_types(number.dtype, torch.float32))
