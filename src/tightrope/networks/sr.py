"""Super-resolution networks: small pictures to large ones. Axis: N batch, C channel, H W pixels, s the scale.

Wang et al. 2018, "ESRGAN: Enhanced super-resolution generative adversarial networks", section 3.1 (dense blocks within residual
blocks, no batch normalisation, residuals scaled by 0.2); Wang et al. 2021, "Real-ESRGAN", section 3.1 (scales below 4 by bringing
pixels into channels first); Shi et al. 2016 (channels to pixels), in Real-ESRGAN's small networks.
Names are those of the widely used PyTorch version (`body.0.rdb1.conv1.weight`). Pictures are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.shapes import widened

Small = Float[Tensor, "n c h w"]
Large = Float[Tensor, "n c s*h s*w"]
SLOPE = 0.2  # of every leaky rectifier of RRDBNet
RESIDUAL = 0.2  # what is left of a residual, section 3.1
STEPS = 4  # RRDBNet doubles twice
START = 0.1  # factor on He et al.'s start, section 3.1


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it; x + 0.2 of the last."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (nn.Conv2d(width + k * growth, growth, 3, padding=1) for k in range(4))
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, padding=1)
        for conv in self.convolutions():
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            with torch.no_grad():
                conv.weight.mul_(START)

    def convolutions(self) -> tuple[nn.Conv2d, ...]:
        """In order."""
        return self.conv1, self.conv2, self.conv3, self.conv4, self.conv5

    def forward(self, x: Small) -> Small:
        known = [x]
        for conv in self.convolutions()[:-1]:
            known.append(_bent(conv(torch.cat(known, 1))))
        return torch.add(x, self.conv5(torch.cat(known, 1)), alpha=RESIDUAL)


class RRDB(nn.Module):
    """Three dense blocks; x + 0.2 of the last."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(width, growth) for _ in range(3))

    def forward(self, x: Small) -> Small:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL)


class RRDBNet(nn.Module):
    """ESRGAN's generator. Sides are multiples of 4 / scale.

    Args:
        scale: 4, or 2 or 1, for which pixels become channels first, so that most of the work is done at a quarter of the size.
        width: channels of the trunk.
        blocks: RRDBs (23; 6 in the network for drawings).
        growth: channels that each convolution of a dense block adds.
    """

    def __init__(
        self, inputs: int = 3, outputs: int = 3, *, scale: int = 4, width: int = 64, blocks: int = 23, growth: int = 32
    ) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise InputError(f"scale {scale}: this network enlarges 4, 2 or 1 times.")
        self.inputs, self.outputs, self.scale = inputs, outputs, scale
        self.folded = STEPS // scale  # pixels a side that become channels
        self.conv_first = nn.Conv2d(inputs * self.folded**2, width, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (nn.Conv2d(width, width, 3, padding=1) for _ in range(4))
        self.conv_last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x: Small) -> Large:
        if x.shape[2] % self.folded or x.shape[3] % self.folded:
            raise InputError(f"a picture of {x.shape[3]} x {x.shape[2]} px: sides must be multiples of {self.folded} here.")
        y = self.conv_first(F.pixel_unshuffle(x, self.folded))
        y = y + self.conv_body(self.body(y))
        for conv in (self.conv_up1, self.conv_up2):
            y = _bent(conv(F.interpolate(y, scale_factor=2, mode="nearest")))
        return widened(self.conv_last(_bent(self.conv_hr(y))))


class SRVGGNet(nn.Module):
    """Real-ESRGAN's compact network: convolutions at the small size, channels to pixels, and the enlarged input added.

    Args:
        scale: of the convolutions.
        width: channels.
        layers: convolutions between the first and the last (16 for video, 32 for general pictures).
        activation: makes the layer behind each, for so many channels.
        final: what the result is enlarged by in all, where that is less: 2 or 3 of 4, by cubic interpolation.
    """

    def __init__(
        self,
        channels: int = 3,
        *,
        scale: int = 4,
        width: int = 64,
        layers: int = 16,
        activation: Callable[[int], nn.Module] = nn.PReLU,
        final: int | None = None,
    ) -> None:
        super().__init__()
        stack: list[nn.Module] = []
        for k in range(layers + 1):
            stack += [nn.Conv2d(width if k else channels, width, 3, padding=1), activation(width)]
        self.body = nn.ModuleList([*stack, nn.Conv2d(width, channels * scale**2, 3, padding=1)])
        self.channels, self.inner, self.scale = channels, scale, final or scale

    def forward(self, x: Small) -> Large:
        y = x
        for layer in self.body:
            y = layer(y)
        y = F.pixel_shuffle(y, self.inner) + F.interpolate(x, scale_factor=self.inner, mode="nearest")
        if self.scale != self.inner:
            factor = self.scale / self.inner
            y = F.interpolate(y, scale_factor=factor, mode="bicubic", align_corners=False)
        return widened(y)


def _bent(x: Small) -> Small:
    return F.leaky_relu(x, SLOPE)
