"""Tables judged, after training and during it: copies, collapse and shuffled columns are seen; real rows stand at the nulls."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope import Options, train
from tightrope.core.blocks import Block
from tightrope.core.errors import InputError
from tightrope.data import TableDataset, load
from tightrope.judging import evaluate, leaderboard
from tightrope.judging.tables import columns, unseen
from tightrope.metrics import judge
from tightrope.metrics.judge import judge_for
from tightrope.metrics.online import Window
from tightrope.metrics.suite import Figure
from tightrope.metrics.tables import scorecard

NAMES = ("kind", "a", "b")


def table(n: int, seed: int) -> list[tuple[str, str, str]]:
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 3, n)
    a = draw.normal(kind, 1)
    b = a + draw.normal(0, 0.3, n)
    return [("xyz"[k], f"{p:.3f}", f"{q:.3f}") for k, p, q in zip(kind, a, b, strict=True)]


@pytest.fixture
def quick_learners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty classifiers less: the two-sample test has tests of its own."""
    monkeypatch.setattr(scorecard, "two_sample_figure", lambda *_: Figure("two-sample AUC", 0.5, "lower", {}))


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


def test_copies_are_caught(judged, quick_learners) -> None:
    fresh = table(400, 2)
    planted = judged([*fresh[:380], *table(600, 0)[:20]])["near-copies"]
    assert planted["value"] >= 0.05 > 2 * planted["null"]
    assert "than chance" in planted["notes"][0]


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


def test_cells_that_are_no_numbers_count_as_missing_and_are_told(judged) -> None:
    found = judged([*table(400, 2), ("x", "much", "1.0")], unseen=False)
    assert any("a (1)" in note for note in next(iter(found.values()))["notes"])


def test_columns_are_what_a_file_would_hold(tmp_path: Path) -> None:
    path = tmp_path / "dated.csv"
    rows = [(f"2020-01-{1 + i % 28:02d}", "" if i % 5 == 0 else "ab"[i % 2], str(i % 7)) for i in range(40)]
    path.write_text("day,kind,size\n" + "\n".join(map(",".join, rows)))
    data = load(f"table:{path}")
    assert isinstance(data, TableDataset)
    for found in (columns(data, np.asarray(data.packed)), columns(data.codec, data.batch(torch.arange(40)).numpy())):
        assert dict(found.kinds) == {"day": "number", "kind": "category", "size": "number"}
        assert found.values["day"][1] - found.values["day"][0] == 86_400
        assert found.values["kind"][:2].tolist() == [None, "b"]
        assert found.values["size"].tolist() == [i % 7 for i in range(40)]


def test_a_run_is_judged_at_its_end_and_again_and_ranked(tmp_path: Path, quick_learners) -> None:
    for name, seed in (("train", 0), ("held", 1)):
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([NAMES, *table(300, seed)])
    run = train(
        "tabular", tmp_path / "train.csv", preset="toy", seen=64, run=tmp_path / "run",
        options=Options(judge=200, watch=False, guard="off", care=False),
    )  # fmt: skip
    first = run.metrics[0]
    assert first["name"] == "shape-and-trend score" and first["protocol"]["n_generated"] == 200 and first["seen"] == 64
    assert first["null"] > first["value"] and "--held-out" in first["notes"][0]
    again = evaluate(run.path, count=200, held_out=tmp_path / "held.csv", target="kind")
    assert any(entry["name"].startswith("usefulness[") for entry in again)
    assert {entry["metric"] for entry in leaderboard(run.path)} == {"shape-and-trend score"}
    with pytest.raises(InputError, match="no column 'kin'; did you mean 'kind'"):
        evaluate(run.path, target="kin")
    with pytest.raises(InputError, match="is the data itself"):
        evaluate(run.path, held_out=tmp_path / "train.csv")


def saved(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows])
    return path


def test_rows_held_out_are_encoded_as_the_tables_own(tmp_path: Path) -> None:
    data = load(saved(tmp_path / "train.csv", table(300, 0)))
    rows = [("new", "0.5", "0.5"), *table(200, 1)]
    found = unseen(data, saved(tmp_path / "held.csv", rows))
    assert len(found) == 200 and len(data) == 300 and found.spec.shape == data.spec.shape  # a kind that is new cannot be said
    cells = found.modality.cells(found.batch(torch.arange(200)))
    assert cells["kind"] == [row[0] for row in rows[1:]]
    low, high = (min(float(row[1]) for row in table(300, 0)), max(float(row[1]) for row in table(300, 0)))
    asked = np.clip([float(row[1]) for row in rows[1:]], low, high)
    assert np.array(cells["a"], float) == pytest.approx(asked, abs=2e-3)
    assert len(found.strata.blocks) and found.strata is not data.strata


def test_the_guardian_is_told_of_rows_held_out(tmp_path: Path) -> None:
    run = train(
        "tabular", saved(tmp_path / "train.csv", table(300, 0)), preset="toy", seen=64, run=tmp_path / "run",
        options=Options(judge=0, watch=False, guard="watch", care=False, held_out=saved(tmp_path / "held.csv", table(200, 1))),
    )  # fmt: skip
    ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    assert {"critic/train", "critic/held_out", "critic/fake"} <= [e for e in ticks if e["event"] == "tick"][-1]["signals"].keys()


def repeating(n: int, seed: int) -> list[tuple[str, str, str]]:
    """Rows of 48 kinds."""
    draw = np.random.default_rng(seed)
    kind, size = draw.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]), draw.integers(0, 4, n)
    return [("wxyz"[k], "abcd"[s], "pqr"[(k + s) % 3]) for k, s in zip(kind, size, strict=True)]


@pytest.mark.parametrize("rows", [table, repeating])
def test_real_rows_stand_at_the_nulls_of_the_window_and_a_collapse_does_not(tmp_path: Path, rows) -> None:
    path = tmp_path / "real.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows(1_500, 0)])
    data = load(f"table:{path}")
    window, some = Window(judge_for(data.spec), data), torch.arange(1_000, 1_512) % 1_500
    real = window.look(data.modality.to_array(data.batch(some)))
    assert real["score"] > 0.9 and real["duplicates"] < 0.02
    assert rows is table or 0.4 < real["authenticity"] < 0.6  # rows that are alike anyway are no copies
    window.forget()
    collapsed = window.look(data.modality.to_array(data.batch(some[:3].repeat(171)[:512])))
    assert collapsed["score"] < 0.4 and collapsed["reach"] < 0.6 and collapsed["vendi"] < 0.4


def test_features_are_hardened_and_projected_where_they_are_many() -> None:
    mode = Block(column="a", kind="onehot", role="mode", start=0, stop=2)
    value = Block(column="a", kind="scalar", role="value", start=2, stop=3, gate=(1,))
    read = judge.rows.load([mode, value]).read(np.array([[0.6, 0.4, 0.7], [0.1, 0.9, 0.7]], np.float32)).features
    assert read[0].tolist() == [read[0, 0], 0, 0] and read[0, 0] > 0  # its scalar does not count
    assert read[1].tolist() == [0, read[0, 0], np.float32(0.7)]
    many = [Block(column="b", kind="onehot", role="category", start=0, stop=1_000)]
    rows = np.eye(1_000, dtype=np.float32)[:200]
    found = judge.rows.load(many).read(rows).features
    assert found.shape == (200, 256)
    apart = torch.pdist(found) / (read[0, 0] * 2**0.5)
    assert apart.min() > 0.75 and apart.max() < 1.25


def _shuffled(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [(kind, a, other[2]) for (kind, a, _), other in zip(rows, rows[7:] + rows[:7], strict=True)]
