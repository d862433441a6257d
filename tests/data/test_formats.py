"""Every kind of image file, as pixels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

from tightrope.data import load


def pixels(place: Path, **options: int) -> np.ndarray:
    """All images of a source as uint8 (n, H, W, C)."""
    data = load(place, **options)
    return data.modality.to_array(data.batch(torch.arange(len(data))))


def twice(place: Path, name: str, image: Image.Image, **options: object) -> np.ndarray:
    """Save one picture under two names (one image is no data set), load, return the first."""
    for copy in ("a", "b"):
        image.save(place / f"{copy}-{name}", **options)
    loaded = pixels(place, size=32)
    assert len(loaded) == 2
    return loaded[0]


@pytest.mark.parametrize("name", ["x.png", "x.webp", "x.bmp", "x.tif", "x.PNG", "x.tiff"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    assert np.array_equal(twice(tmp_path, name, picture(1), **options), np.asarray(picture(1)))


def test_jpeg_is_close(tmp_path: Path) -> None:
    loaded = twice(tmp_path, "x.jpeg", picture(1), quality=95)
    assert np.abs(loaded.astype(int) - np.asarray(picture(1))).mean() < 3


def test_large_jpeg_is_reduced_and_cut_to_its_centre(tmp_path: Path) -> None:
    wide = Image.new("RGB", (900, 600), "black")
    wide.paste((200, 40, 90), (150, 0, 750, 600))
    loaded = twice(tmp_path, "x.jpg", wide, quality=95)
    assert np.abs(loaded[:, 2:-2].astype(int) - [200, 40, 90]).max() < 6


def test_first_frame_of_animations(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    loaded = twice(tmp_path, "x.gif", frames[0], save_all=True, append_images=frames[1:])
    assert (loaded == [255, 0, 0]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(32, 32), (48, 32)])
def test_exif_orientation(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    upright = picture(3, *size)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation -> the transposition that it asks viewers to undo
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = twice(tmp_path, "x.png", stored, exif=exif)
    expected = np.asarray(upright.crop(((size[0] - 32) // 2, 0, (size[0] + 32) // 2, 32)))
    assert np.array_equal(loaded, expected)


def test_sixteen_bit_grey_is_scaled_not_cut(tmp_path: Path) -> None:
    deep = (np.linspace(0, 65535, 32 * 32).reshape(32, 32)).astype(np.uint16)
    loaded = twice(tmp_path, "x.png", Image.fromarray(deep))
    assert loaded.shape == (32, 32, 1)
    assert np.array_equal(loaded[..., 0], np.rint(deep / 257.0).astype(np.uint8))


def test_float_tiff(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    assert np.array_equal(twice(tmp_path, "x.tif", Image.fromarray(values))[..., 0], np.rint(values * 255).astype(np.uint8))


def test_cmyk(tmp_path: Path) -> None:
    loaded = twice(tmp_path, "x.tif", Image.new("CMYK", (32, 32), (0, 255, 255, 0)))
    assert (loaded == [255, 0, 0]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_over_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 255))
    image.paste((10, 20, 30, 0), (16, 0, 32, 32))
    if mode == "P":
        image = image.quantize(4)
        loaded = twice(tmp_path, "x.png", image)
    else:
        loaded = twice(tmp_path, "x.png", image.convert(mode))
    assert (loaded[:, :16] == 0).all()
    assert (loaded[:, 16:] == 255).all()


def test_half_transparent(tmp_path: Path) -> None:
    assert (twice(tmp_path, "x.png", Image.new("RGBA", (32, 32), (0, 0, 0, 128))) == 127).all()


def test_transparent_colour_key(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), (1, 2, 3))
    assert (twice(tmp_path, "x.png", image, transparency=(1, 2, 3)) == 255).all()


def test_one_bit_and_palette(tmp_path: Path) -> None:
    checker = Image.fromarray(np.indices((32, 32)).sum(0) % 2 == 0)
    assert set(np.unique(twice(tmp_path, "x.png", checker))) == {0, 255}
    (tmp_path / "p").mkdir()
    assert (twice(tmp_path / "p", "x.png", Image.new("RGB", (32, 32), "lime").quantize(2)) == [0, 255, 0]).all()


def test_grey_only_if_every_image_is_grey(tmp_path: Path) -> None:
    for i in range(3):
        picture(i, mode="L").convert("RGB").save(tmp_path / f"{i}.png")
    assert load(tmp_path).spec.shape == (1, 32, 32)
    picture(9).save(tmp_path / "9.png")
    data = load(tmp_path)
    assert data.spec.shape == (3, 32, 32)
    first = data.batch(torch.tensor([0]))[0]
    assert torch.equal(first[0], first[1])


@pytest.mark.parametrize(("sides", "side"), [((500, 70), 64), ((28, 28), 32), ((40, 20), 16), ((9, 9), 8), ((100, 63), 64)])
def test_default_size(tmp_path: Path, sides: tuple[int, int], side: int) -> None:
    for i in range(3):
        picture(i, *sides).save(tmp_path / f"{i}.png")
    assert load(tmp_path).spec.size == side


def test_reducing_averages_and_does_not_alias(tmp_path: Path) -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    loaded = twice(tmp_path, "x.png", Image.fromarray(stripes))
    assert np.abs(loaded.astype(int) - 127).max() <= 3


def test_first_level_folders_are_classes(tmp_path: Path) -> None:
    for name in ("cat/deep", "dog"):
        (tmp_path / name).mkdir(parents=True)
        for i in range(2):
            picture(i).save(tmp_path / name / f"{i}.png")
    data = load(tmp_path)
    assert data.spec.classes == ("cat", "dog")
    assert data.labels(torch.arange(4)).tolist() == [0, 0, 1, 1]
    picture(8).save(tmp_path / "stray.png")
    assert load(tmp_path).spec.classes == ()
    assert load(tmp_path).labels(torch.arange(4)) is None


def test_a_class_that_lost_its_images_is_no_class(tmp_path: Path) -> None:
    for name in ("ape", "cat", "dog"):
        (tmp_path / name).mkdir()
        picture(1).save(tmp_path / name / "x.png")
    (tmp_path / "cat" / "x.png").write_bytes(b"no image")
    data = load(tmp_path)
    assert data.spec.classes == ("ape", "dog")
    assert data.labels(torch.arange(2)).tolist() == [0, 1]


def test_zip_equals_folder(tmp_path: Path) -> None:
    place = tmp_path / "set"
    for name in ("cat", "dog"):
        (place / name).mkdir(parents=True)
        for i in range(3):
            picture(i, 40, 50).save(place / name / f"{i}.jpg")
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(place.rglob("*.jpg"), reverse=True):
            packed.write(path, f"wrapper/{path.relative_to(place)}")
        packed.writestr("__MACOSX/wrapper/cat/._0.jpg", b"resource fork")
        packed.writestr("wrapper/.DS_Store", b"x")
    from_folder, from_zip = load(place), load(tmp_path / "set.zip")
    assert from_zip.rejects == []
    assert from_zip.spec == from_folder.spec
    assert from_zip.fingerprint == from_folder.fingerprint


def test_an_embedded_name_wins_unless_a_path_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring8").mkdir()
    for i in range(2):
        picture(i).save(tmp_path / "ring8" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    assert load("ring8").spec.modality == "points"
    assert load("./ring8").spec.modality == "images"
    assert load(Path("ring8")).spec.modality == "images"


def test_source_loads_the_same_again(folder: Path) -> None:
    data = load(folder, size=16)
    assert load(**data.source).fingerprint == data.fingerprint
