"""One translator, learned without pairs: every piece of the result must be told by the piece of the input in its place.

Paper:  Park, Efros, Zhang & Zhu, "Contrastive learning for unpaired image-to-image translation", ECCV 2020, arXiv:2007.15651.
Run:    tightrope train cut unpaired:./horses,./zebras
Expect: `benchmarks/unpaired.py`, beside `cyclegan` after the same time.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.augment.aligned import apart
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import linear
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator
from tightrope.networks.described import described
from tightrope.networks.heads import Heads
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.patch import PatchCritic
from tightrope.networks.translation import ResNetTranslator
from tightrope.objectives import least_squares
from tightrope.objectives.contrast import at_places, patch_nce, places

PIXELS, FIRST, SECOND, BLOCKS = 0, 4, 7, 10  # places in G: its padded input, the halving convolutions, the first block


@recipe
class CUT:
    """Equation 5: least squares, and the contrast of pieces at five layers of G, on inputs and on targets (identity)."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("unpaired", "pairs")
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "blocks": 2, "d_width": 4, "d_layers": 1, "units": 8, "patches": 16, "batch": 2},
        "fast": {"contrast": 10.0, "identity": 0.0, "mirror": True},
        "paper": {"width": 64, "blocks": 9, "d_width": 64, "d_layers": 3, "batch": 1, "lr": 2e-4, "ema": 0.0},
    }

    width: int = hyper(16, "channels of G at full size", low=1, high=1024, paper=64)
    blocks: int = hyper(4, "residual blocks of G", low=1, high=64, paper=9)
    d_width: int = hyper(32, "channels of the critic's first layer", low=1, high=1024, paper=64)
    d_layers: int = hyper(2, "halvings of the critic: 3 see patches of 70 px, 2 of 34", low=1, high=6, paper=3)
    contrast: float = hyper(1.0, "weight of the contrast (FastCUT: 10)", low=0.0, high=1e4)
    identity: float = hyper(1.0, "weight of the contrast of targets with what G makes of them (FastCUT: 0)", low=0.0, high=1e4)
    mirror: bool = hyper(False, "G is given half of the batches mirrored; the contrast asks for the same (FastCUT)")
    patches: int = hyper(256, "pieces of a picture that are told apart", low=2, high=65536)
    units: int = hyper(256, "dimension in which they are", low=2, high=4096)
    temperature: float = hyper(0.07, "temperature of the contrast", low=1e-3, high=10.0)
    crop: int = hyper(0, "side in pixels of the squares that are cut out for training; 0: whole pictures", low=0, high=4096)
    flip: bool = hyper(True, "half of the pictures mirrored left to right")
    lr: float = hyper(1e-3, "rate of all players for the first half; then along a line to 0", low=1e-7, high=1.0, paper=2e-4)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(2, "samples of a batch", low=1, high=65536, paper=1)
    ema: float = hyper(1000.0, "half-life of the weight average, in samples; 0 is none", low=0.0, high=1e9, paper=0.0)

    @property
    def layers(self) -> tuple[int, ...]:
        """Appendix C: the pixels, both halvings, the first and the fifth block."""
        return PIXELS, FIRST, SECOND, *sorted({BLOCKS, BLOCKS + min(4, self.blocks - 1)})

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if spec.given != spec.shape:
            raise InputError(f"cut: pictures and targets are of one shape, the data has {spec.given} for {spec.shape}.")
        w, channels = self.width, spec.channels
        inner = [4 * w] * (len(self.layers) - 3)
        return {
            "G": ResNetTranslator(channels, channels, width=w, blocks=self.blocks),
            "H": Heads([channels, 2 * w, 4 * w, *inner], self.units),
            "D": PatchCritic(channels, width=self.d_width, layers=self.d_layers, norm=InstanceNorm2d, bias=True),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "H", "D")}

    def phases(self) -> tuple[Phase, ...]:
        """D, then G and the heads, on the same batch."""
        d = Phase("D", ("D",), self.d_terms, keeps=("G",), clock=True)
        return d, Phase("G", ("G", "H"), self.g_terms, fresh=False)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=linear(1, 0, progress, start=0.5), ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return apart(real, given, self.crop, self.flip, generator)

    def translated(self, nets: Networks, batch: Batch) -> Tensor:
        """G of the pictures given and, behind them, of the targets where those count; kept in the batch."""
        if "made" not in batch.made:
            x = batch.given
            if self.mirror:
                batch.made["mirrored"] = torch.rand((), device=x.device) < 0.5
                x = torch.where(batch.made["mirrored"], x.flip(3), x)
            batch.made["made"] = nets["G"](torch.cat([x, batch.real]) if self.identity else x)
        return batch.made["made"]

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = self.translated(nets, batch)[: len(batch.given)].detach()
        on_real, on_fake = nets["D"](torch.cat([batch.real, fake])).chunk(2)
        terms = Terms(adversarial=least_squares.d(on_real, on_fake))
        return terms.watch(real=on_real.flatten(), fake=on_fake.flatten(), samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        made = self.translated(nets, batch)
        on_fake = nets["D"](made[: len(batch.given)])
        terms = Terms(adversarial=2 * least_squares.g(on_fake, None))  # the published loss is a whole square
        contrast = self.contrasted(nets, batch, made)
        terms["contrast"] = self.contrast * contrast[0]
        if self.identity:
            terms["identity"] = self.identity * contrast[1]
        return terms

    def contrasted(self, nets: Networks, batch: Batch, made: Tensor) -> list[Tensor]:
        """The loss of the pictures given and, where targets were translated too, of those: means over the layers."""
        own = torch.cat([batch.given, batch.real]) if self.identity else batch.given
        with torch.no_grad():
            before = nets["G"].features(own, self.layers)  # type: ignore[operator]
        after = nets["G"].features(made, self.layers)  # type: ignore[operator]
        if self.mirror:  # what was made of mirrored pictures is mirrored back; targets are never mirrored
            after = [self._back(x, batch) for x in after]
        chosen = [places(x, self.patches) for x in before]
        queries = nets["H"]([at_places(x, where) for x, where in zip(after, chosen, strict=True)])
        with torch.no_grad():
            keys = nets["H"]([at_places(x, where) for x, where in zip(before, chosen, strict=True)])
        pairs = [
            zip(q.split(len(batch.given)), k.split(len(batch.given)), strict=True) for q, k in zip(queries, keys, strict=True)
        ]
        losses = [torch.stack([patch_nce(q, k, self.temperature) for q, k in parts]) for parts in pairs]
        return list(torch.stack(losses).mean(0))

    def _back(self, x: Tensor, batch: Batch) -> Tensor:
        n = len(batch.given)
        return torch.cat([torch.where(batch.made["mirrored"], x[:n].flip(3), x[:n]), x[n:]])

    def translators(self, nets: Networks) -> dict[str, Translator]:
        return {"A-to-B": described(nets["G"], "cut")}
