"""A network used as it was trained: statistics of the picture at hand, hidden values dropped by chance. Axis: N, C, H W.

Isola et al. 2017, section 3.4: pix2pix is tested with dropout and with batch normalisation by the test batch's statistics, which
for a batch of one is instance normalisation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn


@contextlib.contextmanager
def as_trained(net: nn.Module) -> Iterator[None]:
    """Inside, dropout drops and batch normalisation takes the batch's statistics and remembers nothing of them."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Dropout | nn.BatchNorm2d)]
    before = [(layer, layer.training, getattr(layer, "track_running_stats", True)) for layer in layers]
    try:
        for layer in layers:
            layer.training = True
            if isinstance(layer, nn.BatchNorm2d):
                layer.track_running_stats = False
        yield
    finally:
        for layer, training, tracks in before:
            layer.training = training
            if isinstance(layer, nn.BatchNorm2d):
                layer.track_running_stats = tracks


class AsTrained(nn.Module):
    """The network, always `as_trained`, a picture at a time."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        with as_trained(self.net):
            return torch.cat([self.net(one) for one in x.split(1)])
