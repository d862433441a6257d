"""D is an autoencoder, and its error is an energy: low on real images, and on made ones pushed up to a margin.

Paper:  Zhao, Mathieu & LeCun, "Energy-based generative adversarial network", ICLR 2017, arXiv:1609.03126.
Run:    tightrope train docs/examples/ebgan.py fashion
Expect: a minute of a CPU core (24,000 images of fashion, one seed): Frechet distance 3.4 by fashion-cnn, all ten classes.
"""

from typing import Any, ClassVar

from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator


@recipe
class EBGAN:
    """Equations 1 and 2. D's encoder and decoder are DCGAN's critic and generator."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PLAIN_CRITIC: ClassVar[bool] = False  # no logits: a guardian cannot put another game in this one's place
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 4, "z": 4, "code": 3, "batch": 4}}

    width: int = hyper(32, "channels at the highest resolution", low=1, high=1024, paper=64)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    code: int = hyper(64, "numbers between D's encoder and decoder", low=2, high=4096)
    margin: float = hyper(0.2, "energy from which made images are left alone, in squared units of [-1, 1]", low=0.0, high=4.0)
    lr: float = hyper(5e-4, "learning rate of both players", low=1e-7, high=1.0)
    batch: int = hyper(32, "images of a batch", low=2, high=65536, paper=64)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        sizes: dict[str, Any] = {"channels": spec.channels, "size": spec.size, "width": self.width}
        coder = nn.Sequential(DCGANCritic(outputs=self.code, **sizes), DCGANGenerator(self.code, **sizes))
        return {"G": DCGANGenerator(self.z, **sizes), "D": coder}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=0.5) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def energy(self, nets: Networks, x: Tensor) -> Tensor:
        return (nets["D"](x) - x).square().mean((1, 2, 3))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = self.energy(nets, batch.real), self.energy(nets, fake)
        terms = Terms(real=on_real.mean(), fake=(self.margin - on_fake).relu().mean())
        return terms.watch(real=-on_real, fake=-on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        return Terms(adversarial=self.energy(nets, fake).mean())
