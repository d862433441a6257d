"""BigGAN as in the authors' PyTorch version, 32 to 512 px. Axis: N batch, Z latent, K classes, C H W.

Shapes tell G_ch, D_ch, the places of attention (G_attn), dim_z, hier, G_shared, shared_dim, n_classes and D_wide. Hints that they
do not tell: SN_eps (1e-12 unless told, the published run's is 1e-6) and BN_eps (1e-5). BigGAN-deep is another network.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Makes, Names, Player
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.biggan import BigGANGenerator
from tightrope.networks.layers.spectral import SNConv2d, SNEmbedding, SNLinear
from tightrope.networks.resnet import Kit, ResNetCritic, Stage

SN_EPS, BN_EPS = 1e-12, 1e-5
RULES = (
    (".norm.running_mean", ".stored_mean"),
    (".norm.running_var", ".stored_var"),
    ("output_layer.0.running_mean", "output_layer.0.stored_mean"),
    ("output_layer.0.running_var", "output_layer.0.stored_var"),
    ("output_layer.0.weight", "output_layer.0.gain"),
)


def _attended(tensors: Tensors, block: int) -> bool:
    return f"blocks.{block}.1.theta.weight" in tensors


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    blocks = tensors.count(r"blocks\.(\d+)\.0\.")
    kernels = [tensors.shape(f"blocks.{block}.0.conv1.weight", 4) for block in range(blocks)]
    widths = {4: kernels[0][1]} | {8 << block: kernel[0] for block, kernel in enumerate(kernels)}
    share = tensors.shape("linear.weight", 2)[1]
    condition = tensors.shape("blocks.0.0.bn1.gain.weight", 2)
    classes, shared = tensors.shape("shared.weight", 2) if "shared.weight" in tensors else (condition[0], 0)
    later = condition[1] - shared if shared else 0  # of z, for every block
    agree(hints, resolution=4 << blocks, n_classes=classes, hier=later > 0, G_shared=bool(shared))
    return BigGANGenerator(
        share + later * blocks,
        tensors.shape("output_layer.2.weight", 4)[0],
        widths=widths,
        classes=classes,
        shared=shared,
        hierarchical=later > 0,
        attention=[8 << block for block in range(blocks) if _attended(tensors, block)],
        eps=hints.get("SN_eps", SN_EPS),
        norm_eps=hints.get("BN_eps", BN_EPS),
    )


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    stages, blocks = [], tensors.count(r"blocks\.(\d+)\.0\.")
    for block in range(blocks):
        inner, outputs = (tensors.shape(f"blocks.{block}.0.conv{k}.weight", 4)[0] for k in (1, 2))
        # a block that halves has a shortcut; so has one that only widens, which in all layouts is the last
        down = f"blocks.{block}.0.conv_sc.weight" in tensors and block < blocks - 1
        stages.append(Stage(outputs, down, _attended(tensors, block), inner))
    eps = hints.get("SN_eps", SN_EPS)
    kit = Kit(
        conv=partial(SNConv2d, eps=eps),
        linear=partial(SNLinear, eps=eps),
        embedding=partial(SNEmbedding, eps=eps),
        norm=lambda channels: nn.Identity(),
    )
    classes = tensors.shape("embed.weight", 2)[0]
    agree(hints, n_classes=classes)
    return ResNetCritic(tensors.shape("blocks.0.0.conv1.weight", 4)[1], stages=stages, kit=kit, classes=classes)


def _names(net: nn.Module) -> Names:
    """Batch statistics lie in a layer of their own here, and the last norm is PyTorch's."""
    found = {}
    for key in net.state_dict():
        theirs = key
        for ours, name in RULES:
            theirs = theirs.replace(ours, name)
        if not key.endswith("num_batches_tracked"):
            found[key] = theirs
    return found


def _draw(net: BigGANGenerator, z: Tensor, y: Tensor) -> Tensor:
    """Latents (N, Z) and labels (N,), or the labels' vectors as `shared` embeds them (N, Y), to images."""
    if y.is_floating_point() and net.shared is not None:
        return net.of_vectors(z, y)
    return net(z, y)


def _score(net: ResNetCritic, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Logits, (N, 1)."""
    if y is not None and y.is_floating_point():
        raise InputError(f"labels of the type {y.dtype}: this critic takes whole numbers (N,).")
    return net(x, y)[:, None]


def _makes(net: BigGANGenerator) -> Makes:
    size = 4 << len(net.blocks)
    return Makes(sum(share for share in net.shares), (_last(net).out_channels, size, size), net.classes)


def _last(net: BigGANGenerator) -> nn.Conv2d:
    layer = net.output_layer[2]
    assert isinstance(layer, nn.Conv2d)
    return layer


def _refusal(net: ResNetCritic) -> str | None:
    return None if net.pool == "sum" else "this critic takes means over pixels, and BigGAN's takes sums."


PLAYERS = {
    "generator": Player(build=generator, kinds=(BigGANGenerator,), names=_names, call=_draw, makes=_makes),
    "discriminator": Player(build=discriminator, kinds=(ResNetCritic,), names=_names, call=_score, refusal=_refusal),
}
