"""BigGAN's generator: every block sees the class and its own share of the latent. Axis: N batch, Z latent, C H W, K classes.

Brock, Donahue & Simonyan 2019, appendix B, figure 15. The critic is `networks.resnet.ResNetCritic`. Parameter names are those of
the authors' PyTorch version. Run: `tightrope train biggan fashion`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.labels import weights
from tightrope.networks.layers.attention import SelfAttention
from tightrope.networks.layers.normalisation import ConditionalBatchNorm2d
from tightrope.networks.layers.spectral import SNConv2d, SNLinear
from tightrope.networks.resnet import GBlock, Kit
from tightrope.networks.shapes import widened

M = TypeVar("M", bound=nn.Module)


def orthogonal_start(net: M) -> M:
    """Orthogonal weights everywhere (Saxe et al. 2014), so that every spectral norm starts at 1."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
            nn.init.orthogonal_(module.weight)
    return net


class _Table(nn.Embedding):
    """A vector a class for shares of classes (N, K): what conditions the norms where classes have no shared vector."""

    def __init__(self, classes: int, width: int, bias: bool = False) -> None:
        super().__init__(classes, width)

    def forward(self, input: Float[Tensor, "n k"]) -> Float[Tensor, "n c"]:
        return input @ self.weight


class BigGANGenerator(nn.Module):
    """The first share of z makes 4x4; each block's gains and biases are linear in (the class's shared vector, its own share).

    Args:
        z: latent dimension.
        channels: of the image.
        widths: channels at each resolution from the image's down to 4 (`resnet.flat`, `resnet.pyramid`).
        classes: K.
        shared: width of the vector of a class; 0 gives every norm a table of its own (and no share of z).
        hierarchical: False gives all of z to the first layer and none to the blocks.
        attention: resolution, or resolutions, at which there is self-attention; 0 for none.
        eps: the least norm of a singular vector.
        norm_eps: of the conditional norms' variances.
    """

    def __init__(
        self,
        z: int,
        channels: int,
        *,
        widths: dict[int, int],
        classes: int,
        shared: int = 128,
        hierarchical: bool = True,
        attention: int | Collection[int] = 0,
        eps: float = 1e-6,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        stages, hierarchical = sorted(widths), hierarchical and bool(shared)
        attended = {attention} if isinstance(attention, int) else set(attention)
        share = z // len(stages) if hierarchical else 0
        if hierarchical and not share:
            raise InputError(f"--z {z}: BigGAN splits the latent over {len(stages)} layers here; take at least {len(stages)}.")
        self.shares = [z - share * (len(stages) - 1)] + [share] * (len(stages) - 1)
        conv, linear = partial(SNConv2d, eps=eps), partial(SNLinear, eps=eps)
        condition = shared + share if shared else classes
        table: Callable[..., Any] = linear if shared else _Table
        kit = Kit(conv=conv, linear=linear, norm=lambda c: ConditionalBatchNorm2d(c, condition, eps=norm_eps, linear=table))
        self.classes = classes
        self.shared = nn.Embedding(classes, shared) if shared else None
        self.linear = linear(self.shares[0], widths[4] * 16)
        self.blocks = nn.ModuleList()
        for low, high in zip(stages[:-1], stages[1:], strict=True):
            stage: list[nn.Module] = [GBlock(widths[low], widths[high], kit)]
            stage += [SelfAttention(widths[high], conv=conv)] if high in attended else []
            self.blocks.append(nn.ModuleList(stage))
        last = widths[stages[-1]]
        self.output_layer = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU(), conv(last, channels, 3, padding=1), nn.Tanh())
        orthogonal_start(self)

    def forward(self, z: Float[Tensor, "n z"], labels: Tensor) -> Float[Tensor, "n c h w"]:
        shares = weights(labels, self.classes)
        return self.of_vectors(z, shares if self.shared is None else shares @ self.shared.weight)

    def of_vectors(self, z: Float[Tensor, "n z"], of_class: Float[Tensor, "n y"]) -> Float[Tensor, "n c h w"]:
        """Images for latents and the classes' shared vectors."""
        first, *rest = z.split(self.shares, 1)
        x = self.linear(first).unflatten(1, (-1, 4, 4))
        for share, stage in zip(rest, self.blocks, strict=True):
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x, torch.cat([of_class, share], 1)) if isinstance(layer, GBlock) else layer(x)
        return widened(self.output_layer(x))
