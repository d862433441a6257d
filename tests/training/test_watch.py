"""The watch during training: its signals, its best generator, and that it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tightrope
from tightrope.cli.main import main
from tightrope.core.spec import DataSpec
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.online import Window
from toys import ToyDataset


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The same short run, watched and not."""
    folder = tmp_path_factory.mktemp("watched")
    np.savez(folder / "grey.npz", images=np.random.default_rng(0).integers(0, 256, (150, 16, 16), dtype=np.uint8))
    options = {"judge": 0, "precision": "fp32", "threads": 1, "tick": 40}
    return {
        watch: tightrope.train(
            "swift", folder / "grey.npz", preset="toy", seen=120, run=folder / str(watch),
            options=tightrope.Options(watch=watch, **options),
        ).path
        for watch in (True, False)
    }  # fmt: skip


def test_signals_are_recorded_and_the_best_generator_is_kept(runs: dict[bool, Path], tmp_path: Path) -> None:
    events = [json.loads(line) for line in (runs[True] / "events.jsonl").read_text().splitlines()]
    last = [event for event in events if event["event"] == "tick"][-1]["signals"]
    names = {"coverage", "recall", "duplicates", "js", "vendi", "authenticity", "faithful", "reach", "spread", "score"}
    assert {name.removeprefix("samples/") for name in last if name.startswith("samples/")} == names
    assert all(event["watched"] >= 0 for event in events if event["event"] == "tick")
    assert not (runs[False] / "best.safetensors").exists()
    best = [event for event in events if event["event"] == "best"]
    assert (runs[True] / "best.safetensors").exists() == bool(best)
    if best:
        assert main(["sample", str(runs[True]), "--best", "--seeds", "0-3", "--out", str(tmp_path)]) == 0


def test_a_watched_run_is_bit_equal_to_one_that_was_not(runs: dict[bool, Path]) -> None:
    watched, alone = (load_file(runs[watch] / "generator.safetensors") for watch in (True, False))
    assert watched.keys() == alone.keys() and all(torch.equal(watched[key], alone[key]) for key in watched)


def flat(dimensions: int) -> Extractor:
    return Extractor(
        id="flat", dimensions=dimensions, input_rule="pixels", read=lambda x: Reading(torch.from_numpy(x).flatten(1).float())
    )


def test_the_window_tells_real_samples_from_repeated_ones_and_copies() -> None:
    data = ToyDataset((4,), count=2_000)
    assert data.spec == DataSpec(modality="points", shape=(4,), classes=("a", "b"), count=2_000)
    data.samples = torch.randn(2_000, 4, generator=torch.Generator().manual_seed(0))
    other = torch.randn(512, 4, generator=torch.Generator().manual_seed(1)).numpy()
    sets = {"real": other, "repeated": other[:20].repeat(26, 0), "copies": data.samples[:512].numpy(), "shrunk": 0.5 * other}
    found = {name: Window(flat(4), data).look(x) for name, x in sets.items()}
    assert found["real"]["score"] > 0.9 and found["real"]["coverage"] == pytest.approx(1, abs=0.1)
    assert found["repeated"]["duplicates"] == 1 and found["repeated"]["score"] == 0
    assert found["copies"]["authenticity"] < found["real"]["authenticity"] - 0.2
    assert found["shrunk"]["recall"] < 0.7 and found["shrunk"]["vendi"] < 0.8


def test_data_too_uniform_to_watch_is_trained_on_all_the_same(tmp_path: Path) -> None:
    images = np.zeros((150, 16, 16), np.uint8)
    images[:20] = np.random.default_rng(0).integers(0, 256, (20, 16, 16))
    np.savez(tmp_path / "mostly-black.npz", images=images)
    options = tightrope.Options(judge=0, precision="fp32", threads=1)
    run = tightrope.train("swift", tmp_path / "mostly-black.npz", preset="toy", seen=40, run=tmp_path / "run", options=options)
    events = (run.path / "events.jsonl").read_text()
    assert "samples are not watched" in events and '"reason": "done"' in events
