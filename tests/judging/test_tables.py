"""Tables judged: copies, a collapsed table and a shuffled column are seen; categories that training never saw are told."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tightrope.core.errors import InputError
from tightrope.judging import evaluate

NAMES = ("kind", "a", "b")


def table(n: int, seed: int) -> list[tuple[str, str, str]]:
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 3, n)
    a = draw.normal(kind, 1)
    b = a + draw.normal(0, 0.3, n)
    return [("xyz"[k], f"{p:.3f}", f"{q:.3f}") for k, p, q in zip(kind, a, b, strict=True)]


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIGHTROPE_CACHE", str(tmp_path / "cache"))

    def write(name: str, rows: list[tuple[str, ...]], names: tuple[str, ...] = NAMES) -> Path:
        with open(tmp_path / name, "w", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        return tmp_path / name

    train = write("train.csv", table(600, 0))
    held = write("held.csv", table(400, 1))

    def judge(rows: list[tuple[str, ...]], names: tuple[str, ...] = NAMES, unseen: bool = True) -> dict[str, dict]:
        fake = write("fake.csv", rows, names)
        more = {"held_out": held} if unseen else {}
        return {entry["name"]: entry for entry in evaluate(fake, train, **more)}

    return judge


def test_copies_are_caught(judged) -> None:
    fresh = table(400, 2)
    clean, planted = judged(fresh)["near-copies"], judged([*fresh[:380], *table(600, 0)[:20]])["near-copies"]
    assert planted["value"] >= 0.05 > clean["value"]
    assert planted["notes"] and "notes" not in clean


def test_a_shuffled_column_and_a_collapse_are_seen(judged) -> None:
    fresh = table(400, 2)
    trends = [
        judged(rows, unseen=False)["pair trends"]["value"] for rows in (fresh, _shuffled(fresh), [fresh[0]] * 200 + fresh[:200])
    ]
    assert trends[0] > trends[1] + 0.05
    assert judged([*fresh[:5]] * 80, unseen=False)["column shapes"]["value"] < 0.75


def test_without_rows_held_out_it_says_what_is_missing(judged) -> None:
    found = judged([*table(400, 2), ("new", "1.0", "1.0")], unseen=False)
    notes = next(iter(found.values()))["notes"]
    assert any("--held-out" in note for note in notes) and any("kind (1)" in note for note in notes)
    assert "near-copies" not in found


def test_a_column_that_is_not_there_is_named(judged) -> None:
    with pytest.raises(InputError, match="no column 'b'"):
        judged([row[:2] for row in table(50, 2)], NAMES[:2])


def _shuffled(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [(kind, a, other[2]) for (kind, a, _), other in zip(rows, rows[7:] + rows[:7], strict=True)]
