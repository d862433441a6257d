"""The networks of CTGAN: rows on one condition, a category of one column.

Xu et al. 2019 (arXiv:1907.00503), section 4.4: two residual layers that concatenate, a critic of packs with dropout; section
4.3: the condition, and a cross-entropy that holds G to it. A condition is a one-hot among all categories of all columns; here it
is the place of its 1, and a layer looks up the column of its weights instead of multiplying by zeros.

Axes: N batch, M packs, W numbers of a row, C categories of all columns, Z latent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from tightrope.core.blocks import Block
from tightrope.networks.layers import dice
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.rows import Gates, Heads
from tightrope.networks.shapes import widened

Rows = Float[Tensor, "N W"]
Places = Int64[Tensor, " N"]
Counts = Float[Tensor, " k"]


def asked(blocks: Sequence[Block]) -> list[Block]:
    """The blocks of which a condition is one category: those of columns of categories, not of a number's modes."""
    return [block for block in blocks if block.kind == "onehot" and block.role != "mode"]


def numbers(blocks: Sequence[Block]) -> Tensor:
    """Where in the row the C categories are."""
    return torch.tensor([place for block in asked(blocks) for place in range(block.start, block.stop)], dtype=torch.long)


class Conditions(nn.Module):
    """What is known of rows -> one known category of each, the rarest; where none is known one is drawn from the latent.

    The drawn one is of a column by equal chances and a category by its share of the data.

    Args:
        counts: of each block of `asked(blocks)`, how many rows have each category.
    """

    places: Tensor
    block: Tensor
    shares: Tensor
    ends: Tensor

    def __init__(self, blocks: Sequence[Block], counts: Sequence[Counts]) -> None:
        super().__init__()
        self.width = blocks[-1].stop
        shares = torch.cat([count / count.sum() for count in counts]) if counts else torch.zeros(0)
        self.register_buffer("places", numbers(blocks), persistent=False)
        owners = [i for i, block in enumerate(asked(blocks)) for _ in range(block.size)]  # which one each category is of
        self.register_buffer("block", torch.tensor(owners, dtype=torch.long), persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("ends", shares.double().cumsum(0), persistent=False)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | Places | None = None) -> Places:
        """`known`: NaN where nothing is, None where nothing is of any; or the categories themselves."""
        if known is not None and not known.is_floating_point():
            return known
        chance = dice.uniform(z, 1, skip=self.width)[:, 0]  # the numbers before it draw the categories
        drawn = torch.searchsorted(self.ends, chance.double() * self.ends[-1], right=True).clamp(max=len(self.places) - 1)
        if known is None:
            return drawn
        there = known.index_select(1, self.places) > 0.5
        rarity = self.shares.expand(len(z), -1).masked_fill(~there, 2.0)
        share, rarest = rarity.min(1)
        return torch.where(share < 2, rarest, drawn)

    def alike(self, place: Places) -> Bool[Tensor, "N C"]:
        """Which categories are of the same block as each row's."""
        return self.block[place, None] == self.block


def category(known: Rows | Places | None, places: Int64[Tensor, " C"]) -> Places | None:
    """Of rows of which one category is known, which of those at `places`; None where there is none. A category stays itself."""
    if known is None or not known.is_floating_point():
        return known
    return known.index_select(1, places).nan_to_num_(0.0).argmax(1) if len(places) else None


class Beside(nn.Module):
    """A linear layer of an input and the one-hots of categories beside it, whose weights are looked up.

    It begins as `nn.Linear` of all of them would.
    """

    def __init__(self, size: int, categories: int, out: int) -> None:
        super().__init__()
        whole = nn.Linear(size + categories, out)
        dense, looked_up = whole.weight.detach().split([size, categories], 1)
        self.weight, self.bias = nn.Parameter(dense.clone()), whole.bias
        self.table = nn.Parameter(looked_up.t().clone(memory_format=torch.contiguous_format)) if categories else None

    def forward(self, x: Float[Tensor, "N _"], place: Int64[Tensor, "N p"] | None = None) -> Float[Tensor, "N out"]:
        """`place`: of p categories a row, whose weights add up; None: of none."""
        y = F.linear(x, self.weight, self.bias)
        return y if place is None or self.table is None else y + F.embedding_bag(place, self.table, mode="sum")


class Chain(nn.Module):
    """Layers of which each sees a category, the first input, and what all layers before it gave: h <- h (+) ReLU(BN(FC(h))).

    Each input is multiplied once, by the weights of all layers that see it. They begin as `nn.Linear` of inputs side by side.

    Args:
        size: of the first input.
        outs: of each layer; the last is affine alone.
    """

    def __init__(self, size: int, categories: int, outs: Sequence[int]) -> None:
        super().__init__()
        sizes, self.outs = [size, *outs[:-1]], tuple(outs)
        whole = [nn.Linear(sum(sizes[: i + 1]) + categories, out) for i, out in enumerate(outs)]
        parts = [layer.weight.detach().split([*sizes[: i + 1], categories], 1) for i, layer in enumerate(whole)]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.cat([part[i] for part in parts[i:]])) for i in range(len(outs))
        )  # (all outs from i on, size of input i)
        self.bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in whole]))
        table = torch.cat([part[-1] for part in parts]).t()
        self.table = nn.Parameter(table.clone(memory_format=torch.contiguous_format)) if categories else None
        self.norms = nn.ModuleList(nn.BatchNorm1d(out) for out in outs[:-1])

    def forward(self, x: Float[Tensor, "N _"], place: Places | None = None) -> Float[Tensor, "N out"]:
        first, *others = self.weights
        y = F.linear(x, first, self.bias)
        if place is not None and self.table is not None:
            y = y + F.embedding(place, self.table)
        for out, norm, weight in zip(self.outs, self.norms, others, strict=False):
            mine, y = y.split([out, y.shape[1] - out], 1)
            y = y + F.linear(F.relu(norm(mine.contiguous())), weight)
        return y


class CTGANGenerator(nn.Module):
    """Latents and what is known -> rows: a `Chain` of `depth` layers of `width` from z (+) cond, then `Heads`."""

    def __init__(
        self, z: int, blocks: Sequence[Block], counts: Sequence[Counts], *, width: int, depth: int, temperature: float
    ) -> None:
        super().__init__()
        self.conditions = Conditions(blocks, counts)
        self.layers = Chain(z, len(self.conditions.places), [*[width] * depth, blocks[-1].stop])
        self.heads, self.gates = Heads(blocks, temperature=temperature), Gates(blocks)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | Places | None = None) -> Rows:
        """`known`: what is known of each row, or its category."""
        return self._rows(self._raw(z, self.conditions(z, known) if len(self.conditions.places) else None), z)

    def learned(self, z: Float[Tensor, "N Z"], place: Places | None) -> tuple[Rows, Float[Tensor, ""]]:
        """The same, and the cross-entropy between the category and the logits of its column (section 4.3)."""
        raw = self._raw(z, place)
        if place is None:
            return self._rows(raw, z), z.new_zeros(())
        logits = raw.index_select(1, self.conditions.places)
        others = logits.masked_fill(~self.conditions.alike(place), float("-inf"))
        missed = others.logsumexp(1) - logits.gather(1, place[:, None])[:, 0]
        return self._rows(raw, z), missed.mean()

    def _raw(self, z: Float[Tensor, "N Z"], place: Places | None) -> Rows:
        return widened(self.layers(z, place))

    def _rows(self, raw: Rows, z: Float[Tensor, "N Z"]) -> Rows:
        rows: Tensor = self.gates(self.heads(raw, z))
        return rows


class CTGANCritic(nn.Module):
    """`pack` rows with their conditions side by side -> one number: `depth` layers of `width`, LeakyReLU 0.2 and dropout."""

    places: Tensor
    offsets: Tensor

    def __init__(self, blocks: Sequence[Block], *, width: int, depth: int, pack: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("places", numbers(blocks), persistent=False)
        self.register_buffer("offsets", torch.arange(pack) * len(self.places), persistent=False)
        self.pack, self.dropout = pack, dropout
        self.first = Beside(pack * blocks[-1].stop, pack * len(self.places), width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, 1)

    def forward(self, rows: Rows, known: Rows | Places | None = None) -> Float[Tensor, " M"]:
        """`known`: what is known of each row, one category, or the category itself; None: there is no condition."""
        place = category(known, self.places)
        packs = None if place is None else place.view(-1, self.pack) + self.offsets
        x = self._bent(self.first(rows.reshape(len(rows) // self.pack, -1), packs))
        for layer in self.layers:
            x = self._bent(layer(x))
        return widened(self.last(x)[:, 0])

    def _bent(self, x: Float[Tensor, "M _"]) -> Float[Tensor, "M _"]:
        x = rectified(x, 0.2)
        if not (self.training and self.dropout):
            return x
        kept = torch.rand(x.shape, device=x.device) >= self.dropout  # a third of the time of F.dropout on a CPU
        return x * (kept.to(x.dtype) / (1 - self.dropout))
