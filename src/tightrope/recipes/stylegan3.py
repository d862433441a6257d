"""Images drawn on the plane instead of on pixels: detail moves with what it belongs to, translated (t) and rotated (r) alike.

Paper:  Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen & Aila, "Alias-free generative adversarial networks", NeurIPS
        2021, arXiv:2106.12423.
Run:    tightrope train stylegan3 emoji --minutes 30
Expect: images that move as they are told from the first step on (`metrics.equivariance`: EQ-T of 50 dB at a margin of 6 px,
        90 at 10), for more arithmetic an image than `stylegan2`. The paper's scores, at 25 million images, are not
        reproduced here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.labels import weights
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.filters import filter2d
from tightrope.networks.stylegan2_critic import StyleGAN2Critic
from tightrope.networks.stylegan3 import StyleGAN3Generator
from tightrope.objectives import non_saturating
from tightrope.penalties import r1

FADE = 6_250  # rounds over which D's blur goes: 200,000 images in batches of 32 (appendix F)
PUBLISHED = {"t": {}, "r": {"conv_kernel": 1, "use_radial_filters": True}}


@recipe
class StyleGAN3:
    """Configurations T and R of table 1: StyleGAN2's critic and game, without path length penalty, style mixing and noise."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    BUFFERS: ClassVar[str] = "copy"
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 64, "widest": 4, "layers": 3, "margin": 4, "z": 6, "w": 6, "batch": 4, "group": 2},
        "images-16": {"layers": 5, "width": 512, "widest": 64, "margin": 6},
        "images-32": {"layers": 6, "width": 1024, "widest": 64, "margin": 6},
        "images-64": {"layers": 8, "width": 1024, "widest": 64, "margin": 6},
        "t256": {"width": 16384, "widest": 512, "layers": 14, "batch": 32, "gamma": 2.0},
        "t512": {"width": 32768, "widest": 512, "layers": 14, "batch": 32, "gamma": 8.2},
        "t1024": {"width": 32768, "widest": 512, "layers": 14, "batch": 32, "gamma": 32.8},
        "r1024": {"variant": "r", "width": 32768, "widest": 512, "layers": 14, "batch": 32, "gamma": 32.8, "blur": 10.0},
    }

    variant: str = hyper(
        "t", "equivariant to translation, or to rotation too (1x1 kernels, twice the channels)", choices=("t", "r")
    )
    width: int = hyper(1024, "channels times pixels: a layer of side s has width / s channels", low=4, high=1e6, paper=32768)
    widest: int = hyper(64, "most channels of a layer", low=1, high=4096, paper=512)
    layers: int = hyper(8, "layers of the synthesis network, two of them at the highest frequency", low=3, high=64, paper=14)
    margin: int = hyper(10, "pixels drawn beyond each side, so that nothing is known of where the image ends", low=0, high=64)
    z: int = hyper(512, "latent dimension", low=1, high=4096)
    w: int = hyper(512, "dimension of a style", low=1, high=4096)
    mapping: int = hyper(2, "layers of the mapping network", low=1, high=32)
    conditional: bool = hyper(False, "make samples by class")
    gamma: float = hyper(-1.0, "weight of R1; -1: 0.0002 times the pixels of an image over the batch", low=-1.0, high=1e4)
    r1_every: int = hyper(16, "rounds between two R1 penalties, which then count that many times", low=1, high=256)
    blur: float = hyper(0.0, "deviation of the blur of what D first sees, in pixels; the paper's R: 10", low=0.0, high=100.0)
    group: int = hyper(4, "samples that D compares (minibatch standard deviation); must divide the batch", low=1, high=64)
    lr_g: float = hyper(2.5e-3, "learning rate of G", low=1e-7, high=1.0)
    lr_d: float = hyper(2e-3, "learning rate of D", low=1e-7, high=1.0)
    beta2: float = hyper(0.99, "Adam's second decay rate; the first is 0", low=0.0, high=0.9999)
    magnitudes: float = hyper(20_000.0, "half-life of the running magnitudes in G, in images", low=1.0, high=1e9)
    ema: float = hyper(-1.0, "half-life of G's weight average, in images; -1: 312 times the batch", low=-1.0, high=1e9)
    batch: int = hyper(16, "images of a batch", low=1, high=65536, paper=32)

    @property
    def CONDITIONAL(self) -> bool:
        return self.conditional

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        classes = spec.labelled("stylegan3 --conditional") if self.conditional else 0
        sides: dict[str, Any] = {"img_resolution": spec.size, "img_channels": spec.channels}
        wider = 2 if self.variant == "r" else 1
        g = StyleGAN3Generator(
            self.z,
            classes,
            self.w,
            mapping_kwargs={"num_layers": self.mapping},
            channel_base=wider * self.width,
            channel_max=wider * self.widest,
            num_layers=self.layers,
            margin_size=self.margin,
            magnitude_ema_beta=0.5 ** (self.batch / self.magnitudes),
            **sides,
            **PUBLISHED[self.variant],
        )
        widths: dict[str, Any] = {"channel_base": self.width, "channel_max": self.widest, "conv_clamp": 256}
        return {"G": g, "D": StyleGAN2Critic(classes, **sides, **widths, epilogue_kwargs={"mbstd_group_size": self.group})}

    def optimizers(self) -> dict[str, Adam]:
        g, d = (Adam(lr=lr, beta1=0.0, beta2=self.beta2) for lr in (self.lr_g, self.lr_d))
        return {"G": g, "D": d.lazy(self.r1_every)}

    def phases(self) -> tuple[Phase, ...]:
        return (
            Phase("D", ("D",), self.d_terms, keeps=("G",), clock=True),
            Phase("G", ("G",), self.g_terms, fresh=False),
            Phase("R1", ("D",), self.r1_terms, every=self.r1_every, fresh=False),
        )

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(ema=min(312.5 * self.batch if self.ema < 0 else self.ema, 0.05 * seen))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = fake = nets["G"](batch.z, self._classes(nets, batch.labels), update_emas=True)
        on_real, on_fake = (self._judged(nets, batch)(x) for x in (batch.real, fake.detach()))
        return Terms(adversarial=non_saturating.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else self.sample(nets, batch.z, batch.labels)
        return Terms(adversarial=non_saturating.g(self._judged(nets, batch)(fake), None))

    def r1_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        gamma = 2e-4 * batch.real[0, 0].numel() / self.batch if self.gamma < 0 else self.gamma
        return Terms(r1=knobs.penalty * self.r1_every * gamma / 2 * r1(self._judged(nets, batch), batch.real).mean())

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        c = self._classes(nets, labels)
        return lambda x: nets["D"](x, c)[:, 0]

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return nets["G"](z, self._classes(nets, labels))

    def _classes(self, nets: Networks, labels: Tensor | None) -> Tensor | None:
        return None if not self.conditional or labels is None else weights(labels, nets["G"].c_dim)  # type: ignore[arg-type]

    def _judged(self, nets: Networks, batch: Batch) -> Callable[[Tensor], Tensor]:
        """D of images that are blurred at first, so that it cannot yet tell fakes by their detail (appendix F)."""
        d, deviation = self.critic(nets, batch.labels), self.blur * max(0.0, 1 - batch.round / FADE)
        return lambda x: d(blurred(x, deviation))


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Convolved with a Gaussian of this deviation in pixels, cut at three of them."""
    reach = int(3 * deviation)
    if not reach:
        return x
    taps = torch.exp(-(torch.arange(-reach, reach + 1, device=x.device) / deviation).square() / 2)
    return filter2d(x, taps / taps.sum())
