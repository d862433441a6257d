"""The Wasserstein, residual and BigGAN networks with the reference implementations' weights: the same numbers to 1e-4."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope.networks.biggan import BigGANGenerator
from tightrope.networks.resnet import SPECTRAL, ResNetCritic, Stage, flat
from tightrope.networks.wgan import (
    ConvCritic,
    ConvGenerator,
    PerceptronCritic,
    PerceptronGenerator,
    WGANCritic,
    WGANGenerator,
)
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


@pytest.mark.parametrize("name", ["wgan_G", "wgan_D", "wgan_mlpG", "wgan_mlpD"])
def test_wgan_outputs(parity: Path, name: str) -> None:
    vectors = load(parity, name)
    nets = {
        "wgan_G": WGANGenerator(12, channels=3, size=32, width=8, extra=1),
        "wgan_D": WGANCritic(channels=3, size=32, width=8, extra=1),
        "wgan_mlpG": PerceptronGenerator(12, (3, 16, 16), width=8),
        "wgan_mlpD": PerceptronCritic((3, 16, 16), width=8),
    }
    net, x = by_order(nets[name], vectors["net"]), vectors["inputs"]["x"]
    for mode in ("eval", "train"):
        net.train(mode == "train")
        with torch.no_grad():
            out = net(x.flatten(1) if name.endswith("G") else x)
        expected = vectors["outputs"][mode]
        assert torch.allclose(out if name.endswith("G") else out.mean(0, keepdim=True), expected, **TOLERANCE)


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


# ---------------------------------------------------------------- BigGAN
NAMES = ((r"stored_mean", "norm.running_mean"), (r"stored_var", "norm.running_var"))


def biggan_state(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The reference's tensors under our names: batch statistics lie in a layer of their own, the last norm is PyTorch's."""
    state = {}
    for key, value in theirs.items():
        for pattern, name in NAMES:
            key = re.sub(pattern, name, key)
        key = key.replace("output_layer.0.norm.", "output_layer.0.")
        key = key.replace("output_layer.0.gain", "output_layer.0.weight")
        state[key] = value
    return state


def biggan(vectors: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    gk, dk = vectors["meta"]["G_kwargs"], vectors["meta"]["D_kwargs"]
    widths = flat(32, 4 * gk["G_ch"])
    g = BigGANGenerator(gk["dim_z"], 3, widths=widths, classes=6, shared=gk["shared_dim"], attention=16, eps=gk["SN_eps"])
    stages = [Stage(4 * dk["D_ch"], down, attention=True) for down in (True, True, False, False)]
    d = ResNetCritic(3, stages=stages, kit=SPECTRAL, classes=6, wide=True)
    for net, player in ((g, "G"), (d, "D")):
        missing, unexpected = net.load_state_dict(biggan_state(vectors[player]), strict=False)
        assert not unexpected
        assert all(key.endswith("num_batches_tracked") for key in missing)
    return g, d


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_biggan_outputs_and_state(parity: Path, mode: str) -> None:
    vectors = load(parity, "biggan_res32_hier_attn")
    g, d = (net.train(mode == "train") for net in biggan(vectors))
    inputs, out = vectors["inputs"], vectors["outputs"]
    with torch.no_grad():
        assert torch.allclose(g(inputs["z"], inputs["y"]), out[f"img_{mode}"], **TOLERANCE)
        assert torch.allclose(d(inputs["x"], inputs["y"])[:, None], out[f"logit_{mode}"], **TOLERANCE)
    if mode == "train":
        for net, player in ((g, "G"), (d, "D")):
            for key, value in biggan_state(out[f"{player}_after_train_fwd"]).items():
                assert torch.allclose(net.state_dict()[key], value, **TOLERANCE), key


def test_biggan_gradients(parity: Path) -> None:
    vectors = load(parity, "biggan_res32_hier_attn")
    g, _ = biggan(vectors)
    z = vectors["inputs"]["z"].clone().requires_grad_()
    out = g.eval()(z, vectors["inputs"]["y"])
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(99)))
    assert z.grad is not None
    assert torch.allclose(z.grad, vectors["grads"]["input_grads"][0], **TOLERANCE)
    norms = biggan_state(vectors["grads"]["param_grad_norms"])
    ours = {name: p.grad.norm().item() for name, p in g.named_parameters() if p.grad is not None}
    assert ours == pytest.approx(norms, rel=1e-4)
