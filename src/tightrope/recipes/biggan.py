"""Large batches and wide networks: the class and a share of the latent enter every block of G, and G's weights are averaged.

Paper:  Brock, Donahue & Simonyan, "Large scale GAN training for high fidelity natural image synthesis", ICLR 2019,
        arXiv:1809.11096.
Run:    tightrope train biggan fashion
Expect: all classes of fashion after 260 moves of G. The defaults are the published game at a sixth of its width and 1/128
        of its batch: the paper's scores, which come from both, are not reproduced here.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.biggan import BigGANGenerator, orthogonal_start
from tightrope.networks.resnet import SPECTRAL, ResNetCritic, flat, mirrored, pyramid
from tightrope.objectives import hinge
from tightrope.penalties import orthogonal


@recipe
class BigGAN:
    """Appendices B and C: the layout for 128 px at a small width."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    CONDITIONAL: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 2, "z": 6, "shared": 4, "batch": 4, "attention": 8},
        "images-16": {"attention": 8},
        "cifar": {
            "width": 64,
            "flat": True,
            "z": 128,
            "attention": 0,
            "critic_steps": 4,
            "lr_g": 2e-4,
            "lr_d": 2e-4,
            "batch": 50,
        },
        "imagenet-128": {
            "width": 96,
            "attention": 64,
            "critic_steps": 2,
            "lr_g": 1e-4,
            "lr_d": 4e-4,
            "batch": 2048,
            "ema": 14e6,
        },
    }

    width: int = hyper(
        16, "channels at the highest resolution; they double with every halving, 16 times at most", low=1, high=1024, paper=96
    )
    flat: bool = hyper(False, "the layout for CIFAR-10: 4 times `width` everywhere up to 32 px, no block below 8 px in D")
    attention: int = hyper(
        16, "resolution of the self-attention in both players, in pixels; 0 is none", low=0, high=512, paper=64
    )
    z: int = hyper(120, "latent dimension", low=1, high=4096)
    shared: int = hyper(128, "width of a class's vector, which all layers of G share", low=1, high=4096)
    hierarchical: bool = hyper(True, "every block is given its own share of the latent")
    ortho: float = hyper(
        0.0, "weight of the orthogonal penalty on G; the paper's final run had 1e-4, its code 0", low=0.0, high=1.0
    )
    critic_steps: int = hyper(1, "moves of D a move of G", low=1, high=100, paper=2)
    lr_g: float = hyper(5e-4, "learning rate of G", low=1e-7, high=1.0, paper=1e-4)
    lr_d: float = hyper(2e-3, "learning rate of D", low=1e-7, high=1.0, paper=4e-4)
    beta2: float = hyper(0.999, "Adam's second decay rate; the first is 0", low=0.0, high=0.99999)
    batch: int = hyper(16, "images of a batch", low=2, high=65536, paper=2048)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images", low=0.0, high=1e9, paper=14e6)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        k = spec.labelled("biggan")
        widths = flat(spec.size, 4 * self.width) if self.flat else pyramid(spec.size, self.width)
        end = {"last": min(8, spec.size // 2), "plain": 2} if self.flat else {}
        stages = mirrored(widths, **end, attention=self.attention)
        return {
            "G": BigGANGenerator(
                self.z,
                spec.channels,
                widths=widths,
                classes=k,
                shared=self.shared,
                hierarchical=self.hierarchical,
                attention=self.attention,
            ),
            "D": orthogonal_start(ResNetCritic(spec.channels, stages=stages, kit=SPECTRAL, classes=k, wide=True)),
        }

    def optimizers(self) -> dict[str, Adam]:
        rates = {"G": self.lr_g, "D": self.lr_d}
        return {player: Adam(lr=lr, beta1=0.0, beta2=self.beta2, eps=1e-6) for player, lr in rates.items()}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.critic_steps, shared=self.critic_steps == 1)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        assert batch.labels is not None
        batch.made["fake"] = nets["G"](batch.z, batch.labels)
        fake = batch.made["fake"].detach()
        shown, labels = torch.cat([batch.real, fake]), torch.cat([batch.labels, batch.labels])
        on_real, on_fake = nets["D"](shown, labels).chunk(2)  # one pass: D mixes no samples
        return Terms(adversarial=hinge.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z, batch.labels)
        terms = Terms(adversarial=hinge.g(nets["D"](fake, batch.labels), None))
        if self.ortho:
            terms["orthogonal"] = self.ortho * orthogonal(nets["G"], without=[nets["G"].shared])  # type: ignore[list-item]
        return terms
