"""Our networks with the reference implementations' weights: the same outputs and gradients to 1e-4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope import interop
from tightrope.core.game import Adam, Knobs
from tightrope.core.schedules import cosine
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.r3 import Downsample, Upsample
from tightrope.objectives import non_saturating, relativistic
from tightrope.penalties import r1, r2
from tightrope.training.optimizers import Optimizer

pytestmark = pytest.mark.parity
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


def load(parity: Path, name: str) -> dict[str, Any]:
    return torch.load(parity / f"{name}.pt", weights_only=True)


def dcgan(vectors: dict[str, Any]) -> tuple[DCGANGenerator, DCGANCritic]:
    meta = vectors["meta"]
    g = DCGANGenerator(meta["nz"], channels=meta["nc"], size=64, width=meta["ngf"])
    d = DCGANCritic(channels=meta["nc"], size=64, width=meta["ndf"])
    g.load_state_dict(vectors["G"])
    d.load_state_dict(vectors["D"])
    return g, d


def test_dcgan_outputs(parity: Path) -> None:
    vectors = load(parity, "dcgan")
    z, x, out = vectors["inputs"]["z"], vectors["inputs"]["x"], vectors["outputs"]
    for mode in ("eval", "train"):
        g, d = (net.train(mode == "train") for net in dcgan(vectors))
        with torch.no_grad():
            assert torch.allclose(g(z), out[f"img_{mode}"], **TOLERANCE)
            assert torch.allclose(torch.sigmoid(d(x)), out[f"score_{mode}"], **TOLERANCE)
    g, _ = dcgan(vectors)
    g.train()(z)
    for key, value in out["G_bn_after"].items():
        assert torch.allclose(g.state_dict()[key], value, **TOLERANCE), key


def test_dcgan_training_step(parity: Path) -> None:
    """One step of the example: D on real and fake, then G, both by Adam 2e-4 (0.5, 0.999)."""
    vectors = load(parity, "dcgan")
    g, d = (net.train() for net in dcgan(vectors))
    z, x, out = vectors["inputs"]["z"], vectors["inputs"]["x"], vectors["outputs"]
    adam = Adam(lr=2e-4, beta1=0.5, beta2=0.999)
    g_optimizer, d_optimizer = Optimizer(g, adam), Optimizer(d, adam)
    fake = g(z)
    on_real, on_fake = d(x), d(fake.detach())
    loss = non_saturating.d(on_real, on_fake)
    assert loss.item() == pytest.approx(out["step"]["errD_real"] + out["step"]["errD_fake"], abs=1e-4)
    loss.backward()
    d_optimizer.step(Knobs())
    g_loss = non_saturating.g(d(fake), None)
    assert g_loss.item() == pytest.approx(out["step"]["errG"], abs=1e-4)
    g_loss.backward()
    g_optimizer.step(Knobs())
    for net, expected in ((g, vectors["outputs"]["G_after_step"]), (d, vectors["outputs"]["D_after_step"])):
        for key, value in expected.items():
            assert torch.allclose(net.state_dict()[key].float(), value.float(), **TOLERANCE), key


def r3gan(vectors: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    kwargs = vectors["meta"]
    return (
        interop.from_state_dict("r3gan-generator", vectors["G"], **kwargs["G_kwargs"]),
        interop.from_state_dict("r3gan-discriminator", vectors["D"], **kwargs["D_kwargs"]),
    )


def test_r3gan_networks_losses_and_penalties(parity: Path) -> None:
    vectors = load(parity, "r3gan_uncond")
    g, d = r3gan(vectors)
    out, x = vectors["outputs"], vectors["inputs"]["x"]
    fake = g(vectors["inputs"]["z"])
    assert torch.allclose(fake, out["img"], **TOLERANCE)
    assert torch.allclose(d(x), out["logits"], **TOLERANCE)
    assert torch.allclose(r1(d, x), out["r1"], **TOLERANCE)
    assert torch.allclose(r2(d, fake), out["r2"], **TOLERANCE)
    assert relativistic.d(d(x), d(fake)).item() == pytest.approx(out["D_adv"].mean().item(), abs=1e-4)
    assert relativistic.g(d(fake), d(x)).item() == pytest.approx(out["G_adv"].mean().item(), abs=1e-4)


def test_r3gan_gradient_norms(parity: Path) -> None:
    """Of D's whole loss, with both penalties, and of G's: every parameter's gradient has the reference's norm."""
    vectors = load(parity, "r3gan_uncond")
    g, d = r3gan(vectors)
    gamma, x, z = vectors["meta"]["gamma"], vectors["inputs"]["x"], vectors["inputs"]["z"]
    fake = g(z).detach()
    d_loss = relativistic.d(d(x), d(fake)) + gamma / 2 * (r1(d, x).mean() + r2(d, fake).mean())
    norms(d, d_loss, vectors["outputs"]["D_gradnorm"])
    norms(g, relativistic.g(d(g(z)), d(x)), vectors["outputs"]["G_gradnorm"])


def norms(net: nn.Module, loss: Tensor, expected: dict[str, float]) -> None:
    net.zero_grad()
    loss.backward()
    gradients = dict(net.named_parameters())
    assert expected.keys() == gradients.keys()
    ratios = {k: gradients[k].grad.norm().item() / v for k, v in expected.items()}  # type: ignore[union-attr]
    reference = ratios[next(iter(ratios))]
    assert reference in (pytest.approx(1, rel=1e-4), pytest.approx(1 / 4, rel=1e-4))  # the mean, or the sum over the batch of 4
    assert all(ratio == pytest.approx(reference, rel=1e-4) for ratio in ratios.values())


def test_r3gan_resamplers(parity: Path) -> None:
    vectors = load(parity, "r3gan_primitives")
    x = vectors["inputs"]["x"]
    assert torch.allclose(Upsample()(x), vectors["outputs"]["InterpolativeUpsampler"], atol=1e-6)
    assert torch.allclose(Downsample()(x), vectors["outputs"]["InterpolativeDownsampler"], atol=1e-6)


def test_r3gan_schedules(parity: Path) -> None:
    vectors = load(parity, "r3gan_schedule")
    for name, points in vectors["outputs"].items():
        schedule = vectors["meta"]["sched"][name]
        for seen, value in points:
            ours = cosine(schedule["base_value"], schedule["final_value"], seen / schedule["total_nimg"])
            assert ours == pytest.approx(value, rel=1e-9, abs=1e-12)
