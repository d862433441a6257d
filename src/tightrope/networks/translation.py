"""ResNet translators: pictures to pictures of the same size through residual blocks at a lower one. Axis: N, C, H W.

Johnson et al. 2016, "Perceptual losses for real-time style transfer" (the architecture); Zhu et al. 2017, "Unpaired image-to-
image translation", appendix 7.2 (CycleGAN's: c7s1-64, d128, d256, R256 x 9, u128, u64, c7s1-3); Wang et al. 2018, "High-
resolution image synthesis", section 3.2 and appendix 6.1 (pix2pixHD: four halvings, all convolutions biased).
Names are those of the widely used PyTorch versions (`model.10.conv_block.5.weight`). Pictures are in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.layers.tiled import TiledConv2d
from tightrope.networks.shapes import widened
from tightrope.networks.start import small

Maps = Float[Tensor, "n c h w"]
Norm = Callable[[int], nn.Module]  # makes a layer for so many channels; nn.Identity for none
Pad = Callable[[int], nn.Module] | None  # makes a layer that adds so many pixels on each side; None lets convolutions pad with 0


class ResBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), nothing after the sum.

    Args:
        dropout: half of the hidden values, in training.
    """

    def __init__(
        self, width: int, *, norm: Norm, bias: bool = True, dropout: bool = False, pad: Pad = nn.ReflectionPad2d
    ) -> None:
        super().__init__()

        def convolution() -> list[nn.Module]:
            before = [pad(1)] if pad else []
            return [*before, TiledConv2d(width, width, 3, padding=0 if pad else 1, bias=bias), norm(width)]

        half = [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*convolution(), nn.ReLU(), *half, *convolution())

    def forward(self, x: Maps) -> Maps:
        return x + self.conv_block(x)


def _wide(inputs: int, outputs: int, bias: bool = True) -> list[nn.Module]:
    """A 7x7 convolution on a mirrored border."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, outputs, 7, bias=bias)]


def _halving(width: int, norm: Norm, bias: bool) -> list[nn.Module]:
    """To twice the channels at half the size."""
    return [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), norm(2 * width), nn.ReLU()]


def _doubling(width: int, norm: Norm, bias: bool) -> list[nn.Module]:
    """To half the channels at twice the size."""
    return [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1, bias=bias), norm(width // 2), nn.ReLU()]


class ResNetTranslator(nn.Module):
    """CycleGAN's generator, and pix2pixHD's global one. Sides are multiples of 2^downs.

    Args:
        width: channels at full size.
        blocks: residual ones (the paper: 6 at 128 px, 9 from 256 px on).
        downs: halvings (CycleGAN: 2; pix2pixHD: 4).
        norm: layers of it; where they have a shift of their own, as batch normalisation, the paper's convolutions have none.
        bias: of the convolutions.
        pad: what the blocks see beyond the border.
    """

    def __init__(
        self,
        inputs: int = 3,
        outputs: int = 3,
        *,
        width: int = 64,
        blocks: int = 9,
        downs: int = 2,
        norm: Norm = InstanceNorm2d,
        bias: bool = True,
        dropout: bool = False,
        pad: Pad = nn.ReflectionPad2d,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_wide(inputs, width, bias), norm(width), nn.ReLU()]
        for k in range(downs):
            layers += _halving(width << k, norm, bias)
        layers += [ResBlock(width << downs, norm=norm, bias=bias, dropout=dropout, pad=pad) for _ in range(blocks)]
        for k in reversed(range(downs)):
            layers += _doubling(width << (k + 1), norm, bias)
        self.model = nn.Sequential(*layers, *_wide(width, outputs), nn.Tanh())
        self.inputs, self.outputs, self.width, self.blocks, self.downs = inputs, outputs, width, blocks, downs
        self.apply(small)

    def forward(self, x: Maps) -> Maps:
        return widened(self.model(x))

    def features(self, x: Maps, layers: Iterable[int]) -> list[Maps]:
        """What comes out of these places of `model`, in order; what lies behind the last is not computed.

        CUT's contrast (Park et al. 2020) is between such features, at the places 0, 4, 8, 12 and 16.
        """
        wanted, found = set(layers), []
        for place in range(max(wanted, default=-1) + 1):
            x = self.model[place](x)
            if place in wanted:
                found.append(x)
        return found


class LocalEnhancer(nn.Module):
    """pix2pixHD's network for large pictures: a global one on halved pictures, and enhancers around it, one a doubling.

    Enhancer n sees the picture at its size, adds what the one before it (without its last convolution) made, and doubles. Sides
    are multiples of 2^(downs + enhancers).

    Args:
        width: channels of the last enhancer at full size; the global network has twice as many an enhancer.
        downs, blocks: of the global network.
        enhancers: how many.
        local: blocks of each.
    """

    def __init__(
        self,
        inputs: int = 3,
        outputs: int = 3,
        *,
        width: int = 32,
        downs: int = 4,
        blocks: int = 9,
        enhancers: int = 1,
        local: int = 3,
        norm: Norm = InstanceNorm2d,
        pad: Pad = nn.ReflectionPad2d,
    ) -> None:
        super().__init__()
        whole = ResNetTranslator(
            inputs, outputs, width=width << enhancers, blocks=blocks, downs=downs, norm=norm, pad=pad
        )  # its last three layers make a picture
        self.model = whole.model[:-3]
        for n in range(1, enhancers + 1):
            now = width << (enhancers - n)
            before = nn.Sequential(*_wide(inputs, now), norm(now), nn.ReLU(), *_halving(now, norm, True))
            after = [*(ResBlock(2 * now, norm=norm, pad=pad) for _ in range(local)), *_doubling(2 * now, norm, True)]
            last = [*_wide(now, outputs), nn.Tanh()] if n == enhancers else []
            self.add_module(f"model{n}_1", before)
            self.add_module(f"model{n}_2", nn.Sequential(*after, *last))
        self.inputs, self.outputs, self.width, self.downs, self.enhancers = inputs, outputs, width, downs, enhancers
        self.apply(small)

    def forward(self, x: Maps) -> Maps:
        sizes = [x]
        for _ in range(self.enhancers):
            sizes.append(_halved(sizes[-1]))
        y = self.model(sizes[-1])
        for n in range(1, self.enhancers + 1):
            before, after = self.get_submodule(f"model{n}_1"), self.get_submodule(f"model{n}_2")
            y = after(before(sizes[self.enhancers - n]) + y)
        return widened(y)


def _halved(x: Maps) -> Maps:
    """Means over 3x3 pixels, two apart; those beyond the border do not count."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
