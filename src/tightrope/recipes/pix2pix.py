"""Pictures into other pictures, learned from pairs: a U-Net, a critic of patches that sees both, and L1.

Paper:  Isola, Zhu, Zhou & Efros, "Image-to-image translation with conditional adversarial networks", CVPR 2017, arXiv:1611.07004;
        critics at several scales and feature matching: Wang et al., "High-resolution image synthesis and semantic manipulation
        with conditional GANs" (pix2pixHD), CVPR 2018, arXiv:1711.11585.
Run:    tightrope train pix2pix pairs:GIVEN,TARGET --minutes 30
Expect: `benchmarks/pix2pix.py`: line art to colour at 64 px, against L1 alone and against the published configuration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.augment import aligned
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import linear
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator
from tightrope.networks.as_trained import AsTrained
from tightrope.networks.described import described
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.patch import PatchCritic
from tightrope.networks.scales import PatchCritics
from tightrope.networks.translation import Norm, ResNetTranslator
from tightrope.networks.unet import UNetTranslator
from tightrope.objectives import ALL
from tightrope.objectives.reconstruction import l1, matched

NORMS: dict[str, Norm] = {"batch": nn.BatchNorm2d, "instance": InstanceNorm2d}


@recipe
class Pix2Pix:
    """The game of section 3 with the networks of appendix 6.1, in a size for minutes on a CPU."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("pairs",)
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "critic_width": 4, "layers": 1, "batch": 2},
        "paper": {"width": 64, "critic_width": 64, "layers": 3, "adversarial": 1.0, "matching": 0.0, "lr": 2e-4, "batch": 1,
                  "dropout": True, "ema": 0.0, "use": "as-trained"},
        "hd": {"generator": "resnet", "norm": "instance", "objective": "least-squares", "scales": 2, "l1": 0.0, "layers": 3,
               "lr": 2e-4, "adversarial": 2.0},  # the published loss is whole squares, ours halves
    }  # fmt: skip

    generator: str = hyper("unet", "G: a U-Net, or residual blocks at a quarter of the size", choices=("unet", "resnet"))
    width: int = hyper(32, "channels of G's outermost layer", low=1, high=1024, paper=64)
    critic_width: int = hyper(16, "channels of D's first layer", low=1, high=1024, paper=64)
    layers: int = hyper(2, "halvings in D: with 3 a logit sees 70 px, with 1 it sees 16", low=0, high=6, paper=3)
    scales: int = hyper(1, "critics, each for pictures of half the size of the last one's (pix2pixHD: 2 or 3)", low=1, high=4)
    norm: str = hyper("batch", "normalisation of both players", choices=("batch", "instance"))
    dropout: bool = hyper(False, "drop half of the values in G's inner layers: the paper's noise", paper=True)
    objective: str = hyper("non-saturating", "adversarial loss", choices=("non-saturating", "least-squares", "hinge"))
    adversarial: float = hyper(0.1, "weight of the adversarial loss; 0 trains G alone", low=0.0, high=1e4, paper=1.0)
    l1: float = hyper(100.0, "weight of L1", low=0.0, high=1e5)
    matching: float = hyper(10.0, "weight of feature matching, as pix2pixHD has it", low=0.0, high=1e4, paper=0.0)
    lr: float = hyper(1e-3, "learning rate of both players", low=1e-7, high=1.0, paper=2e-4)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    hold: float = hyper(0.5, "share of the run before the rates fall, straight to 0", low=0.0, high=0.999)
    flip: bool = hyper(True, "mirror half of the pairs")
    jitter: float = hyper(0.05, "largest shift of a pair, as a share of its side (256 of 286 px: 0.05)", low=0.0, high=0.5)
    use: str = hyper("averaged", "G as averaged and without dropout, or as in training", choices=("averaged", "as-trained"))
    ema: float = hyper(5_000.0, "half-life of G's weight average, in pairs; 0 is none, as in the paper", low=0.0, high=1e9)
    batch: int = hyper(8, "pairs of a batch", low=1, high=65536, paper=1)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if spec.given[1:] != spec.shape[1:]:
            sizes = " and ".join(f"{h}x{w}" for _, h, w in (spec.given, spec.shape))
            raise InputError(f"pix2pix makes pictures as large as those given; these are {sizes} px: bring both to one size.")
        nets: dict[str, nn.Module] = {"G": self._translator(spec)}
        if self._judges():
            nets["D"] = PatchCritics(lambda: self._critic(spec), self.scales)
        return nets

    def _translator(self, spec: DataSpec) -> nn.Module:
        halvings = (spec.size & -spec.size).bit_length() - 1  # how often a side can be halved
        sizes: dict[str, Any] = {"inputs": spec.given[0], "outputs": spec.channels, "width": self.width}
        if halvings < 2:
            raise InputError(f"pix2pix halves pictures several times; {spec.size} px cannot be: choose a power of 2 with --size.")
        if self.generator == "resnet":
            return ResNetTranslator(blocks=9 if spec.size >= 256 else 6, dropout=self.dropout, **sizes, **self._norm())
        return UNetTranslator(downs=min(8, halvings), dropout=self.dropout, **sizes, **self._norm())

    def _critic(self, spec: DataSpec) -> PatchCritic:
        if spec.size >> (self.layers + self.scales - 1) < 4:
            raise InputError(f"--layers {self.layers} --scales {self.scales}: too many for pictures of {spec.size} px.")
        seen = spec.given[0] + spec.channels
        return PatchCritic(seen, width=self.critic_width, layers=self.layers, **self._norm())

    def _norm(self) -> dict[str, Any]:
        return {"norm": NORMS[self.norm], "bias": self.norm == "instance"}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")[: 1 + self._judges()]}

    def phases(self) -> tuple[Phase, ...]:
        if self._judges():
            return alternating(self.d_terms, self.g_terms)
        return (Phase("G", ("G",), self.g_terms, clock=True),)

    def _judges(self) -> bool:
        return self.adversarial > 0

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=linear(1, 0, progress, start=self.hold), ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        by = min(round(self.jitter * given.shape[-1]), given.shape[-1] - 1)
        real, given = aligned.shifted(real, given, by, generator) if by else (real, given)
        return aligned.flipped(real, given, generator) if self.flip else (real, given)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        """Half of the loss, so that D learns slowly relative to G: section 3.3."""
        fake = batch.made["fake"] = nets["G"](batch.given)
        judged = [nets["D"](torch.cat([batch.given, x], 1)) for x in (batch.real, fake.detach())]  # each with its own statistics
        on_real, on_fake = ([logits.flatten() for logits in of] for of in judged)
        losses = [ALL[self.objective].d(real, made) / 2 for real, made in zip(on_real, on_fake, strict=True)]
        return Terms(adversarial=torch.stack(losses).mean()).watch(real=torch.cat(on_real), fake=torch.cat(on_fake), samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.given)
        terms = Terms(l1=self.l1 * l1(fake, batch.real))
        if not self._judges():
            return terms.watch(samples=fake)
        on_fake = nets["D"].features(torch.cat([batch.given, fake], 1))  # type: ignore[operator]
        losses = [ALL[self.objective].g(features[-1].flatten(), None) for features in on_fake]
        terms["adversarial"] = self.adversarial * torch.stack(losses).mean()
        if self.matching:
            with torch.no_grad():
                on_real = nets["D"].features(torch.cat([batch.given, batch.real], 1))  # type: ignore[operator]
            terms["matching"] = self.matching * matched([of[:-1] for of in on_real], [of[:-1] for of in on_fake])
        return terms

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self._used(nets["G"])(z)

    def _used(self, net: nn.Module) -> nn.Module:
        return AsTrained(net) if self.use == "as-trained" else net

    def translators(self, nets: Mapping[str, nn.Module]) -> dict[str, Translator]:
        found = described(nets["G"], "pix2pix")
        return {"target": dataclasses.replace(found, net=self._used(found.net), whole=found.whole or self.use == "as-trained")}
