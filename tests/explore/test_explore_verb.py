"""`tightrope explore`: what each action writes and says, and what is refused. `tightrope sample --psi` and `--move`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import levels
import styles
from levels import NAMES
from tightrope.cli import exploring
from tightrope.cli.main import main
from tightrope.core.spec import DataSpec
from tightrope.explore import directions, given, spaces
from tightrope.explore.latent_file import Latent, write_latent
from tightrope.run import load
from tightrope.training.artifact import write_generator


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("halves") / "g.safetensors"
    spec = DataSpec(modality="images", shape=(1, styles.SIDE, styles.SIDE), classes=NAMES, shares=(0.25,) * 4, count=400)
    facts = {"recipe": styles.__file__, "fields": json.dumps({"by_class": True}), "spec": json.dumps(spec.to_json()), "seen": "8"}
    write_generator(path, {"G": styles.Toy(by_class=True).networks(spec)["G"]}, facts)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path, recipe: str = styles.__file__) -> tuple[int, dict, str]:
    """The exit code, the record printed and the error."""
    code = main([*map(str, words), "--recipe", recipe, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out.splitlines()[-1]), said.err


def test_a_mix_is_a_sheet(halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(
        capsys,
        "explore",
        halves,
        "mix",
        "--space",
        "w",
        "--rows",
        "0-1",
        "--columns",
        "5,6,7",
        "--layers",
        "2-3",
        "--out",
        tmp_path,
    )
    assert code == 0 and said["written"] == [str(tmp_path / "mix.png")] and said["space"] == "w"
    with Image.open(tmp_path / "mix.png") as sheet:
        assert sheet.width > 4 * 64 and sheet.height > 3 * 64


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_a_walk_is_a_film(halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    if kind == "mp4":
        pytest.importorskip("av")
    code, said, _ = run(
        capsys, "explore", halves, "walk", "--seeds", "1,5,9", "--class", "dusk,dawn,dusk", "--frames", "4", "--cells", "2", "--psi", "0.8",
        "--movie", kind, "--out", tmp_path,
    )  # fmt: skip
    assert code == 0 and said["written"] == [str(tmp_path / f"walk.{kind}")]
    if kind != "mp4":
        with Image.open(tmp_path / f"walk.{kind}") as film:
            assert film.n_frames == 12 and film.width > film.height


def test_directions_are_found_kept_and_used(halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(
        capsys, "explore", halves, "directions", "--space", "w", "--count", "3", "--seeds", "0-1", "--out", tmp_path
    )
    assert code == 0 and [d["name"] for d in said["directions"]] == ["sefa 0", "sefa 1", "sefa 2"]
    assert [Path(p).name for p in said["written"]] == ["sefa.safetensors", "sefa-0.png", "sefa-1.png"]
    file = tmp_path / "sefa.safetensors"
    code, said, _ = run(
        capsys,
        "explore",
        halves,
        "slide",
        "--directions",
        f"{file}#1",
        "--seeds",
        "0-2",
        "--strengths",
        "2:5",
        "--out",
        tmp_path,
    )
    assert code == 0 and said["space"] == "w" and said["written"] == [str(tmp_path / "sliders.png")]

    def sampled(*words: str) -> np.ndarray:
        assert run(capsys, "sample", halves, "--seeds", "3", "--npz", "--out", tmp_path / "s", *words)[0] == 0
        return np.load(tmp_path / "s" / "samples.npz")["samples"].astype(int)

    plain, moved, there_and_back = (
        sampled(),
        sampled("--move", f"{file}#1:3"),
        sampled("--move", f"{file}#1:3", "--move", f"{file}#1:-3"),
    )
    assert np.abs(moved - plain).max() > 8 and np.abs(there_and_back - plain).max() <= 1
    assert np.abs(sampled("--psi", "0.3") - plain).max() > 8


def test_an_attribute_is_learnt_from_labels_measures_and_classes(
    halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = load(halves, styles.__file__)
    bright = generator.sample(seeds=list(range(60))).flatten(1).mean(1)
    rows = [f"{seed},{'light' if value > bright.median() else 'dim'}" for seed, value in enumerate(bright.tolist())]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    code, said, _ = run(
        capsys, "explore", halves, "attribute", "--labels", tmp_path / "labels.csv", "--space", "w", "--out", tmp_path
    )
    assert code == 0 and said["directions"][0]["name"] == "light" and said["directions"][0]["held-out accuracy"] > 0.8
    measured = (
        "--measure",
        "brightness",
        "--draws",
        "200",
        "--space",
        "w",
        "--steady",
        "--keep",
        tmp_path / "light.safetensors",
        "--name",
        "b 2",
    )
    code, said, _ = run(capsys, "explore", halves, "attribute", *measured, "--out", tmp_path)
    assert code == 0 and said["directions"][0]["keeps"] == ["light"]
    assert [Path(p).name for p in said["written"]] == ["b-2.safetensors", "b-2.png"]
    code, said, _ = run(capsys, "explore", halves, "attribute", "--toward", "boot", "--draws", "50", "--out", tmp_path)
    assert code == 2 and "at least 5" in said["error"]


def test_latents_of_files_take_the_place_of_seeds(halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = spaces.of(load(halves, styles.__file__), "w")
    drawn = space.draw([4], "dusk")
    write_latent(tmp_path / "mine.safetensors", Latent("w+", drawn.at[0], torch.tensor(1)))
    found = given.places(space, [tmp_path / "mine.safetensors"])
    assert torch.equal(space.decode(found), space.decode(drawn))
    (direction,) = [directions.random(space, 0, space.draw(list(range(50))))]
    directions.save(tmp_path / "d.safetensors", [direction], space)
    words = (
        "explore",
        halves,
        "slide",
        "--directions",
        tmp_path / "d.safetensors",
        "--latents",
        tmp_path / "mine.safetensors",
        "--out",
        tmp_path,
    )
    assert run(capsys, *words)[0] == 0
    code, said, _ = run(capsys, *words, "--space", "z")
    assert code == 2 and "space w" in said["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("wlk",), "did you mean 'walk'?"),
        (("walk", "--rows", "0-3"), "--rows: is for mix"),
        (("walk", "--movie", "avi"), "films are gif"),
        (("walk", "--seeds", "1"), "two --seeds"),
        (("walk", "--cells", "99"), "--cells 99"),
        (("walk", "--class", "dusk,dawn"), "2 classes for 8 seeds"),
        (("walk", "--space", "y"), "there are z"),
        (("walk", "--move", "nowhere.safetensors:1"), "no such file"),
        (("mix",), "one layer"),
        (("mix", "--space", "w", "--layers", "9"), "layers 0 to 3"),
        (("mix", "--layers", "x"), "--layers 'x'"),
        (("directions", "--method", "pca"), "--method"),
        (("directions", "--count", "99"), "ask for 1 to 6"),
        (("attribute",), "say which"),
        (("attribute", "--measure", "beauty"), "--measure"),
        (("attribute", "--measure", "warmth"), "grey"),
        (("attribute", "--against", "boot", "--measure", "size"), "add --toward"),
        (("slide",), "say which"),
        (("slide", "--strengths", "3"), "like 3:7"),
    ],
)
def test_what_is_wrong_is_said(
    halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, record, error = run(capsys, "explore", halves, *words, "--out", tmp_path / "out")
    assert code == 2 and said in record["error"] and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_recipes_without_styles_are_steered_in_z(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("directions", "--count", "2"), ("walk", "--seeds", "0,1", "--frames", "2")):
        assert run(capsys, "explore", file, *words, "--out", tmp_path, recipe=levels.__file__)[0] == 0
    code, said, _ = run(capsys, "explore", file, "walk", "--psi", "0.5", "--out", tmp_path, recipe=levels.__file__)
    assert code == 2 and "--truncation" in said["error"]
    code, said, _ = run(capsys, "sample", file, "--gif", "--psi", "0.5", "--out", tmp_path, recipe=levels.__file__)
    assert code == 2 and "explore RUN walk" in said["error"]


def test_a_run_keeps_what_was_explored_and_its_report_shows_it(
    halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "run"
    place.mkdir()
    shutil.copy(halves, place / "generator.safetensors")
    (place / "run.json").write_text(json.dumps({"recipe": {"file": styles.__file__}}))
    code, said, _ = run(capsys, "explore", place, "mix", "--space", "w")
    assert code == 0 and said["written"] == [str(place / "explored" / "mix.png")]
    assert 'id="steering"' in (place / "report.html").read_text()
    code, said, _ = run(capsys, "explore", halves, "mix", "--space", "w")
    assert code == 2 and said["error"].startswith("--out:")


def test_strengths_are_read_both_ways() -> None:
    assert exploring.strengths("3:7") == (-3, -2, -1, 0, 1, 2, 3) and exploring.strengths("0,1,2.5") == (0, 1, 2.5)
