"""Windows: what they cover, and that their results are the whole picture's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope import translate
from tightrope.core.translation import Holding, Translator
from tightrope.translate import steady, tiles
from tightrope.translate.pixels import Work

Network = Callable[..., Translator]
SIDES = [(64, 80), (61, 47), (130, 9), (1, 1), (1, 50), (3, 2)]


def photo(height: int, width: int, channels: int = 3, kind: type = np.uint16) -> np.ndarray:
    """Structure at all sizes."""
    rng, most = np.random.default_rng(height * width), np.iinfo(kind).max
    field = sum(
        np.kron(rng.random((height // k + 1, width // k + 1, channels)), np.ones((k, k, 1)))[:height, :width] for k in (1, 4, 16)
    )
    return np.rint(field / 3 * most).astype(kind)


@given(st.integers(1, 9), st.integers(1, 400), st.integers(1, 60), st.integers(0, 9))
@settings(deadline=None, max_examples=300)
def test_cuts_cover_a_side_once_and_keep_their_distance(multiple: int, length: int, extra: int, overlap: int) -> None:
    length, overlap = length * multiple, overlap * multiple
    asked = 2 * overlap + extra * multiple
    size, found = tiles.cuts(length, asked, overlap, multiple)
    assert size % multiple == 0 and size <= max(asked, length)
    assert [cut.first for cut in found] == [0, *(cut.last for cut in found[:-1])] and found[-1].last == length
    for cut in found:
        assert cut.start % multiple == 0 and cut.start >= 0 and cut.start + size <= length and cut.first <= cut.last
        assert cut.start == 0 or cut.first - cut.start >= overlap
        assert cut.start + size == length or cut.start + size - cut.last >= overlap


@pytest.mark.parametrize("kind", ["rrdb", "rrdb2", "srvgg", "srvgg3", "grey"])
def test_tiled_is_whole_where_the_overlap_is_the_reach(kind: str, network: Network) -> None:
    net = network(kind)
    x = photo(150, 130, net.inputs)
    whole = translate.array(net, x, tile=1000)
    tiled = translate.array(net, x, tile=2 * tiles.up(net.reach, net.multiple) + 40, overlap=net.reach)
    assert whole.shape == (150 * net.scale, 130 * net.scale, net.inputs)
    most = 3 if kind == "srvgg3" else 1  # of 65535; cubic interpolation rounds its places
    assert np.abs(tiled.astype(int) - whole).max() <= most
    assert np.abs(translate.array(net, x, tile=24, overlap=0).astype(int) - whole).max() > 500  # a seam would be seen


@pytest.mark.parametrize("kind", ["rrdb", "srvgg", "srvgg3"])
def test_the_reach_is_as_far_as_a_pixel_is_felt(kind: str, network: Network) -> None:
    net = network(kind)
    x = torch.rand(1, 3, 96, 96, requires_grad=True)
    y = net.net.requires_grad_(True)(x)
    middle = 48 * net.scale
    (slope,) = torch.autograd.grad(y[0, :, middle, middle].sum(), x)
    felt = slope.abs().sum((0, 1)).nonzero()
    far = int((felt - 48).abs().max())
    net.net.requires_grad_(False)
    assert net.reach - 4 <= far <= net.reach


def test_less_overlap_differs_little(network: Network) -> None:
    net = network("rrdb")
    x = photo(150, 130)
    whole = translate.array(net, x, tile=1000).astype(int)
    errors = [np.abs(translate.array(net, x, tile=64, overlap=overlap) - whole).max() for overlap in (0, 4, 8)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 2 * 257


@pytest.mark.parametrize("kind", ["rrdb2", "srvgg", "resnet", "unet"])
@pytest.mark.parametrize(("height", "width"), SIDES)
def test_any_side(kind: str, height: int, width: int, network: Network) -> None:
    net = network(kind)
    made = translate.array(net, photo(height, width, kind=np.uint8))
    assert made.shape == (height * net.scale, width * net.scale, 3) and made.dtype == np.uint8


def test_values_are_the_networks(network: Network) -> None:
    for kind in ("srvgg", "resnet"):
        net, x = network(kind), photo(32, 32, kind=np.uint8)
        given = torch.from_numpy(x).permute(2, 0, 1)[None].float() / 255
        dark = net.darkest
        with torch.no_grad():
            y = (net.net(given * (1 - dark) + dark) - dark) / (1 - dark)
        expected = (y[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        assert np.abs(translate.array(net, x) - expected).max() <= 1


def test_a_border_that_is_added_does_not_show(network: Network) -> None:
    """A picture of odd sides is the picture of even sides without its last lines, away from them."""
    net, x = network("rrdb2"), photo(100, 100)
    odd, even = translate.array(net, x[:99, :99]), translate.array(net, x)
    clear = 2 * (99 - net.reach)
    assert np.abs(odd[:clear, :clear].astype(int) - even[:clear, :clear]).max() <= 1


def test_grey_stays_grey_where_the_picture_stays_the_same(network: Network) -> None:
    x = photo(20, 24, 1, np.uint8)
    assert translate.array(network("srvgg"), x).shape == (40, 48, 1)
    assert translate.array(network("srvgg"), x[..., 0]).shape == (40, 48, 1)
    assert translate.array(network("resnet"), x).shape == (20, 24, 3)  # it may give a grey drawing its colours
    assert translate.array(network("grey"), photo(20, 24)).shape == (40, 48, 1)


def test_what_sees_the_whole_picture_is_known(network: Network) -> None:
    assert network("resnet").whole and not network("unet").whole and not network("rrdb").whole


def bright_and_dark() -> np.ndarray:
    """Four quarters of different brightness and structure, 176 x 192 px."""
    x = photo(176, 192, kind=np.uint8) // 2
    x[:88, :96] //= 3
    x[88:, 96:] += 120
    return x


def test_parts_share_one_normalisation(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network("resnet"), bright_and_dark()
    assert net.whole
    whole = translate.array(net, x).astype(int)
    parts = np.abs(translate.array(net, x, tile=80, overlap=24) - whole)
    assert parts[4:-4, 4:-4].max() <= 2  # the picture fits, so the means are its own
    with monkeypatch.context() as patch:
        patch.setattr(steady, "SIDE", 48)
        patch.setattr(tiles, "memory", lambda whole=False: int(tiles.need(net) * 176 * 192 * 0.6))
        assert len(steady.windows(net, x)) > 4
        some = np.abs(translate.array(net, x, tile=80, overlap=24) - whole)
    with monkeypatch.context() as patch:
        patch.setattr(steady, "held", lambda *asked: nullcontext())
        alone = np.abs(translate.array(net, x, tile=80, overlap=24) - whole)
    assert alone.mean() > 4 * some.mean() > 0  # each part by itself: seams
    assert np.abs(translate.array(net, x).astype(int) - whole).max() == 0  # nothing is held afterwards


def test_means_over_a_large_picture_are_exact(network: Network) -> None:
    x = (torch.randn(1, 2, 1000, 700, generator=torch.Generator().manual_seed(0)) * 0.1 + 3).to(memory_format=torch.channels_last)
    wide = x.double()
    expected = (wide - wide.mean((2, 3), keepdim=True)) * (wide.var((2, 3), correction=0, keepdim=True) + 1e-5).rsqrt()
    norm = next(layer for layer in network("resnet").net.modules() if isinstance(layer, Holding))
    assert (type(norm)(2)(x) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(400, 400), (64, 4000), (2000, 300)])
def test_windows_lie_evenly_and_fit(height: int, width: int, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network("resnet"), np.zeros((height, width, 3), np.uint8)
    assert steady.windows(net, x).shape == (1, height, width, 3)
    monkeypatch.setattr(tiles, "memory", lambda whole=False: int(tiles.need(net) * 70_000))
    found = steady.windows(net, x)
    assert len(found) * found.shape[1] * found.shape[2] <= 70_000 and found.shape[1] == min(256, height)


def test_memory_decides_the_tiles(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network("srvgg"), photo(200, 300, kind=np.uint8)
    assert Work(net, translate.Picture(pixels=x)).plan.count == 1
    whole = translate.array(net, x)
    monkeypatch.setattr(tiles, "memory", lambda whole=False: 4_000_000)
    work = Work(net, translate.Picture(pixels=x))
    assert work.plan.count > 1 and work.plan.height * work.plan.width * tiles.need(net) < 6_000_000
    assert np.abs(translate.array(net, x).astype(int) - whole).max() <= 1
