"""A mapping network and a synthesis network steered by styles; lazy regularisers; augmentation steered by D where images are few.

Paper:  Karras, Laine, Aittala, Hellsten, Lehtinen & Aila, "Analyzing and improving the image quality of StyleGAN", CVPR 2020,
        arXiv:1912.04958; augmentation: Karras et al., "Training GANs with limited data", NeurIPS 2020, arXiv:2006.06676.
Run:    tightrope train stylegan2 emoji --minutes 240
Expect: ahead of `dcgan` after two minutes of a core (`docs/stylegan.md`); the paper's scores are not reproduced here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from tightrope.augment import AdaptiveProbability, adaptive, probability
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.labels import weights
from tightrope.core.schedules import cosine
from tightrope.core.spec import DataSpec
from tightrope.networks.mixing import mixed
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan2_critic import StyleGAN2Critic
from tightrope.objectives import non_saturating
from tightrope.penalties import r1
from tightrope.penalties.path_length import PathLength


@recipe
class StyleGAN2:
    """Configuration F of the paper, table 1, with the published code's automatic choices by resolution and batch."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    BUFFERS: ClassVar[str] = "copy"
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "widest": 8, "z": 6, "w": 6, "batch": 4, "group": 2, "path": 2.0},
        "images-few": {"augment_target": 0.6, "augment_images": 100_000.0},
        "paper256": {"width": 64, "widest": 512, "z": 512, "w": 512, "layers": 8, "batch": 64, "gamma": 1.0, "group": 8,
                     "path": 2.0, "lr": 2.5e-3, "falls": False, "bounded": False},
        "paper1024": {"width": 32, "widest": 512, "z": 512, "w": 512, "layers": 8, "batch": 32, "gamma": 2.0,
                      "path": 2.0, "lr": 2e-3, "falls": False, "bounded": False},
        "cifar": {"width": 512, "widest": 512, "z": 512, "w": 512, "batch": 64, "gamma": 0.01, "group": 32, "mixing": 0.0,
                  "lr": 2.5e-3, "ema": 5e5, "falls": False, "bounded": False, "d_architecture": "orig"},
    }  # fmt: skip

    width: int = hyper(16, "channels at the highest resolution; they double with every halving", low=1, high=1024, paper=32)
    widest: int = hyper(128, "most channels of a layer", low=1, high=4096, paper=512)
    z: int = hyper(128, "latent dimension", low=1, high=4096, paper=512)
    w: int = hyper(128, "dimension of a style", low=1, high=4096, paper=512)
    layers: int = hyper(2, "layers of the mapping network", low=1, high=32, paper=8)
    architecture: str = hyper("skip", "how G's resolutions are joined", choices=("skip", "resnet", "orig"))
    d_architecture: str = hyper("resnet", "how D's resolutions are joined", choices=("skip", "resnet", "orig"))
    bounded: bool = hyper(True, "tanh behind G: flat black and white are within its reach", paper=False)
    conditional: bool = hyper(False, "make samples by class")
    gamma: float = hyper(0.5, "weight of R1; -1: 2e-4 times the pixels over the batch", low=-1.0, high=1e4, paper=10.0)
    r1_every: int = hyper(16, "rounds between two R1 penalties, which then count that many times", low=1, high=256)
    path: float = hyper(0.0, "weight of the path length penalty; 0 is none", low=0.0, high=1e3, paper=2.0)
    path_every: int = hyper(4, "rounds between two path length penalties, which then count that many times", low=1, high=256)
    mixing: float = hyper(0.9, "probability that two latents share the layers of a sample", low=0.0, high=1.0)
    group: int = hyper(4, "samples that D compares (minibatch standard deviation); must divide the batch", low=1, high=64)
    lr: float = hyper(4e-3, "learning rate of both players", low=1e-7, high=1.0, paper=2e-3)
    falls: bool = hyper(True, "rates fall along a cosine to the end of the run", paper=False)
    beta2: float = hyper(0.99, "Adam's second decay rate; the first is 0", low=0.0, high=0.9999)
    ema: float = hyper(-1.0, "half-life of G's weight average, in images; -1: 312 times the batch", low=-1.0, high=1e9)
    augment: float = hyper(0.0, "probability of augmentation of what D sees", low=0.0, high=1.0)
    augment_target: float = hyper(0.0, "mean sign of D(real) that the probability is steered to; 0: it stays", low=0.0, high=1.0)
    augment_images: float = hyper(500_000.0, "images in which steering goes from 0 to 1", low=100, high=1e9)
    batch: int = hyper(16, "images of a batch", low=1, high=65536, paper=32)

    @property
    def CONDITIONAL(self) -> bool:
        return self.conditional

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        classes = spec.labelled("stylegan2 --conditional") if self.conditional else 0
        shape: dict[str, Any] = {"img_resolution": spec.size, "img_channels": spec.channels}
        widths: dict[str, Any] = {"channel_base": self.width * spec.size, "channel_max": self.widest, "conv_clamp": 256}
        mapping, drawing = {"num_layers": self.layers}, {**widths, "architecture": self.architecture, "bounded": self.bounded}
        g = StyleGAN2Generator(self.z, classes, self.w, **shape, mapping_kwargs=mapping, synthesis_kwargs=drawing)
        end = {"mbstd_group_size": self.group}
        d = StyleGAN2Critic(classes, **shape, **widths, architecture=self.d_architecture, epilogue_kwargs=end)
        made: dict[str, nn.Module] = {"G": g, "D": d, **({"paths": PathLength()} if self.path else {})}
        if self.augment_target:
            made["steering"] = AdaptiveProbability(self.augment, target=self.augment_target, images=self.augment_images)
        return made

    def optimizers(self) -> dict[str, Adam]:
        adam = Adam(lr=self.lr, beta1=0.0, beta2=self.beta2)
        return {"G": adam.lazy(self.path_every) if self.path else adam, "D": adam.lazy(self.r1_every)}

    def phases(self) -> tuple[Phase, ...]:
        paths = (Phase("paths", ("G",), self.path_terms, every=self.path_every),) if self.path else ()
        return (
            Phase("D", ("D",), self.d_terms, keeps=("G",), clock=True),
            Phase("G", ("G",), self.g_terms, fresh=False),
            Phase("R1", ("D",), self.r1_terms, every=self.r1_every, fresh=False),
            *paths,
        )

    def schedule(self, seen: int, progress: float) -> Knobs:
        ema = min(312.5 * self.batch if self.ema < 0 else self.ema, 0.1 * seen)
        return Knobs(lr=cosine(1, 0, progress) if self.falls else 1.0, ema=ema, augment=self.augment)

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        c = self._classes(labels, nets["D"])
        return lambda x: nets["D"](x, c)[:, 0]

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        d, p = self.critic(nets, batch.labels), probability(nets.get("steering"), knobs.augment)
        batch.made["fake"] = fake = self._drawn(nets, batch.z, batch.labels)[0]
        on_real, on_fake = (d(adaptive(x, p)) for x in (batch.real, fake.detach()))
        terms = Terms(adversarial=non_saturating.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)
        if "steering" in nets:
            terms.watch(augment=torch.as_tensor(p).clone())
            nets["steering"](on_real, self.batch, batch.round)
        return terms

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        d, p = self.critic(nets, batch.labels), probability(nets.get("steering"), knobs.augment)
        fake = batch.made["fake"] if "fake" in batch.made else self._drawn(nets, batch.z, batch.labels)[0]
        return Terms(adversarial=non_saturating.g(d(adaptive(fake, p)), None))

    def r1_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        d, p = self.critic(nets, batch.labels), probability(nets.get("steering"), knobs.augment)
        gamma = 2e-4 * batch.real[0, 0].numel() / self.batch if self.gamma < 0 else self.gamma
        slopes = r1(lambda x: d(adaptive(x, p)), batch.real)
        return Terms(r1=knobs.penalty * self.r1_every * gamma / 2 * slopes.mean())

    def path_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        some = slice(max(1, len(batch.z) // 2))  # half of a batch, as published
        images, ws = self._drawn(nets, batch.z[some], None if batch.labels is None else batch.labels[some])
        return Terms(path=self.path * self.path_every * nets["paths"](images, ws))

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return nets["G"](z, self._classes(labels, nets["G"]), noise_mode="const")

    def _drawn(self, nets: Networks, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Images, and the styles that they were drawn from."""
        g = cast(StyleGAN2Generator, nets["G"])
        ws = mixed(g, z, self._classes(labels, g), self.mixing)
        return g.synthesis(ws, noise_mode="random"), ws

    def _classes(self, labels: Tensor | None, net: nn.Module) -> Tensor | None:
        return weights(labels, cast(int, net.c_dim)) if self.conditional and labels is not None else None
