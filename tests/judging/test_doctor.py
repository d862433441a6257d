"""The doctor's verdicts on folders, its JSON and its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tightrope
from tightrope.cli.main import main
from toys import drawings, write_images

KNOWN = {"healthy", "mode dropping", "shrinking", "duplicating", "memorising", "unfaithful", "too few samples"}


def examine(folder: Path, real: Path) -> dict:
    return tightrope.doctor(folder, real, extractor="fashion-cnn")


def test_real_samples_are_as_good_as_real(real: Path, fresh: Path) -> None:
    found = examine(fresh, real)
    assert found["verdict"] == "healthy" and "As good as real" in found["summary"]
    assert json.loads(json.dumps(found)) == found and {finding["name"] for finding in found["findings"]} <= KNOWN
    assert set(found["findings"][0]) == {"name", "figure", "null", "sentence"}


def test_repeated_copied_and_missing_samples_are_named(real: Path, tmp_path: Path) -> None:
    images, trained = drawings(400, seed=1), drawings(600, seed=0)
    sets = {
        "duplicating": np.tile(images[:10], (30, 1, 1)),
        "memorising": np.concatenate([images[:250], trained[:80]]),
        "mode dropping": images[np.arange(400) % 4 < 3],
        "unfaithful": 255 - images[:300],
        "too few samples": images[:20],
    }
    found = {name: examine(write_images(tmp_path / name, made), real)["verdict"] for name, made in sets.items()}
    assert found == {name: name for name in sets}


def test_the_page_is_one_file_with_pictures(real: Path, fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(fresh), "--data", str(real), "--extractor", "fashion-cnn"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("HEALTHY") and "200 generated" in printed
    page = (fresh / "doctor.html").read_text()
    assert "{{" not in page and not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("data:image/") > 30 and "Nearest training samples" in page and "Worst covered" in page


def test_points_have_a_doctor_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "real.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in random.normal(0, 1, (900, 2))) + "\n")
    (tmp_path / "fake.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in random.normal(0, 1, (400, 2))) + "\n")
    found = tightrope.doctor(tmp_path / "fake.csv", tmp_path / "real.csv")
    assert found["verdict"] == "healthy" and (tmp_path / "fake.csv.doctor.html").exists()


def test_a_run_that_was_better_is_told(tmp_path: Path) -> None:
    from tightrope.judging.examine import _training_notes

    scores = [(100, 0.5), (200, 0.9), (300, 0.6)]
    events = [{"event": "tick", "seen": seen, "signals": {"samples/score": score}} for seen, score in scores]
    assert "200 seen" in _training_notes(events)[0] and not _training_notes(events[:2])
    assert "SIGTERM" in _training_notes([{"event": "end", "reason": "interrupted", "message": "SIGTERM stopped the run."}])[0]
