"""Measuring folders, arrays and generators; protocols; leaderboards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tightrope
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.judging.subjects import open_case
from tightrope.metrics.protocol import compare, differences
from toys import drawings, write_images


def test_a_folder_is_measured_and_its_numbers_are_kept(real: Path, fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(fresh), "--data", str(real), "--quick", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    kept = [json.loads(line) for line in (fresh / "metrics.jsonl").read_text().splitlines()]
    assert kept == records and records[0]["name"] == "frechet[fashion-cnn]"
    assert records[0]["protocol"]["n_real"] == 600 and records[0]["null"]["n"] == [400, 200]
    assert records[0]["protocol"]["n_generated"] == 200 and records[0]["protocol"]["pixels"] == 16
    assert main(["evaluate", str(fresh), "--data", str(real), "--quick", "--extractor", "random-conv"]) == 0
    assert "frechet[random-conv]" in capsys.readouterr().out
    assert len((fresh / "metrics.jsonl").read_text().splitlines()) == 4  # appended, and our own file is no broken image


def test_the_same_samples_in_any_container_give_the_same_numbers(real: Path, fresh: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "fresh.npz", images=drawings(200, seed=1))
    values = [tightrope.evaluate(where, real, quick=True)[0]["value"] for where in (fresh, tmp_path / "fresh.npz")]
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    assert (tmp_path / "fresh.npz.metrics.jsonl").exists()


def test_sizes_and_colours_are_brought_together_and_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", images=drawings(200, seed=0, size=28))
    same = write_images(tmp_path / "same", drawings(120, seed=1, size=28))
    case = open_case(same, tmp_path / "real.npz", {})
    assert case.data.spec.size == 28 and not case.subject.notes  # as they are: no margin on one side only
    np.savez(tmp_path / "at32.npz", images=np.pad(drawings(200, seed=0, size=28), ((0, 0), (2, 2), (2, 2))))
    padded = open_case(same, tmp_path / "at32.npz", {}).subject
    assert "margin" in padded.notes[0] and padded.at(torch.arange(2)).shape == (2, 1, 32, 32)
    assert (padded.at(torch.arange(2))[..., :2] == -1).all()
    larger = write_images(tmp_path / "larger", drawings(120, seed=1, size=40))
    assert "40 px" in open_case(larger, tmp_path / "real.npz", {}).subject.notes[0]
    colour = tmp_path / "colour"
    colour.mkdir()
    for i, image in enumerate(drawings(120, seed=1, size=32)):
        Image.fromarray(np.stack([image, image // 2, image // 4], 2)).save(colour / f"{i}.png")
    subject = open_case(colour, tmp_path / "real.npz", {}).subject
    assert "RGB" in subject.notes[0] and subject.at(torch.arange(3)).shape == (3, 1, 32, 32)


def test_points_are_compared_in_the_units_of_the_data(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, mean in (("real", 5.0), ("near", 5.0), ("far", 8.0)):
        points = random.normal(mean, 0.5, (400, 2)).astype(np.float32)
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in points) + "\n")
    near, far = (
        tightrope.evaluate(tmp_path / f"{n}.csv", tmp_path / "real.csv", quick=True)[0]["value"] for n in ("near", "far")
    )
    assert near < 0.1 and far == pytest.approx(18, rel=0.1)


def test_numbers_of_different_protocols_do_not_compare(real: Path, fresh: Path) -> None:
    a = tightrope.evaluate(fresh, real, quick=True)[0]
    b = tightrope.evaluate(fresh, real, quick=True, count=150)[0]
    assert compare(a, a) == 0
    with pytest.raises(InputError, match=r"n_generated \(200 and 150\)"):
        compare(a, b)
    assert any(text.startswith("weights_sha256") for text in differences(a, tightrope.evaluate(fresh, real, extractor="random-conv", quick=True)[0]))  # fmt: skip


def test_the_leaderboard_ranks_within_one_protocol(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = tmp_path / "sets"
    for name, images in (("good", drawings(150, seed=1)), ("bad", drawings(150, seed=2) // 3), ("few", drawings(120, seed=3))):
        tightrope.evaluate(write_images(sets / name, images), real, quick=True)
    groups = tightrope.leaderboard([sets])
    assert [[entry["name"] for entry in group["entries"]] for group in groups] == [["good", "bad"], ["few"]]
    assert main(["leaderboard", str(sets)]) == 0
    assert "150 generated" in capsys.readouterr().out
    with pytest.raises(InputError, match="none of these has it; there are"):
        tightrope.leaderboard([sets], "beauty")
    with pytest.raises(InputError, match="nothing there has been evaluated"):
        tightrope.leaderboard([tmp_path])


WRONG = {
    "no data": (["evaluate", "FRESH"], "name the real data"),
    "no such folder": (["evaluate", "nowhere", "--data", "REAL"], "no such file"),
    "too few asked": (["evaluate", "FRESH", "--data", "REAL", "--count", "5"], "at least 100"),
    "unknown extractor": (["evaluate", "FRESH", "--data", "REAL", "--extractor", "fashoin-cnn"], "fashion-cnn"),
    "weights that are none": (
        ["doctor", "FRESH", "--data", "REAL", "--extractor", "inception-v3-fid", "--weights", "REAL"],
        "sha256",
    ),
    "no weights": (["evaluate", "FRESH", "--data", "REAL", "--extractor", "inception-v3-fid"], "weights"),
    "points for images": (["evaluate", "ring8", "--data", "REAL"], "same kind"),
    "one file for two": (["evaluate", "FRESH", "REAL", "--data", "REAL", "--out", "x.jsonl"], "one by one"),
    "empty folder": (["doctor", "EMPTY", "--data", "REAL"], "no images"),
    "one image": (["doctor", "ONE", "--data", "REAL"], "at least two"),
    "a generator without data": (["evaluate", "x.safetensors"], "--data"),
    "held out is the data": (["doctor", "FRESH", "--data", "REAL", "--held-out", "REAL"], "is the data itself"),
    "held out is too little": (["evaluate", "FRESH", "--data", "REAL", "--held-out", "FEW"], "at least 200"),
    "weights of nothing": (["evaluate", "FRESH", "--data", "REAL", "--weights", "REAL"], "--extractor"),
    "a folder as file": (["evaluate", "FRESH", "--data", "REAL", "--out", "FRESH"], "name a file"),
    "no domain file": (["evaluate", "FRESH", "--data", "REAL", "--extractor", "x.safetensors"], "x.safetensors"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_gets_one_sentence(
    what: str, real: Path, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    write_images(tmp_path / "one", drawings(1, seed=0))
    few = write_images(tmp_path / "few", drawings(50, seed=7))
    places = {
        "FEW": str(few),
        "REAL": str(real),
        "FRESH": str(fresh),
        "EMPTY": str(tmp_path / "empty"),
        "ONE": str(tmp_path / "one"),
    }
    words, said = WRONG[what]
    assert main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "Traceback" not in error, error
    assert not list(fresh.glob("*.jsonl")) and not list(fresh.glob("*.html"))


def test_what_was_done_to_samples_is_part_of_their_place_in_the_cache(tmp_path: Path) -> None:
    colour = tmp_path / "colour"
    colour.mkdir()
    for i, image in enumerate(drawings(120, seed=1)):
        Image.fromarray(np.stack([image, image // 2, image // 4], 2)).save(colour / f"{i}.png")
    sets = {"grey": drawings(200, seed=0), "rgb": np.stack([drawings(200, seed=0)] * 2 + [drawings(200, seed=3)], 3)}
    for name, images in sets.items():
        np.savez(tmp_path / f"{name}.npz", images=images)

    def distance(data: str) -> float:
        return tightrope.evaluate(colour, tmp_path / f"{data}.npz", extractor="random-conv", quick=True)[0]["value"]

    first = distance("rgb")
    distance("grey")
    assert distance("rgb") == first


def test_what_sample_writes_is_read_as_samples_alone(real: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "out", drawings(150, seed=1))
    Image.fromarray(drawings(1, seed=2, size=200)[0]).save(folder / "grid.png")
    np.savez(folder / "samples.npz", samples=drawings(150, seed=1), seeds=np.arange(150))
    subject = open_case(folder, real, {}).subject
    assert subject.count == 150 and not subject.notes
    assert open_case(folder / "samples.npz", real, {}).subject.count == 150


def test_one_place_that_cannot_be_judged_does_not_stop_the_others(
    real: Path, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path / "nowhere"), str(fresh), "--data", str(real), "--quick", "--json"]) == 2
    printed = capsys.readouterr()
    assert str(fresh) in printed.out and "nowhere" in printed.err and (fresh / "metrics.jsonl").exists()


def test_a_damaged_line_stops_no_leaderboard_and_archives_are_found(real: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=drawings(120, seed=1))
    (tmp_path / "a.npz.metrics.jsonl").write_text('garbage{\n\n{"name": 5, "protocol": null}\n{"name": "x"')
    tightrope.evaluate(tmp_path / "a.npz", real, quick=True)
    (group,) = tightrope.leaderboard(str(tmp_path))
    assert [entry["name"] for entry in group["entries"]] == ["a.npz"]


def test_small_sets_have_a_spread_of_the_kernel_distance(real: Path, fresh: Path) -> None:
    records = {record["name"]: record for record in tightrope.evaluate(fresh, real)}
    kernel = records["kernel distance[fashion-cnn]"]
    assert kernel["std"] > 1e-4 and kernel["protocol"]["size"] == 100
    assert abs(kernel["value"]) < 4 * kernel["std"]
