"""Architectures read off shapes, what does not fit, and rebuilt networks as modules like any others: all without vectors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope import interop
from tightrope.core.errors import InputError
from tightrope.interop import systems
from tightrope.networks.biggan import BigGANGenerator
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.progressive import AKANIMAX, ProgressiveCritic, ProgressiveGenerator
from tightrope.networks.r3 import R3Critic, R3Generator
from tightrope.networks.resnet import SPECTRAL, ResNetCritic, Stage, mirrored, pyramid
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan2_critic import StyleGAN2Critic
from tightrope.networks.stylegan3 import StyleGAN3Generator
from tightrope.networks.wgan import PerceptronCritic, PerceptronGenerator, WGANCritic, WGANGenerator


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], value) for key, value in expected.items())


# ---------------------------------------------------------------- architectures read off shapes
def _mapping(**more: Any) -> dict[str, Any]:
    return {"mapping_kwargs": {"num_layers": 3, **more}}


def _sg2(architecture: str, classes: int = 0, **more: Any) -> StyleGAN2Generator:
    synthesis = {"channel_base": 100, "channel_max": 9, "architecture": architecture, **more}
    return StyleGAN2Generator(6, classes, 5, 16, 1, **_mapping(embed_features=4, layer_features=7), synthesis_kwargs=synthesis)


def _sg2_critic(architecture: str, classes: int = 0, **more: Any) -> StyleGAN2Critic:
    wide = {"channel_base": 100, "channel_max": 9, **more}
    mapping = _mapping(embed_features=4) if classes else {}
    return StyleGAN2Critic(classes, 16, 2, architecture=architecture, cmap_dim=6 if classes else None, **wide, **mapping)


R3 = {"widths": [8, 8, 6], "groups": [2, 4, 3], "blocks": [1, 3, 2]}
SHAPES: dict[str, tuple[str, Any]] = {
    "dcgan 32 grey": ("dcgan-generator", lambda: DCGANGenerator(5, channels=1, size=32, width=3)),
    "dcgan 128": ("dcgan-discriminator", lambda: DCGANCritic(channels=3, size=128, width=2)),
    "wgan": ("wgan-generator", lambda: WGANGenerator(5, channels=2, size=16, width=3, extra=2, norm=False)),
    "wgan 3 = 3": ("wgan-generator", lambda: WGANGenerator(3, channels=3, size=32, width=3)),
    "wgan critic": ("wgan-discriminator", lambda: WGANCritic(channels=1, size=64, width=2, extra=2)),
    "perceptron": ("wgan-generator", lambda: PerceptronGenerator(5, (1, 8, 8), width=4, depth=2)),
    "perceptron critic": ("wgan-discriminator", lambda: PerceptronCritic((3, 8, 8), width=4, depth=4)),
    "r3gan": ("r3gan-generator", lambda: R3Generator(5, 1, **R3, expansion=3, classes=4, embedded=2)),
    "r3gan critic": ("r3gan-discriminator", lambda: R3Critic(1, **R3, expansion=1, classes=4, embedded=3)),
    "biggan 64": ("biggan-generator", lambda: BigGANGenerator(11, 3, widths=pyramid(64, 8), classes=3, shared=4, attention=(16, 32))),
    "biggan flat z": ("biggan-generator", lambda: BigGANGenerator(6, 1, widths=pyramid(32, 8), classes=3, shared=4, hierarchical=False)),
    "biggan tables": ("biggan-generator", lambda: BigGANGenerator(6, 3, widths=pyramid(32, 8), classes=3, shared=0, attention=8)),
    "biggan critic": (
        "biggan-discriminator",
        lambda: ResNetCritic(3, stages=mirrored(pyramid(64, 8), attention=16), kit=SPECTRAL, classes=3, wide=True),
    ),
    "biggan narrow critic": (
        "biggan-discriminator",
        lambda: ResNetCritic(3, stages=[Stage(8, True, inner=3), Stage(6, True, inner=8), Stage(6, False)], kit=SPECTRAL, classes=3),
    ),
    "progressive": ("progressive-generator", lambda: ProgressiveGenerator(5, 1, widths=[6, 5, 4], layout=AKANIMAX)),
    "progressive critic": ("progressive-discriminator", lambda: ProgressiveCritic(1, widths=[6, 5, 4], features=3, layout=AKANIMAX)),
    "stylegan2 skip": ("stylegan2-generator", lambda: _sg2("skip", 3, use_noise=False)),
    "stylegan2 orig": ("stylegan2-generator", lambda: _sg2("orig", resample_filter=[1, 2, 1])),
    "stylegan2 resnet": ("stylegan2-generator", lambda: _sg2("resnet", resample_filter=None)),
    "stylegan2 skip critic": ("stylegan2-discriminator", lambda: _sg2_critic("skip", 3)),
    "stylegan2 orig critic": ("stylegan2-discriminator", lambda: _sg2_critic("orig", epilogue_kwargs={"mbstd_num_channels": 3})),
    "stylegan2 resnet critic": (
        "stylegan2-discriminator",
        lambda: _sg2_critic("resnet", block_kwargs={"resample_filter": [1, 1]}, epilogue_kwargs={"mbstd_num_channels": 0}),
    ),
    "stylegan3 T": ("stylegan3-generator", lambda: StyleGAN3Generator(6, 3, 5, 16, 1, num_layers=6, channel_base=96, channel_max=7)),
    "stylegan3 R": (
        "stylegan3-generator",
        lambda: StyleGAN3Generator(
            6, 0, 5, 16, num_layers=5, channel_max=5, margin_size=4, filter_size=4, conv_kernel=1, use_radial_filters=True, **_mapping()
        ),
    ),
}  # fmt: skip


def disturbed(net: nn.Module) -> nn.Module:
    """Away from zeros and ones that hide what is not used."""
    torch.manual_seed(1)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return net.eval()


def played(net: nn.Module, system: str, state: dict[str, Tensor], *, published: bool) -> Tensor:
    """What a network does with the inputs of a seed. Theirs is called by the reference's rules, ours by our own."""
    torch.manual_seed(2)
    inner = net.net if published and hasattr(net, "net") else net
    family, _, player = system.partition("-")
    classes = getattr(inner, "classes", 0) or getattr(inner, "c_dim", 0)
    labels = torch.arange(4) % classes if classes else None
    c = F.one_hot(labels, classes).float() if labels is not None else None
    given = c if family.startswith("stylegan") or (family == "r3gan" and published) else labels
    with torch.no_grad():
        if player == "generator":
            makes = systems.player(system).makes
            assert makes is not None
            facts = makes(inner)
            z = torch.randn(4, facts.z)
            if published and family in ("dcgan", "wgan"):
                z = z[:, :, None, None]
            how = {"noise_mode": "const"} if family.startswith("stylegan") else {}
            if family == "progressive" and not published:
                how = {"stage": float(len(inner.layers) - 1)}  # type: ignore[arg-type]
            out = net(z, *([given] if classes else []), **how)
            assert out.shape[1:] == facts.shape
            return out
        out = net(torch.randn(4, *_shown(inner)), *_stage(inner, published), *([given] if classes else []))
        if published:
            return out
        return (
            {"dcgan": out.sigmoid(), "wgan": out.mean(0, keepdim=True), "biggan": out[:, None]}.get(family, out)
            if out.dim()
            else out
        )


def _stage(net: nn.Module, published: bool) -> list[float]:
    return [float(len(net.layers) - 1)] if isinstance(net, ProgressiveCritic) and not published else []


def _shown(net: nn.Module) -> tuple[int, int, int]:
    """The image that a critic takes."""
    known = {
        DCGANCritic: (3, 128, 128), WGANCritic: (1, 64, 64), PerceptronCritic: (3, 8, 8), R3Critic: (1, 16, 16),
        ProgressiveCritic: (1, 16, 16), StyleGAN2Critic: (2, 16, 16),
    }  # fmt: skip
    return next((shape for kind, shape in known.items() if isinstance(net, kind)), (3, 64, 64))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_tell_the_architecture(name: str) -> None:
    """Our own network, written under the reference's keys and read back without a hint, does the same."""
    system, build = SHAPES[name]
    torch.manual_seed(0)
    ours = disturbed(build())
    state = interop.export(ours)
    theirs = interop.from_state_dict(system, dict(sorted(state.items())))
    assert equal(interop.export(theirs), state)
    expected = played(ours, system, state, published=False)
    found = played(theirs, system, state, published=True)
    assert expected.abs().max() > 0 and torch.allclose(found, expected, atol=1e-5), (found - expected).abs().max()


def test_the_authors_progressive_networks_come_from_their_variables() -> None:
    """Layers of the two versions differ in constants; which they are is told by the names."""
    kernels = {"4x4/Dense": (7, 96), "4x4/Conv": (3, 3, 6, 6), "8x8/Conv0_up": (3, 3, 5, 6), "8x8/Conv1": (3, 3, 5, 5),
               "ToRGB_lod1": (1, 1, 6, 3), "ToRGB_lod0": (1, 1, 5, 3)}  # fmt: skip
    biases = {"4x4/Dense": 6, "4x4/Conv": 6, "8x8/Conv0_up": 5, "8x8/Conv1": 5, "ToRGB_lod1": 3, "ToRGB_lod0": 3}
    generator = torch.Generator().manual_seed(0)
    state = {f"{name}/weight": torch.randn(shape, generator=generator) for name, shape in kernels.items()}
    state |= {f"{name}/bias": torch.randn(width, generator=generator) for name, width in biases.items()} | {
        "lod": torch.zeros(())
    }
    g = interop.from_state_dict("progressive-generator", state, layout="tensorflow")
    from tightrope.networks.progressive import from_tensorflow

    ours = ProgressiveGenerator(7, 3, widths=[6, 5])
    ours.load_state_dict(from_tensorflow(state))
    z = torch.randn(2, 7)
    assert torch.equal(g(z), ours(z, 1.0)) and g(z).shape == (2, 3, 8, 8)
    for net in (g, ours):
        with pytest.raises(InputError, match="TensorFlow"):
            interop.export(net)
    with pytest.raises(InputError, match="progressive-generator: these are no variables"):
        interop.from_state_dict("progressive-generator", {"a/weight": torch.zeros(2, 2)})


# ---------------------------------------------------------------- what does not fit
def _changed(state: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    needed = [key for key in state if not key.endswith(("sv0", "Kernel", "num_batches_tracked", "resample_filter"))]
    one = needed[len(needed) // 2]
    if how == "missing":
        return {key: value for key, value in state.items() if key != one}
    if how == "misshapen":
        return {**state, one: torch.zeros(*state[one].shape, 2)}
    return {**state, "another.weight": torch.zeros(2)} if how == "unknown" else {}


@pytest.mark.parametrize("how", ["missing", "misshapen", "unknown", "nothing"])
@pytest.mark.parametrize("name", SHAPES)
def test_tensors_that_do_not_fit_are_refused_in_one_sentence(name: str, how: str) -> None:
    system, build = SHAPES[name]
    state = _changed(interop.export(build()), how)
    with pytest.raises(InputError) as error:
        interop.from_state_dict(system, state)
    said = str(error.value)
    assert said.startswith(f"{system}: ") and "\n" not in said and len(said) < 600, said


SAME = {("dcgan-generator", "wgan-generator"), ("dcgan-discriminator", "wgan-discriminator")}  # WGAN took DCGAN's networks over


@pytest.mark.parametrize("system", systems.names())
def test_networks_of_other_systems_are_refused(system: str) -> None:
    """Whatever is given, it is the right network or an error that a user can read."""
    for other, build in SHAPES.values():
        if other != system and (other, system) not in SAME:
            with pytest.raises(InputError, match=f"^{system}: "):
                interop.from_state_dict(system, interop.export(build()))


def test_errors_name_the_first_keys_and_what_they_should_be() -> None:
    state = interop.export(DCGANGenerator(5, channels=3, size=32, width=4))
    for key in ("main.1.bias", "main.4.running_mean", "main.4.running_var", "main.7.weight"):
        del state[key]
    with pytest.raises(
        InputError,
        match=r"^dcgan-generator: 4 tensors are missing: main.1.bias, main.4.running_mean, main.4.running_var and 1 more",
    ):
        interop.from_state_dict("dcgan-generator", state)
    with pytest.raises(InputError, match=r"did you mean 'dcgan-generator'"):
        interop.from_state_dict("dcgan-genrator", state)
    with pytest.raises(InputError, match="there are biggan-discriminator"):
        interop.from_state_dict("x", state)
    with pytest.raises(InputError, match="'epoch' is no tensor"):
        interop.from_state_dict("dcgan-generator", {"epoch": 3})  # type: ignore[dict-item]
    whole = interop.export(DCGANGenerator(5, channels=3, size=32, width=4))
    with pytest.raises(InputError, match="nz=100 does not fit the tensors, which say 5"):
        interop.from_state_dict("dcgan-generator", whole, nz=100)
    with pytest.raises(InputError, match="takes these hints"):
        interop.from_state_dict(
            "stylegan3-generator", interop.export(StyleGAN3Generator(4, 0, 4, 16, num_layers=5)), margin_size="x"
        )
    with pytest.raises(InputError, match="no published system"):
        interop.export(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: DCGANCritic(channels=3, size=16, width=2, norm=False), "unknown: main.0.bias"),
        (lambda: DCGANCritic(channels=3, size=16, width=2, outputs=3), "of another shape"),
        (lambda: ResNetCritic(3, stages=mirrored(pyramid(16, 8))), "missing"),
        (lambda: ResNetCritic(3, stages=mirrored(pyramid(16, 8)), kit=SPECTRAL, classes=3, pool="mean"), "takes means"),
        (lambda: PerceptronGenerator(4, (2,), width=4), "no square picture"),
    ],
)
def test_networks_of_ours_that_the_reference_cannot_have_are_not_written(build: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        interop.export(build())


def test_filters_that_are_not_the_published_ones_are_refused() -> None:
    state = interop.export(R3Generator(4, 3, widths=[8, 8], groups=[2, 2], blocks=[1, 1]))
    state["Model.MainLayers.1.Layers.0.Resampler.Kernel"] = torch.full((4, 4), 1 / 16)
    with pytest.raises(InputError, match=r"not the constant that they should be: Model.MainLayers.1.Layers.0.Resampler.Kernel"):
        interop.from_state_dict("r3gan-generator", state)


# ---------------------------------------------------------------- networks like any others
def test_they_are_trained_copied_saved_and_loaded_under_the_references_keys() -> None:
    state = interop.export(disturbed(R3Generator(4, 3, widths=[8, 6], groups=[2, 2], blocks=[1, 1], classes=3)))
    given = {key: value.clone() for key, value in state.items()}
    net = interop.from_state_dict("r3gan-generator", given)
    twin, z, c = copy.deepcopy(net), torch.randn(4, 4), torch.arange(4) % 3
    optimizer = torch.optim.SGD(net.train().parameters(), lr=0.1)
    net(z, c).square().sum().backward()
    optimizer.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    assert equal(given, state)  # the caller's tensors are the caller's
    assert torch.equal(twin(z, c), interop.from_state_dict("r3gan-generator", state)(z, c))
    assert not torch.allclose(net(z, c), twin(z, c))
    twin.load_state_dict(net.state_dict())
    assert torch.equal(net(z, c), twin(z, c)) and net.state_dict().keys() == state.keys()
    holder = nn.ModuleDict({"g": net})
    assert set(holder.state_dict()) == {f"g.{key}" for key in state}
    holder.load_state_dict(holder.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):
        net.load_state_dict({key: value for key, value in state.items() if "Basis" not in key})


def test_building_one_leaves_other_networks_alone() -> None:
    """Networks are built without starting values, which must not reach anybody else's."""
    interop.from_state_dict("dcgan-generator", interop.export(DCGANGenerator(5, channels=3, size=16, width=4)))
    with pytest.raises(InputError):
        interop.from_state_dict(
            "dcgan-generator", {"main.0.weight": torch.zeros(5, 8, 4, 4), "main.3.weight": torch.zeros(9, 3, 4, 4)}
        )
    torch.manual_seed(0)
    weight = nn.Linear(64, 64).weight
    assert weight.abs().max() < 1 / 8 and weight.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
