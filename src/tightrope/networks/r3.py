"""R3GAN's residual networks: no normalisation, grouped convolutions, interpolating resamplers. Axis: N, Z, K classes, C H W.

Huang et al. 2024, "The GAN is dead; long live the GAN!", section 4 and appendix. Written from the paper's description.
Run: `tightrope train r3gan emoji`.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.labels import weights
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.shapes import widened

SLOPE = 0.2
RECTIFIER_GAIN = math.sqrt(2 / (1 + SLOPE**2))


def _normal(weight: Tensor, gain: float = 1.0) -> None:
    """N(0, gain^2 / fan_in)."""
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))


def _pointwise(inputs: int, outputs: int, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 1, bias=False)
    _normal(layer.weight, gain)
    return layer


def _filter() -> Float[Tensor, "1 1 4 4"]:
    """[1, 2, 1] * [1, 1] = [1, 3, 3, 1] in both directions, of sum 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return (torch.outer(taps, taps) / 64)[None, None]


class Upsample(nn.Module):
    """Twice the resolution by the [1,3,3,1] filter, as one depth-wise transposed convolution in fp32."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taps", _filter(), persistent=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        with torch.autocast(x.device.type, enabled=False):
            weight = (4 * self.taps).expand(x.shape[1], 1, 4, 4)
            return F.conv_transpose2d(x.to(self.taps.dtype), weight, stride=2, padding=1, groups=x.shape[1]).to(x.dtype)


class Downsample(nn.Module):
    """Half the resolution by the same filter."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taps", _filter(), persistent=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        with torch.autocast(x.device.type, enabled=False):
            weight = self.taps.expand(x.shape[1], 1, 4, 4)
            return F.conv2d(x.to(self.taps.dtype), weight, stride=2, padding=1, groups=x.shape[1]).to(x.dtype)


class BiasedRectifier(nn.Module):
    """Add a bias a channel, then a leaky rectifier of gain 1 (the initialisation carries the gain)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return rectified(x + self.bias.to(x.dtype)[:, None, None], SLOPE)


class Block(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), `expansion` times as wide inside; the last layer starts at zero.

    Args:
        channels: C outside.
        groups: of the 3x3 convolution ("cardinality").
        blocks: residual blocks of the whole network; the initial gain falls with its fourth root.
    """

    def __init__(self, channels: int, groups: int, blocks: int, expansion: int = 2) -> None:
        super().__init__()
        inner = expansion * channels
        gain = RECTIFIER_GAIN * blocks**-0.25
        self.expand = _pointwise(channels, inner, gain)
        self.act1 = BiasedRectifier(inner)
        self.grouped = nn.Conv2d(inner, inner, 3, padding=1, groups=groups, bias=False)
        _normal(self.grouped.weight, gain)
        self.act2 = BiasedRectifier(inner)
        self.reduce = _pointwise(inner, channels, 0.0)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.reduce(self.act2(self.grouped(self.act1(self.expand(x)))))


def _staged(stages: nn.Sequential, x: Tensor, half: Collection[int]) -> Tensor:
    """All stages; those in `half` in bf16 and then the others in fp32, whatever surrounds them, as the authors computed them."""
    if not half:
        return stages(x)
    for index, stage in enumerate(stages):
        x = _in_precision(stage, x, index in half)
    return x


def _in_precision(layer: nn.Module, x: Tensor, half: bool) -> Tensor:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        return layer(x.to(torch.bfloat16 if half else torch.float32))


def _of_class(labels: Tensor | None, classes: int, like: Tensor) -> Float[Tensor, "n k"]:
    """Labels (N,), or shares of classes (N, K), as rows that a linear layer takes."""
    if labels is None:
        raise ValueError("this network works by class: pass labels")
    return weights(labels, classes).to(like.dtype)


class R3Generator(nn.Module):
    """A learned 4x4 basis scaled by an affine map of z, then one stage of blocks a resolution, then 1x1 to colours.

    Args:
        z: latent dimension.
        channels: of the image.
        widths: channels of each stage, from 4x4 upwards (K stages end at 4 * 2^(K-1) pixels).
        groups: groups of each stage's 3x3 convolutions.
        blocks: residual blocks of each stage.
        expansion: how much wider blocks are inside.
        classes: K; a vector of the class, `embedded` wide (as wide as z unless told), is concatenated to z. 0 for none.
        half: stages (0 is 4x4) that are computed in bf16; without any, precision is the caller's, by autocast.
    """

    def __init__(
        self,
        z: int,
        channels: int,
        *,
        widths: list[int],
        groups: list[int],
        blocks: list[int],
        expansion: int = 2,
        classes: int = 0,
        embedded: int = 0,
        half: Collection[int] = (),
    ) -> None:
        super().__init__()
        total, self.classes, self.in_bf16 = sum(blocks), classes, frozenset(half)
        vector = (embedded or z) if classes else 0
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.scale = nn.Linear(z + vector, widths[0], bias=False)
        _normal(self.scale.weight)
        stages: list[nn.Module] = []
        before = widths[0]
        for index, (width, group, count) in enumerate(zip(widths, groups, blocks, strict=True)):
            layers: list[nn.Module] = []
            if index:
                layers += [_pointwise(before, width)] if before != width else []
                layers.append(Upsample())
            layers += [Block(width, group, total, expansion) for _ in range(count)]
            stages.append(nn.Sequential(*layers))
            before = width
        self.stages = nn.Sequential(*stages)
        self.to_image = _pointwise(before, channels)
        self.embed = nn.Linear(classes, vector, bias=False) if classes else None
        if self.embed is not None:
            _normal(self.embed.weight)

    def forward(self, z: Float[Tensor, "n z"], labels: Tensor | None = None) -> Float[Tensor, "n c h w"]:
        if self.embed is not None:
            z = torch.cat([z, self.embed(_of_class(labels, self.classes, z))], 1)
        x = self.basis * self.scale(z)[:, :, None, None]
        x = _staged(self.stages, x, self.in_bf16)
        return widened(
            _in_precision(self.to_image, x, len(self.stages) - 1 in self.in_bf16) if self.in_bf16 else self.to_image(x)
        )


class R3Critic(nn.Module):
    """The mirror image of `R3Generator`: `widths`, `groups` and `blocks` run from the full resolution down to 4x4.

    With `classes` the logit is the product of what it sees with the class's vector, `embedded` wide (as wide as the last stage
    unless told).
    """

    def __init__(
        self,
        channels: int,
        *,
        widths: list[int],
        groups: list[int],
        blocks: list[int],
        expansion: int = 2,
        classes: int = 0,
        embedded: int = 0,
        half: Collection[int] = (),
    ) -> None:
        super().__init__()
        total, self.classes, self.in_bf16 = sum(blocks), classes, frozenset(half)
        vector = (embedded or widths[-1]) if classes else 1
        self.from_image = _pointwise(channels, widths[0])
        stages: list[nn.Module] = []
        for index, (width, group, count) in enumerate(zip(widths, groups, blocks, strict=True)):
            layers: list[nn.Module] = [Block(width, group, total, expansion) for _ in range(count)]
            if index + 1 < len(widths):
                after = widths[index + 1]
                layers.append(Downsample())
                layers += [_pointwise(width, after)] if after != width else []
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.basis = nn.Conv2d(widths[-1], widths[-1], 4, groups=widths[-1], bias=False)
        _normal(self.basis.weight)
        self.head = nn.Linear(widths[-1], vector, bias=False)
        _normal(self.head.weight)
        self.embed = nn.Linear(classes, vector, bias=False) if classes else None
        if self.embed is not None:
            _normal(self.embed.weight, vector**-0.5)

    def forward(self, x: Float[Tensor, "n c h w"], labels: Tensor | None = None) -> Float[Tensor, " n"]:
        x = _in_precision(self.from_image, x, 0 in self.in_bf16) if self.in_bf16 else self.from_image(x)
        seen = self.head(self.basis(_staged(self.stages, x, self.in_bf16)).flatten(1))
        if self.embed is None:
            return widened(seen.squeeze(1))
        return widened((seen * self.embed(_of_class(labels, self.classes, seen))).sum(1))
