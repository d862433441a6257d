"""The critic is an autoencoder, and a controller keeps its errors on reals and fakes in a proportion that is chosen.

Paper:  Berthelot, Schumm & Metz, "BEGAN: boundary equilibrium generative adversarial networks", 2017, arXiv:1703.10717.
Run:    tightrope train began fashion
Expect: a slow start: all samples are alike for several hundred rounds, then the easiest classes come first. On fashion at 16 px
        (--size 16), 24,000 images: Frechet distance 12.9, coverage 0.13, two thirds of the samples sneakers, and the
        measure of convergence (D/measure) fell from 0.26 to 0.07. At 32 px it is slower: blobs after 4,000 images (distance
        9.9 and 12.8), and with gamma 0.7, or the paper's 0.5 and rate of 1e-3, all samples alike after 16,000 and 11,000.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.autoencoder import Autoencoder, Decoder
from tightrope.objectives.began import Balance, began_d, began_g, copying_error


@recipe
class BEGAN:
    """Sections 3.3 to 3.6 and 4."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PLAIN_CRITIC: ClassVar[bool] = False  # an autoencoder, held in balance
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 4, "z": 4, "code": 4, "batch": 4}}

    gamma: float = hyper(
        0.85, "wanted ratio of D's errors, on fakes to on reals; more is more diverse", low=0.0, high=1.0, paper=0.5
    )
    rate: float = hyper(0.1, "how fast the balance moves (lambda_k)", low=0.0, high=1.0, paper=1e-3)
    width: int = hyper(16, "channels of G's layers; D's encoder adds as many with each halving", low=1, high=1024, paper=128)
    z: int = hyper(64, "latent dimension", low=1, high=4096)
    code: int = hyper(64, "dimension of the autoencoder's code", low=1, high=4096)
    lr: float = hyper(2e-3, "learning rate of both players at the start", low=1e-7, high=1.0, paper=1e-4)
    halvings: int = hyper(3, "how often the rate is halved in a run (the paper: where the measure stalls)", low=0, high=30)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.999, "Adam's second decay rate", low=0.0, high=0.99999)
    ema: float = hyper(5_000.0, "half-life of G's weight average, in images", low=0.0, high=1e9, paper=0.0)
    batch: int = hyper(16, "images of a batch", low=1, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {
            "G": Decoder(self.z, channels=spec.channels, size=spec.size, width=self.width),
            "D": Autoencoder(self.code, channels=spec.channels, size=spec.size, width=self.width),
            "balance": Balance(self.gamma, self.rate),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=0.5 ** int(progress * (self.halvings + 1)), ema=min(self.ema, 0.1 * seen))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        shown = torch.cat([batch.real, batch.made["fake"].detach()])
        on_real, on_fake = copying_error(shown, nets["D"](shown)).chunk(2)
        batch.made["on_real"] = on_real.detach()
        state = dict(nets["balance"].named_buffers())  # k, and the measure of convergence
        terms = Terms(adversarial=began_d(on_real, on_fake, state["k"]))
        return terms.watch(real=on_real, fake=on_fake, samples=batch.made["fake"], **state)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        on_fake = copying_error(fake, nets["D"](fake))
        if "on_real" in batch.made:
            cast(Balance, nets["balance"]).update(batch.made["on_real"], on_fake)
        return Terms(adversarial=began_g(on_fake))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, self.z, generator=generator) * 2 - 1
