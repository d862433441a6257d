"""Files of other projects, read: the same tensors under the same names, in the same order, with the constructor's arguments."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from crafted import name, persistent_pickle, pretending, saved, tensorflow_pickle, write
from tightrope.interop import Opened, containers
from tightrope.interop.reading.errors import UnknownFile

DCGAN = OrderedDict(
    {"main.0.weight": torch.randn(4, 8, 4, 4), "main.1.weight": torch.randn(8), "main.1.num_batches_tracked": torch.tensor(3)}
)
CRITIC = {"main.0.weight": torch.randn(8, 3, 4, 4), "main.2.weight": torch.randn(16, 8, 4, 4)}
PROGRESSIVE = {"layers.0.conv_1.weight": torch.randn(8, 4, 4, 4), "rgb_converters.0.weight": torch.randn(3, 4, 1, 1)}


def opened(folder: Path, data: bytes, called: str = "file.pth") -> Opened:
    return containers.open(write(folder, data, called))


def assert_same(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Names in order, types, shapes and bits."""
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        assert found[key].dtype == value.dtype and found[key].shape == value.shape, key
        assert torch.equal(
            found[key].contiguous().view(torch.uint8) if value.dim() else found[key],
            value.contiguous().view(torch.uint8) if value.dim() else value,
        ), key


@pytest.mark.parity
@pytest.mark.parametrize("which", ["sg2ada", "sg3", "r3gan"])
def test_the_projects_own_pickles(parity: Path, which: str) -> None:
    found = containers.open(parity / f"pkl_{which}.pkl")
    wanted = torch.load(parity / f"pkl_{which}_expected.pt", weights_only=True)
    assert list(found.nets) == ["G", "D", "G_ema"]
    assert_same(found.nets["G_ema"].state, wanted["G"])
    assert_same(found.nets["D"].state, wanted["D"])


@pytest.mark.parity
def test_hints_of_the_projects_own_pickles(parity: Path) -> None:
    g = containers.open(parity / "pkl_sg2ada.pkl").nets["G_ema"]
    assert g.system == "stylegan2-generator"
    assert (g.hints["z_dim"], g.hints["w_dim"], g.hints["img_resolution"]) == (24, 20, 32)
    assert g.hints["synthesis_kwargs"]["channel_max"] == 32 and g.hints["mapping_kwargs"] == {"num_layers": 2}
    three = containers.open(parity / "pkl_sg3.pkl").nets
    assert (three["G_ema"].system, three["D"].system) == ("stylegan3-generator", "stylegan2-discriminator")
    r3 = containers.open(parity / "pkl_r3gan.pkl").nets["G_ema"]
    assert r3.system == "r3gan-generator"
    assert r3.hints == {
        "WidthPerStage": [48, 48, 32], "CardinalityPerStage": [12, 12, 8], "BlocksPerStage": [2, 1, 2], "ExpansionFactor": 2,
        "NoiseDimension": 16, "ConditionDimension": 5, "ConditionEmbeddingDimension": 16, "FP16Stages": [1, 2],
    }  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize(
    ("which", "key", "system"),
    [("wgan_G", "net", "wgan-generator"), ("wgan_D", "net", "wgan-discriminator"), ("wgan_mlpG", "net", "wgan-generator"),
     ("wgan_mlpD", "net", "wgan-discriminator"), ("dcgan", "G", "dcgan-generator"), ("dcgan", "D", "dcgan-discriminator"),
     ("progan_akanimax", "G", "progressive-generator"), ("progan_akanimax", "Dc", "progressive-discriminator"),
     ("biggan_res32_hier_attn", "G", "biggan-generator"), ("biggan_res32_hier_attn", "D", "biggan-discriminator"),
     ("r3gan_uncond", "G", "r3gan-generator"), ("sg3_t32", "G", "stylegan3-generator"), ("sg2ada_default", "D", "stylegan2-discriminator")],
)  # fmt: skip
def test_state_dicts_of_the_projects(parity: Path, which: str, key: str, system: str) -> None:
    """The vectors themselves are torch archives, with many things in them beside the networks."""
    found = containers.open(parity / f"{which}.pt").nets[key]
    assert found.system == system
    assert_same(found.state, torch.load(parity / f"{which}.pt", weights_only=True)[key])


@pytest.mark.parametrize("legacy", [False, True])
def test_bare_state_dict(tmp_path: Path, legacy: bool) -> None:
    found = opened(tmp_path, saved(DCGAN, legacy=legacy))
    assert list(found.nets) == ["G"] and found.nets["G"].system == "dcgan-generator"
    assert_same(found.nets["G"].state, DCGAN)
    assert len(found.sha256) == 64 and found.licence is None


def test_every_type_and_stride(tmp_path: Path) -> None:
    base = torch.randn(6, 4)
    state = DCGAN | {
        "main.t": base.t(), "main.slice": base[1::2, 1:3], "main.none": torch.zeros(0, 3), "main.scalar": torch.tensor(2.5),
        "main.bf": torch.randn(3, 5).bfloat16().t(), "main.half": torch.randn(3).half(), "main.double": torch.randn(2).double(),
        "main.bool": torch.tensor([True, False]), "main.byte": torch.arange(5, dtype=torch.uint8), "main.short": torch.arange(-2, 2).short(),
    }  # fmt: skip
    for legacy in (False, True):
        assert_same(opened(tmp_path, saved(state, legacy=legacy)).nets["G"].state, state)


def test_safetensors(tmp_path: Path) -> None:
    found = opened(tmp_path, save(dict(DCGAN)), "net.safetensors")
    assert found.container == "safetensors"
    assert found.nets["G"].state.keys() == DCGAN.keys()
    assert torch.equal(found.nets["G"].state["main.0.weight"], DCGAN["main.0.weight"])


def test_wrappings(tmp_path: Path) -> None:
    """Of parallel training, of averages beside parameters, of progressive GAN's settings, of everything in one dictionary."""
    parallel = {f"module.{key}": value for key, value in DCGAN.items()}
    assert_same(opened(tmp_path, saved(parallel)).nets["G"].state, DCGAN)
    averaged = opened(tmp_path, saved({"params": DCGAN, "params_ema": DCGAN})).nets
    assert list(averaged) == ["params", "params_ema"]
    conf = {"depth": 2, "num_channels": 3, "latent_size": 8, "use_eql": True}
    grown = opened(
        tmp_path,
        saved({"generator": {"conf": conf, "state_dict": PROGRESSIVE}, "gen_optim": {"state": {0: {"exp_avg": torch.ones(2)}}}}),
    )
    assert list(grown.nets) == ["generator"]
    assert grown.nets["generator"].hints == conf and grown.nets["generator"].system == "progressive-generator"
    deep = opened(tmp_path, saved({"model": {"netG": DCGAN, "netD": CRITIC}, "epoch": 3})).nets
    assert {key: net.system for key, net in deep.items()} == {"netG": "dcgan-generator", "netD": "dcgan-discriminator"}


@pytest.mark.parametrize("legacy", [False, True])
def test_whole_modules(tmp_path: Path, legacy: bool) -> None:
    """Classes that exist nowhere: nothing of them is needed. Buffers that torch does not save are left out."""
    of = name("models.Generator")

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main = nn.Sequential(nn.ConvTranspose2d(4, 8, 4), nn.BatchNorm2d(8), nn.ReLU())
            self.register_buffer("scratch", torch.ones(2), persistent=False)

    inner = Inner()
    wanted = dict(inner.state_dict())
    with pretending(of):
        shown: Any = of()
        shown.__dict__.update(inner.__dict__)
        data = saved(shown, legacy=legacy)
    assert_same(opened(tmp_path, data).nets["G"].state, wanted)


def test_persistent_modules(tmp_path: Path) -> None:
    state = {"synthesis.b4.const": torch.randn(8, 4, 4), "mapping.w_avg": torch.randn(8), "mapping.fc0.weight": torch.randn(8, 6)}
    found = opened(
        tmp_path,
        persistent_pickle(
            {"G_ema": (state, {"z_dim": np.int64(6), "img_channels": 3, "mapping_kwargs": {"lr_multiplier": np.float64(0.01)}})}
        ),
    )
    assert found.nets["G_ema"].hints == {"z_dim": 6, "img_channels": 3, "mapping_kwargs": {"lr_multiplier": 0.01}}
    assert "non-commercial" in (found.licence or "")
    assert_same(found.nets["G_ema"].state, state)


def test_own_files_are_read_back(tmp_path: Path) -> None:
    header = {
        "format": "tightrope-network-1",
        "name": "G_ema",
        "system": "dcgan-generator",
        "hints": '{"nz": 4}',
        "licence": "none",
    }
    found = opened(tmp_path, save(dict(DCGAN), header))
    assert found.nets["G_ema"].system == "dcgan-generator" and found.nets["G_ema"].hints == {"nz": 4} and found.licence == "none"


def tensorflow_generator(generator: np.random.Generator) -> dict[str, Any]:
    """StyleGAN2's variables at 8 px, two layers of mapping."""

    def array(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    def layer(place: str, inputs: int, outputs: int, size: int = 3) -> list[tuple[str, np.ndarray]]:
        noise = [(f"{place}/noise_strength", array())] if size > 1 else []
        styles = [(f"{place}/mod_weight", array(6, inputs)), (f"{place}/mod_bias", array(inputs))]
        return [(f"{place}/weight", array(size, size, inputs, outputs)), (f"{place}/bias", array(outputs)), *noise, *styles]

    synthesis = [("4x4/Const/const", array(1, 16, 4, 4)), *layer("4x4/Conv", 16, 16), *layer("4x4/ToRGB", 16, 3, 1)]
    synthesis += [*layer("8x8/Conv0_up", 16, 8), *layer("8x8/Conv1", 8, 8), *layer("8x8/ToRGB", 8, 3, 1)]
    synthesis += [("noise0", array(1, 1, 4, 4)), ("noise1", array(1, 1, 8, 8)), ("noise2", array(1, 1, 8, 8))]
    mapping = [
        ("Dense0/weight", array(5, 6)),
        ("Dense0/bias", array(6)),
        ("Dense1/weight", array(6, 6)),
        ("Dense1/bias", array(6)),
    ]
    kwargs = {"latent_size": 5, "dlatent_size": 6, "fmap_base": 64, "fmap_max": 16, "num_channels": 3, "func": "training.G_main"}
    parts = {"synthesis": {"variables": synthesis}, "mapping": {"variables": mapping}}
    return {"variables": [("dlatent_avg", array(6)), ("lod", array())], "components": parts, "static_kwargs": kwargs}


def tensorflow_critic(generator: np.random.Generator) -> dict[str, Any]:
    """StyleGAN2's D at 8 px."""
    shapes = {
        "8x8/FromRGB/weight": (1, 1, 3, 8), "8x8/FromRGB/bias": (8,), "8x8/Conv0/weight": (3, 3, 8, 8), "8x8/Conv0/bias": (8,),
        "8x8/Conv1_down/weight": (3, 3, 8, 16), "8x8/Conv1_down/bias": (16,), "8x8/Skip/weight": (1, 1, 8, 16), "4x4/Conv/weight": (3, 3, 17, 16),
        "4x4/Conv/bias": (16,), "4x4/Dense0/weight": (256, 16), "4x4/Dense0/bias": (16,), "Output/weight": (16, 1), "Output/bias": (1,),
    }  # fmt: skip
    return {"variables": [(key, generator.standard_normal(shape).astype(np.float32)) for key, shape in shapes.items()]}


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensorflow_stylegan2(tmp_path: Path, protocol: int) -> None:
    draw = np.random.default_rng(0)
    g, d = tensorflow_generator(draw), tensorflow_critic(draw)
    found = opened(tmp_path, tensorflow_pickle([g, d, g], protocol=protocol)).nets
    assert list(found) == ["G", "D", "G_ema"]
    net, theirs = found["G_ema"], dict(g["components"]["synthesis"]["variables"])
    up, plain = theirs["8x8/Conv0_up/weight"], theirs["8x8/Conv1/weight"]
    state = {key: value.numpy() for key, value in net.state.items()}
    np.testing.assert_array_equal(state["synthesis.b8.conv0.weight"][2, 5, 0, 1], up[2, 1, 5, 2])
    np.testing.assert_array_equal(state["synthesis.b8.conv1.weight"][2, 5, 0, 1], plain[0, 1, 5, 2])
    np.testing.assert_array_equal(state["synthesis.b8.conv0.affine.bias"], theirs["8x8/Conv0_up/mod_bias"] + 1)
    np.testing.assert_array_equal(state["synthesis.b8.conv1.noise_const"], theirs["noise2"][0, 0])
    np.testing.assert_array_equal(state["synthesis.b4.const"], theirs["4x4/Const/const"][0])
    np.testing.assert_array_equal(state["mapping.fc0.weight"], dict(g["components"]["mapping"]["variables"])["Dense0/weight"].T)
    assert net.hints["synthesis_kwargs"]["channel_base"] == 128 and net.hints["img_resolution"] == 8
    np.testing.assert_array_equal(found["D"].state["b4.fc.weight"].numpy(), dict(d["variables"])["4x4/Dense0/weight"].T)


@pytest.mark.parity
def test_tensorflow_names_are_those_of_the_pytorch_version(tmp_path: Path, parity: Path) -> None:
    """Every tensor that the PyTorch version stores, and no other."""
    draw = np.random.default_rng(0)
    found = opened(
        tmp_path, tensorflow_pickle([tensorflow_generator(draw), tensorflow_critic(draw)] + [tensorflow_generator(draw)])
    ).nets
    wanted = torch.load(parity / "pkl_sg2ada_expected.pt", weights_only=True)

    def at_8_px(names: Mapping[str, Tensor]) -> set[str]:
        return {key for key in names if not any(f"b{side}." in key for side in (16, 32))}

    assert set(found["G_ema"].state) == at_8_px(wanted["G"])
    assert set(found["D"].state) == at_8_px(wanted["D"]) | {
        key.replace("b32", "b8") for key in wanted["D"] if "b32.fromrgb" in key
    }
    torch.testing.assert_close(found["D"].state["b8.resample_filter"], wanted["D"]["b8.resample_filter"])


def test_tensorflow_progressive_keeps_its_names(tmp_path: Path) -> None:
    arrays = [
        ("lod", np.float32(0)),
        ("4x4/Dense/weight", np.asfortranarray(np.ones((8, 64), ">f4"))),
        ("ToRGB_lod0/weight", np.ones((1, 1, 4, 3), np.float32)),
    ]
    state = {"version": 2, "variables": [(key, np.array(value)) for key, value in arrays]}
    found = opened(tmp_path, tensorflow_pickle([state] * 3, "tfutil.Network", protocol=2))
    assert found.nets["G_ema"].system == "progressive-generator" and found.nets["G_ema"].hints == {"layout": "tensorflow"}
    assert list(found.nets["D"].state) == ["lod", "4x4/Dense/weight", "ToRGB_lod0/weight"]
    assert torch.equal(found.nets["G_ema"].state["4x4/Dense/weight"], torch.ones(8, 64)) and "BY-NC" in (found.licence or "")


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    cases: dict[str, Any] = {
        "rosinality": {"g_ema": {"conv1.conv.weight": torch.ones(1), "style.1.weight": torch.ones(1)}, "d": {}},
        "ESRGAN": {"params_ema": {"conv_first.weight": torch.ones(1), "conv_last.weight": torch.ones(1)}},
        "a dictionary of 3 entries, itr, epoch, config": {"itr": 3, "epoch": 1, "config": {"activation": nn.ReLU()}},
        "a list": [1, 2],
    }
    for words, value in cases.items():
        with pytest.raises(UnknownFile, match=words):
            opened(tmp_path, saved(value))
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(UnknownFile, match="TorchScript"):
        containers.open(tmp_path / "script.pt")
    with pytest.raises(UnknownFile, match="a pickle of a tuple"):
        opened(tmp_path, pickle.dumps((1, 2)))


def test_progress_goes_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    containers.open(write(tmp_path, saved(DCGAN)), told.append)
    assert told == sorted(told) and told[-1] == 1
