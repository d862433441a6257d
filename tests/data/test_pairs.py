"""Pictures made of pictures: what belongs together stays together, what is held out is never drawn, bad folders are explained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data import Pairs, inspect, load, sheet
from tightrope.data.groups import groups, held_out

DICE = torch.Generator


def write(folder: Path, count: int, seed: int, ending: str = "png", **shape: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture(seed + i, **shape).save(folder / f"drawing {i}.{ending}")
    return folder


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "a", 40, 0), write(tmp_path / "b", 40, 100, "bmp")


def bytes_of(pixels: torch.Tensor) -> np.ndarray:
    return ((pixels + 1) * 127.5).round().byte().numpy()


def rgb(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def test_two_folders_are_matched_by_name_and_nothing_is_lost(two):
    data = load(f"pairs:{two[0]},{two[1]}", size=32)
    assert isinstance(data, Pairs) and data.spec.modality == "pairs" and data.spec.paired
    assert data.spec.shape == data.spec.given == (3, 32, 32) and data.spec.count == len(data) == data.givens
    every = torch.arange(len(data))
    for name, real, given in zip(data.names(), bytes_of(data.batch(every)), bytes_of(data.given(every)), strict=True):
        number = int(Path(name).stem.split()[1])
        assert np.array_equal(given, rgb(picture(number))) and np.array_equal(real, rgb(picture(100 + number)))
    assert data.labels(every) is None and not data.spec.classes and data.rejects == []


def test_what_is_held_out_is_never_trained_on(two):
    data = load(f"pairs:{two[0]},{two[1]}", size=32)
    held = data.held
    assert held is not None and held.held is None and held.spec.modality == "pairs" and 0 < len(held) < 10
    assert not set(held.names()) & set(data.names()) and len(held) + len(data) == 40
    assert held.fingerprint != data.fingerprint and held.name != data.name
    assert load(f"pairs:{two[0]},{two[1]}", size=32).held.names() == held.names()


def test_the_same_files_give_the_same_data_again(two):
    data = load(f"pairs:{two[0]},{two[1]}", size=16)
    again = load(**data.source)
    assert again.fingerprint == data.fingerprint and again.source == data.source and again.spec == data.spec
    json.dumps(data.source)
    picture(7, mode="L").save(two[0] / "drawing 3.png")
    assert load(**data.source).fingerprint != data.fingerprint


def test_colours_of_both_sides_are_brought_to_bytes_alike(tmp_path):
    a, b = tmp_path / "lines", tmp_path / "colour"
    a.mkdir(), b.mkdir()
    deep = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
    Image.fromarray(deep).save(a / "deep.png")
    picture(1, mode="L").save(a / "clear.png")
    see_through = picture(2).convert("RGBA")
    see_through.putalpha(picture(3, mode="L"))
    see_through.save(b / "clear.png")
    picture(4).save(b / "deep.png")
    data = load(f"pairs:{a},{b}", size=32)
    assert data.spec.given == (1, 32, 32) and data.spec.shape == (3, 32, 32) and data.held is None
    clear, deeper = (data.names().index(name) for name in ("clear.png", "deep.png"))
    assert np.array_equal(bytes_of(data.given(torch.tensor([deeper])))[0, 0], np.rint(deep * (255 / 65535)).astype(np.uint8))
    assert np.array_equal(bytes_of(data.given(torch.tensor([clear])))[0, 0], np.asarray(picture(1, mode="L")))
    white = Image.alpha_composite(Image.new("RGBA", (32, 32), "white"), see_through)
    assert np.array_equal(bytes_of(data.batch(torch.tensor([clear])))[0], rgb(white))


def test_side_by_side_and_sub_folders_say_the_same(tmp_path):
    joined, apart = tmp_path / "joined", tmp_path / "apart"
    write(apart / "given", 6, 0), write(apart / "target", 6, 50)
    joined.mkdir()
    for i in range(6):
        double = Image.new("RGB", (64, 32))
        double.paste(picture(i), (0, 0)), double.paste(picture(50 + i), (32, 0))
        double.save(joined / f"drawing {i}.png")
    one, other = load(f"pairs:{joined}", size=32), load(f"pairs:{apart}", size=32)
    every = torch.arange(len(one))
    assert one.names() == other.names() and one.spec == other.spec
    assert torch.equal(one.batch(every), other.batch(every)) and torch.equal(one.given(every), other.given(every))
    assert load(**one.source).fingerprint == one.fingerprint


def test_pictures_that_cannot_lie_on_each_other_are_refused_by_name(two):
    picture(1, width=48).save(two[0] / "drawing 1.png")
    picture(2, width=64, height=64).save(two[0] / "drawing 2.png")
    (two[0] / "drawing 3.png").write_bytes(b"nothing of the kind")
    picture(1).save(two[0] / "alone.png")
    picture(1).save(two[1] / "drawing 4.png")
    data = load(f"pairs:{two[0]},{two[1]}", size=32)
    reasons = {Path(reject.path).name: reject.reason for reject in data.rejects}
    assert "48x32 pixels and its target 32x32: their aspect ratios differ" in reasons["drawing 1.bmp"]
    assert reasons["drawing 3.bmp"].startswith("the picture given not an image") or "picture given" in reasons["drawing 3.bmp"]
    assert reasons["alone.png"] == "no picture of that name in the target folder"
    assert "has the same name" in reasons.get("drawing 4.png", reasons.get("drawing 4.bmp", ""))
    assert len(reasons) == 4 and "drawing 2.bmp" in data.names() + data.held.names()


def test_a_picture_that_lies_on_its_side_is_turned_before_it_is_compared(tmp_path):
    lying, upright = tmp_path / "lying", write(tmp_path / "upright", 2, 0, width=40, height=80)
    lying.mkdir()
    turn = Image.Exif()
    turn[0x0112] = 6
    for i in range(2):
        picture(i, width=40, height=80).transpose(Image.Transpose.ROTATE_90).save(lying / f"drawing {i}.png", exif=turn)
    data = load(f"pairs:{lying},{upright}", size=40)
    assert data.rejects == [] and torch.equal(data.given(torch.tensor([0, 1])), data.batch(torch.tensor([0, 1])))


def test_groups_stay_together():
    names = [f"{base:04x}{tone}.png" for base in range(0x1F44, 0x1F44 + 200) for tone in ("", "-1f3fb", "-1f3ff")]
    held = held_out(names)
    assert 0.02 < held.float().mean() < 0.1
    assert (held.view(200, 3) == held.view(200, 3)[:, :1]).all()
    few = [f"IMG-{i:04d}.jpg" for i in range(400)]
    assert groups(few) == [f"IMG-{i:04d}" for i in range(400)] and 5 < held_out(few).sum() < 40
    assert groups(["a/photo-1#0-1", "a/photo-2#0-1"]) == ["a/photo-1", "a/photo-2"]
    assert not held_out(["x", "y", "z"]).any() and held_out(list("abcdefgh")).sum() >= 1


def test_unpaired_pictures_are_drawn_independently_and_judged_by_hidden_pairs(two):
    data = load(f"unpaired:{two[0]},{two[1]}", size=32)
    held = data.held
    assert data.spec.modality == "unpaired" and data.spec.given == (3, 32, 32) and held.spec.modality == "pairs"
    assert len(data) == data.givens == 40 - len(held) and not set(held.names()) & set(data.names())
    index = torch.arange(len(data))
    real, one = data.drawn(index, DICE().manual_seed(0))
    _, two_ = data.drawn(index, DICE().manual_seed(1))
    assert torch.equal(real, data.batch(index)) and not torch.equal(one, two_)
    assert torch.equal(one, data.drawn(index, DICE().manual_seed(0))[1])
    number = int(Path(held.names()[0]).stem.split()[1])
    assert np.array_equal(bytes_of(held.given(torch.tensor([0])))[0], rgb(picture(number)))
    assert np.array_equal(bytes_of(held.batch(torch.tensor([0])))[0], rgb(picture(100 + number)))
    assert load(**data.source).fingerprint == data.fingerprint


def test_numbers_and_strange_names_are_no_hidden_pairs(tmp_path):
    for folder, seed, count in (("a", 0, 30), ("b", 60, 50)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            picture(seed + i).save(tmp_path / folder / f"{i:03d}.png")
    data = load(f"unpaired:{tmp_path / 'a'},{tmp_path / 'b'}", size=16)
    assert data.held.spec.modality == "unpaired" and data.givens + data.held.givens == 30
    assert len(data) + len(data.held) == 50


def test_pairs_can_be_forgotten(two):
    pairs, data = load(f"pairs:{two[0]},{two[1]}", size=32), load(f"unpaired:pairs:{two[0]},{two[1]}", size=32)
    assert data.spec.modality == "unpaired" and data.names() == pairs.names() and data.held.names() == pairs.held.names()
    assert data.held.spec.modality == "pairs" and data.fingerprint != pairs.fingerprint
    index = torch.arange(len(data))
    assert not torch.equal(data.drawn(index, DICE().manual_seed(0))[1], pairs.given(index))


def test_patches_are_cut_exactly_and_a_photograph_stays_whole(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(5):
        picture(i, width=70, height=40).save(photos / f"photo {i}.png")
    picture(9, width=30, height=20).save(photos / "small.png")
    data = load(f"patches:{photos}", size=32)
    assert data.spec.shape == (3, 32, 32) and len(data) == 10 and data.names()[:2] == ["photo 0#0-0", "photo 0#0-1"]
    assert np.array_equal(bytes_of(data.batch(torch.tensor([1])))[0], rgb(picture(0, width=70, height=40).crop((32, 0, 64, 32))))
    assert [(reject.path, reject.reason) for reject in data.rejects] == [
        ("small.png", "30x20 pixels; smaller than one square of 32x32")
    ]
    assert load(**data.source).fingerprint == data.fingerprint
    pairs = load(f"down4:patches:{photos}", size=32)
    photographs = [{name.split("#")[0] for name in part.names()} for part in (pairs, pairs.held)]
    assert pairs.spec.given == (3, 8, 8) and not photographs[0] & photographs[1] and photographs[1]


def test_emoji_of_two_vendors_ship_with_the_package():
    data = load("emoji-pairs", size=32)
    assert data.spec.shape == data.spec.given == (3, 32, 32) and len(data) + len(data.held) == 3139
    assert "Apache-2.0" in data.licence and "MIT" in data.licence and load(**data.source).fingerprint == data.fingerprint
    bases = [{name.split("-")[0] for name in part.names()} for part in (data, data.held)]
    assert not bases[0] & bases[1]
    # both vendors draw a red heart: the middle is red in both
    heart = torch.tensor([data.names().index("2764") if "2764" in data.names() else data.held.names().index("2764")])
    part = data if "2764" in data.names() else data.held
    for pixels in (part.batch(heart), part.given(heart)):
        red, green, blue = pixels[0, :, 14:18, 14:18].mean((1, 2)).tolist()
        assert red > 0.5 > max(green, blue)


def test_what_shows_data_shows_pairs(two):
    facts = inspect(f"unpaired:{two[0]},{two[1]}", size=16)
    assert facts["modality"] == "unpaired" and facts["held"]["modality"] == "pairs" and facts["givens"] == facts["count"]
    json.dumps(facts, default=str)
    data = load(f"down2:{two[0]}", size=16)
    shown = sheet(data, 16)
    assert shown.shape == (2 * 18 + 2, 8 * 18 + 2, 3)
    assert np.array_equal(shown[2:18:2, 2:18:2], shown[3:19:2, 3:19:2]), "given, each pixel twice, before its target"


def bad(tmp_path: Path) -> dict[str, tuple[str, int | None, str]]:
    a, b, c = write(tmp_path / "a", 4, 0), write(tmp_path / "b", 4, 9), tmp_path / "c"
    c.mkdir(), (tmp_path / "empty").mkdir()
    for i in range(4):
        picture(i, width=33).save(c / f"other {i}.png")
    write(tmp_path / "dots", 4, 0, width=1, height=1)
    write(tmp_path / "wide", 4, 0, width=64)
    (tmp_path / "mixed").mkdir()
    write(tmp_path / "mixed" / "day", 4, 0), write(tmp_path / "mixed" / "night", 4, 0)
    return {
        "no name matches": (f"pairs:{a},{c}", 16, "only 0 of 4 and 4 pictures have equal names; .*drawing 0.png, for one"),
        "no pair is left": (f"pairs:{a},{tmp_path / 'wide'}", 16, "no usable image.*aspect ratios differ"),
        "one-pixel images": (f"pairs:{tmp_path / 'dots'},{a}", 16, "the picture given.*1x1 pixels; at least 8x8"),
        "odd width": (f"pairs:{c}", 16, "33 pixels wide; two pictures of equal width side by side make an even number"),
        "folders in one": (f"pairs:{tmp_path / 'mixed'}", 16, "say which is given: pairs:.*day,.*night"),
        "an empty folder": (f"pairs:{a},{tmp_path / 'empty'}", 16, "empty: no images in it"),
        "patches of nothing": (f"patches:{tmp_path / 'empty'}", None, "no images in it"),
        "patches too small": (f"patches:{a}", 64, "no usable image.*smaller than one square of 64x64"),
        "not a folder": (f"pairs:{a},{tmp_path / 'nowhere'}", 16, "neither a folder nor a .zip"),
        "no comma": (f"unpaired:{a}", 16, "no comma in it; write unpaired:A,B"),
        "nothing beside the comma": (f"unpaired:{a},", 16, "a name is missing beside the comma"),
        "no folder and no comma": ("pairs:nowhere", 16, "does not exist; write pairs:GIVEN,TARGET"),
        "nothing after the colon": ("edges:", 16, "nothing follows the colon"),
        "an unknown prefix": (f"edge:{a}", 16, "did you mean edges:"),
        "another unknown prefix": (f"sharpen:{a}", 16, "Data begins with pairs:"),
        "an unknown factor": (f"down5:{a}", 16, "one of 2, 3, 4, 8"),
        "no factor": (f"down:{a}", 16, "one of 2, 3, 4, 8"),
        "a factor too many": (f"edges4:{a}", 16, "without a number"),
        "size and factor": (f"down3:{a}", 32, "32 pixels are no multiple of 3; choose another size, 30 or 33"),
        "too small to give": (f"down8:{a}", 16, "would be given as 2x2"),
        "pairs of pairs": (f"edges:pairs:{a},{b}", 16, "makes pairs, not images"),
        "pairs beside images": (f"unpaired:{a},edges:{b}", 16, "makes pairs, not images"),
        "points": ("grey:ring8", None, "makes points, not images"),
        "grey of grey": ("grey:fashion", 16, "grey already"),
    }  # fmt: skip


def test_bad_input_is_told_in_one_sentence(tmp_path):
    for case, (name, size, words) in bad(tmp_path).items():
        with pytest.raises(InputError, match=words) as caught:
            load(name, size=size)
        assert "\n" not in str(caught.value) and str(caught.value).endswith("."), case
