"""Part of the latent is a code that a third player reads back from the sample, so that it comes to mean something.

Paper:  Chen et al., "InfoGAN: interpretable representation learning by information maximizing generative adversarial nets",
        NeurIPS 2016, arXiv:1606.03657.
Run:    tightrope train infogan fashion
Expect: half a minute of a CPU core (24,000 images of fashion, one seed): Q reads the code back without error and the
        places with a correlation of 0.9; a code's samples are of one class for 66 % of them (trousers, boots, sneakers have their
        own; shirts, coats and pullovers are mixed). Frechet distance 3.1 by fashion-cnn.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.labels import weights
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.objectives import non_saturating
from tightrope.objectives.classes import log_categorical, log_gaussian, mutual_information


@recipe
class InfoGAN:
    """Equation 6. Q is a small head on D's last hidden layer and learns with D, as in the paper (appendix C); DCGAN's networks.

    A latent is noise, a one-hot code and codes in [-1, 1]. No labels are used; `sample` takes them as the code wanted.
    """

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 4, "z": 4, "batch": 4, "hidden": 8}}

    codes: int = hyper(10, "values of the categorical code", low=2, high=1000)
    continuous: int = hyper(2, "continuous codes", low=1, high=100)
    z: int = hyper(62, "dimension of the noise beside the codes", low=1, high=4096)
    information: float = hyper(1.0, "weight of the mutual information of code and sample", low=0.0, high=1e3)
    width: int = hyper(32, "channels at the highest resolution", low=1, high=1024, paper=64)
    hidden: int = hyper(128, "units of Q's hidden layer", low=1, high=4096)
    lr_g: float = hyper(1e-3, "learning rate of G", low=1e-7, high=1.0)
    lr_d: float = hyper(2e-4, "learning rate of D and Q", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(32, "images of a batch", low=2, high=65536, paper=128)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        sizes: dict[str, Any] = {"channels": spec.channels, "size": spec.size, "width": self.width}
        g, d = DCGANGenerator(self.z + self.codes + self.continuous, **sizes), DCGANCritic(**sizes)
        hidden = [nn.Linear(d.features, self.hidden), nn.BatchNorm1d(self.hidden), nn.LeakyReLU(0.1)]
        return {"G": g, "D": d, "Q": nn.Sequential(*hidden, nn.Linear(self.hidden, self.codes + self.continuous))}

    def optimizers(self) -> dict[str, Adam]:
        rates = {"G": self.lr_g, "D": self.lr_d, "Q": self.lr_d}
        return {player: Adam(lr=lr, beta1=self.beta1) for player, lr in rates.items()}

    def phases(self) -> tuple[Phase, ...]:
        d, g = alternating(self.d_terms, self.g_terms)
        return Phase("D", ("D", "Q"), d.terms, keeps=d.keeps, clock=True), g

    def read(self, nets: Networks, features: Tensor, z: Tensor) -> Terms:
        """Minus the two lower bounds of the mutual information, in nats. A continuous code's deviation is fixed at 1, as in the
        authors' code."""
        categorical, mean = nets["Q"](features).float().split([self.codes, self.continuous], 1)
        _, code, place = z.split([self.z, self.codes, self.continuous], 1)
        which = mutual_information(log_categorical(categorical, code), math.log(self.codes))
        where = mutual_information(log_gaussian(mean, torch.zeros_like(mean), place), self.continuous * math.log(2))
        return Terms(categorical=-self.information * which, continuous=-self.information * where)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, (on_fake, features) = nets["D"](batch.real), nets["D"](fake, features=True)
        terms = Terms(adversarial=non_saturating.d(on_real, on_fake), **self.read(nets, features, batch.z))
        return terms.watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        on_fake, features = nets["D"](fake, features=True)
        return Terms(adversarial=non_saturating.g(on_fake, None), **self.read(nets, features, batch.z))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(n, self.z + self.continuous, generator=generator) * 2 - 1
        code = torch.randint(self.codes, (n,), generator=generator)
        return torch.cat([uniform[:, : self.z], weights(code, self.codes), uniform[:, self.z :]], 1)

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            noise, _, place = z.split([self.z, self.codes, self.continuous], 1)
            z = torch.cat([noise, weights(labels, self.codes).to(z.dtype), place], 1)
        return nets["G"](z)
