"""Small pictures made large by dense blocks within residual ones, and a critic that asks which of two pictures is the more real.

Paper:  Wang et al., "ESRGAN: Enhanced super-resolution generative adversarial networks", ECCVW 2018, arXiv:1809.00219; the critic
        of every pixel with spectral normalisation: Wang, Xie, Dong & Shan, "Real-ESRGAN", ICCVW 2021, arXiv:2107.10833. Without
        the term of VGG's features, whose weights no package may hand on.
Run:    tightrope train esrgan down4:patches:PHOTOS --preset psnr --minutes 60 --run exact
Expect: several times the arithmetic of `srgan`, which is what minutes on a CPU are for: `benchmarks/super_resolution.py --recipe
        esrgan`. The papers' sizes take a GPU and days; their published weights are read by `tightrope import`. As with `srgan`
        the preset makes G alone, and a run with a critic starts from it (`--from exact`). For small pictures that are noisy,
        blurred and compressed: degraded4:patches:PHOTOS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.augment import aligned
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import cosine, warm_up
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator
from tightrope.networks.described import reach
from tightrope.networks.sr import RRDBNet
from tightrope.networks.srresnet import VGGCritic, enlargement
from tightrope.networks.unet import UNetCritic
from tightrope.objectives import ALL

WARM = 0.02  # share of the run over which the rates rise
MULTIPLE = 8  # of the sides that the critic of every pixel takes


@recipe
class ESRGAN:
    """Equation 3 without its first term: the relativistic average game, and L1."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("pairs",)
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "blocks": 1, "growth": 2, "critic_width": 2, "batch": 4, "crop": 8},
        "psnr": {"adversarial": 0.0, "lr_g": 5e-4, "batch": 16},
        "paper": {
            "width": 64, "blocks": 23, "growth": 32, "critic": "vgg", "critic_width": 64, "adversarial": 0.5, "lr_g": 1e-4,
            "lr_d": 1e-4, "decay": False, "crop": 128, "batch": 16, "ema": 0.0,
        },
        "real": {
            "width": 64, "blocks": 23, "growth": 32, "critic_width": 64, "objective": "non-saturating", "adversarial": 0.1,
            "lr_g": 1e-4, "lr_d": 1e-4, "decay": False, "crop": 256, "batch": 48, "ema": 30_000.0,
        },
    }  # fmt: skip

    width: int = hyper(32, "channels of G", low=1, high=1024, paper=64)
    blocks: int = hyper(4, "residual-in-residual dense blocks of G", low=1, high=256, paper=23)
    growth: int = hyper(16, "channels that a convolution of a dense block adds", low=1, high=1024, paper=32)
    critic: str = hyper("unet", "D: of every pixel (Real-ESRGAN), or of the picture", choices=("unet", "vgg"), paper="vgg")
    critic_width: int = hyper(24, "channels of D at full size", low=1, high=1024, paper=64)
    objective: str = hyper(
        "relativistic-average", "adversarial loss", choices=("relativistic-average", "non-saturating", "least-squares", "hinge")
    )
    adversarial: float = hyper(0.01, "weight of the adversarial loss beside L1; 0 trains G alone", low=0.0, high=1e4, paper=0.5)
    lr_g: float = hyper(2e-4, "learning rate of G", low=1e-7, high=1.0, paper=1e-4)
    lr_d: float = hyper(2e-4, "learning rate of D", low=1e-7, high=1.0, paper=1e-4)
    decay: bool = hyper(True, "the rate falls along a cosine to 0 at the end of the run")
    beta2: float = hyper(0.99, "Adam's second decay rate", low=0.0, high=0.99999, paper=0.999)
    crop: int = hyper(96, "side of the squares learned from, in large pixels; at most the data's", low=8, high=4096, paper=128)
    turn: bool = hyper(True, "show pictures in any of their eight positions")
    ema: float = hyper(5_000.0, "half-life of G's weight average, in pictures; 0 is none", low=0.0, high=1e9, paper=0.0)
    batch: int = hyper(8, "pictures of a batch", low=1, high=65536, paper=16)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        scale, side = enlargement(spec, "esrgan"), self._side(spec.size)
        if spec.size < MULTIPLE:
            raise InputError(f"esrgan learns from squares of {MULTIPLE} px at least, these pictures have {spec.size} px.")
        nets: dict[str, nn.Module] = {
            "G": RRDBNet(
                spec.channels, spec.channels, scale=scale, width=self.width, blocks=self.blocks, growth=self.growth
            )
        }  # fmt: skip
        if self.adversarial:
            vgg = self.critic == "vgg"
            nets["D"] = (
                VGGCritic(spec.channels, size=side, width=self.critic_width)
                if vgg
                else UNetCritic(spec.channels, width=self.critic_width)
            )
        return nets

    def _side(self, size: int) -> int:
        """Of the squares learned from, in large pixels."""
        return min(self.crop, size) // MULTIPLE * MULTIPLE

    def optimizers(self) -> dict[str, Adam]:
        rules = {"G": Adam(lr=self.lr_g, beta2=self.beta2), "D": Adam(lr=self.lr_d, beta2=self.beta2)}
        return rules if self.adversarial else {"G": rules["G"]}

    def phases(self) -> tuple[Phase, ...]:
        if self.adversarial:
            return alternating(self.d_terms, self.g_terms)
        return (Phase("G", ("G",), self.g_terms, clock=True),)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=warm_up(progress, WARM) * cosine(1, 0, progress) if self.decay else 1.0, ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        real, given = aligned.cropped(real, given, self._side(min(real.shape[-2:])), generator)
        return aligned.turned(real, given, generator) if self.turn else (real, given)

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return 2 * nets["G"]((z + 1) / 2) - 1  # the published network's pictures are in [0, 1]

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] = self.sample(nets, batch.given)
        real, made = (nets["D"](x).flatten() for x in (batch.real, fake.detach()))  # each with statistics of its own
        return Terms(adversarial=ALL[self.objective].d(real, made)).watch(real=real, fake=made, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else self.sample(nets, batch.given)
        terms = Terms(content=F.l1_loss(fake, batch.real))
        if not self.adversarial:
            return terms.watch(samples=fake)
        objective, on_real = ALL[self.objective], None
        if objective.paired:
            with torch.no_grad():
                on_real = nets["D"](batch.real).flatten()
        terms["adversarial"] = self.adversarial * objective.g(nets["D"](fake).flatten(), on_real)
        return terms

    def translators(self, nets: Mapping[str, nn.Module]) -> dict[str, Translator]:
        net: Any = nets["G"]
        return {
            "enlarge": Translator(
                net=net.eval(), name="esrgan", inputs=net.inputs, outputs=net.outputs, scale=net.scale, multiple=net.folded,
                least=net.folded, darkest=0.0, reach=reach(net, net.folded), restores=True,
            )
        }  # fmt: skip
