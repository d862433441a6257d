"""The modern baseline: relativistic pairing loss with R1 and R2 on every step, residual networks without normalisation.

Paper:  Huang, Gokaslan, Kuleshov & Tompkin, "The GAN is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024,
        arXiv:2501.05441.
Run:    tightrope train r3gan emoji --width 128
Expect: a recipe for a GPU: 20 million parameters a player and twelve times DCGAN's arithmetic an image at the published
        width of 768. The paper's scores (CIFAR-10 FID 1.96) are not reproduced here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import cosine
from tightrope.core.spec import DataSpec
from tightrope.networks.r3 import R3Critic, R3Generator
from tightrope.networks.shapes import doublings
from tightrope.objectives import relativistic
from tightrope.penalties import squared_gradient


@recipe
class R3GAN:
    """The published schedules run over the whole run (the paper's: 20 million images)."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 16, "blocks": 1, "z": 4, "batch": 4},
        "images-64": {"gamma": 2.0, "batch": 256, "ema_share": 0.025},
        "images-256": {"gamma": 150.0, "batch": 256, "ema_share": 0.025},
    }

    width: int = hyper(768, "channels up to 32 px; they halve with every doubling beyond", low=16, high=4096)
    blocks: int = hyper(2, "residual blocks a resolution", low=1, high=16)
    group: int = hyper(16, "channels a group of the 3x3 convolutions", low=1, high=512)
    z: int = hyper(64, "latent dimension", low=1, high=4096)
    gamma: float = hyper(0.05, "weight of R1 and R2 at the start; a tenth of it at the end", low=0.0, high=1e4)
    lr: float = hyper(2e-4, "learning rate of both players at the start; a quarter of it at the end", low=1e-7, high=1.0)
    beta2: float = hyper(0.9, "Adam's second decay rate at the start", low=0.0, high=0.9999)
    beta2_end: float = hyper(0.99, "Adam's second decay rate at the end", low=0.0, high=0.9999)
    ema_share: float = hyper(0.25, "half-life of G's weight average at the end, as a share of the run", low=0.0, high=1.0)
    batch: int = hyper(512, "images of a batch", low=1, high=65536)

    def widths(self, size: int) -> list[int]:
        """Channels from 4 px up to `size`."""
        resolutions = [4 << k for k in range(doublings(size, start=4, family="R3GAN") + 1)]
        return [max(self.group, self.width * 32 // max(32, resolution)) for resolution in resolutions]

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        widths = self.widths(spec.size)
        groups = [2 * width // self.group for width in widths]
        blocks = [self.blocks] * len(widths)
        return {
            "G": R3Generator(self.z, spec.channels, widths=widths, groups=groups, blocks=blocks),
            "D": R3Critic(spec.channels, widths=widths[::-1], groups=groups[::-1], blocks=blocks),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=0.0, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return Phase("D", ("D",), self.d_terms, clock=True), Phase("G", ("G",), self.g_terms)

    def schedule(self, seen: int, progress: float) -> Knobs:
        run = seen / progress if progress else 0.0  # images of the whole run
        return Knobs(
            lr=cosine(1, 1 / 4, progress),
            beta2=cosine(self.beta2, self.beta2_end, progress),
            penalty=cosine(1, 1 / 10, progress),
            ema=cosine(0, self.ema_share * run, progress),
        )

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        real = batch.real.detach().requires_grad_(True)
        fake = nets["G"](batch.z).detach().requires_grad_(True)
        on_real, on_fake = nets["D"](real), nets["D"](fake)
        weight = knobs.penalty * self.gamma / 2
        return Terms(
            adversarial=relativistic.d(on_real, on_fake),
            r1=weight * squared_gradient(on_real, real).mean(),
            r2=weight * squared_gradient(on_fake, fake).mean(),
        ).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=relativistic.g(nets["D"](nets["G"](batch.z)), nets["D"](batch.real)))
