"""Small pictures made large: residual blocks learn the likeliest picture, then a critic asks for the detail that real ones have.

Paper:  Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR 2017,
        arXiv:1609.04802. By default a lighter network without normalisation (Lim et al. 2017, Shi et al. 2016), and L1 in the
        place of VGG's features; those of D can be matched instead (Wang et al. 2018, pix2pixHD).
Run:    tightrope train srgan down4:patches:PHOTOS --preset psnr --minutes 30 --run exact
Expect: `benchmarks/super_resolution.py`: PSNR and LPIPS on Set5, Set14 and photographs held out, beside bicubic. The preset makes
        G alone, for exactness; a run with a critic starts from it (`--from exact --run gan`), and `tightrope translate exact
        SMALL.png --towards gan --strength 0.7 --out LARGE.png` is between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.augment import aligned
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import cosine, warm_up
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator
from tightrope.networks.described import reach
from tightrope.networks.srresnet import LightSR, SRResNet, VGGCritic, enlargement
from tightrope.objectives import ALL
from tightrope.objectives.reconstruction import matched

WARM = 0.02  # share of the run over which the rates rise
CONTENT = {"l1": F.l1_loss, "l2": F.mse_loss}


@recipe
class SRGAN:
    """Equation 3, content and adversarial loss; with a weight of 0 for the second, G alone learns."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("pairs",)
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "blocks": 1, "critic_width": 2, "batch": 4, "crop": 8},
        "psnr": {"adversarial": 0.0, "matching": 0.0, "lr_g": 1e-3, "batch": 16},
        "paper": {
            "network": "srresnet", "width": 64, "blocks": 16, "critic_width": 64, "content": "l2", "adversarial": 1e-3,
            "matching": 0.0, "lr_g": 1e-4, "lr_d": 1e-4, "decay": False, "batch": 16, "ema": 0.0,
        },
    }  # fmt: skip

    network: str = hyper(
        "light", "G: without normalisation and all at the small size, or the paper's", choices=("light", "srresnet")
    )
    width: int = hyper(48, "channels of G", low=1, high=1024, paper=64)
    blocks: int = hyper(8, "residual blocks of G", low=1, high=256, paper=16)
    critic_width: int = hyper(24, "channels of D at full size", low=1, high=1024, paper=64)
    content: str = hyper("l1", "loss of pixels", choices=("l1", "l2"), paper="l2")
    objective: str = hyper(
        "non-saturating", "adversarial loss", choices=("non-saturating", "least-squares", "hinge", "relativistic-average")
    )
    adversarial: float = hyper(0.01, "weight of the adversarial loss; 0 trains G alone", low=0.0, high=1e4, paper=1e-3)
    matching: float = hyper(0.0, "weight of matching D's features", low=0.0, high=1e4)
    lr_g: float = hyper(2e-4, "learning rate of G", low=1e-7, high=1.0, paper=1e-4)
    lr_d: float = hyper(2e-4, "learning rate of D", low=1e-7, high=1.0, paper=1e-4)
    decay: bool = hyper(True, "the rate falls along a cosine to 0 at the end of the run")
    beta2: float = hyper(0.99, "Adam's second decay rate", low=0.0, high=0.99999, paper=0.999)
    crop: int = hyper(96, "side of the squares learned from, in large pixels; at most the data's", low=1, high=4096)
    turn: bool = hyper(True, "show pictures in any of their eight positions")
    ema: float = hyper(5_000.0, "half-life of G's weight average, in pictures; 0 is none", low=0.0, high=1e9, paper=0.0)
    batch: int = hyper(8, "pictures of a batch", low=1, high=65536, paper=16)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        scale = enlargement(spec, "srgan")
        build = LightSR if self.network == "light" else SRResNet
        nets: dict[str, nn.Module] = {"G": build(spec.channels, scale=scale, width=self.width, blocks=self.blocks)}
        if self._judges():
            nets["D"] = VGGCritic(spec.channels, size=self._side(spec.size, scale), width=self.critic_width)
        return nets

    def _judges(self) -> bool:
        return bool(self.adversarial or self.matching)

    def _side(self, size: int, scale: int) -> int:
        """Of the squares learned from, in large pixels."""
        return min(self.crop, size) // scale * scale

    def optimizers(self) -> dict[str, Adam]:
        rules = {"G": Adam(lr=self.lr_g, beta2=self.beta2), "D": Adam(lr=self.lr_d, beta2=self.beta2)}
        return rules if self._judges() else {"G": rules["G"]}

    def phases(self) -> tuple[Phase, ...]:
        if self._judges():
            return alternating(self.d_terms, self.g_terms)
        return (Phase("G", ("G",), self.g_terms, clock=True),)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=warm_up(progress, WARM) * cosine(1, 0, progress) if self.decay else 1.0, ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        side = self._side(min(real.shape[-2:]), aligned.scale(real, given))
        real, given = aligned.cropped(real, given, side, generator)
        return aligned.turned(real, given, generator) if self.turn else (real, given)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] = nets["G"](batch.given)
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake.detach())  # each with statistics of its own
        loss = ALL[self.objective].d(on_real, on_fake)
        return Terms(adversarial=loss).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.given)
        terms = Terms(content=CONTENT[self.content](fake, batch.real))
        if not self._judges():
            return terms.watch(samples=fake)
        critic, objective = nets["D"], ALL[self.objective]
        on_fake, on_real = critic.features(fake), []  # type: ignore[operator]
        if objective.paired or self.matching:
            with torch.no_grad():
                on_real = critic.features(batch.real)  # type: ignore[operator]
        if self.adversarial:
            terms["adversarial"] = self.adversarial * objective.g(on_fake[-1], on_real[-1] if on_real else None)
        if self.matching:
            terms["matching"] = self.matching * matched([on_real[:-1]], [on_fake[:-1]])
        return terms

    def translators(self, nets: Mapping[str, nn.Module]) -> dict[str, Translator]:
        net: Any = nets["G"]
        return {
            "enlarge": Translator(
                net=net.eval(), name="srgan", inputs=net.channels, outputs=net.channels, scale=net.scale, reach=reach(net, 1),
                restores=True,
            )
        }  # fmt: skip
