"""DCGAN with the first bag of tricks: feature matching or minibatch discrimination, smoothed labels, averages of the past.

Paper:  Salimans et al., "Improved techniques for training GANs", NeurIPS 2016, arXiv:1606.03498.
Run:    tightrope train improved_gan fashion
Expect: a minute of a CPU core (24,000 images of fashion, one seed): Frechet distance 2.6 by fashion-cnn with minibatch
        discrimination, 6.0 with feature matching, whose samples are streaked.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.layers.batch import MinibatchDiscrimination
from tightrope.networks.layers.normalisation import VirtualBatch, VirtualBatchNorm2d
from tightrope.objectives.matching import History, feature_matching
from tightrope.objectives.shaping import smoothed


@recipe
class ImprovedGAN:
    """Section 3, each technique a field. (Weight normalisation of the authors' semi-supervised networks is not here.)"""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4, "kernels": 3, "dims": 2, "history": 0.1, "reference": 3},
    }

    technique: str = hyper(
        "minibatch-discrimination",
        "what keeps G from collapsing; feature matching replaces G's adversarial loss",
        choices=("minibatch-discrimination", "feature-matching", "neither"),
    )
    kernels: int = hyper(32, "maps of minibatch discrimination", low=1, high=1000, paper=100)
    dims: int = hyper(5, "dimensions of each map", low=1, high=100)
    target: float = hyper(0.9, "label of real samples (one-sided smoothing); 1 is none", low=0.5, high=1.0)
    history: float = hyper(
        0.0, "weight of the distance to the mean of the past weights (historical averaging)", low=0.0, high=1e3
    )
    reference: int = hyper(0, "samples of G's virtual batch; 0 is plain batch normalisation", low=0, high=1024)
    width: int = hyper(32, "channels at the highest resolution", low=1, high=1024, paper=64)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    lr: float = hyper(5e-4, "learning rate of both players", low=1e-7, high=1.0, paper=3e-4)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(32, "images of a batch", low=2, high=65536, paper=100)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=7000.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        sizes: dict[str, Any] = {"channels": spec.channels, "size": spec.size, "width": self.width}
        apart = self.technique == "minibatch-discrimination"
        g: nn.Module
        if self.reference:
            g = DCGANGenerator(self.z, norm=lambda c: VirtualBatchNorm2d(c, self.reference), **sizes)
            g = VirtualBatch(g, torch.randn(self.reference, self.z))
        else:
            g = DCGANGenerator(self.z, **sizes)
        nets = {"G": g, "D": DCGANCritic(head=self.compare if apart else None, **sizes)}
        return nets | ({f"past_{player}": History(net) for player, net in nets.items()} if self.history else {})

    def compare(self, features: int) -> nn.Module:
        """D's last layer beside the distances to the other samples of the batch."""
        near = MinibatchDiscrimination(features, self.kernels, self.dims)
        return nn.Sequential(nn.Flatten(), near, nn.Linear(features + self.kernels, 1))

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake)  # apart: samples of one kind are compared with each other
        terms = Terms(adversarial=smoothed(self.target).d(on_real, on_fake), **self.past(nets, "D"))
        return terms.watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        on_fake, features = nets["D"](fake, features=True)
        if self.technique == "feature-matching":
            _, wanted = nets["D"](batch.real, features=True)
            return Terms(matching=feature_matching(wanted, features), **self.past(nets, "G"))
        return Terms(adversarial=smoothed(self.target).g(on_fake, None), **self.past(nets, "G"))

    def past(self, nets: Networks, player: str) -> Terms:
        """Historical averaging of one player."""
        if not self.history:
            return Terms()
        past = nets[f"past_{player}"]
        assert isinstance(past, History)
        past.update(nets[player])
        return Terms(history=self.history * past.penalty(nets[player]))
