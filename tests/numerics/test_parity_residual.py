"""WGAN-GP's small networks with the reference implementation's weights; those of whole systems are in `tests/interop`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope.networks.wgan import ConvCritic, ConvGenerator
from tightrope.penalties import interpolated

pytestmark = pytest.mark.parity
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


def load(parity: Path, name: str) -> dict[str, Any]:
    return torch.load(parity / f"{name}.pt", weights_only=True)


def by_order(net: nn.Module, theirs: dict[str, Tensor]) -> nn.Module:
    """Load tensors whose names are not ours in the order in which they stand, checking every shape."""
    ours = net.state_dict()
    assert [v.shape for v in ours.values()] == [v.shape for v in theirs.values()]
    net.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    return net


def test_wgan_gp_networks_and_penalty(parity: Path) -> None:
    vectors = load(parity, "wgangp_cifar")
    inputs, out = vectors["inputs"], vectors["outputs"]
    g = by_order(ConvGenerator(128, channels=3, size=32, width=8), vectors["G"])
    d = by_order(ConvCritic(channels=3, size=32, width=8), vectors["D"])
    with torch.no_grad():
        images = {mode: g.train(mode == "train")(inputs["z"]) for mode in ("eval", "train")}
        assert torch.allclose(d(inputs["x"])[:, None], out["score"], **TOLERANCE)
    for mode, image in images.items():
        assert torch.allclose(image, out[f"img_{mode}"], **TOLERANCE)
    penalty = 10 * interpolated(d, inputs["x"], images["train"], alpha=inputs["alpha"]).mean()
    assert penalty.item() == pytest.approx(out["gp"].item(), rel=1e-4)
