"""Which convolutions take a fast route: where it was measured to pay, and outside of training where a network was made for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tightrope.networks.described import described
from tightrope.networks.layers import convolution
from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.tiled import TiledConv2d, hastened
from tightrope.networks.translation import ResNetTranslator


def route(net: nn.Module, x: torch.Tensor) -> str:
    function: Any = net(x).grad_fn
    return type(function).__name__


@pytest.mark.parametrize(
    ("batch", "size", "dtype", "taken"),
    [
        (1, 16, torch.float32, False),  # 16 tiles: the filters' transforms cost more than the products saved
        (8, 16, torch.float32, False),
        (16, 16, torch.float32, True),
        (4, 16, torch.bfloat16, True),
        (2, 16, torch.bfloat16, False),
    ],
)
def test_few_tiles_are_left_to_pytorch(batch: int, size: int, dtype: torch.dtype, taken: bool) -> None:
    x = torch.zeros(batch, 128, size, size, dtype=dtype)
    assert (route(FastConv2d(128, 128, 4, 2, 1, bias=False).to(dtype), x) == "DownBackward") == taken
    half = x[:, :, ::2, ::2].contiguous()
    assert (route(FastConvTranspose2d(128, 128, 4, 2, 1, bias=False).to(dtype), half) == "UpBackward") == taken


def test_hastened_networks_take_the_tiled_route_in_use_and_give_the_same() -> None:
    torch.manual_seed(0)
    net, x = TiledConv2d(128, 128, 3, padding=1).eval(), torch.randn(2, 128, 16, 16)
    with torch.no_grad():
        plain = net(x)
        assert torch.equal(plain, nn.functional.conv2d(x, net.weight, net.bias, padding=1))
        fast = hastened(net)(x)
        with convolution.plain():
            assert torch.equal(net(x), nn.functional.conv2d(x, net.weight, net.bias, padding=1))
    assert not torch.equal(fast, plain)
    torch.testing.assert_close(fast, plain, atol=1e-4, rtol=0)


def test_described_networks_are_hastened_and_their_windows_fit_the_tiles() -> None:
    torch.manual_seed(0)
    net, x = ResNetTranslator(width=32, blocks=1).eval(), torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        before = net(x)
        translator = described(net, "toy")
        after = translator.net(x)
    assert translator.multiple == 16
    assert all(layer.always for layer in net.modules() if isinstance(layer, TiledConv2d))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)
