"""Two translators, there and back, learned without pairs: what has gone both ways must be what it was.

Paper:  Zhu, Park, Isola & Efros, "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV 2017,
        arXiv:1703.10593.
Run:    tightrope train cyclegan unpaired:./horses,./zebras
Expect: `benchmarks/unpaired.py`: emoji of one vendor in the style of another's, by L1 nearer to the true ones than they were,
        and than by the best affine map of colours; by LPIPS than the map alone (`docs/translators.md`).
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
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.patch import PatchCritic
from tightrope.networks.translation import ResNetTranslator
from tightrope.networks.unet import UNetTranslator
from tightrope.objectives import least_squares
from tightrope.objectives.pool import ImagePool


@recipe
class CycleGAN:
    """Section 3: least squares, a cycle both ways, identity, pools of 50 earlier fakes. G makes B of A, F makes A of B."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("unpaired", "pairs")
    AVERAGED: ClassVar[tuple[str, ...]] = ("G", "F")
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"generator": "resnet", "width": 4, "blocks": 1, "d_width": 4, "d_layers": 1, "pool": 3, "batch": 2},
        "paper": {
            "generator": "resnet",
            "width": 64,
            "blocks": 9,
            "d_width": 64,
            "d_layers": 3,
            "batch": 1,
            "lr": 2e-4,
            "ema": 0.0,
        },
    }

    generator: str = hyper(
        "unet", "G and F: U-Nets, or residual blocks at a quarter of the size", choices=("unet", "resnet"), paper="resnet"
    )
    width: int = hyper(16, "channels of G and F at full size (unet: at half)", low=1, high=1024, paper=64)
    blocks: int = hyper(9, "residual blocks (the paper: 6 at 128 px, 9 at 256 px)", low=1, high=64)
    downs: int = hyper(4, "halvings of the U-Nets", low=1, high=10)
    d_width: int = hyper(32, "channels of the critics' first layer", low=1, high=1024, paper=64)
    d_layers: int = hyper(2, "halvings of the critics: 3 see patches of 70 px, 2 of 34", low=1, high=6, paper=3)
    cycle: float = hyper(10.0, "weight of the cycle: what went there and back is what it was", low=0.0, high=1e4)
    identity: float = hyper(0.5, "weight of leaving the target domain as it is, as a share of the cycle's", low=0.0, high=1e3)
    pool: int = hyper(50, "earlier fakes that a critic is shown half of the time", low=0, high=100_000)
    crop: int = hyper(0, "side in pixels of the squares that are cut out for training; 0: whole pictures", low=0, high=4096)
    flip: bool = hyper(True, "half of the pictures mirrored left to right")
    lr: float = hyper(1e-3, "rate of all players for the first half; then along a line to 0", low=1e-7, high=1.0, paper=2e-4)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(2, "samples of a batch", low=1, high=65536, paper=1)
    ema: float = hyper(1000.0, "half-life of the weight averages, in samples; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        a, b, side = spec.given[0], spec.shape[0], self.crop or spec.size
        if spec.given[1:] != spec.shape[1:]:
            raise InputError(f"cyclegan: makes pictures of the same size, the data has {spec.given} for {spec.shape}.")
        if side % 4:
            raise InputError(f"cyclegan: halves pictures twice at least; {side} px cannot be: choose a multiple of 4.")
        if self.identity and spec.given != spec.shape:
            raise InputError(f"--identity {self.identity:g}: has no meaning between grey and colour; give --identity 0.")

        def critic(channels: int) -> PatchCritic:
            return PatchCritic(channels, width=self.d_width, layers=self.d_layers, norm=InstanceNorm2d, bias=True)

        return {
            "G": self._translator(a, b, side),
            "F": self._translator(b, a, side),
            "D_A": critic(a),
            "D_B": critic(b),
            "pool_A": ImagePool(self.pool, (a, side, side)),
            "pool_B": ImagePool(self.pool, (b, side, side)),
        }

    def _translator(self, inputs: int, outputs: int, side: int) -> nn.Module:
        if self.generator == "resnet":
            return ResNetTranslator(inputs, outputs, width=self.width, blocks=self.blocks)
        downs = min(self.downs, (side & -side).bit_length() - 1)  # as often as the side can be halved
        norm: dict[str, Any] = {"norm": InstanceNorm2d, "bias": True, "dropout": False}
        return UNetTranslator(inputs, outputs, width=self.width, downs=downs, **norm)

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "F", "D_A", "D_B")}

    def phases(self) -> tuple[Phase, ...]:
        """Both translators move, then both critics, on what these have just made."""
        return Phase("G", ("G", "F"), self.g_terms), Phase("D", ("D_A", "D_B"), self.d_terms, fresh=False, clock=True)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=linear(1, 0, progress, start=0.5), ema=min(self.ema, 0.1 * seen))

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return apart(real, given, self.crop, self.flip, generator)

    def translated(self, nets: Networks, batch: Batch) -> list[Tensor]:
        """G(a), F(b), and where identity counts G(b), F(a), in one pass each: no layer mixes samples."""
        a, b = batch.given, batch.real
        if not self.identity:
            return [nets["G"](a), nets["F"](b)]
        (fake_b, same_b), (fake_a, same_a) = (nets["G"](torch.cat([a, b])).chunk(2), nets["F"](torch.cat([b, a])).chunk(2))
        return [fake_b, fake_a, same_b, same_a]

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        a, b = batch.given, batch.real
        fake_b, fake_a, *same = self.translated(nets, batch)
        batch.made.update(A=fake_a.detach(), B=fake_b.detach())
        back_a, back_b = nets["F"](fake_b), nets["G"](fake_a)
        terms = Terms(  # the published losses of G and F are whole squares, those of the critics halves
            adversarial_B=2 * least_squares.g(nets["D_B"](fake_b), None),
            adversarial_A=2 * least_squares.g(nets["D_A"](fake_a), None),
            cycle=self.cycle * ((back_a - a).abs().mean() + (back_b - b).abs().mean()),
        )
        for made, kept in zip(same, (b, a), strict=False):
            near = self.cycle * self.identity * (made - kept).abs().mean()
            terms["identity"] = terms["identity"] + near if "identity" in terms else near
        return terms

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        if not batch.made:
            with torch.no_grad():
                batch.made.update(A=nets["F"](batch.real), B=nets["G"](batch.given))
        on_b, on_fake_b = nets["D_B"](torch.cat([batch.real, nets["pool_B"](batch.made["B"])])).chunk(2)
        on_a, on_fake_a = nets["D_A"](torch.cat([batch.given, nets["pool_A"](batch.made["A"])])).chunk(2)
        terms = Terms(adversarial_B=least_squares.d(on_b, on_fake_b), adversarial_A=least_squares.d(on_a, on_fake_a))
        return terms.watch(real=on_b.flatten(), fake=on_fake_b.flatten(), samples=batch.made["B"])

    def translators(self, nets: Networks) -> dict[str, Translator]:
        return {"A-to-B": described(nets["G"], "cyclegan"), "B-to-A": described(nets["F"], "cyclegan")}
