"""CycleGAN's generator, `latest_net_G_A.pth`: keys `model.1.weight`, `model.10.conv_block.1.weight`. Axis: N, C, H W.

Shapes and keys tell input_nc, output_nc, ngf, n_blocks, the norm, use_dropout. Hints that they do not tell: padding_type
("replicate"), track_running_stats (see `interop.translators`).
"""

from __future__ import annotations

from tightrope.interop.published import Player, Translates, plainly, unchanged
from tightrope.interop.translators import resnet, unread
from tightrope.networks.translation import ResNetTranslator


def translates(net: ResNetTranslator) -> Translates:
    """Pictures of the same size."""
    return Translates(net.inputs, net.outputs, multiple=1 << net.downs)


PLAYERS = {
    "resnet": Player(
        build=resnet, kinds=(ResNetTranslator,), names=unchanged, call=plainly, unused=unread, translates=translates
    ),
}
