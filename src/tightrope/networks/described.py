"""Networks for pictures as `core.translation.Translator`, for recipes whose runs are used by `tightrope translate`."""

from __future__ import annotations

from torch import nn

from tightrope.core.translation import Translator
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.layers.tiled import hastened
from tightrope.networks.translation import ResNetTranslator
from tightrope.networks.unet import UNetTranslator

BESIDE = 2  # pixels that a cubic interpolation looks around
TILE = 4  # the blocks' convolutions are fast on sides that are multiples of it
LEAST = 8  # pixels of a side, at least, on whose mirrored border 7x7 convolutions look


def reach(net: nn.Module, multiple: int) -> int:
    """At most how far a pixel looks: all convolutions one behind the other, at the coarsest of the network's sizes."""
    kernels = (layer.kernel_size for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))
    return multiple * (BESIDE + sum(max(size) // 2 for size in kernels))


def takes_means(net: nn.Module) -> bool:
    """It has instance normalisation, which sees the whole picture."""
    return any(isinstance(layer, InstanceNorm2d) and not layer.tracked for layer in net.modules())


def described(net: nn.Module, name: str) -> Translator:
    """A ResNet or U-Net of a run; `name` is the recipe's."""
    if not isinstance(net, ResNetTranslator | UNetTranslator):
        raise TypeError(f"{name}: its network is a {type(net).__name__}, which is not described here")
    coarse = 1 << net.downs  # pixels that become one
    mirrored = isinstance(net, ResNetTranslator)
    return Translator(
        net=hastened(net.eval()), name=name, inputs=net.inputs, outputs=net.outputs,
        multiple=TILE * coarse if mirrored else coarse,
        least=max(LEAST, 2 * coarse) if mirrored else coarse, reach=reach(net, coarse), whole=takes_means(net),
    )  # fmt: skip
