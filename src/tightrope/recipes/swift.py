"""The best samples in minutes on the machine at hand: small batches, a light critic without normalisation, lazy R1.

Paper:  Tightrope's own, tuned by measurement, from: the non-saturating loss of Goodfellow et al. 2014, the networks of Radford et
        al. 2015 at a half or a quarter of their width, R1 of Mescheder et al. 2018 on every fourth round, DiffAugment of Zhao
        et al. 2020 where images are few (or ADA of Karras et al. 2020, APA of Jiang et al. 2021), a weight average, and rates
        that fall along a cosine to the end of the run.
Run:    tightrope train swift fashion --minutes 10
Expect: `benchmarks/quality.py` (about a quarter of the plain DCGAN loop's distance on fashion), `benchmarks/points.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.augment import AUGMENTATIONS, AdaptiveProbability, pretended, probability
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import cosine, warm_up
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.mlp import MLPCritic, MLPGenerator
from tightrope.objectives import ALL
from tightrope.penalties import squared, with_gradient

WARM = 0.02  # share of the run over which the rates rise


@recipe
class Swift:
    """Tuned by measurement for minutes of training on a CPU."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 16, "z": 4, "batch": 4},
        "images-few": {"augment": 1.0},
        "points": {
            "objective": "relativistic",
            "width": 128,
            "z": 2,
            "latent": "uniform",
            "lr_g": 1.5e-3,
            "lr_d": 1.5e-3,
            "beta2": 0.99,
            "gamma": 0.05,
            "gamma_end": 0.01,
            "r1_every": 1,
            "r2": True,
            "ema": 31_000.0,
            "batch": 128,
        },
    }

    objective: str = hyper("non-saturating", "adversarial loss", choices=("minimax", "non-saturating", "relativistic"))
    width: int = hyper(128, "channels at 4 px, halved with every doubling (points: units of a hidden layer)", low=1, high=4096)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    latent: str = hyper("normal", "distribution of the latents", choices=("normal", "uniform"))
    lr_g: float = hyper(1e-3, "learning rate of G at the start; it falls to 0", low=1e-7, high=1.0)
    lr_d: float = hyper(5e-4, "learning rate of D at the start; it falls to 0", low=1e-7, high=1.0)
    beta2: float = hyper(0.95, "Adam's second decay rate", low=0.0, high=0.9999)
    gamma: float = hyper(1.0, "weight of R1 at the start", low=0.0, high=1e4)
    gamma_end: float = hyper(1.0, "weight of R1 at the end, as a share of that at the start", low=1e-6, high=1.0)
    r1_every: int = hyper(4, "rounds between two R1 penalties, which then count that many times", low=1, high=64)
    r2: bool = hyper(False, "penalise the gradient at generated samples too")
    augment: float = hyper(0.0, "probability of augmentation of what D sees (apa: of fakes as reals)", low=0.0, high=1.0)
    augmentation: str = hyper("diffaugment", "what augmentation does", choices=("diffaugment", "ada", "apa"))
    augment_target: float = hyper(0.0, "mean sign of D(real) that the probability is steered to; 0: it stays", low=0.0, high=1.0)
    augment_images: float = hyper(50_000.0, "images in which steering goes from 0 to 1", low=100, high=1e9, paper=500_000.0)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in samples", low=0.0, high=1e9)
    batch: int = hyper(16, "samples of a batch", low=1, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        nets: dict[str, nn.Module] = {}
        if spec.modality == "points":
            if (self.augment or self.augment_target) and self.augmentation != "apa":
                raise InputError(f"--augmentation {self.augmentation} is for images: points can be augmented by apa alone.")
            nets["G"] = MLPGenerator(self.z, spec.shape, width=self.width, depth=4)
            nets["D"] = MLPCritic(spec.shape, width=self.width, depth=4)
        else:
            width = max(1, self.width * 8 // spec.size)  # at half the resolution
            nets["G"] = DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=width)
            nets["D"] = DCGANCritic(channels=spec.channels, size=spec.size, width=width, norm=False)
        if self.augment_target:
            nets["steering"] = AdaptiveProbability(self.augment, target=self.augment_target, images=self.augment_images)
        return nets

    def optimizers(self) -> dict[str, Adam]:
        return {
            "G": Adam(lr=self.lr_g, beta1=0.0, beta2=self.beta2),
            "D": Adam(lr=self.lr_d, beta1=0.0, beta2=self.beta2),
        }

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(
            lr=warm_up(progress, WARM) * cosine(1, 0, progress),
            penalty=self.gamma_end ** (1 - cosine(1, 0, progress)),
            augment=self.augment,
            ema=min(self.ema, 0.1 * seen),
        )

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        penalised, p = batch.round % self.r1_every == 0, probability(nets.get("steering"), knobs.augment)
        real, fake = batch.real, batch.made["fake"].detach()
        if self.augmentation == "apa":
            real = pretended(real, fake, p)
        real, fake = (AUGMENTATIONS[self.augmentation](x, p) for x in (real, fake))
        penalties: list[Tensor] = []  # R1, R2
        if penalised and not self.r2:
            (on_real, gradient), on_fake = with_gradient(nets["D"], real), nets["D"](fake)
            penalties = [squared(gradient)]
        elif penalised:
            logits, gradient = with_gradient(nets["D"], torch.cat([real, fake]))  # one pass: D mixes no samples
            (on_real, on_fake), penalties = logits.chunk(2), list(squared(gradient).chunk(2))
        else:
            on_real, on_fake = nets["D"](torch.cat([real, fake])).chunk(2)
        terms = Terms(adversarial=ALL[self.objective].d(on_real, on_fake))
        weight = self.r1_every * knobs.penalty * self.gamma / 2
        terms |= {name: weight * at.mean() for name, at in zip(("r1", "r2"), penalties, strict=False)}
        if "steering" in nets:
            terms.watch(augment=torch.as_tensor(p).clone())
            terms.watch(sureness=nets["steering"](on_real, self.batch, batch.round))
        return terms.watch(real=on_real, fake=on_fake, samples=batch.made["fake"])

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        objective, shown = ALL[self.objective], AUGMENTATIONS[self.augmentation]
        p = probability(nets.get("steering"), knobs.augment)
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        on_fake = nets["D"](shown(fake, p))
        on_real = nets["D"](shown(batch.real, p)).detach() if objective.paired else None
        return Terms(adversarial=objective.g(on_fake, on_real))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        if self.latent == "uniform":
            return torch.rand(n, self.z, generator=generator) * 2 - 1
        return torch.randn(n, self.z, generator=generator)
