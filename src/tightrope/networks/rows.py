"""What makes and judges rows: how rows end, what is known of a row beforehand, perceptrons of either player.

Xu et al. 2019 (arXiv:1907.00503), section 4.4: tanh for scalars, a Gumbel softmax for one-hots (Jang et al. 2017; its straight-
through estimator, section 2.2). He et al. 2016: residual layers, after their activations.

Axes: N batch, W numbers of a row, B blocks, Z latent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tightrope.core.blocks import Block
from tightrope.networks.layers import dice
from tightrope.networks.layers.slopes import with_gradient
from tightrope.networks.shapes import widened

Rows = Float[Tensor, "N W"]
SLOPE = 0.2  # of rectifiers, below 0


class Heads(nn.Module):
    """The end of a generator of rows: tanh for scalars, softmax for one-hots, all of them at once.

    Args:
        temperature: of the softmax.
        drawn: Gumbel noise, drawn from the latent, is added before the softmax, so that its greatest number is a draw.
        hard: one-hots are 0 and 1, and gradients those of the softmax (straight through).
    """

    hot: Tensor
    group: Tensor
    groups: Tensor
    firsts: Tensor

    def __init__(self, blocks: Sequence[Block], *, temperature: float = 0.2, drawn: bool = True, hard: bool = False) -> None:
        super().__init__()
        self.temperature, self.drawn, self.hard = temperature, drawn, hard
        hots = [block for block in blocks if block.kind == "onehot"]
        sizes = [block.size for block in hots]
        firsts = [0, *itertools.accumulate(sizes)]
        # each group's numbers side by side, filled up with a number that does not exist
        groups = [[*range(first, first + n), *[firsts[-1]] * (max(sizes) - n)] for first, n in zip(firsts, sizes, strict=False)]
        tables = {
            "hot": [place for block in hots for place in range(block.start, block.stop)],  # where they are in the row
            "group": [i for i, n in enumerate(sizes) for _ in range(n)],  # which one-hot each belongs to
            "groups": groups,
            "firsts": firsts[:-1],
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.tensor(table, dtype=torch.long), persistent=False)

    def forward(self, raw: Rows, z: Float[Tensor, "N Z"]) -> Rows:
        """`z` is the latent that draws."""
        rows = torch.tanh(raw)
        if not len(self.hot):
            return rows
        logits = raw.index_select(1, self.hot)
        return rows.index_copy(1, self.hot, self._shares(logits + dice.gumbel(z, len(self.hot)) if self.drawn else logits))

    def _shares(self, logits: Float[Tensor, "N H"]) -> Float[Tensor, "N H"]:
        """The softmax of each one-hot, or a 1 at its greatest number. Only the greatest are looked for in padded groups."""
        padded = nn.functional.pad(logits.detach(), (0, 1), value=float("-inf")).index_select(1, self.groups.flatten())
        top, at = padded.view(len(logits), *self.groups.shape).max(2)
        first = torch.zeros_like(logits).scatter_(1, at + self.firsts, 1.0) if self.hard else None
        if first is not None and not logits.requires_grad:
            return first
        high = ((logits - top.index_select(1, self.group)) / self.temperature).exp()
        shares = high / torch.zeros_like(top).index_add(1, self.group, high).index_select(1, self.group)
        return shares if first is None else first + shares - shares.detach()


class Gates(nn.Module):
    """Scalars that count in some modes of their column alone are 0 in the others: times the sum of the numbers that open them."""

    scalars: Tensor
    openers: Tensor

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__()
        gated = [block for block in blocks if block.gate]
        most, nowhere = max((len(block.gate) for block in gated), default=0), blocks[-1].stop
        table = [[*block.gate, *[nowhere] * (most - len(block.gate))] for block in gated]
        self.register_buffer("scalars", torch.tensor([b.start for b in gated], dtype=torch.long), persistent=False)
        self.register_buffer("openers", torch.tensor(table, dtype=torch.long).reshape(len(gated), most), persistent=False)

    def forward(self, rows: Rows) -> Rows:
        if not len(self.scalars):
            return rows
        openers = nn.functional.pad(rows, (0, 1)).index_select(1, self.openers.flatten())
        open = openers.view(len(rows), *self.openers.shape).sum(2)
        return rows.index_copy(1, self.scalars, rows.index_select(1, self.scalars) * open)


class RowGenerator(nn.Module):
    """Latents and what is known -> rows in which that is in its place: `depth` residual layers of `width`, and `Heads`.

    Args:
        heads: keywords of `Heads`.
    """

    starts: Tensor

    def __init__(self, z: int, blocks: Sequence[Block], *, width: int, depth: int, **heads: float | bool) -> None:
        super().__init__()
        row = blocks[-1].stop
        self.register_buffer("starts", torch.tensor(starts(blocks)), persistent=False)
        self.latent = nn.Linear(z, width)
        self.given = nn.Linear(row + len(blocks), width, bias=False)
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))
        self.last = nn.Linear(width, row)
        self.heads, self.gates = Heads(blocks, **heads), Gates(blocks)  # type: ignore[arg-type]

    def forward(self, z: Float[Tensor, "N Z"], known: Rows | None = None) -> Rows:
        """`known`: NaN where nothing is; None: nowhere is anything."""
        x = self.latent(z)
        values = there = None
        if known is not None:
            values, there = split(known.to(x.dtype))
            x = x + self.given(torch.cat([values, there[:, self.starts].to(values.dtype)], 1))
        for layer in self.layers:
            x = layer(x)
        rows = self.heads(widened(self.last(nn.functional.leaky_relu(x, SLOPE))), z)
        if there is not None and values is not None:
            return torch.where(there, values, self.gates(torch.where(there, values, rows)))
        return self.gates(rows)


class Layer(nn.Module):
    """x + W2 leaky(W1 leaky(x)); W2 begins at 0, so that the whole begins as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "N width"]) -> Float[Tensor, "N width"]:
        return x + self.second(nn.functional.leaky_relu(self.first(nn.functional.leaky_relu(x, SLOPE)), SLOPE))


class RowCritic(nn.Module):
    """Rows, and which of their blocks were known -> one logit each; `depth` layers of `width`."""

    starts: Tensor

    def __init__(self, blocks: Sequence[Block], *, width: int, depth: int) -> None:
        super().__init__()
        self.register_buffer("starts", torch.tensor(starts(blocks)), persistent=False)
        sizes = [blocks[-1].stop + len(blocks), *[width] * depth]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, rows: Rows, known: Rows | None = None) -> Float[Tensor, " N"]:
        return widened(self.layers(self.shown(rows, known)).squeeze(1))

    def with_gradient(self, rows: Rows, known: Rows | None = None) -> tuple[Float[Tensor, " N"], Float[Tensor, "N W"]]:
        """Logits and their gradient in the rows, for penalties."""
        found = with_gradient(self.layers, self.shown(rows, known))
        assert found is not None  # a plain stack
        return found[0], found[1][:, : -len(self.starts)]

    def shown(self, rows: Rows, known: Rows | None) -> Float[Tensor, "N W+B"]:
        """What the first layer sees: rows, and 1 for each block that was known."""
        there = rows.new_zeros(len(rows), len(self.starts)) if known is None else (~known[:, self.starts].isnan()).to(rows.dtype)
        return torch.cat([rows, there], 1)


class Judge:
    """A critic of rows of which this is known, as a function of the rows alone."""

    def __init__(self, critic: nn.Module, known: Rows | None) -> None:
        self.critic, self.known = critic, known

    def __call__(self, rows: Rows) -> Float[Tensor, " N"]:
        return self.critic(rows, self.known)

    def with_gradient(self, rows: Rows) -> tuple[Float[Tensor, " N"], Float[Tensor, "N W"]] | None:
        """For less than autograd does it, where the critic is seen as it is."""
        return self.critic.with_gradient(rows, self.known) if isinstance(self.critic, RowCritic) else None


def split(known: Rows) -> tuple[Rows, Bool[Tensor, "N W"]]:
    """What is known of rows, 0 where nothing is, and where something is."""
    return known.nan_to_num(0.0), ~known.isnan()


def starts(blocks: Sequence[Block]) -> list[int]:
    """The first number of every block: one of each is enough to say whether it is known."""
    return [block.start for block in blocks]
