"""One network of another project as a generator: opened, sampled and steered by the calls and commands that all generators have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tightrope import interop
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.networks.biggan import BigGANGenerator
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.progressive import AKANIMAX, ProgressiveGenerator
from tightrope.networks.r3 import R3Generator
from tightrope.networks.resnet import pyramid
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan3 import StyleGAN3Generator
from tightrope.networks.wgan import PerceptronGenerator, WGANGenerator
from tightrope.run import load

R3 = {"widths": [4, 4, 4], "groups": [2, 2, 2], "blocks": [1, 1, 1]}
SMALL = {"channel_base": 64, "channel_max": 4}
MAPPING = {"num_layers": 2}
NETS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "dcgan": ("dcgan-generator", lambda: DCGANGenerator(4, channels=1, size=16, width=2)),
    "wgan": ("wgan-generator", lambda: WGANGenerator(4, channels=3, size=16, width=2, norm=False)),
    "perceptron": ("wgan-generator", lambda: PerceptronGenerator(4, (3, 16, 16), width=8)),
    "progressive": ("progressive-generator", lambda: ProgressiveGenerator(4, 3, widths=[4, 4, 4], layout=AKANIMAX)),
    "r3gan": ("r3gan-generator", lambda: R3Generator(4, 3, **R3)),
    "r3gan by class": ("r3gan-generator", lambda: R3Generator(4, 3, **R3, classes=3)),
    "biggan": ("biggan-generator", lambda: BigGANGenerator(9, 3, widths=pyramid(16, 8), classes=3, shared=4)),
    "stylegan2": ("stylegan2-generator", lambda: StyleGAN2Generator(4, 0, 5, 16, 3, MAPPING, SMALL)),
    "stylegan2 by class": ("stylegan2-generator", lambda: StyleGAN2Generator(4, 3, 5, 16, 3, MAPPING, SMALL)),
    "stylegan3": ("stylegan3-generator", lambda: StyleGAN3Generator(4, 0, 5, 16, 3, MAPPING, num_layers=5, **SMALL)),
}


def lively(net: nn.Module) -> nn.Module:
    """Away from the zeros that networks start with, so that latents, classes and noise show."""
    torch.manual_seed(1)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.3 * torch.randn_like(value))
    return net


def write(path: Path, system: str, net: nn.Module, **header: str) -> Path:
    """A file as `tightrope import` writes it."""
    said = {"format": "tightrope-network-1", "system": system, "hints": "{}", **header}
    save_file({key: value.contiguous() for key, value in interop.export(net).items()}, path, said)
    return path


@pytest.fixture(params=NETS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    system, build = NETS[request.param]
    return write(tmp_path / "G_ema.safetensors", system, lively(build()))


def test_the_command_line_samples_from_it(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["sample", str(file), "--seeds", "0-2", "--out", str(out), "--grid", "--npz", "--json"]) == 0
    written = [Path(path) for path in json.loads(capsys.readouterr().out)]
    assert [path.name[:6] for path in written[:3]] == ["000000", "000001", "000002"]
    assert len({Image.open(path).tobytes() for path in written[:3]}) == 3 and Image.open(written[0]).size == (16, 16)
    assert Image.open(out / "grid.png").size[0] > 16
    assert np.load(out / "samples.npz")["samples"].shape[:3] == (3, 16, 16)


def test_seeds_are_samples_whatever_stands_beside_them(file: Path) -> None:
    generator = load(file)
    both, one = generator.sample(seeds=[3, 5]), load(file).sample(seeds=[5])
    assert torch.allclose(both[1:], one, atol=1e-5, rtol=1e-4) and torch.isfinite(both).all()
    assert both.shape[1:] == generator.spec.shape and generator.spec.shape[1:] == (16, 16)
    assert generator.name == generator.facts()["recipe"]
    assert torch.allclose(generator.interpolate([3, 5], steps=2)[0], both[0], atol=1e-5)
    if generator.recipe.CONDITIONAL:
        assert generator.spec.classes == ("0", "1", "2")
        assert not torch.allclose(generator.sample(seeds=[3], labels=0), generator.sample(seeds=[3], labels="2"))
        mixed = generator.mix("0", "1", seeds=[3], steps=3)
        assert torch.allclose(mixed[0], generator.sample(seeds=[3], labels=0)[0], atol=1e-5)
    else:
        with pytest.raises(InputError, match="without classes"):
            generator.sample(seeds=[3], labels=0)


def test_samples_are_what_the_published_network_makes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = lively(StyleGAN2Generator(4, 3, 5, 16, 3, MAPPING, {**SMALL, "conv_clamp": 0.5}))
    hints = {"synthesis_kwargs": {"conv_clamp": 0.5}}
    generator = load(write(tmp_path / "g.safetensors", "stylegan2-generator", net, hints=json.dumps(hints)))
    published = interop.from_state_dict("stylegan2-generator", interop.export(net), **hints)
    z, c = generator.latents([7, 8]), torch.eye(3)[[0, 2]]
    assert torch.allclose(generator.sample(seeds=[7, 8], labels=[0, 2]), published(z, c, noise_mode="const"), atol=1e-6)
    bare = interop.from_state_dict("stylegan2-generator", interop.export(net))
    assert not torch.allclose(bare(z, c, noise_mode="const"), published(z, c, noise_mode="const"))  # hints are heard


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"system": "dcgan-discriminator"}, "judges samples and makes none"),
        ({"system": "x"}, "no system is called 'x'"),
        ({"hints": "{"}, "hints are damaged"),
        ({"hints": "[]"}, "hints are damaged"),
        ({"system": "r3gan-generator"}, "r3gan-generator: "),
        ({"format": "other"}, "not a generator written by Tightrope"),
    ],
)
def test_files_that_make_no_samples_are_refused(
    change: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = DCGANCritic(channels=1, size=16, width=2) if "dis" in change.get("system", "") else NETS["dcgan"][1]()
    path = write(tmp_path / "f.safetensors", net=net, **{"system": "dcgan-generator", **change})
    assert main(["sample", str(path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error and str(path) in error and error.count("\n") == 1, error
