"""`tightrope translate`: places, going on, what is refused, mixtures, the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tightrope import translate
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.translation import Translating, Translator
from tightrope.translate import opening

Write = Callable[..., Path]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures in two folders, a file that is none, and one that only seems so."""
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "deep/b.webp", "deep/er/c.gif", "deep/er/d.tif"):
        Image.fromarray(rng.integers(0, 256, (11, 14, 3), dtype=np.uint8)).save(folder / name)
    (folder / "readme.txt").write_text("not a picture")
    return folder


def out(words: list[object], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert main([str(word) for word in ["translate", *words]]) == code
    said = capsys.readouterr()
    if code:
        assert said.err.count("\n") == 1
    return said.err if code else said.out


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file())


def test_one_file(photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "large.png"
    assert str(target) in out([network_file("srvgg"), photos / "a.jpg", "--out", target], capsys)
    with Image.open(photos / "a.jpg") as given, Image.open(target) as image:
        expected = translate.array(translate.opened(network_file("srvgg")), np.asarray(given))
        assert np.array_equal(np.asarray(image), expected)
    assert made(target.parent) == ["large.png"]


def test_a_folder_keeps_its_structure_and_goes_on(
    photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [network_file("srvgg"), photos, "--out", tmp_path / "out", "--json"]
    assert len(json.loads(out(words, capsys))["written"]) == 5
    names = ["a.jpg", "a.png", "deep/b.webp", "deep/er/c.png", "deep/er/d.tif", "translate.json"]
    assert made(tmp_path / "out") == names
    (tmp_path / "out" / "a.png").unlink()
    (tmp_path / "out" / "a.jpg.123.partial").write_bytes(b"half")
    os.utime(photos / "deep" / "b.webp", (2**32, 2**32))  # changed since
    again = json.loads(out(words, capsys))
    assert sorted(Path(name).name for name in again["written"]) == ["a.png", "b.webp"] and again["kept"] == 3
    assert made(tmp_path / "out") == names
    assert len(json.loads(out([*words, "--force"], capsys))["written"]) == 5
    other = [network_file("srvgg", 1), photos, "--out", tmp_path / "out"]
    assert "was not made by this command" in out(other, capsys, 2)
    assert "5 pictures" in out([*other, "--force"], capsys)


def test_a_killed_command_goes_on(photos: Path, tmp_path: Path, network_file: Write) -> None:
    """Whatever is there after a kill is whole, and the same command makes the rest."""
    network, place = translate.opened(network_file("srvgg")), tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate.files(network, [photos], place, None, stop)
    there = {name: (place / name).read_bytes() for name in made(place) if name != "translate.json"}
    assert len(there) == 3
    outcome = translate.files(network, [photos], place)
    assert len(outcome.written) == 2 and all((place / name).read_bytes() == data for name, data in there.items())


def test_patterns_formats_and_equal_names(
    photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    out([network_file("srvgg"), photos / "**" / "*.[jpg]*", "--out", tmp_path / "out", "--format", "png"], capsys)
    assert made(tmp_path / "out") == ["a.png", "a.png.png", "deep/er/c.png", "translate.json"]


def test_results_within_what_is_given_are_not_given(photos: Path, network_file: Write) -> None:
    network = translate.opened(network_file("srvgg"))
    for _ in range(2):
        assert len(translate.files(network, [photos], photos / "out", translate.Settings(force=True)).written) == 5


def test_what_is_no_picture_is_named_at_the_end(
    photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = out([network_file("srvgg"), photos, "--out", tmp_path / "out"], capsys)
    assert "5 pictures" in said and "1 could not be translated" in said and str(photos / "broken.png") in said
    assert "name a picture" in out([network_file("srvgg"), photos / "broken.png", "--out", tmp_path / "b.png"], capsys, 2)
    assert not (tmp_path / "b.png").exists()
    for name in ("a.png", "a.jpg", "deep/b.webp", "deep/er/c.gif", "deep/er/d.tif"):
        (photos / name).write_bytes(b"")
    assert "none of 6 pictures" in out([network_file("srvgg"), photos, "--out", tmp_path / "o2"], capsys, 2)


BAD: list[tuple[list[object], str]] = [
    (["NET", "nowhere.png", "--out", "o.png"], "no such picture"),
    (["NET", "nowhere/*.png", "--out", "o"], "no picture has such a name"),
    (["NET", "PHOTOS/a.png", "--out", "o.gif"], "end it with .png"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--format", "jpg"], "another kind of file"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--format", "gif"], "written are png"),
    (["NET", "PHOTOS/a.png", "--out", "PHOTOS/a.png"], "would replace"),
    (["NET", "PHOTOS", "--out", "PHOTOS"], "would replace"),
    (["NET", "PHOTOS", "--out", "PHOTOS/a.png"], "is a file; name a folder"),
    (["NET", "PHOTOS/readme.txt", "--out", "o.png"], "not an image"),
    (["NET", "PHOTOS/film.mp4", "--out", "o"], "cannot be decoded as a film|pip install"),
    (["NET", "PHOTOS/film.mp4", "--out", "o.webm"], "films are written as .mp4"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--tile", "3"], "at least 16"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--overlap", "-1"], "0 pixels or more"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--strength", "1"], "name the other one"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--towards", "OTHER"], "of one kind and size"),
    (["NET", "PHOTOS/a.png", "--out", "o.png", "--way", "B"], "translates in one way"),
    (["nothing", "PHOTOS/a.png", "--out", "o.png"], "no such file or run"),
    (["PHOTOS", "PHOTOS/a.png", "--out", "o.png"], "is not a run"),
    (["PHOTOS/a.png", "PHOTOS/a.png", "--out", "o.png"], "cannot be read as safetensors"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_input(
    words: list[str],
    said: str,
    photos: Path,
    network_file: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (photos / "film.mp4").write_bytes(b"")
    monkeypatch.chdir(photos.parent)
    named = {"NET": str(network_file("srvgg")), "OTHER": str(network_file("rrdb"))}
    filled = [named.get(word, word).replace("PHOTOS", str(photos)) for word in words]
    error = out(filled, capsys, 2)
    assert any(part in error for part in said.split("|")), error


def test_a_picture_of_one_pixel(tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((1, 1, 3), 99, np.uint8)).save(tmp_path / "a.png")
    out([network_file("srvgg"), tmp_path / "a.png", "--out", tmp_path / "b.png"], capsys)
    assert Image.open(tmp_path / "b.png").size == (2, 2)


def test_parts_of_a_network_that_sees_the_whole_are_told(photos: Path, tmp_path: Path, network_file: Write) -> None:
    big = tmp_path / "big.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(big)
    network = translate.opened(network_file("resnet"))
    whole = translate.files(network, [big], tmp_path / "a.png")
    parts = translate.files(network, [big], tmp_path / "b.png", translate.Settings(tile=64, overlap=8))
    assert whole.notes[big] == () and "takes means over what it sees" in parts.notes[big][0]


def test_strength_mixes_weights(photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = network_file("rrdb"), network_file("rrdb", 1)
    results = {}
    for strength in (0, 0.5, 1):
        target = tmp_path / f"{strength}.png"
        out([one, photos / "a.png", "--out", target, "--towards", other, "--strength", strength], capsys)
        results[strength] = np.asarray(Image.open(target))
    given = np.asarray(Image.open(photos / "a.png"))
    assert np.array_equal(results[0], translate.array(translate.opened(one), given))
    assert np.array_equal(results[1], translate.array(translate.opened(other), given))
    assert not np.array_equal(results[0.5], results[0]) and not np.array_equal(results[0.5], results[1])
    mixed = translate.between(translate.opened(one), translate.opened(other), 0.5)
    first, second = (translate.opened(file).net.state_dict() for file in (one, other))
    assert all(torch.allclose(value, (first[key] + second[key]) / 2) for key, value in mixed.net.state_dict().items())


def test_page(photos: Path, tmp_path: Path, network_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(out([network_file("srvgg"), photos, "--out", tmp_path / "out", "--compare", "--json"], capsys))
    text = Path(said["page"]).read_text()
    assert text.count('<figure class="card couple">') == 5 and text.count("data:image/") >= 10
    assert "14 x 11 to 28 x 22" in text and "http" not in text.replace("http-equiv", "")
    said = json.loads(
        out([network_file("srvgg"), photos / "a.png", "--out", tmp_path / "one.png", "--compare", "--json"], capsys)
    )
    assert Path(said["page"]) == tmp_path / "one.html"


class _Both:
    """A recipe with two ways."""

    def translators(self, nets: Mapping[str, nn.Module]) -> Mapping[str, Translator]:
        return {name: Translator(net=net, name=name) for name, net in nets.items()}


def test_a_run_is_translated_with_in_the_way_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(_Both(), Translating)

    class Opened:
        recipe, name, nets = _Both(), "both", {"A-to-B": nn.Identity(), "B-to-A": nn.Identity()}

    monkeypatch.setattr(opening.run, "load", lambda path, recipe: Opened)
    assert translate.opened(tmp_path).name == "A-to-B" and translate.opened(tmp_path, way="B-to-A").name == "B-to-A"
    with pytest.raises(InputError, match="translates A-to-B, B-to-A"):
        translate.opened(tmp_path, way="C")
    monkeypatch.setattr(Opened, "recipe", object())
    with pytest.raises(InputError, match="makes samples of latents"):
        translate.opened(tmp_path)


def test_help_and_errors_do_not_import_torch() -> None:
    for words in (["translate", "--help"], ["translate", "nothing", "a.png", "--out", "b.png"]):
        code = f"""
import sys
from tightrope.cli.main import main
try:
    main({words!r})
except SystemExit:
    pass
assert "torch" not in sys.modules"""
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
