"""U-Nets: pictures to pictures, or to a judgement of every pixel, through all sizes and back. Axis: N batch, C channel, H W.

Isola et al. 2017, "Image-to-image translation with conditional adversarial networks", section 6.1.1 (pix2pix's generator: 64,
128, 256 and five times 512 channels and back, half of the hidden values dropped within); Wang et al. 2021, "Real-ESRGAN",
section 3.3 (a critic of every pixel, with spectral normalisation). Names are those of the widely used PyTorch versions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.powered import PoweredConv2d
from tightrope.networks.shapes import widened
from tightrope.networks.start import small
from tightrope.networks.translation import Norm

Maps = Float[Tensor, "n c h w"]
SLOPE = 0.2  # of every leaky rectifier
DEEPEST = 3  # channels are doubled so often
FIRST_DROPPED = 4  # the outermost level that drops values


class Level(nn.Module):
    """One size of a U-Net: halve, the levels within, double, and beside that the input itself.

    The outermost level has no norm where it halves, nothing before it, and no input beside its output; the innermost no norm
    where it halves.
    """

    def __init__(
        self,
        halve: nn.Module,
        inner: nn.Module | None,
        double: nn.Module,
        *,
        norms: tuple[nn.Module | None, nn.Module | None],
        drop: bool = False,
    ) -> None:
        super().__init__()
        on_halved, on_doubled = norms
        self.outermost = on_doubled is None
        before = [] if self.outermost else [nn.LeakyReLU(SLOPE)]
        normed = [on_halved] if inner is not None and on_halved is not None else []
        within = [] if inner is None else [inner]
        after = [nn.Tanh()] if on_doubled is None else [on_doubled, *([nn.Dropout(0.5)] if drop else [])]
        self.model = nn.Sequential(*before, halve, *normed, *within, nn.ReLU(), double, *after)

    def forward(self, x: Maps) -> Maps:
        y = self.model(x)
        return y if self.outermost else torch.cat([x.to(y.dtype), y], 1)


class UNetTranslator(nn.Module):
    """pix2pix's generator. Sides are multiples of 2^downs; pictures are in [-1, 1].

    Args:
        width: channels after the first halving.
        downs: halvings (8 at 256 px, 7 at 128 px, so that one pixel is left).
        norm: of all levels but the outermost.
        bias: of the convolutions beside it; the paper's have none, for batch normalisation has one.
        dropout: in the inner levels, in training: the paper's only noise, which it keeps when the network is used.
    """

    def __init__(
        self,
        inputs: int = 3,
        outputs: int = 3,
        *,
        width: int = 64,
        downs: int = 8,
        norm: Norm = nn.BatchNorm2d,
        bias: bool = False,
        dropout: bool = True,
    ) -> None:
        super().__init__()
        widths = [width << min(k, DEEPEST) for k in range(downs)]
        level: Level | None = None
        for k in reversed(range(downs)):
            above, here = (widths[k - 1] if k else inputs), widths[k]
            halve = FastConv2d(above, here, 4, 2, 1, bias=bias)
            back = outputs if k == 0 else above
            double = FastConvTranspose2d(here if level is None else 2 * here, back, 4, 2, 1, bias=bias or k == 0)
            norms = (norm(here) if level is not None and k else None, norm(above) if k else None)
            level = Level(halve, level, double, norms=norms, drop=dropout and level is not None and k >= FIRST_DROPPED)
        assert level is not None
        self.model = level
        self.inputs, self.outputs, self.width, self.downs = inputs, outputs, width, downs
        self.apply(small)

    def forward(self, x: Maps) -> Maps:
        return widened(self.model(x))


class UNetCritic(nn.Module):
    """Real-ESRGAN's critic: a logit for every pixel. Sides are multiples of 8.

    Args:
        width: channels at full size.
        skip: add the features of the way down on the way up.
    """

    def __init__(self, inputs: int = 3, *, width: int = 64, skip: bool = True) -> None:
        super().__init__()
        w = width
        self.skip = skip
        self.conv0 = nn.Conv2d(inputs, w, 3, padding=1)
        self.conv1, self.conv2, self.conv3 = (PoweredConv2d(w << k, 2 * w << k, 4, 2, 1, bias=False) for k in range(3))
        self.conv4, self.conv5, self.conv6 = (PoweredConv2d(2 * w << k, w << k, 3, 1, 1, bias=False) for k in (2, 1, 0))
        self.conv7, self.conv8 = (PoweredConv2d(w, w, 3, 1, 1, bias=False) for _ in range(2))
        self.conv9 = nn.Conv2d(w, 1, 3, padding=1)

    def forward(self, x: Maps) -> Float[Tensor, "n 1 h w"]:
        halves = [_bent(self.conv0(x))]
        for conv in (self.conv1, self.conv2, self.conv3):
            halves.append(_bent(conv(halves[-1])))
        y = halves.pop()
        for conv in (self.conv4, self.conv5, self.conv6):
            beside = halves.pop()
            y = _bent(conv(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)))
            y = y + beside if self.skip else y
        return widened(self.conv9(_bent(self.conv8(_bent(self.conv7(y))))))


def _bent(x: Maps) -> Maps:
    return F.leaky_relu(x, SLOPE)
