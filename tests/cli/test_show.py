"""`tightrope show`: text, JSON, pictures and pages, and its errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tightrope
from tightrope.cli.main import main


def out(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_text_says_what_it_is_what_it_is_made_of_what_it_does_and_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(["show", "dcgan", "--width", "8"], capsys)
    for words in (
        "Radford",
        "expect",
        "--width  64       8     128",
        "main.0",
        "32x4x4",
        "learns",
        "adversarial   real, fake",
        "MFLOP",
    ):
        assert words in text, words


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(out(["show", "swift", "--json", "--preset", "toy", "--size", "16", "--channels", "3"], capsys))
    assert found["fields"]["gamma"]["default"] == 1.0
    assert found["fields"]["width"]["value"] == 16
    assert found["shape"] == [3, 16, 16]
    assert [move["name"] for move in found["moves"]] == ["D", "G"]
    assert found["networks"][0]["layers"][0]["shape"]
    assert found["costs"]["total"] > 0


def test_points_and_named_data(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(out(["show", "swift", "--data", "ring8", "--json"], capsys))
    assert (found["modality"], found["shape"], found["preset"]) == ("points", [2], "points")


def test_pictures_and_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["show", "dcgan", "--preset", "toy", "--size", "16"]
    out([*small, "--out", str(tmp_path / "new" / "a.svg")], capsys)
    ElementTree.parse(tmp_path / "new" / "a.svg")
    out([*small, "--out", str(tmp_path / "folder")], capsys)
    page = (tmp_path / "folder" / "dcgan.md").read_text()
    assert "](dcgan.svg)" in page
    assert "| `--width` | 64 | 4 | 128 |" in page
    assert "[arXiv:1511.06434](https://arxiv.org/abs/1511.06434)" in page
    (tmp_path / "pictures" / "recipes").mkdir(parents=True)
    (tmp_path / "pictures" / "recipes" / "dcgan-fashion.png").write_bytes(b"")
    out([*small, "--out", str(tmp_path / "recipes" / "dcgan.md")], capsys)
    page = (tmp_path / "recipes" / "dcgan.md").read_text()
    assert "](../pictures/recipes/dcgan.svg)" in page
    assert "](../pictures/recipes/dcgan-fashion.png)" in page


def test_a_recipe_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "my_gan.py"
    own.write_text((Path(tightrope.__file__).parent / "recipes" / "gan.py").read_text().replace("class GAN", "class Mine"))
    assert "my_gan" in out(["show", str(own), "--preset", "toy", "--size", "16"], capsys)


def test_a_flag_that_is_a_field_of_the_recipe_is_the_field(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(out(["show", "acgan", "--classes", "2.5", "--preset", "toy", "--size", "16", "--json"], capsys))
    assert found["fields"]["classes"]["value"] == 2.5
    assert found["classes"] == 10


BAD = {
    "no such recipe": (["dcgann"], "did you mean 'dcgan'"),
    "a second word": (["dcgan", "fashion"], "--data"),
    "no such field": (["dcgan", "--widht", "3"], "did you mean '--width'"),
    "out of bounds": (["dcgan", "--width", "99999"], "between 1 and 1024"),
    "no such preset": (["dcgan", "--preset", "q"], "toy"),
    "two channels": (["dcgan", "--channels", "2"], "1 or 3"),
    "no size": (["dcgan", "--size", "0"], "between 1 and 4096"),
    "data and classes": (["dcgan", "--data", "fashion", "--classes", "3"], "give one of them"),
    "no picture of that kind": (["dcgan", "--out", "a.png"], ".svg or .md"),
}


@pytest.mark.parametrize("words", [words for words, _ in BAD.values()], ids=list(BAD))
def test_errors_are_told_in_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    expected = next(text for other, text in BAD.values() if other == words)
    assert main(["show", *words]) == 2
    assert expected in capsys.readouterr().err


def test_help_and_errors_come_without_torch() -> None:
    commands = [["show", "--help"], *(["show", *words] for words, _ in BAD.values())]
    code = f"""
import sys
from tightrope.cli.main import main
for words in {commands!r}:
    try:
        main(words)
    except SystemExit:
        pass
assert 'torch' not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_size_that_the_networks_cannot_make(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "dcgan", "--size", "48"]) == 2
    assert "16, 32" in capsys.readouterr().err
