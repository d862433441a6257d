"""DCGAN's networks: strided convolutions, batch normalisation, no fully connected layers. Axis: N, Z, K classes, C H W.

Radford, Metz & Chintala 2015, figure 1 and section 3 "architecture guidelines"; weights from N(0, 0.02).
Parameter names are those of the widely used PyTorch version (`main.0.weight` ...), so its checkpoints load as they are.
Run: `tightrope train dcgan fashion`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.labels import weights
from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.slopes import with_gradient
from tightrope.networks.shapes import doublings, widened

SLOPE = 0.2  # of every leaky rectifier, section 3
Norm = bool | Callable[[int], nn.Module]  # True: batch normalisation; False: none; or what makes a layer for so many channels


def _initialise(module: nn.Module) -> None:
    """Section 4: zero-centred normal with standard deviation 0.02; batch norm's gain around 1."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _normalisation(norm: Norm, channels: int) -> list[nn.Module]:
    if isinstance(norm, bool):
        return [nn.BatchNorm2d(channels)] if norm else []
    return [norm(channels)]


class DCGANGenerator(nn.Module):
    """z -> 4x4 -> doubled until `size`; channels halve from `width * size / 8` to `width`; tanh.

    With `classes`, the label's shares of classes are concatenated to z (Mirza & Osindero 2014).
    """

    def __init__(self, z: int, *, channels: int, size: int, width: int = 64, norm: Norm = True, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        steps = doublings(size, start=4, family="DCGAN")
        now = width << (steps - 1)
        bias = norm is False
        layers: list[nn.Module] = [
            FastConvTranspose2d(z + classes, now, 4, 1, 0, bias=bias),
            *_normalisation(norm, now),
            nn.ReLU(True),
        ]
        for _ in range(steps - 1):
            layers += [
                FastConvTranspose2d(now, now // 2, 4, 2, 1, bias=bias),
                *_normalisation(norm, now // 2),
                nn.ReLU(True),
            ]
            now //= 2
        layers += [FastConvTranspose2d(now, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, z: Float[Tensor, "n z"], labels: Tensor | None = None) -> Float[Tensor, "n c h w"]:
        z = z.flatten(1)
        if labels is not None:
            z = torch.cat([z, weights(labels, self.classes).to(z.dtype)], 1)
        return widened(self.main(z[:, :, None, None]))


class DCGANCritic(nn.Module):
    """The mirror image: halved until 4x4, batch norm from the second layer on, one logit (the paper's sigmoid is in the loss).

    Args:
        classes: K planes more at the input, constant over the image: the label's shares of classes.
        outputs: numbers a sample; (N, outputs) where there are several, (N,) where there is one.
        head: makes what takes the place of the last convolution, for so many features (channels times 4 x 4).
    """

    def __init__(
        self,
        *,
        channels: int,
        size: int,
        width: int = 64,
        norm: Norm = True,
        classes: int = 0,
        outputs: int = 1,
        head: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.outputs = classes, outputs
        steps = doublings(size, start=4, family="DCGAN")
        bias = norm is False
        layers: list[nn.Module] = [FastConv2d(channels + classes, width, 4, 2, 1, bias=bias), nn.LeakyReLU(SLOPE, True)]
        now = width
        for _ in range(steps - 1):
            layers += [FastConv2d(now, now * 2, 4, 2, 1, bias=bias), *_normalisation(norm, now * 2), nn.LeakyReLU(SLOPE, True)]
            now *= 2
        self.features = now * 16
        layers.append(head(self.features) if head else FastConv2d(now, outputs, 4, 1, 0, bias=bias))
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(
        self, x: Float[Tensor, "n c h w"], labels: Tensor | None = None, *, features: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Logits; with `features` also the last hidden layer, (N, F)."""
        if labels is not None:
            planes = weights(labels, self.classes).to(x.dtype)[:, :, None, None]
            x = torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], 1)
        if not features:
            return self._shaped(self.main(x))
        for layer in list(self.main)[:-1]:
            x = layer(x)
        return self._shaped(self.main[-1](x)), widened(x.flatten(1))

    def with_gradient(self, x: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor] | None:
        """Logits and their gradient in x at once, for penalties; None for a critic with normalisation or another head."""
        return with_gradient(self.main, x)

    def _shaped(self, logits: Tensor) -> Tensor:
        return widened(logits.flatten() if self.outputs == 1 else logits.flatten(1))
