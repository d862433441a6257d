"""Tiny networks of every kind, and files of them as `tightrope import` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tightrope import interop, translate
from tightrope.core.translation import Translator
from tightrope.networks.sr import RRDBNet, SRVGGNet
from tightrope.networks.translation import ResNetTranslator
from tightrope.networks.unet import UNetTranslator

BUILD: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "rrdb": ("rrdbnet", lambda: RRDBNet(3, 3, width=6, blocks=1, growth=4)),
    "rrdb2": ("rrdbnet", lambda: RRDBNet(3, 3, scale=2, width=6, blocks=1, growth=4)),
    "srvgg": ("srvgg", lambda: SRVGGNet(3, scale=2, width=6, layers=2)),
    "srvgg3": ("srvgg", lambda: SRVGGNet(3, width=6, layers=1, final=3)),
    "grey": ("srvgg", lambda: SRVGGNet(1, scale=2, width=6, layers=1)),
    "resnet": ("cyclegan-resnet", lambda: ResNetTranslator(3, 3, width=4, blocks=1)),
    "unet": ("pix2pix-unet", lambda: UNetTranslator(3, 3, width=4, downs=5)),
}


def strengthened(net: nn.Module) -> nn.Module:
    """Weights large enough that neighbours matter."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_normal_(layer.weight)
    return net.eval()


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("networks")

    def write(kind: str, seed: int = 0) -> Path:
        torch.manual_seed(seed)
        system, build = BUILD[kind]
        net = strengthened(build())
        path = folder / f"{kind}-{seed}.safetensors"
        hints = {"outscale": 3} if kind == "srvgg3" else {}
        header = {"format": "tightrope-network-1", "name": "G", "system": system, "hints": json.dumps(hints)}
        save_file({key: value.contiguous() for key, value in interop.export(net).items()}, path, header)
        return path

    return write


@pytest.fixture(scope="session")
def network(network_file: Callable[..., Path]) -> Callable[..., Translator]:
    return lambda kind, seed=0: translate.opened(network_file(kind, seed))
