"""SN-GAN's game between DCGAN's networks for small images: three convolutions a player, so that a case takes seconds.

Miyato et al. 2018, arXiv:1802.05957. Run: `tightrope bench settings`.
"""

from __future__ import annotations

from torch import nn

from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.sngan import between, bound
from tightrope.recipes.sngan import SNGAN


class SmallSNGAN(SNGAN):
    """The recipe with other networks; objective, penalties and normalisation are its own."""

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        critic = DCGANCritic(
            channels=spec.channels, size=spec.size, width=self.width, norm=lambda channels: between(self.norm, channels)
        )
        return {
            "G": DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=self.width),
            "D": bound(critic, self.norm),
        }
