"""Files as they are: bits, alpha, profile, orientation; and PNG as it comes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from tightrope import translate
from tightrope.core.errors import InputError
from tightrope.core.translation import Translator
from tightrope.translate import png
from tightrope.translate.picture import read

Network = Callable[..., Translator]


def noise(*shape: int, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png_is_read_back_to_the_bit(channels: int, kind: type, tmp_path: Path) -> None:
    pixels = noise(150, 13, channels, kind=kind)
    pixels[3:100] = 7  # lines that are alike
    png.write(tmp_path / "a.png", iter([pixels[:1], pixels[1:70], pixels[70:]]), (150, 13))
    with Image.open(tmp_path / "a.png") as image:
        image.load()  # checks what the chunks say of themselves
    if channels == 2 and kind is np.uint16:
        assert "8 of its bits" in read(tmp_path / "a.png").notes[0]
        return
    found = read(tmp_path / "a.png")
    assert found.notes == ()
    whole = found.pixels if found.alpha is None else np.concatenate([found.pixels, found.alpha[..., None]], 2)
    assert whole.dtype == kind and np.array_equal(whole, pixels)


def test_the_file_is_not_larger_than_pillows(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(200), np.arange(300))[..., None] * [1, 2, 3]
    pixels = (np.sin(ramp / 40) * 100 + 128).astype(np.uint8)
    png.write(tmp_path / "a.png", [pixels], pixels.shape[:2])
    Image.fromarray(pixels).save(tmp_path / "b.png")
    assert (tmp_path / "a.png").stat().st_size < 1.2 * (tmp_path / "b.png").stat().st_size


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation(turn: int, tmp_path: Path) -> None:
    image = Image.fromarray(noise(5, 7, 3))
    exif = Image.Exif()
    exif[0x0112] = turn
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as again:
        expected = np.asarray(ImageOps.exif_transpose(again))
    assert np.array_equal(read(tmp_path / "a.png").pixels, expected)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("P", 3), ("RGB", 3), ("CMYK", 3)])
def test_modes(mode: str, channels: int, tmp_path: Path) -> None:
    name = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(noise(6, 8, 3)).convert(mode).save(name)
    found = read(name)
    assert found.pixels.shape == (6, 8, channels) and found.alpha is None
    assert bool(found.notes) == (mode == "CMYK")


def test_transparent_palette(tmp_path: Path) -> None:
    image = Image.fromarray(noise(6, 8, 3)).quantize(8)
    image.save(tmp_path / "a.png", transparency=0)
    found = read(tmp_path / "a.png")
    assert found.alpha is not None and np.array_equal(found.alpha == 0, np.asarray(image) == 0)


def test_animated(tmp_path: Path, network_file: Callable[..., Path]) -> None:
    frames = [Image.fromarray(noise(8, 8, 3) // k) for k in (1, 2)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    outcome = translate.files(translate.opened(network_file("srvgg")), [tmp_path / "a.webp"], tmp_path / "b.png")
    assert "first frame" in outcome.notes[tmp_path / "a.webp"][0]
    assert np.array_equal(read(tmp_path / "a.webp").pixels, np.asarray(frames[0]))


@pytest.mark.parametrize(("ending", "kind"), [(".png", np.uint8), (".png", np.uint16), (".webp", np.uint8)])
def test_alpha_and_profile_stay(ending: str, kind: type, tmp_path: Path, network: Network) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = noise(30, 20, 4, kind=kind)
    pixels[..., 3] = np.linspace(0, np.iinfo(kind).max, 20).astype(kind)
    png.write(tmp_path / "a.png", [pixels], (30, 20), profile)
    target = tmp_path / f"b{ending}"
    settings = translate.Settings(tile=24, overlap=4)
    translate.files(network("srvgg"), [tmp_path / "a.png"], target, settings)
    found = read(target)
    assert found.pixels.shape == (60, 40, 3) and found.pixels.dtype == kind
    assert found.profile == profile and found.alpha is not None
    full = np.iinfo(kind).max
    assert np.abs(found.alpha[:, 4:-4] / full - (np.arange(4, 36) - 0.5) / 2 / 19).max() < 0.02
    assert (found.alpha == found.alpha[:1]).all()  # no seam between bands
    plain = translate.array(network("srvgg"), pixels[..., :3], tile=24, overlap=4)
    if ending == ".png":
        assert np.array_equal(found.pixels, plain)


def test_formats_that_cannot_hold_it_say_so(tmp_path: Path, network: Network) -> None:
    png.write(tmp_path / "a.png", [noise(9, 9, 4, kind=np.uint16)], (9, 9))
    outcome = translate.files(network("srvgg"), [tmp_path / "a.png"], tmp_path / "b.jpg")
    notes = " ".join(outcome.notes[tmp_path / "a.png"])
    assert "16 bits" in notes and "over white" in notes
    png.write(tmp_path / "g.png", [noise(9, 9, 1, kind=np.uint16)], (9, 9))
    translate.files(network("srvgg"), [tmp_path / "g.png"], tmp_path / "g.tif")
    assert read(tmp_path / "g.tif").pixels.dtype == np.uint16


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + zlib.compress(b"x" * 99)])
def test_no_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: .*; name a picture"):
        read(tmp_path / "a.png")


def test_a_picture_that_is_cut_off(tmp_path: Path) -> None:
    for kind in (np.uint8, np.uint16):
        png.write(tmp_path / "a.png", [noise(90, 90, 3, kind=kind)], (90, 90))
        whole = (tmp_path / "a.png").read_bytes()
        (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match="cannot be decoded"):
            read(tmp_path / "a.png")
