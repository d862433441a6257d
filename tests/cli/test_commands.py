"""What the commands print and write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

import tightrope
from tightrope import recipes
from tightrope.cli.main import main
from tightrope.cli.parsing import seed_list
from tightrope.explore.generator import read


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny finished run on grey images."""
    folder = tmp_path_factory.mktemp("run")
    np.savez(folder / "grey.npz", images=np.random.default_rng(0).integers(0, 256, (60, 16, 16), dtype=np.uint8))
    options = tightrope.Options(runs=folder / "runs", judge=100, precision="fp32", threads=1)
    return tightrope.train("swift", folder / "grey.npz", preset="toy", seen=60, options=options).path


def out(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_help_and_listings_do_not_import_torch() -> None:
    for words in (
        ["--help"],
        ["recipes"],
        ["train", "--help"],
        ["trian"],
        ["train", "swift", "x", "--gama", "1"],
    ):
        code = f"import sys; from tightrope.cli.main import main; main({words!r}); assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_recipes_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Radford" in out(["recipes"], capsys)
    names = [recipe["name"] for recipe in json.loads(out(["recipes", "--json"], capsys))]
    assert names == recipes.names()
    assert "--gamma" in out(["show", "swift"], capsys)
    assert json.loads(out(["show", "r3gan", "--preset", "toy", "--json"], capsys))["fields"]["beta2"]["default"] == 0.9


def test_sample_is_deterministic_and_writes_what_was_asked(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        out(["sample", str(run), "--seeds", "3,5-7", "--out", str(tmp_path / name), "--grid", "--npz", "--gif"], capsys)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["000003.png", "000005.png", "000006.png", "000007.png", "grid.png", "interpolation.gif", "samples.npz"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    array = np.load(tmp_path / "a" / "samples.npz")
    assert array["samples"].shape == (4, 16, 16, 1)
    assert array["seeds"].tolist() == [3, 5, 6, 7]
    assert np.array_equal(array["samples"][0, :, :, 0], np.asarray(Image.open(tmp_path / "a" / "000003.png")))
    with Image.open(tmp_path / "a" / "interpolation.gif") as gif:
        assert gif.n_frames > 10


def test_a_seed_is_the_same_sample_whatever_stands_beside_it(run: Path) -> None:
    generator = tightrope.load(run)
    assert np.allclose(generator.sample(seeds=[4, 9])[1], generator.sample(seeds=[9])[0], atol=1e-6)


def test_run_json_says_everything(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["fields"]["batch"] == 4
    assert record["recipe"]["declared"]["gamma"]["doc"]
    assert len(record["data"]["fingerprint"]) == 64
    assert record["machine"]["cores"] >= 1
    header = tightrope.load(run).facts()
    assert header["seen"] == "60"
    assert header["fields"]["batch"] == 4
    assert header["data_fingerprint"] == record["data"]["fingerprint"]


def test_metrics_carry_their_protocol(run: Path) -> None:
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert metrics[0]["name"].startswith("frechet[")
    assert metrics[0]["protocol"]["n_generated"] == 100


def test_evaluate_and_report_on_demand(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = len((run / "metrics.jsonl").read_text().splitlines())
    records = json.loads(out(["evaluate", str(run), "--count", "120", "--json"], capsys))
    assert len((run / "metrics.jsonl").read_text().splitlines()) == before + len(records)
    path = Path(json.loads(out(["report", str(run), "--json"], capsys))["report"])
    assert "<html" in path.read_text()


def test_data_tells_what_training_would_see(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(json.loads(out(["data", "--json"], capsys))) == {"fashion", "emoji", "emoji-pairs", "ring8", "grid25"}
    facts = json.loads(out(["data", str(run.parent.parent / "grey.npz"), "--json", "--grid", str(tmp_path / "g.png")], capsys))
    assert "60" in json.dumps(facts)
    assert Image.open(tmp_path / "g.png").size[0] > 100


def test_training_prints_events_as_json(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(run.parent.parent / "grey.npz")
    printed = out(
        ["train", "gan", data, "--preset", "toy", "--seen", "40", "--runs", str(tmp_path), "--judge", "0", "--json"], capsys
    )
    lines = [json.loads(line) for line in printed.splitlines()]
    assert lines[0]["event"] == "start"
    assert lines[-1]["event"] == "result"
    assert Path(lines[-1]["run"]).is_dir()


def test_own_recipe_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(tightrope.__file__).parent / "recipes" / "gan.py"
    own = tmp_path / "my_gan.py"
    own.write_text(source.read_text().replace("class GAN", "class Mine"))
    data = str(run.parent.parent / "grey.npz")
    out(["train", str(own), data, "--preset", "toy", "--seen", "40", "--run", str(tmp_path / "r"), "--judge", "0"], capsys)
    assert tightrope.load(tmp_path / "r", recipe=str(own)).sample(2).shape == (2, 1, 16, 16)
    out(["evaluate", str(tmp_path / "r"), "--count", "100", "--recipe", str(own)], capsys)


def test_a_file_is_never_run_on_a_records_word_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A generator, or a run, that somebody else sent may name any recipe file; only the user's own word runs one."""
    trap = tmp_path / "trap.py"
    gan = (Path(tightrope.__file__).parent / "recipes" / "gan.py").read_text()
    trap.write_text(gan + "\nraise SystemExit('this was run')\n")
    record = json.loads((run / "run.json").read_text())
    record["recipe"]["file"] = str(trap)
    for name in ("run.json", "generator.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "run.json").write_text(json.dumps(record))
    header, tensors = read(run / "generator.safetensors")
    save_file(tensors, tmp_path / "generator.safetensors", {**header, "recipe": str(trap)})
    for words in (["resume", str(tmp_path)], ["sample", str(tmp_path), "--out", "o"], ["evaluate", str(tmp_path)]):
        assert main(words) == 2
        assert "--recipe" in capsys.readouterr().err


def test_seed_lists() -> None:
    assert seed_list("0-3") == [0, 1, 2, 3]
    assert seed_list("7") == [7]
    assert seed_list("1,5,10-11") == [1, 5, 10, 11]
