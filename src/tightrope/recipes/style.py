"""One picture's style for any content: critics of small patches at several sizes, and lightness that stays where it was.

Paper:  Li & Wand, "Precomputed real-time texture synthesis with Markovian generative adversarial networks", ECCV 2016,
        arXiv:1604.04382 (patches of one picture against a translator's); Shaham, Dekel & Michaeli, "SinGAN", ICCV 2019,
        arXiv:1905.01164 (a critic of patches for each size of a single picture). In their manner, with a content loss of our own.
Run:    tightrope train style unpaired:patches:./photos,patches:./painting --size 128
Expect: strokes, textures and colours of the style picture where the content's lights and darks are; objects it does not know.
        Tried for a minute of one core alone (1,100 squares of 64 px): dark lines and a brown of the whole, no colours yet.
        A run begun `--from` another with another `--content` can be mixed with it: `tightrope translate RUN ... --towards
        OTHER --strength 0.5`. There is no right answer to measure by.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.augment.aligned import apart
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import linear
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator
from tightrope.networks.described import described
from tightrope.networks.patch import PatchCritic
from tightrope.networks.scales import PatchCritics
from tightrope.networks.translation import ResNetTranslator
from tightrope.objectives import least_squares

STEADY = 1e-3  # added to variances: flat pictures have none


@recipe
class Style:
    """The target is squares of one picture; what is given may be anything."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("unpaired",)
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "blocks": 1, "d_width": 4, "scales": 2, "batch": 2},
        "large": {"width": 32, "blocks": 5, "d_width": 64, "crop": 128, "batch": 4},
    }

    width: int = hyper(16, "channels of G at full size", low=1, high=1024)
    blocks: int = hyper(3, "residual blocks of G, at a quarter of the size", low=1, high=64)
    d_width: int = hyper(32, "channels of the critics' first layer", low=1, high=1024)
    d_layers: int = hyper(1, "halvings of a critic: 1 sees patches of 16 px, 2 of 34", low=1, high=6)
    scales: int = hyper(3, "critics, each for pictures of half the size of the one before", low=1, high=6)
    content: float = hyper(2.0, "weight of the content: less is more style", low=0.0, high=1e4)
    grain: int = hyper(4, "pixels of a side over which lightness is averaged before it is compared", low=1, high=64)
    crop: int = hyper(0, "side in pixels of the squares that are cut out for training; 0: whole pictures", low=0, high=4096)
    lr: float = hyper(4e-4, "learning rate of both players for the first half; then along a line to 0", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(4, "samples of a batch", low=1, high=65536)
    ema: float = hyper(1000.0, "half-life of the weight average, in samples; 0 is none", low=0.0, high=1e9)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if spec.given[1:] != spec.shape[1:]:
            raise InputError(f"style: content and style are of one size, the data has {spec.given} and {spec.shape}.")
        if (self.crop or spec.size) >> (self.scales - 1 + self.d_layers) < 3:
            raise InputError(f"--scales {self.scales}: pictures of {self.crop or spec.size} px cannot be halved so often.")

        def critic() -> PatchCritic:  # no norm: it would hide the colours
            return PatchCritic(spec.channels, width=self.d_width, layers=self.d_layers, norm=lambda _: nn.Identity(), bias=True)

        return {
            "G": ResNetTranslator(spec.given[0], spec.channels, width=self.width, blocks=self.blocks),
            "D": PatchCritics(critic, self.scales),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=linear(1, 0, progress, start=0.5), ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return apart(real, given, self.crop, True, generator)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] = nets["G"](batch.given)
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake.detach())
        losses = [least_squares.d(real, made) for real, made in zip(on_real, on_fake, strict=True)]
        real, made = (torch.cat([logits.flatten() for logits in each]) for each in (on_real, on_fake))
        return Terms(adversarial=torch.stack(losses).mean()).watch(real=real, fake=made, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.given)
        losses = [2 * least_squares.g(logits, None) for logits in nets["D"](fake)]
        kept = (self.lights(fake) - self.lights(batch.given)).abs().mean()
        return Terms(adversarial=torch.stack(losses).mean(), content=self.content * kept)

    def lights(self, x: Tensor) -> Tensor:
        """Lightness over `grain` pixels, less the picture's mean and in units of its spread: the palette is the style's."""
        coarse = F.avg_pool2d(x.float().mean(1, keepdim=True), self.grain)
        var, mean = torch.var_mean(coarse, (2, 3), keepdim=True, correction=0)
        return (coarse - mean) * torch.rsqrt(var + STEADY)

    def translators(self, nets: Networks) -> dict[str, Translator]:
        return {"styled": described(nets["G"], "style")}
