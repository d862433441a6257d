"""Critics of patches: a logit for every piece of a picture, none for the whole. Axis: N batch, C channel, H W.

Li & Wand 2016; Isola et al. 2017, "Image-to-image translation with conditional adversarial networks", sections 3.2.2 and 6.1.2:
C64-C128-C256-C512 sees 70x70 pixels, 1x1 convolutions see one. Wang et al. 2018 (pix2pixHD) pad by 2.
Names are those of the widely used PyTorch versions (`model.0.weight`, `net.0.weight`).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.convolution import FastConv2d
from tightrope.networks.shapes import widened
from tightrope.networks.start import small
from tightrope.networks.translation import Norm

Maps = Float[Tensor, "n c h w"]
SLOPE = 0.2  # of every leaky rectifier
DEEPEST = 3  # channels are doubled so often


class PatchCritic(nn.Module):
    """4x4 convolutions: `layers` that halve, one that does not, and the logits'.

    Args:
        layers: 3 see 70 pixels, 1 sees 16, 5 see 286.
        norm: behind all convolutions but the first and the last.
        bias: of the convolutions before it.
        pad: pixels on each side.
        sigmoid: probabilities instead of logits, as early versions had them.
    """

    def __init__(
        self,
        inputs: int = 3,
        *,
        width: int = 64,
        layers: int = 3,
        norm: Norm = nn.BatchNorm2d,
        bias: bool = False,
        pad: int = 1,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        widths = [width << min(k, DEEPEST) for k in range(layers + 1)]
        stack: list[nn.Module] = [FastConv2d(inputs, width, 4, 2, pad), nn.LeakyReLU(SLOPE)]
        for k in range(1, layers + 1):
            stride = 2 if k < layers else 1
            conv = FastConv2d(widths[k - 1], widths[k], 4, stride, pad, bias=bias)
            stack += [conv, norm(widths[k]), nn.LeakyReLU(SLOPE)]
        stack.append(nn.Conv2d(widths[-1], 1, 4, 1, pad))
        self.model = nn.Sequential(*stack, *([nn.Sigmoid()] if sigmoid else []))
        self.inputs, self.width, self.layers, self.pad = inputs, width, layers, pad
        self.apply(small)

    def forward(self, x: Maps) -> Float[Tensor, "n 1 h2 w2"]:
        return widened(self.model(x))

    def features(self, x: Maps) -> list[Maps]:
        """What comes out of every rectifier, and the logits last: for feature matching (Wang et al. 2018, equation 4)."""
        found = []
        for layer in self.model:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                found.append(x)
        return [*found, widened(x)]


class PixelCritic(nn.Module):
    """1x1 convolutions: a logit for every pixel's colour."""

    def __init__(self, inputs: int = 3, *, width: int = 64, norm: Norm = nn.BatchNorm2d, bias: bool = False) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(inputs, width, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, 2 * width, 1, bias=bias),
            norm(2 * width),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )
        self.inputs, self.width = inputs, width
        self.apply(small)

    def forward(self, x: Maps) -> Float[Tensor, "n 1 h w"]:
        return widened(self.net(x))
