"""Published networks that are given pictures, from their own tensors: the reference's numbers, old files, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crafted import saved, write
from tightrope import interop
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.interop import containers, systems
from tightrope.interop.published import Translates
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.patch import PatchCritic, PixelCritic
from tightrope.networks.sr import RRDBNet, SRVGGNet
from tightrope.networks.translation import LocalEnhancer, ResNetTranslator
from tightrope.networks.unet import UNetCritic, UNetTranslator

State = dict[str, Tensor]
VECTORS = {
    "cyclegan_resnet9_instance": ("cyclegan-resnet", "train"),
    "cyclegan_unet128_batch_dropout": ("pix2pix-unet", "eval"),
    "cyclegan_patchD_instance": ("patchgan", "train"),
    "cyclegan_patchD_batch_6ch": ("patchgan", "eval"),
    "basicsr_rrdb_x4": ("rrdbnet", "eval"),
    "basicsr_srvgg_prelu_x4": ("srvgg", "eval"),
    "basicsr_unetD_sn": ("unet-sn-discriminator", "eval"),
}  # name -> (system, the mode that its gradients were taken in)
CRITICS = ("patchgan", "pixelgan", "unet-sn-discriminator")
DROPPED = 21  # the seed of the U-Net's dropout in the vectors
Affine = partial(InstanceNorm2d, affine=True)
BATCH = {"norm": nn.BatchNorm2d, "bias": False}
NONE = {"norm": nn.Identity, "bias": False}
NETS: list[tuple[str, Callable[[], nn.Module], dict[str, Any]]] = [
    ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=6), {"ngf": 2, "n_blocks": 6, "norm": "instance"}),
    ("cyclegan-resnet", lambda: ResNetTranslator(1, 4, width=2, blocks=1, dropout=True, **BATCH), {"use_dropout": True}),
    ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2, norm=Affine, pad=None), {"padding_type": "zero"}),
    ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2, dropout=True, pad=None, **BATCH), {"norm": "batch"}),
    (
        "cyclegan-resnet",
        lambda: ResNetTranslator(width=2, blocks=2, pad=nn.ReplicationPad2d, **NONE),
        {"padding_type": "replicate"},
    ),
    ("pix2pix-unet", lambda: UNetTranslator(width=2, downs=6), {"num_downs": 6, "ngf": 2}),
    (
        "pix2pix-unet",
        lambda: UNetTranslator(1, 2, width=2, downs=5, norm=Affine, bias=True, dropout=False),
        {"use_dropout": False},
    ),
    ("pix2pix-unet", lambda: UNetTranslator(width=2, downs=5, **NONE), {}),
    ("patchgan", lambda: PatchCritic(6, width=2, layers=5), {"n_layers": 5, "input_nc": 6}),
    ("patchgan", lambda: PatchCritic(width=2, layers=1, norm=Affine, bias=True), {"n_layers": 1}),
    ("patchgan", lambda: PatchCritic(width=2, sigmoid=True, **NONE), {"use_sigmoid": True}),
    ("pixelgan", lambda: PixelCritic(4, width=2), {"ndf": 2}),
    ("pixelgan", lambda: PixelCritic(width=2, norm=InstanceNorm2d, bias=True), {"norm": "instance"}),
    ("pix2pixhd-global", lambda: ResNetTranslator(5, 3, width=2, downs=3, blocks=2), {"n_downsampling": 3}),
    ("pix2pixhd-global", lambda: ResNetTranslator(width=2, downs=1, blocks=2, norm=nn.BatchNorm2d), {"norm": "batch"}),
    ("pix2pixhd-local", lambda: LocalEnhancer(width=2, downs=1, blocks=2, local=1), {"n_blocks_local": 1}),
    ("pix2pixhd-local", lambda: LocalEnhancer(width=2, downs=2, blocks=1, enhancers=2, local=2), {"n_local_enhancers": 2}),
    ("rrdbnet", lambda: RRDBNet(3, 3, scale=2, width=4, blocks=2, growth=2), {"scale": 2, "num_block": 2}),
    ("rrdbnet", lambda: RRDBNet(1, 1, scale=1, width=4, blocks=1, growth=3), {"num_grow_ch": 3}),
    ("rrdbnet", lambda: RRDBNet(4, 1, width=4, blocks=1, growth=2), {"num_in_ch": 4}),
    ("srvgg", lambda: SRVGGNet(scale=2, width=3, layers=3), {"upscale": 2, "num_conv": 3, "act_type": "prelu"}),
    ("srvgg", lambda: SRVGGNet(1, scale=3, width=3, layers=0, activation=lambda c: nn.LeakyReLU(0.1)), {"act_type": "leakyrelu"}),
    ("unet-sn-discriminator", lambda: UNetCritic(width=2, skip=False), {"skip_connection": False}),
]


def load(parity: Path, name: str) -> dict[str, Any]:
    return torch.load(parity / f"{name}.pt", weights_only=True)


def lively(net: nn.Module) -> nn.Module:
    """Away from the ones and zeros that norms start with."""
    torch.manual_seed(1)
    for key, value in net.state_dict().items():
        if value.is_floating_point() and not key.endswith(("_u", "_v")):
            value.add_(0.2 * torch.rand_like(value))
    return net.eval()


def equal(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], value) for key, value in expected.items())


def given(net: nn.Module) -> Tensor:
    """A picture that it takes."""
    channels = next(value.shape[1] for value in net.state_dict().values() if value.dim() == 4)
    folded = net.folded**2 if isinstance(net, RRDBNet) else 1
    return torch.rand(1, channels // folded, 128, 128, generator=torch.Generator().manual_seed(3))


# ---------------------------------------------------------------- the reference's numbers
@pytest.mark.parity
@pytest.mark.parametrize("name", VECTORS)
def test_outputs_in_each_mode(name: str, parity: Path) -> None:
    system, _ = VECTORS[name]
    vectors = load(parity, name)
    for mode in {"eval", "train"} & vectors["outputs"].keys():
        net = interop.from_state_dict(system, vectors["net"])
        assert not net.training
        torch.manual_seed(DROPPED)
        found = net.train(mode == "train")(vectors["inputs"]["x"])
        assert torch.allclose(found, vectors["outputs"][mode], atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("name", VECTORS)
def test_gradients(name: str, parity: Path) -> None:
    """In the input, for the cotangent of seed 99; and the norms of the parameters', under the reference's names."""
    (system, mode), vectors = VECTORS[name], load(parity, name)
    net = interop.from_state_dict(system, vectors["net"]).train(mode == "train")
    x = vectors["inputs"]["x"].clone().requires_grad_()
    out = net(x)
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(99)))
    expected = vectors["grads"]["input_grads"][0]
    assert x.grad is not None and (x.grad - expected).norm() < 1e-5 * expected.norm()
    norms = {key: p.grad.norm().item() for key, p in net.named_parameters() if p.grad is not None}
    # a bias before an instance norm has no gradient; what is there is rounding
    assert norms == pytest.approx(vectors["grads"]["param_grad_norms"], rel=1e-4, abs=5e-3 if "instance" in name else 0)


@pytest.mark.parity
def test_vectors_of_the_power_method(parity: Path) -> None:
    vectors = load(parity, "basicsr_unetD_sn")
    net, out = interop.from_state_dict("unet-sn-discriminator", vectors["net"]).train(), vectors["outputs"]
    for k in ("train1", "train2"):
        assert torch.allclose(net(vectors["inputs"]["x"]), out[k], atol=1e-5)
    after = net.state_dict()
    assert all(torch.allclose(after[key], value, atol=1e-6) for key, value in out["state_after_2_train_forwards"].items())


@pytest.mark.parity
@pytest.mark.parametrize("name", VECTORS)
def test_files_are_recognised_and_written_back_to_the_bit(name: str, parity: Path, tmp_path: Path) -> None:
    (system, _), state = VECTORS[name], load(parity, name)["net"]
    wrapped = {f"module.{key}": value for key, value in state.items()}
    for form in (state, wrapped, {"params_ema": state, "params": {}}, {"params": wrapped}):
        assert equal(interop.export(interop.from_state_dict(system, form)), state)
    opened = containers.open(write(tmp_path, saved({"params_ema": wrapped, "epoch": 3}), "net.pth"))
    assert list(opened.nets) == ["params_ema"] and opened.nets["params_ema"].system == system
    assert equal(dict(opened.nets["params_ema"].state), state)


# ---------------------------------------------------------------- other depths, norms, scales and options
@pytest.mark.parametrize("case", range(len(NETS)), ids=[f"{system}-{k}" for k, (system, _, _) in enumerate(NETS)])
def test_every_option_is_told_by_tensors_or_hints(case: int, tmp_path: Path) -> None:
    system, build, hints = NETS[case]
    net = lively(build())
    state, x = {key: value.clone() for key, value in net.state_dict().items()}, given(net)
    found = interop.from_state_dict(system, state, **hints)
    assert torch.equal(found(x), net(x)) and equal(interop.export(found), state)
    assert equal(interop.export(net), state)  # of one that was trained here
    modes = [
        [type(layer).__name__ for layer in each.modules() if "Fast" not in type(layer).__name__] for each in (found.net, net)
    ]
    assert modes[0] == modes[1]
    opened = containers.open(write(tmp_path, saved(state), "net.pth")).nets
    assert list(opened) == (["D"] if system in CRITICS else ["G"])
    assert next(iter(opened.values())).system == system


@pytest.mark.parametrize(
    ("system", "build", "hints", "said"),
    [
        ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2), {"n_blocks": 9}, "n_blocks=9 does not fit"),
        ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2), {"use_dropout": True}, "use_dropout=True does not fit"),
        ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2), {"norm": "batch"}, "norm='batch' does not fit"),
        ("cyclegan-resnet", lambda: ResNetTranslator(width=2, blocks=2), {"track_running_stats": True}, "tensors are missing"),
        ("cyclegan-resnet", lambda: UNetTranslator(width=2, downs=5), {}, "residual blocks"),
        ("pix2pix-unet", lambda: ResNetTranslator(width=2, blocks=2), {}, "model.model.0.weight is missing"),
        ("pix2pixhd-local", lambda: ResNetTranslator(width=2, blocks=2), {}, "no enhancers"),
        ("patchgan", lambda: PixelCritic(width=2), {}, "0 layers and 3 belong there"),
        ("rrdbnet", lambda: RRDBNet(width=4, blocks=1, growth=2), {"scale": 2}, "scale=2 does not fit"),
        ("rrdbnet", lambda: RRDBNet(width=4, blocks=1, growth=2), {"num_in_ch": 2}, "no whole pictures of 2 channels"),
        ("srvgg", lambda: SRVGGNet(width=3, layers=1), {"outscale": 5}, "from 1 to 4"),
        ("srvgg", lambda: SRVGGNet(width=3, layers=1), {"act_type": "relu"}, "act_type='relu' does not fit"),
    ],
)
def test_what_does_not_fit_is_said(system: str, build: Callable[[], nn.Module], hints: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        interop.from_state_dict(system, build().state_dict(), **hints)
    assert str(error.value).startswith(f"{system}: ") and "\n" not in str(error.value)


def test_critics_of_pix2pixhd_are_none_of_pix2pix() -> None:
    with pytest.raises(InputError, match="pads by 2 pixels"):
        interop.export(PatchCritic(width=2, pad=2))


# ---------------------------------------------------------------- old files
def with_moments(net: nn.Module, counted: bool) -> State:
    """The state as PyTorch wrote it while instance norms had running moments."""
    state = {}
    for place, layer in net.named_modules():
        state |= {f"{place}.{key}": value for key, value in layer.named_parameters(recurse=False)}
        if isinstance(layer, InstanceNorm2d):
            state |= {
                f"{place}.running_mean": torch.randn(layer.channels),
                f"{place}.running_var": torch.rand(layer.channels) + 0.5,
            }
            state |= {f"{place}.num_batches_tracked": torch.tensor(7)} if counted else {}
    return {key: value.detach().clone() for key, value in state.items()}


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize(
    ("system", "build"),
    [
        ("cyclegan-resnet", lambda norm: ResNetTranslator(width=2, blocks=2, norm=norm)),
        ("pix2pix-unet", lambda norm: UNetTranslator(width=2, downs=5, norm=norm, bias=True)),
        ("patchgan", lambda norm: PatchCritic(width=2, norm=norm, bias=True)),
    ],
)
def test_moments_of_old_instance_norms(system: str, build: Callable[[Any], nn.Module], affine: bool, tmp_path: Path) -> None:
    """Before PyTorch 0.4 they were written and not used; where batches are counted they were used; a hint says so in between."""
    torch.manual_seed(0)
    plain = lively(build(partial(InstanceNorm2d, affine=affine)))
    tracked = build(partial(InstanceNorm2d, affine=affine, tracked=True)).eval()
    x = given(plain)
    unused, used = with_moments(plain, False), with_moments(plain, True)
    tracked.load_state_dict(used)
    assert not torch.allclose(tracked(x), plain(x), atol=1e-3)
    for state, hints, expected in (
        (unused, {}, plain(x)),
        (used, {}, tracked(x)),
        (used, {"track_running_stats": False}, plain(x)),
        ({key: used[key] for key in unused}, {"track_running_stats": True}, tracked(x)),
    ):
        net = interop.from_state_dict(system, state, **hints)
        assert torch.allclose(net(x), expected, atol=1e-6)
        assert equal(interop.export(net), state)
    (found,) = containers.open(write(tmp_path, saved(unused, legacy=True), "old.pth")).nets.values()
    assert found.system == system


def test_tracked_norms_train_as_they_did() -> None:
    torch.manual_seed(0)
    norm = nn.InstanceNorm2d(4, track_running_stats=True)
    before, after = (nn.Conv2d(3, 2, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(2, 4, 4, 1, 1)), nn.Conv2d(4, 1, 4, 1, 1)
    theirs = nn.Sequential(*before, norm, nn.LeakyReLU(0.2), after)
    state = {f"model.{key}": value.clone() for key, value in theirs.state_dict().items()}
    ours, x = interop.from_state_dict("patchgan", state).train(), torch.randn(2, 3, 16, 16)
    for mode in (True, True, False):
        assert torch.allclose(ours.train(mode)(x), theirs.train(mode)(x), atol=1e-5)
    trained = {f"model.{key}": value for key, value in theirs.state_dict().items()}
    assert all(torch.allclose(value, trained[key], atol=1e-6) for key, value in ours.state_dict().items())


def test_batch_norms_from_before_batches_were_counted() -> None:
    net = lively(PatchCritic(width=2))
    state = {key: value.clone() for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    found = interop.from_state_dict("patchgan", state)
    assert torch.equal(found(given(net)), net(given(net))) and equal(interop.export(found), state)


def test_dropout_shifts_the_second_convolution() -> None:
    net = ResNetTranslator(width=2, blocks=1, dropout=True)
    assert "model.10.conv_block.6.weight" in net.state_dict()
    found = interop.from_state_dict("cyclegan-resnet", net.state_dict())
    x = given(net)
    assert torch.equal(found(x), found(x)) and not torch.equal(found.train()(x), found(x))


SECOND = {"conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2", "conv_hr": "HRconv"}
FIRST = {"conv_first": "0", "conv_body": "1.sub.2", "conv_up1": "3", "conv_up2": "6", "conv_hr": "8", "conv_last": "10"}


def older(key: str, release: int) -> str:
    """A tensor's name in ESRGAN's first or second release, of a network of two blocks."""
    layer, _, kind = key.rpartition(".")
    parts = layer.split(".")
    if release == 2:
        if parts[0] == "body":
            return f"RRDB_trunk.{parts[1]}.{parts[2].upper()}.{parts[3]}.{kind}"
        return f"{SECOND.get(layer, layer)}.{kind}"
    return (
        f"model.1.sub.{parts[1]}.{parts[2].upper()}.{parts[3]}.0.{kind}" if parts[0] == "body" else f"model.{FIRST[layer]}.{kind}"
    )


@pytest.mark.parametrize("release", [1, 2])
def test_names_of_esrgans_releases(release: int, tmp_path: Path) -> None:
    net = lively(RRDBNet(width=4, blocks=2, growth=2))
    state = {older(key, release): value.clone() for key, value in net.state_dict().items()}
    found = containers.open(write(tmp_path, saved(state), "RRDB_ESRGAN_x4.pth")).nets["G"]
    assert found.system == "rrdbnet"
    assert equal(interop.export(interop.from_state_dict("rrdbnet", found.state)), dict(net.state_dict()))


def test_the_averaged_weights_are_preferred(tmp_path: Path) -> None:
    net, other = lively(SRVGGNet(width=3, layers=1)), SRVGGNet(width=3, layers=1)
    both = {"params": other.state_dict(), "params_ema": net.state_dict()}
    assert equal(interop.export(interop.from_state_dict("srvgg", both)), dict(net.state_dict()))  # type: ignore[arg-type]
    assert list(interop.read(write(tmp_path, saved(both), "net.pth"))) == ["params", "params_ema"]


# ---------------------------------------------------------------- what is said of them
def test_what_they_make_of_pictures_is_known() -> None:
    for system, build, _ in NETS:
        net, translates = build().eval(), systems.player(system).translates
        if system in CRITICS:
            assert translates is None and systems.player(system).makes is None
            continue
        assert translates is not None
        made = translates(net)
        assert isinstance(made, Translates)
        side = made.multiple * (2 if "unet" in system else 3)
        x = torch.rand(1, made.inputs, side, 2 * side)
        assert net(x).shape == (1, made.outputs, side * made.scale, 2 * side * made.scale)
        assert (made.darkest == 0) == (system in ("rrdbnet", "srvgg"))


def test_importing_and_sampling_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, saved(ResNetTranslator(width=2, blocks=1).state_dict()), "latest_net_G_A.pth")
    assert main(["import", str(source), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    file = tmp_path / "G.safetensors"
    assert "cyclegan-resnet" in out and f"tightrope translate {file} PICTURE --out OUT" in out and "tightrope sample" not in out
    assert main(["sample", str(file), "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert "turns pictures into pictures" in error and error.count("\n") == 1
    assert equal(interop.export(interop.read(file)["G"]), dict(containers.open(source).nets["G"].state))


def test_contrastive_networks_with_filters_are_named(tmp_path: Path) -> None:
    state = ResNetTranslator(width=2, blocks=1).state_dict() | {"model.6.filt": torch.ones(1, 1, 3, 3)}
    with pytest.raises(containers.UnknownFile, match="CUT with anti-aliased"):
        containers.open(write(tmp_path, saved(state), "net.pth"))
