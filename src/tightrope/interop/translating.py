"""Other projects' networks for pictures as `core.translation.Translator`: what `tightrope translate` is given."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.translation import Translator
from tightrope.interop import systems
from tightrope.interop.imported import hints_of
from tightrope.interop.published import Published
from tightrope.networks.described import reach, takes_means
from tightrope.networks.layers.tiled import hastened


def opened(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Translator:
    """The network of a file of `tightrope import`.

    Args:
        header: of the file; `system`, and `hints` as JSON.
        tensors: under the reference's keys.

    Raises:
        InputError: the file is of no known system, is damaged, or holds a network that is not given pictures.
    """
    system = header.get("system", "")
    player = systems.player(system)
    if player.translates is None:
        other = "makes samples of latents; `tightrope sample` draws them" if player.makes else "judges pictures and makes none"
        raise InputError(f"{system}: {other}.")
    built = systems.build(system, tensors, hints_of(header))
    net = built.net if isinstance(built, Published) else built
    of = player.translates(net)
    mirrored = any(isinstance(layer, nn.ReflectionPad2d | nn.ReplicationPad2d) for layer in net.modules())
    return Translator(
        net=hastened(net.eval().requires_grad_(False)), name=system, inputs=of.inputs, outputs=of.outputs, scale=of.scale,
        multiple=of.multiple, least=max(8, 2 * of.multiple) if mirrored else of.multiple, darkest=of.darkest,
        reach=reach(net, of.multiple), whole=takes_means(net), restores=of.darkest == 0,
    )  # fmt: skip
