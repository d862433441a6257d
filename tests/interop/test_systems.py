"""Published networks from their own tensors: the reference's numbers, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope import interop
from tightrope.core.errors import InputError
from tightrope.interop import systems

TOLERANCE = {"atol": 2e-5, "rtol": 2e-5}
PLAYERS = {  # system -> (vectors, the network's name in them)
    "dcgan-generator": ("dcgan", "G"),
    "dcgan-discriminator": ("dcgan", "D"),
    "wgan-generator": ("wgan_G", "net"),
    "wgan-discriminator": ("wgan_D", "net"),
    "r3gan-generator": ("r3gan_uncond", "G"),
    "r3gan-discriminator": ("r3gan_uncond", "D"),
    "biggan-generator": ("biggan_res32_hier_attn", "G"),
    "biggan-discriminator": ("biggan_res32_hier_attn", "D"),
    "progressive-generator": ("progan_akanimax", "G"),
    "progressive-discriminator": ("progan_akanimax", "Dc"),
    "stylegan2-generator": ("sg2ada_default", "G"),
    "stylegan2-discriminator": ("sg2ada_default", "D"),
    "stylegan3-generator": ("sg3_t32", "G"),
}
PICTURES = [  # systems of test_translation_systems.py
    "cyclegan-resnet", "patchgan", "pix2pix-unet", "pix2pixhd-global", "pix2pixhd-local", "pixelgan", "rrdbnet", "srvgg",
    "unet-sn-discriminator",
]  # fmt: skip
Vectors = dict[str, Any]


def load(parity: Path, name: str) -> Vectors:
    return torch.load(parity / f"{name}.pt", weights_only=True)


def told(vectors: Vectors, player: str) -> dict[str, Any]:
    """The constructor's arguments, where the vectors say them."""
    return vectors["meta"].get(f"{player}_kwargs", {})


def both(system: str, parity: Path) -> list[tuple[nn.Module, Vectors]]:
    """The network with every hint there is, and with none."""
    name, player = PLAYERS[system]
    vectors = load(parity, name)
    hints = told(vectors, player)
    return [(interop.from_state_dict(system, vectors[player], **given), vectors) for given in ({}, hints)]


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], value) for key, value in expected.items())


# ---------------------------------------------------------------- the reference's numbers
@pytest.mark.parity
@pytest.mark.parametrize("system", PLAYERS)
def test_weights_come_back_under_their_keys_to_the_bit(system: str, parity: Path) -> None:
    name, player = PLAYERS[system]
    state = load(parity, name)[player]
    wrapped = {f"module.{key}": value for key, value in state.items()}
    for net, _ in both(system, parity):
        assert not net.training
        assert equal(interop.export(net), state)
        assert equal(dict(net.state_dict()), state)
        assert {key for key, _ in net.named_parameters()} | {key for key, _ in net.named_buffers()} >= state.keys() - _constants(
            state
        )
    assert equal(interop.export(interop.from_state_dict(system, wrapped)), state)


def _constants(state: dict[str, Tensor]) -> set[str]:
    return {key for key in state if key.endswith("Resampler.Kernel")}


@pytest.mark.parity
def test_systems_that_are_there_are_those_with_vectors() -> None:
    assert systems.names() == sorted([*PLAYERS, *PICTURES])


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_dcgan(mode: str, parity: Path) -> None:
    for (g, vectors), (d, _) in zip(both("dcgan-generator", parity), both("dcgan-discriminator", parity), strict=True):
        for net, x, out in ((g, "z", f"img_{mode}"), (d, "x", f"score_{mode}")):
            given = vectors["inputs"][x]
            assert torch.allclose(net.train(mode == "train")(given), vectors["outputs"][out], **TOLERANCE)
        if mode == "train":
            after = g.state_dict()
            assert all(torch.allclose(after[key], value) for key, value in vectors["outputs"]["G_bn_after"].items())


def renamed(state: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    """WGAN's keys as older files have them."""
    if how == "order":
        places = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
        return {f"net.{places.index(k.rpartition('.')[0])}.{k.rpartition('.')[2]}": v for k, v in state.items()}
    return {key.replace(":", how): value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parity
@pytest.mark.parametrize("name", ["wgan_G", "wgan_D", "wgan_mlpG", "wgan_mlpD"])
def test_wgan(name: str, parity: Path) -> None:
    vectors = load(parity, name)
    system = "wgan-generator" if name.endswith("G") else "wgan-discriminator"
    state = vectors["net"]
    older = [] if "mlp" in name else [renamed(state, "."), renamed(state, "order")]
    for given in (state, *older):
        net = interop.from_state_dict(system, given)
        for mode in ("eval", "train"):
            assert torch.allclose(net.train(mode == "train")(vectors["inputs"]["x"]), vectors["outputs"][mode], **TOLERANCE)
    assert equal(interop.export(interop.from_state_dict(system, state)), state)


@pytest.mark.parity
def test_r3gan(parity: Path) -> None:
    for (g, vectors), (d, _) in zip(both("r3gan-generator", parity), both("r3gan-discriminator", parity), strict=True):
        inputs, out = vectors["inputs"], vectors["outputs"]
        for c in (inputs["c"], None):
            assert torch.allclose(g(inputs["z"], c), out["img"], **TOLERANCE)
            assert torch.allclose(d(inputs["x"], c), out["logits"], **TOLERANCE)
    assert torch.equal(g(inputs["z"], truncation_psi=1, truncation_cutoff=None, noise_mode="const"), g(inputs["z"]))
    with pytest.raises(InputError, match="truncation_psi"):
        g(inputs["z"], truncation_psi=0.5)


@pytest.mark.parity
def test_r3gan_of_classes_in_the_precision_of_its_authors(parity: Path) -> None:
    """The vector was computed with the last two stages in bf16, and is large: fp32 is as near as bf16 allows."""
    vectors = load(parity, "pkl_r3gan_expected")
    z, c, expected = vectors["inputs"]["z"], vectors["inputs"]["c"], vectors["outputs"]["img"]
    plain, half = (interop.from_state_dict("r3gan-generator", vectors["G"], **h) for h in ({}, {"FP16Stages": [1, 2]}))
    assert torch.allclose(half(z, c), expected, **TOLERANCE)
    assert torch.allclose(plain(z, c), expected, atol=0.02 * expected.std().item() * 3)
    assert torch.equal(plain(z, c), plain(z, c.argmax(1)))
    d = interop.from_state_dict("r3gan-discriminator", vectors["D"])
    assert d(expected, c).shape == (2,) and not torch.allclose(d(expected, c), d(expected, c.roll(1, 1)))
    assert equal(interop.export(d), vectors["D"]) and equal(interop.export(half), vectors["G"])
    with pytest.raises(ValueError, match="labels"):
        plain(z)


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_biggan(mode: str, parity: Path) -> None:
    for (g, vectors), (d, _) in zip(both("biggan-generator", parity), both("biggan-discriminator", parity), strict=True):
        inputs, out = vectors["inputs"], vectors["outputs"]
        assert torch.allclose(g.train(mode == "train")(inputs["z"], inputs["y"]), out[f"img_{mode}"], **TOLERANCE)
        assert torch.allclose(d.train(mode == "train")(inputs["x"], inputs["y"]), out[f"logit_{mode}"], **TOLERANCE)
        if mode == "train":
            for net, player in ((g, "G"), (d, "D")):
                after = net.state_dict()
                assert all(
                    torch.allclose(after[key], value, **TOLERANCE) for key, value in out[f"{player}_after_train_fwd"].items()
                )
        else:
            vector = interop.export(g)["shared.weight"][inputs["y"]]
            assert torch.allclose(g(inputs["z"], vector), out["img_eval"], **TOLERANCE)


@pytest.mark.parity
def test_progressive(parity: Path) -> None:
    (g, vectors), _ = both("progressive-generator", parity)
    d = interop.from_state_dict("progressive-discriminator", vectors["D"])
    z, out = vectors["inputs"]["z"], vectors["outputs"]
    for name in [name for name in out if name.startswith("img|")]:
        depth, alpha = int(name.split("|")[1]), float(name.split("|")[2])
        x = torch.randn(8, 3, 2**depth, 2**depth, generator=torch.Generator().manual_seed(depth))
        assert torch.allclose(g(z, depth, alpha), out[name], atol=1e-4), name
        assert torch.allclose(d(x, depth, alpha), out[name.replace("img", "score")], **TOLERANCE), name
    assert torch.allclose(g(z), out["img|5|1.0"], atol=1e-4)
    (of_classes, _), _ = both("progressive-discriminator", parity)
    x, labels = vectors["inputs"]["xr"], torch.arange(8) % 3
    assert torch.allclose(of_classes(x, 4, 0.7, labels), out["cond_score"], **TOLERANCE)
    for wrong in ({"depth": 1}, {"depth": 6}, {"alpha": 1.5}):
        with pytest.raises(InputError, match="depths 2 to 5"):
            g(z, **wrong)


@pytest.mark.parity
def test_stylegan2(parity: Path) -> None:
    for g, vectors in both("stylegan2-generator", parity):
        inputs, out = vectors["inputs"], vectors["outputs"]
        z, c = inputs["z"], inputs["c"]
        assert torch.allclose(g(z, c, noise_mode="const"), out["img_const"], **TOLERANCE)
        assert torch.allclose(g(z, c, noise_mode="none"), out["img_none"], **TOLERANCE)
        assert torch.allclose(g(z, None, truncation_psi=0.5, noise_mode="const"), out["img_psi05"], **TOLERANCE)
    told_all, _ = both("stylegan2-discriminator", parity)[1]  # nothing but a hint says how large a group is
    assert torch.allclose(told_all(inputs["x"], c), out["logits"], **TOLERANCE)


@pytest.mark.parity
def test_stylegan3(parity: Path) -> None:
    for g, vectors in both("stylegan3-generator", parity):
        assert torch.allclose(g(vectors["inputs"]["z"], vectors["inputs"]["c"]), vectors["outputs"]["img"], **TOLERANCE)


@pytest.mark.parity
@pytest.mark.parametrize("system", ["biggan-generator", "stylegan3-generator"])
def test_gradients(system: str, parity: Path) -> None:
    """In the input, for the cotangent of seed 99; and the norms of the parameters', under the reference's names."""
    for net, vectors in both(system, parity):
        z = vectors["inputs"]["z"].clone().requires_grad_()
        out = net(z, vectors["inputs"].get("y"))
        out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(99)))
        expected = vectors["grads"]["input_grads"][0]
        assert z.grad is not None and (z.grad - expected).norm() < 1e-4 * expected.norm()
        norms = {name: p.grad.norm().item() for name, p in net.named_parameters() if p.grad is not None}
        assert norms == pytest.approx(vectors["grads"]["param_grad_norms"], rel=1e-4 if system == "biggan-generator" else 5e-4)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["sg2ada", "sg3", "r3gan"])
def test_whole_files(name: str, parity: Path) -> None:
    nets, expected = interop.read(parity / f"pkl_{name}.pkl"), load(parity, f"pkl_{name}_expected")
    assert set(nets) == {"G", "D", "G_ema"}
    inputs, noise = expected["inputs"], {} if name == "r3gan" else {"noise_mode": "const"}
    assert torch.allclose(nets["G_ema"](inputs["z"], inputs["c"], **noise), expected["outputs"]["img"], **TOLERANCE)
    assert equal(interop.export(nets["G_ema"]), expected["G"]) and equal(interop.export(nets["D"]), expected["D"])
