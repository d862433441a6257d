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
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tightrope.core.blocks import Block
from tightrope.networks.layers import dice
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.rows import Gates, Heads

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
    shares: Tensor
    ends: Tensor

    def __init__(self, blocks: Sequence[Block], counts: Sequence[Counts]) -> None:
        super().__init__()
        self.width = blocks[-1].stop
        shares = torch.cat([count / count.sum() for count in counts]) if counts else torch.zeros(0)
        self.register_buffer("places", numbers(blocks), persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("ends", shares.double().cumsum(0), persistent=False)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> Places:
        """`known`: NaN where nothing is, None where nothing is of any."""
        chance = dice.uniform(z, self.width + 1)[:, self.width]  # the numbers before it draw the categories
        drawn = torch.searchsorted(self.ends, chance.double() * self.ends[-1], right=True).clamp(max=len(self.places) - 1)
        if known is None:
            return drawn
        rarity = self.shares.expand(len(z), -1).masked_fill(~(known[:, self.places] > 0.5), 2.0)
        share, rarest = rarity.min(1)
        return torch.where(share < 2, rarest, drawn)

    def given(self, known: Rows) -> Places:
        """Of rows of which one category is known."""
        return known[:, self.places].nan_to_num(0.0).argmax(1)


class Beside(nn.Module):
    """A linear layer of inputs side by side and a category, a weight for each: no gradient goes where none is asked for.

    It begins as `nn.Linear` of all of them would.
    """

    def __init__(self, sizes: Sequence[int], categories: int, out: int) -> None:
        super().__init__()
        whole = nn.Linear(sum(sizes) + categories, out)
        *dense, looked_up = whole.weight.detach().split([*sizes, categories], 1)
        self.weights = nn.ParameterList(nn.Parameter(part.clone()) for part in dense)
        self.table = nn.Parameter(looked_up.t().clone(memory_format=torch.contiguous_format)) if categories else None
        self.bias = whole.bias

    def forward(self, *parts: Float[Tensor, "N _"], place: Int64[Tensor, "N *p"] | None = None) -> Float[Tensor, "N out"]:
        """`place`: of the category, or of several, whose columns add up; None: of none."""
        y = F.linear(parts[0], self.weights[0], self.bias)
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            y = y + F.linear(part, weight)
        if place is None or self.table is None:
            return y
        return y + (F.embedding(place, self.table) if place.dim() == 1 else F.embedding_bag(place, self.table, mode="sum"))


class CTGANGenerator(nn.Module):
    """Latents and what is known -> rows: h <- h (+) ReLU(BN(FC(h))) `depth` times from z (+) cond, then `Heads`."""

    def __init__(
        self, z: int, blocks: Sequence[Block], counts: Sequence[Counts], *, width: int, depth: int, temperature: float
    ) -> None:
        super().__init__()
        self.conditions = Conditions(blocks, counts)
        categories, sizes = len(self.conditions.places), [z, *[width] * depth]
        self.layers = nn.ModuleList(Beside(sizes[: i + 1], categories, width) for i in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.last = Beside(sizes, categories, blocks[-1].stop)
        self.heads, self.gates = Heads(blocks, temperature=temperature), Gates(blocks)

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> Rows:
        raw = self._raw(z, self.conditions(z, known) if len(self.conditions.places) else None)
        return self._rows(raw, z)

    def learned(self, z: Float[Tensor, "N Z"], known: Rows) -> tuple[Rows, Float[Tensor, ""]]:
        """Rows of which one category is known, and the cross-entropy between it and the logits of its column (section 4.3)."""
        if not len(self.conditions.places):
            return self._rows(self._raw(z, None), z), z.new_zeros(())
        place = self.conditions.given(known)
        raw = self._raw(z, place)
        logits = raw[:, self.conditions.places]
        others = logits.masked_fill(known[:, self.conditions.places].isnan(), float("-inf"))
        missed = others.logsumexp(1) - logits.gather(1, place[:, None])[:, 0]
        return self._rows(raw, z), missed.mean()

    def _raw(self, z: Float[Tensor, "N Z"], place: Places | None) -> Rows:
        parts = [z]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            parts.append(F.relu(norm(layer(*parts, place=place))))
        raw: Tensor = self.last(*parts, place=place)
        return raw.to(torch.promote_types(raw.dtype, torch.float32))

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
        self.first = Beside([pack * blocks[-1].stop], pack * len(self.places), width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, 1)

    def forward(self, rows: Rows, known: Rows | None = None) -> Float[Tensor, " M"]:
        """`known` has one category of each row, NaN elsewhere; None: there is no condition."""
        place = None
        if known is not None and len(self.places):
            found = known[:, self.places].nan_to_num(0.0).argmax(1)
            place = found.view(-1, self.pack) + self.offsets
        x = self._bent(self.first(rows.reshape(len(rows) // self.pack, -1), place=place))
        for layer in self.layers:
            x = self._bent(layer(x))
        number: Tensor = self.last(x)[:, 0]
        return number.to(torch.promote_types(number.dtype, torch.float32))

    def _bent(self, x: Float[Tensor, "M _"]) -> Float[Tensor, "M _"]:
        return F.dropout(rectified(x, 0.2), self.dropout, self.training)
