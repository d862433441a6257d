"""The networks of the Wasserstein GAN and of its improved training. Axis: N batch, Z latent, C H W.

Arjovsky, Chintala & Bottou 2017: DCGAN's networks with layers of 3x3 added at the highest resolution, or without batch
normalisation in G, and perceptrons of rectifiers. Gulrajani et al. 2017: a small convolutional pair, and the residual critic with
layer normalisation for 64 px (their other networks are `networks.resnet`).
Run: `tightrope train wgan fashion`, `tightrope train wgan_gp fashion --network conv`.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.normalisation import LayerNorm2d
from tightrope.networks.layers.slopes import with_gradient
from tightrope.networks.resnet import DBlock, Kit, glorot
from tightrope.networks.shapes import doublings, widened


def _initialise(module: nn.Module) -> None:
    """DCGAN's: convolutions from N(0, 0.02), batch norm's gain around 1."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _normed(layer: nn.Module, channels: int, norm: bool, rectifier: nn.Module) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), rectifier] if norm else [layer, rectifier]


class WGANGenerator(nn.Module):
    """DCGAN's generator with `extra` 3x3 layers before the last; `norm` False leaves batch normalisation out."""

    def __init__(self, z: int, *, channels: int, size: int, width: int = 64, extra: int = 0, norm: bool = True) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="WGAN")
        now = width << (steps - 1)
        layers = _normed(FastConvTranspose2d(z, now, 4, 1, 0, bias=False), now, norm, nn.ReLU(True))
        for _ in range(steps - 1):
            now //= 2
            layers += _normed(FastConvTranspose2d(2 * now, now, 4, 2, 1, bias=False), now, norm, nn.ReLU(True))
        for _ in range(extra):
            layers += _normed(nn.Conv2d(now, now, 3, 1, 1, bias=False), now, norm, nn.ReLU(True))
        layers += [FastConvTranspose2d(now, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        return widened(self.main(z[:, :, None, None]))


class WGANCritic(nn.Module):
    """The mirror image: `extra` 3x3 layers after the first, batch normalisation from the second layer on.

    The reference returns the mean over the batch; here each sample has its logit, and the mean is the objective's.
    """

    def __init__(self, *, channels: int, size: int, width: int = 64, extra: int = 0) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="WGAN")
        layers: list[nn.Module] = [FastConv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
        for _ in range(extra):
            layers += _normed(nn.Conv2d(width, width, 3, 1, 1, bias=False), width, True, nn.LeakyReLU(0.2, True))
        now = width
        for _ in range(steps - 1):
            now *= 2
            layers += _normed(FastConv2d(now // 2, now, 4, 2, 1, bias=False), now, True, nn.LeakyReLU(0.2, True))
        layers.append(FastConv2d(now, 1, 4, 1, 0, bias=False))
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.main(x).flatten())


def _perceptron(inputs: int, width: int, outputs: int, depth: int) -> nn.Sequential:
    sizes = [inputs] + [width] * depth
    hidden = [layer for a, b in zip(sizes[:-1], sizes[1:], strict=True) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))


class PerceptronGenerator(nn.Module):
    """Latents -> `depth` layers of rectifiers -> samples of `shape`, with nothing to bound them, as in the reference."""

    def __init__(self, z: int, shape: tuple[int, ...], *, width: int = 512, depth: int = 3) -> None:
        super().__init__()
        self.shape = shape
        self.main = _perceptron(z, width, math.prod(shape), depth)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n *x"]:
        return widened(self.main(z).unflatten(1, self.shape))


class PerceptronCritic(nn.Module):
    """Samples -> `depth` layers of rectifiers -> one logit."""

    def __init__(self, shape: tuple[int, ...], *, width: int = 512, depth: int = 3) -> None:
        super().__init__()
        self.main = _perceptron(math.prod(shape), width, 1, depth)

    def forward(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
        return widened(self.main(x.flatten(1)).squeeze(1))

    def with_gradient(self, x: Float[Tensor, "n *x"]) -> tuple[Tensor, Tensor] | None:
        """Logits and their gradient in x at once, for penalties."""
        return with_gradient(self.main, x)


class ConvGenerator(nn.Module):
    """A small generator for WGAN-GP: linear to 4x4, then 2x2 transposed convolutions of stride 2, batch normalisation, tanh."""

    def __init__(self, z: int, *, channels: int, size: int, width: int = 128) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="WGAN-GP")
        now = width << (steps - 1)
        self.preprocess = nn.Sequential(nn.Linear(z, now * 16), nn.BatchNorm1d(now * 16), nn.ReLU())
        blocks: list[nn.Module] = []
        for _ in range(steps - 1):
            now //= 2
            blocks.append(nn.Sequential(nn.ConvTranspose2d(2 * now, now, 2, 2), nn.BatchNorm2d(now), nn.ReLU()))
        self.blocks = nn.Sequential(*blocks)
        self.deconv_out = nn.ConvTranspose2d(now, channels, 2, 2)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        x = self.preprocess(z).unflatten(1, (-1, 4, 4))
        return widened(self.deconv_out(self.blocks(x)).tanh())


class ConvCritic(nn.Module):
    """Its critic: 3x3 convolutions of stride 2 down to 4x4, leaky rectifiers of slope 0.01, no normalisation, linear."""

    def __init__(self, *, channels: int, size: int, width: int = 128) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="WGAN-GP")
        widths = [channels] + [width << k for k in range(steps)]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU()]
        self.main = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[-1] * 16, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.linear(self.main(x).flatten(1)).squeeze(1))

    def with_gradient(self, x: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor] | None:
        """Logits and their gradient in x at once, for penalties."""
        return with_gradient([*self.main, self.linear], x)


class LayerNormCritic(nn.Module):
    """WGAN-GP's residual critic for 64 px: a 3x3 layer, blocks with layer normalisation, linear on the last 4x4.

    Args:
        widths: channels at each resolution from the image's down to 4.
    """

    def __init__(self, channels: int, *, widths: dict[int, int]) -> None:
        super().__init__()
        kit = Kit(norm=LayerNorm2d)
        stages = [widths[r] for r in sorted(widths, reverse=True)]
        self.stem = nn.Conv2d(channels, stages[0], 3, padding=1)
        self.blocks = nn.Sequential(*(DBlock(a, b, kit, down=True) for a, b in zip(stages[:-1], stages[1:], strict=True)))
        self.linear = nn.Linear(stages[-1] * 16, 1)
        glorot(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.linear(self.blocks(self.stem(x)).flatten(1)).squeeze(1))
