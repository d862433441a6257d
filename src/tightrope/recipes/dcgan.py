"""The convolutional GAN every tutorial starts from: strided convolutions and batch normalisation in both players.

Paper:  Radford, Metz & Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
        networks", ICLR 2016, arXiv:1511.06434; packing: Lin et al., "PacGAN", NeurIPS 2018, arXiv:1712.04086.
Run:    tightrope train dcgan fashion
Expect: the published layers, initialisation and rates; `benchmarks/quality.py` compares it with the default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.shapes import packed
from tightrope.objectives import non_saturating
from tightrope.objectives.shaping import pack


@recipe
class DCGAN:
    """Radford's guidelines, section 3; the hyper-parameters of section 4."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 4, "z": 4, "batch": 4}}

    width: int = hyper(64, "channels at the highest resolution; they double with every halving", low=1, high=1024, paper=128)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    pack: int = hyper(1, "images that D judges together (PacGAN); must divide the batch", low=1, high=64)
    lr: float = hyper(2e-4, "learning rate of both players", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.999, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(64, "images of a batch", low=2, high=65536, paper=128)
    ema: float = hyper(0.0, "half-life of G's weight average, in images; 0 is none, as in the paper", low=0.0, high=1e9)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        shown = packed(spec.shape, self.pack, self.batch)
        return {
            "G": DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=self.width),
            "D": DCGANCritic(channels=shown[0], size=spec.size, width=self.width),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        return nets["D"] if self.pack == 1 else lambda x: nets["D"](pack(x, self.pack))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = (nets["D"](pack(x, self.pack)) for x in (batch.real, fake))  # apart: each has its own statistics
        return Terms(adversarial=non_saturating.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        return Terms(adversarial=non_saturating.g(nets["D"](pack(fake, self.pack)), None))
