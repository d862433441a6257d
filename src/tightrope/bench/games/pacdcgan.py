"""DCGAN whose discriminator judges several samples at once, and may be smaller than the generator; for Stacked MNIST.

Paper:  Lin, Khetan, Fanti & Oh, "PacGAN: the power of two samples in generative adversarial networks", NeurIPS 2018,
        arXiv:1712.04086; the small networks: Metz et al., "Unrolled generative adversarial networks", ICLR 2017,
        arXiv:1611.02163, appendix D.
Run:    tightrope bench stacked_mnist --data ./mnist --methods dcgan,pacdcgan2
Expect: PacGAN's tables 3 and 4, as far as the budget allows; see the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.shapes import doublings, widened
from tightrope.objectives import non_saturating
from tightrope.objectives.shaping import pack


class SmallGenerator(nn.Module):
    """Unrolled GANs, appendix D: z -> 4x4 of 64 channels -> 32, 16, 8 -> colours; 3x3, batch norm, ReLU."""

    def __init__(self, z: int, channels: int, size: int) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="the small generator")
        layers: list[nn.Module] = [nn.Linear(z, 64 * 16), nn.Unflatten(1, (64, 4, 4)), nn.BatchNorm2d(64), nn.ReLU()]
        now = 64
        for _ in range(steps):
            layers += [nn.ConvTranspose2d(now, now // 2, 3, 2, 1, output_padding=1), nn.BatchNorm2d(now // 2), nn.ReLU()]
            now //= 2
        self.main = nn.Sequential(*layers, nn.Conv2d(now, channels, 3, padding=1), nn.Tanh())

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        return widened(self.main(z))


class SmallCritic(nn.Module):
    """Unrolled GANs, appendix D: 8, 16, 32 channels times `share`; 3x3 with stride 2, batch norm, leaky ReLU of 0.3."""

    def __init__(self, channels: int, size: int, share: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for full in (8, 16, 32):
            width = max(1, round(share * full))
            layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.LeakyReLU(0.3)]
            channels = width
        self.main = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * (size // 8) ** 2, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.main(x).squeeze(1))


@recipe
class PacDCGAN:
    """Only the first layer of D changes with `pack`: it sees the images of a pack on top of each other."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 4, "z": 4, "batch": 4, "pack": 2}}

    pack: int = hyper(1, "images that D judges together", low=1, high=16)
    d_share: float = hyper(0.0, "0: DCGAN's networks; else the small ones, D at this share of its width", low=0.0, high=4.0)
    width: int = hyper(64, "channels of DCGAN's networks at the highest resolution", low=1, high=1024)
    g_steps: int = hyper(2, "moves of G a round (PacGAN: two, so that D's loss does not go to 0)", low=1, high=16)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    latent: str = hyper("uniform", "distribution of the latents", choices=("normal", "uniform"))
    lr_g: float = hyper(2e-4, "learning rate of G", low=1e-7, high=1.0)
    lr_d: float = hyper(2e-4, "learning rate of D", low=1e-7, high=1.0)
    beta2: float = hyper(0.999, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(64, "images of a batch: packs times `pack`", low=2, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        seen = self.pack * spec.channels
        if self.d_share:
            return {"G": SmallGenerator(self.z, spec.channels, spec.size), "D": SmallCritic(seen, spec.size, self.d_share)}
        return {
            "G": DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=self.width),
            "D": DCGANCritic(channels=seen, size=spec.size, width=self.width),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {"G": Adam(lr=self.lr_g, beta1=0.5, beta2=self.beta2), "D": Adam(lr=self.lr_d, beta1=0.5, beta2=self.beta2)}

    def phases(self) -> tuple[Phase, ...]:
        d = Phase("D", ("D",), self.d_terms, keeps=("G",), clock=True)
        return d, Phase("G", ("G",), self.g_terms, repeat=self.g_steps, fresh=False)

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        return nets["D"] if self.pack == 1 else lambda x: nets["D"](pack(x, self.pack))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = (nets["D"](pack(x, self.pack)) for x in (batch.real, fake))
        return Terms(adversarial=non_saturating.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made.pop("fake") if "fake" in batch.made else nets["G"](batch.z)  # the second move makes its own
        return Terms(adversarial=non_saturating.g(nets["D"](pack(fake, self.pack)), None))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        if self.latent == "uniform":
            return torch.rand(n, self.z, generator=generator) * 2 - 1
        return torch.randn(n, self.z, generator=generator)
