"""The residual networks of WGAN-GP, SN-GAN, projection, SAGAN and BigGAN. Axis: N batch, Z latent, C H W, K classes.

Gulrajani et al. 2017 (appendix), Miyato et al. 2018 (tables 4 to 6), Miyato & Koyama 2018, Zhang et al. 2019, Brock et al. 2019
(appendix B) build their networks of the same two blocks: these. Parameter names are those of the PyTorch BigGAN. Resampling is
joined with the convolution beside it, and the 1x1 shortcut works at the lower resolution: the same function, less arithmetic.
Run: `tightrope train wgan_gp fashion`, `tightrope train sngan fashion --network resnet`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.labels import weights
from tightrope.networks.layers.attention import SelfAttention
from tightrope.networks.layers.normalisation import ConditionalBatchNorm2d, SelfModulation2d
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.layers.resampled import down_convolution, up_convolution
from tightrope.networks.layers.spectral import SNConv2d, SNEmbedding, SNLinear
from tightrope.networks.shapes import doublings, widened

Maps = Float[Tensor, "n c h w"]
FLAT = 32  # pixels: up to here all stages are equally wide


@dataclasses.dataclass(frozen=True)
class Kit:
    """What a network is made of.

    Attributes:
        conv, linear: as nn.Conv2d and nn.Linear are called.
        embedding: (classes, width) -> a map of shares of classes (N, K) to (N, width).
        norm: channels -> what stands before a block's rectifiers.
    """

    conv: Callable[..., nn.Conv2d] = nn.Conv2d
    linear: Callable[..., nn.Linear] = nn.Linear
    embedding: Callable[[int, int], nn.Module] = lambda classes, width: nn.Linear(classes, width, bias=False)
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d


BARE = Kit(norm=lambda channels: nn.Identity())
SPECTRAL = Kit(conv=SNConv2d, linear=SNLinear, embedding=SNEmbedding, norm=lambda channels: nn.Identity())


@dataclasses.dataclass(frozen=True)
class Stage:
    """One block of a critic: its outputs, whether it halves the resolution, whether self-attention follows it.

    `inner` is the channels between its convolutions where it has its own; 0 leaves them to the critic.
    """

    width: int
    down: bool
    attention: bool = False
    inner: int = 0


def flat(size: int, width: int) -> dict[int, int]:
    """Channels at each resolution from `size` down to 4: `width` up to 32 px, halved with every doubling beyond."""
    return {r: max(1, width * FLAT // max(FLAT, r)) for r in _resolutions(size)}


def pyramid(size: int, width: int, most: int = 16) -> dict[int, int]:
    """Channels at each resolution from `size` down to 4: `width` at `size`, doubled with every halving, `most` times at most."""
    return {r: width * min(most, size // r) for r in _resolutions(size)}


def _resolutions(size: int) -> list[int]:
    return [size >> k for k in range(doublings(size, start=4, family="the residual family") + 1)]


def mirrored(widths: dict[int, int], last: int = 4, plain: int = 1, attention: int = 0) -> list[Stage]:
    """A critic's stages: halving from the image's resolution to `last`, then `plain` blocks there.

    A block that starts at some resolution has the channels of that resolution. `attention` is a resolution, 0 for none.

    Raises:
        InputError: no block ends at the resolution of the attention.
    """
    high = [r for r in sorted(widths, reverse=True) if r > last]
    if attention and 2 * attention not in high:
        ends = ", ".join(str(r // 2) for r in high)
        raise InputError(
            f"--attention {attention}: the critic has no block that ends at {attention} px here; choose from 0, {ends}."
        )
    return [Stage(widths[r], True, r // 2 == attention) for r in high] + [Stage(widths[last], False)] * plain


def glorot(net: nn.Module) -> None:
    """Uniform with variance 2 / (fan in + fan out), twice that in the 3x3 convolutions of blocks (WGAN-GP, SN-GAN)."""
    norms = [m for m in net.modules() if isinstance(m, (ConditionalBatchNorm2d, SelfModulation2d))]
    own = {m for norm in norms for m in norm.modules()}  # these start as the identity
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module not in own:
            inside = name.rsplit(".", 1)[-1] in ("conv1", "conv2")
            nn.init.xavier_uniform_(module.weight, math.sqrt(2) if inside else 1.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _normalised(norm: nn.Module, x: Maps, y: Tensor | None) -> Maps:
    return rectified(norm(x) if y is None else norm(x, y))


class GBlock(nn.Module):
    """Norm, ReLU, twice the resolution, 3x3, norm, ReLU, 3x3, beside a 1x1 shortcut. `y` is what the norms are conditioned on."""

    def __init__(self, inputs: int, outputs: int, kit: Kit) -> None:
        super().__init__()
        self.bn1, self.bn2 = kit.norm(inputs), kit.norm(outputs)
        self.conv1 = kit.conv(inputs, outputs, 3, padding=1)
        self.conv2 = kit.conv(outputs, outputs, 3, padding=1)
        self.conv_sc = kit.conv(inputs, outputs, 1)

    def forward(self, x: Maps, y: Float[Tensor, "n y"] | None = None) -> Maps:
        h = up_convolution(_normalised(self.bn1, x, y), self.conv1)
        h = self.conv2(_normalised(self.bn2, h, y))
        return h + F.interpolate(self.conv_sc(x), scale_factor=2)


class DBlock(nn.Module):
    """Norm, ReLU, 3x3, norm, ReLU, 3x3, 2x2 means if `down`, beside a shortcut that is 1x1 unless nothing changes.

    Args:
        first: the block that sees the image: its first norm and ReLU are left out.
        inner: channels between the two convolutions (BigGAN: the outputs; the others: the inputs, but in the first block).
    """

    def __init__(self, inputs: int, outputs: int, kit: Kit, *, down: bool, first: bool = False, inner: int = 0) -> None:
        super().__init__()
        inner = inner or (outputs if first else inputs)
        self.down, self.first = down, first
        self.bn1, self.bn2 = nn.Identity() if first else kit.norm(inputs), kit.norm(inner)
        self.conv1 = kit.conv(inputs, inner, 3, padding=1)
        self.conv2 = kit.conv(inner, outputs, 3, padding=1)
        self.conv_sc = kit.conv(inputs, outputs, 1) if down or inputs != outputs else None

    def forward(self, x: Maps) -> Maps:
        h = self.conv1(x if self.first else rectified(self.bn1(x)))
        h = rectified(self.bn2(h))
        h = down_convolution(h, self.conv2) if self.down else self.conv2(h)
        short = F.avg_pool2d(x, 2) if self.down else x
        return h + (short if self.conv_sc is None else self.conv_sc(short))


class ResNetGenerator(nn.Module):
    """Latent -> 4x4 -> one block a doubling -> norm, ReLU, 3x3, tanh.

    Args:
        z: latent dimension.
        channels: of the image.
        widths: channels at each resolution from the image's down to 4 (`flat`, `pyramid`).
        kit: its `norm` is conditional if `classes` is not 0: norm(x, shares of classes).
        attention: resolution at which there is self-attention; 0 for none.
    """

    def __init__(
        self, z: int, channels: int, *, widths: dict[int, int], kit: Kit | None = None, classes: int = 0, attention: int = 0
    ) -> None:
        super().__init__()
        kit = kit or Kit()
        stages = sorted(widths)
        self.classes = classes
        self.linear = kit.linear(z, widths[4] * 16)
        self.blocks = nn.ModuleList()
        for low, high in zip(stages[:-1], stages[1:], strict=True):
            stage: list[nn.Module] = [GBlock(widths[low], widths[high], kit)]
            stage += [SelfAttention(widths[high], conv=kit.conv)] if high == attention else []
            self.blocks.append(nn.ModuleList(stage))
        last = widths[stages[-1]]
        self.output_layer = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU(), kit.conv(last, channels, 3, padding=1), nn.Tanh())
        glorot(self)

    def forward(self, z: Float[Tensor, "n z"], labels: Tensor | None = None) -> Maps:
        y = weights(labels, self.classes) if labels is not None and self.classes else None
        x = self.linear(z).unflatten(1, (-1, 4, 4))
        for stage in self.blocks:
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x, y) if isinstance(layer, GBlock) else layer(x)
        return widened(self.output_layer(x))


class ResNetCritic(nn.Module):
    """Image -> blocks -> ReLU -> sum or mean over pixels -> one logit, plus the projection on the class's vector.

    Projection (Miyato & Koyama 2018, equation 3): logit = <embed(y), h> + linear(h), h the pooled features.

    Args:
        channels: of the image.
        stages: its blocks, from the image on.
        classes: 0 for none.
        wide: the inner channels of a block are its outputs (BigGAN), not its inputs.
        pool: "sum" or "mean".
    """

    def __init__(
        self, channels: int, *, stages: Sequence[Stage], kit: Kit = BARE, classes: int = 0, wide: bool = False, pool: str = "sum"
    ) -> None:
        super().__init__()
        self.classes, self.pool = classes, pool
        self.blocks = nn.ModuleList()
        before = channels
        for stage in stages:
            first, inner = not self.blocks, stage.inner or (stage.width if wide else 0)
            layers: list[nn.Module] = [DBlock(before, stage.width, kit, down=stage.down, first=first, inner=inner)]
            layers += [SelfAttention(stage.width, conv=kit.conv)] if stage.attention else []
            self.blocks.append(nn.Sequential(*layers))
            before = stage.width
        self.linear = kit.linear(before, 1)
        self.embed = kit.embedding(classes, before) if classes else None
        glorot(self)

    def features(self, x: Maps) -> Float[Tensor, "n f"]:
        for stage in self.blocks:
            x = stage(x)
        x = rectified(x)
        return x.sum((2, 3)) if self.pool == "sum" else x.mean((2, 3))

    def forward(self, x: Maps, labels: Tensor | None = None) -> Float[Tensor, " n"]:
        h = self.features(x)
        logits = self.linear(h).squeeze(1)
        if self.embed is not None and labels is not None:
            logits = logits + (self.embed(weights(labels, self.classes)) * h).sum(1)
        return widened(logits)
