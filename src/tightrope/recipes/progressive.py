"""Both players grow from 4x4 pixels, a resolution at a time, each new one faded in; the Wasserstein game with a gradient penalty.

Paper:  Karras, Aila, Laine & Lehtinen, "Progressive growing of GANs for improved quality, stability, and variation", ICLR 2018,
        arXiv:1710.10196.
Run:    tightrope train progressive fashion
Expect: the published game at a width for a CPU: clear outlines of clothes after 26,000 images of fashion, when 32 px have just
        faded in. The paper's scores (CIFAR-10 Inception score 8.80, a width of 512, GPUs for days) are not reproduced here.
        Adam's state is kept where the authors' code resets it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.progressive import ProgressiveCritic, ProgressiveGenerator, at_stage, full_size
from tightrope.networks.shapes import doublings
from tightrope.objectives import wasserstein
from tightrope.penalties import interpolated


@recipe
class Progressive:
    """Section 2 and appendix A. A resolution fades in over `fade` of the run and then trains alone for `hold` of it."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    BUFFERS: ClassVar[str] = "copy"  # how far G has grown
    PLAIN_CRITIC: ClassVar[bool] = False  # its samples grow
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 8, "base": 64, "z": 4, "batch": 4, "group": 1},
        "paper": {"width": 512, "base": 8192, "z": 512, "images": 600_000.0},
        "images-64": {"fade": 0.08, "hold": 0.08},
        "images-128": {"fade": 0.06, "hold": 0.06},
        "images-256": {"fade": 0.05, "hold": 0.05},
    }

    width: int = hyper(64, "most channels of a layer", low=1, high=4096, paper=512)
    base: int = hyper(256, "channels of a layer times half its side in pixels", low=1, high=65536, paper=8192)
    z: int = hyper(64, "latent dimension", low=1, high=4096, paper=512)
    fade: float = hyper(0.1, "share of the run over which each resolution fades in", low=1e-6, high=1.0)
    hold: float = hyper(0.1, "share of the run for which each resolution then trains alone", low=0.0, high=1.0)
    images: float = hyper(0.0, "images for each of both instead; 0: by the shares", low=0.0, high=1e9, paper=600_000.0)
    group: int = hyper(4, "images of which D sees the standard deviation; divides the batch, 1: none", low=1, high=256)
    penalty: float = hyper(10.0, "weight of the gradient penalty between reals and fakes", low=0.0, high=1e4)
    drift: float = hyper(1e-3, "weight of D(real) squared, which keeps it near 0", low=0.0, high=1e4)
    lr: float = hyper(1e-3, "learning rate of both players", low=1e-7, high=1.0)
    beta2: float = hyper(0.99, "Adam's second decay rate", low=0.0, high=0.9999)
    ema: float = hyper(11_000.0, "half-life of G's weight average, in images (the paper: 0.999 a batch of 16)", low=0.0, high=1e9)
    batch: int = hyper(16, "images of a batch", low=1, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        sides = [4 << k for k in range(doublings(spec.size, start=4, family="Progressive growing") + 1)]
        widths = [max(1, min(self.width, 2 * self.base // side)) for side in sides]
        return {
            "G": ProgressiveGenerator(self.z, spec.channels, widths=widths),
            "D": ProgressiveCritic(spec.channels, widths=widths, group=self.group),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=0.0, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def schedule(self, seen: int, progress: float) -> Knobs:
        fade, hold, now = (self.images, self.images, seen) if self.images else (self.fade, self.hold, progress)
        resolution, within = divmod(max(0.0, now - hold), fade + hold)  # the first one does not fade in
        return Knobs(stage=resolution + min(1.0, within / fade) if now > hold else 0.0, ema=min(self.ema, 0.1 * seen))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z, knobs.stage)
        real, fake = at_stage(batch.real, knobs.stage), batch.made["fake"].detach()

        def critic(x: Tensor) -> Tensor:
            return nets["D"](x, knobs.stage)

        on_real, on_fake = critic(real), critic(fake)  # apart: D sees how alike a batch is
        return Terms(
            adversarial=wasserstein.d(on_real, on_fake),
            penalty=knobs.penalty * self.penalty * interpolated(critic, real, fake).mean(),
            drift=self.drift * on_real.square().mean(),
        ).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z, knobs.stage)
        return Terms(adversarial=wasserstein.g(nets["D"](fake, knobs.stage), None))

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return full_size(nets["G"], z)
