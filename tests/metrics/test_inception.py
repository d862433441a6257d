"""The FID's Inception against golden numbers of torch-fidelity 0.4's module, on weights drawn from a seed."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.extractors import inception
from tightrope.metrics.extractors.images import tf1_bilinear

# torch-fidelity 0.4.0, FeatureExtractorInceptionV3 on `weights()` and `picture()`: every 256th feature, every 144th logit
FEATURES = [0.77082, 0.01364048, 3.823181, 3.061456, 0.8756269, 7.410187, 0.6275095, 1.525831]
LOGITS = [-3.14866, -3.272223, -0.7633035, -0.8064511, 0.1895986, 3.026222, 4.588675]


def layers() -> Iterator[tuple[str, int, int, int, int]]:
    """Name, channels out and in, height and width of every kernel."""
    yield from [("Conv2d_1a_3x3", 32, 3, 3, 3), ("Conv2d_2a_3x3", 32, 32, 3, 3), ("Conv2d_2b_3x3", 64, 32, 3, 3)]
    yield from [("Conv2d_3b_1x1", 80, 64, 1, 1), ("Conv2d_4a_3x3", 192, 80, 3, 3)]
    blocks: list[tuple[str, int, str]] = [
        *((f"Mixed_{n}", c, f"1x1:64 5x5_1:48 5x5_2:64,48,5,5 3x3dbl_1:64 3x3dbl_2:96,64,3,3 3x3dbl_3:96,96,3,3 _pool:{p}")
          for n, c, p in [("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)]),
        ("Mixed_6a", 288, "3x3:384,288,3,3 3x3dbl_1:64 3x3dbl_2:96,64,3,3 3x3dbl_3:96,96,3,3"),
        *((f"Mixed_{n}", 768, f"1x1:192 7x7_1:{c} 7x7_2:{c},{c},1,7 7x7_3:192,{c},7,1 7x7dbl_1:{c} 7x7dbl_2:{c},{c},7,1 "
           f"7x7dbl_3:{c},{c},1,7 7x7dbl_4:{c},{c},7,1 7x7dbl_5:192,{c},1,7 _pool:192")
          for n, c in [("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)]),
        ("Mixed_7a", 768, "3x3_1:192 3x3_2:320,192,3,3 7x7x3_1:192 7x7x3_2:192,192,1,7 7x7x3_3:192,192,7,1 7x7x3_4:192,192,3,3"),
        *((f"Mixed_{n}", c, "1x1:320 3x3_1:384 3x3_2a:384,384,1,3 3x3_2b:384,384,3,1 3x3dbl_1:448 3x3dbl_2:384,448,3,3 "
           "3x3dbl_3a:384,384,1,3 3x3dbl_3b:384,384,3,1 _pool:192") for n, c in [("7b", 1280), ("7c", 2048)]),
    ]  # fmt: skip
    for block, channels, text in blocks:
        for part in text.split():
            name, _, shape = part.partition(":")
            numbers = [int(number) for number in shape.split(",")]
            yield (f"{block}.branch{name}", *(numbers if len(numbers) == 4 else [numbers[0], channels, 1, 1]))


@functools.cache
def weights() -> dict[str, Tensor]:
    """Sane activations and batch norms that are far from the identity."""
    draw, state = generator(0, "inception"), {}
    for name, out, *shape in layers():
        state[f"{name}.conv.weight"] = torch.randn(out, *shape, generator=draw) * (2 / np.prod(shape)) ** 0.5
        state[f"{name}.bn.weight"] = 0.8 + 0.4 * torch.rand(out, generator=draw)
        state[f"{name}.bn.bias"] = 0.1 * torch.randn(out, generator=draw)
        state[f"{name}.bn.running_mean"] = 0.2 * torch.randn(out, generator=draw)
        state[f"{name}.bn.running_var"] = 0.5 + torch.rand(out, generator=draw)
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(0)
    state["fc.weight"] = torch.randn(1008, 2048, generator=draw) / 2048**0.5
    state["fc.bias"] = torch.randn(1008, generator=draw)
    return state


def picture() -> np.ndarray:
    return torch.randint(0, 256, (1, 40, 56, 3), generator=generator(0, "picture"), dtype=torch.uint8).numpy()


def test_features_and_unbiased_logits_are_those_of_torch_fidelity() -> None:
    reading = inception.from_state(weights(), "0" * 64, "float32", "torch").read(picture())
    assert reading.features.shape == (1, 2048) and reading.logits is not None and reading.logits.shape == (1, 1008)
    torch.testing.assert_close(reading.features[0, ::256], torch.tensor(FEATURES), rtol=1e-4, atol=0)
    torch.testing.assert_close(reading.logits[0, ::144], torch.tensor(LOGITS), rtol=1e-4, atol=1e-4)


def test_bfloat16_stays_close_and_says_so() -> None:
    exact = inception.from_state(weights(), "0" * 64, "float32", "torch")
    rounded = inception.from_state(weights(), "0" * 64, "bfloat16", "torch")
    a, b = exact.read(picture()).features, rounded.read(picture()).features
    assert b.dtype is torch.float32
    assert (a - b).norm() < 0.02 * a.norm()
    assert exact.protocol["input"] != rounded.protocol["input"] and "bfloat16" in rounded.protocol["input"]


def test_openvino_agrees() -> None:
    pytest.importorskip("openvino")
    reading = inception.from_state(weights(), "0" * 64, "float32", "openvino").read(picture())
    torch.testing.assert_close(reading.features[0, ::256], torch.tensor(FEATURES), rtol=1e-3, atol=0)


@pytest.mark.parametrize("length", [7, 299, 512])
def test_the_resize_reads_a_ramp_at_the_legacy_grid(length: int) -> None:
    ramp = torch.arange(length, dtype=torch.float32).expand(1, 1, 5, length)
    expected = (torch.arange(299) * (length / 299)).clamp(max=length - 1)
    torch.testing.assert_close(tf1_bilinear(ramp, 299)[0, 0, 3], expected, rtol=1e-5, atol=1e-4)


def test_another_file_is_refused_with_the_right_one_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.zeros(2)}, path)
    with pytest.raises(
        InputError, match=r"sha256 begins with .*pt_inception-2015-12-05-6726825d\.pth of the project pytorch-fid"
    ):
        inception.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        inception.load(tmp_path / "absent.pth")


def test_without_a_file_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="give the path of pt_inception"):
        inception.load()


def test_missing_tensors_and_unknown_choices_are_named() -> None:
    short = {key: value for key, value in weights().items() if key != "Mixed_5b.branch1x1.conv.weight"}
    with pytest.raises(InputError, match=r"Mixed_5b\.branch1x1"):
        inception.from_state(short, "0" * 64, "float32", "torch")
    with pytest.raises(InputError, match="precision float16"):
        inception.from_state(weights(), "0" * 64, "float16", "torch")  # type: ignore[arg-type]
