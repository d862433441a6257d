"""Few rows: classes and folds, SMOTE, the audit of copies, amounts, the recommendation, what is written, and the GAN for a moment."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import coded
from tightrope.scarce import augmenting, learners, tables
from tightrope.scarce import rows as making
from tightrope.scarce.augmenting import Job, augment_table
from tightrope.scarce.learners import BOOSTING, LINEAR, figures, smote
from tightrope.scarce.memorised import audit
from tightrope.scarce.outcome import AGAINST, outcome
from tightrope.scarce.rows import Cells, Rows, load

JOBS = ("cook", "nurse", "smith", "clerk")


def cells(count: int, seed: int, rare: float = 0.25) -> dict[str, list[str]]:
    """Rows whose class shows in the age and the job, and little else."""
    dice = np.random.default_rng(seed)
    sick = dice.random(count) < rare
    age = np.where(sick, dice.normal(60, 9, count), dice.normal(42, 9, count)).round(1)
    job = [JOBS[min(3, int(k))] for k in dice.integers(0, 4, count)]
    weight = dice.normal(70, 9, count).round(2)
    return {
        "age": [f"{x}" for x in age], "job": job, "weight": [f"{x}" for x in weight],
        "state": ["sick" if s else "well" for s in sick],
    }  # fmt: skip


def file(path: Path, columns: Mapping[str, list[str]]) -> Path:
    with path.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer trees and amounts: seconds, not minutes."""
    monkeypatch.setattr(learners, "TREES", 8)
    monkeypatch.setattr(tables, "AMOUNTS", (0.0, 1.0))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return load(file(tmp_path_factory.mktemp("few") / "patients.csv", cells(120, 1)), "state")


def fresh(rows: Rows, wanted: Mapping[int, int], seed: int) -> Cells:
    """Stands for a perfect GAN: other people, of the classes asked for."""
    source = cells(40 * max(20, *wanted.values()), 100 + seed % 1000)
    if not rows.of_classes:
        return {name: column[: wanted[0]] for name, column in source.items()}
    state = np.array(source["state"])
    index = np.concatenate([(state == rows.classes[k]).nonzero()[0][:many] for k, many in wanted.items() if many])
    return {name: [column[i] for i in index] for name, column in source.items()}


def copier(rows: Rows, wanted: Mapping[int, int], seed: int) -> Cells:
    """Stands for a GAN that hands out one training row in 20."""
    made = {name: list(column) for name, column in fresh(rows, wanted, seed).items()}
    for place in range(0, len(made["age"]), 20):
        for name, column in made.items():
            column[place] = rows.cells[name][place % len(rows)]
    return made


# ---------------------------------------------------------------- rows
def test_the_gan_makes_rows_of_the_classes_asked_for(few: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SEEN", 128)
    made = making.gan()(few, {0: 3, 1: 40}, 0)
    states = [made["state"].count(name) for name in few.classes]
    assert list(made) == list(few.cells) and states[0] >= 3 and states[1] >= 40
    assert set(made["job"]) <= set(JOBS) and all(float(age) > 0 for age in made["age"])


def test_folds_hold_every_class_and_every_row_once(few: Rows) -> None:
    parts = few.folds(2, 0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(few)))
    counts = [np.bincount(few.groups[part]) for part in parts]
    assert np.abs(counts[0] - counts[1]).max() <= 1
    assert not np.array_equal(parts[0], few.folds(2, 1)[0])


def test_numbers_of_few_values_are_classes_and_others_are_not(tmp_path: Path) -> None:
    columns = cells(60, 0)
    columns["grade"] = [str(1 + i % 3) for i in range(60)]
    path = file(tmp_path / "t.csv", columns)
    assert load(path, "grade").classes == ["1", "2", "3"] and not load(path, "weight").of_classes


@pytest.mark.parametrize(
    ("target", "change", "says"),
    [
        ("stat", {}, "did you mean 'state'?"),
        ("state", {"state": ["well"] * 60}, "the same value"),
        ("state", {"state": ["sick"] * 3 + ["well"] * 57}, "class 'sick' has 3 rows"),
        ("state", {"state": [""] * 5 + ["well"] * 55}, "one class, 'well'"),
        ("weight", {}, "weight"),
    ],
)
def test_a_target_that_cannot_be_is_one_sentence(tmp_path: Path, target: str, change: dict[str, list[str]], says: str) -> None:
    columns = cells(60 if target == "state" or target == "stat" else 20, 0) | change
    with pytest.raises(InputError) as error:
        load(file(tmp_path / "t.csv", columns), target)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_five_rows_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 rows"):
        load(file(tmp_path / "t.csv", cells(5, 0)), "state")


# ---------------------------------------------------------------- learners
def test_learners_tell_the_classes_and_weights_find_more_of_the_rare_one(few: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners, "TREES", 40)
    train, test = coded(few.columns, few.read(cells(1000, 7)))
    for learner in (BOOSTING, LINEAR):
        plain, weighted = (figures(learner, train, test, "state", w, 0)["balanced accuracy"] for w in (False, True))
        assert 0.6 < plain < 0.95 and weighted > plain


def test_smote_makes_as_many_as_asked_between_rows_of_the_class(few: Rows) -> None:
    (train,) = coded(few.columns)
    groups = train.codes["state"]
    rare = int(np.bincount(groups)[1:].argmin()) + 1
    made = smote(train, "state", groups, {rare: 30}, 0)
    assert len(made) == 30 and set(made.codes["state"]) == {rare}
    own = train.numbers["age"][groups == rare]
    assert made.numbers["age"].min() >= own.min() and made.numbers["age"].max() <= own.max()
    assert set(made.codes["job"]) <= set(train.codes["job"])


# ---------------------------------------------------------------- memorisation
def test_fresh_rows_pass_the_audit(few: Rows) -> None:
    for seed in range(5):
        found = audit(few.columns, few.read(cells(300, 50 + seed)))
        assert not found.fails and found.copied.mean() < 0.08


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_five_percent_of_copies_are_caught_and_they_are_the_rows_dropped(few: Rows, noise: float) -> None:
    made = cells(285, 60)
    planted = {name: [*column, *few.cells[name][:15]] for name, column in made.items()}
    planted["weight"][285:] = [f"{float(x) * (1 + noise)}" for x in planted["weight"][285:]]
    found = audit(few.columns, few.read(planted))
    assert "near copies" in found.fails and found.copied[285:].all() and found.copied[:285].mean() < 0.08


# ---------------------------------------------------------------- comparing
def test_amounts_fill_up_the_classes(few: Rows) -> None:
    counts = np.bincount(few.groups)
    assert tables.missing(few, 0.0) == {0: 0, 1: 0}
    assert tables.missing(few, 1.0) == {0: int(counts.max() - counts[0]), 1: 0}
    assert tables.missing(few, 2.0) == {0: int(2 * counts.max() - counts[0]), 1: int(counts.max())}


def test_no_maker_sees_the_rows_that_judge_it(few: Rows) -> None:
    seen: list[set[str]] = []

    def spy(rows: Rows, wanted: Mapping[int, int], seed: int) -> Cells:
        seen.append(set(rows.cells["weight"]))
        return fresh(rows, wanted, seed)

    train, test = tables.split(few, 0)
    found = tables.trial(train, test, spy, 0)
    held = set(test.cells["weight"])
    assert len(seen) == tables.FOLDS + 1 and all(len(some & held) <= 1 for some in seen)  # two people may weigh the same
    assert len(seen[0]) < len(train) and seen[-1] == set(train.cells["weight"])
    assert set(found.scores) == {way.name for way in tables.WAYS} and found.amounts["none"][BOOSTING] == 0


def test_a_number_is_predicted_too(tmp_path: Path) -> None:
    rows = load(file(tmp_path / "t.csv", cells(60, 3)), "age")
    found = tables.trial(*tables.split(rows, 0), fresh, 0)
    assert set(found.scores) == {"none", "SMOTE", "GAN"} and list(found.scores["GAN"][LINEAR]) == ["R2"]


def test_the_recommendation_needs_an_interval_above_the_best_baseline() -> None:
    good = [{"none": 0.6 + 0.01 * i, "SMOTE": 0.62 + 0.01 * i, "GAN": 0.7 + 0.01 * i + 0.001 * (i % 2)} for i in range(5)]
    found = outcome("accuracy", good, ["GAN"])
    assert found.recommended and found.baseline == "SMOTE" and found.words.startswith("Use the GAN's rows")
    noisy = [{"none": 0.6, "GAN": 0.6 + 0.05 * (-1) ** i + 0.01} for i in range(5)]
    assert outcome("accuracy", noisy, ["GAN"]).words.startswith(AGAINST)
    assert not outcome("accuracy", good[:1], ["GAN"]).recommended  # one seed tells nothing
    narrow, wide = (next(x for x in outcome("a", noisy, ["GAN"], repeated=r).lines if x.gain).gain for r in (0, 3 / 7))
    assert narrow and wide and (wide.high - wide.low) == pytest.approx((narrow.high - narrow.low) * np.sqrt(1 + 15 / 7))


# ---------------------------------------------------------------- the whole
def test_what_is_written_are_the_real_rows_and_then_others(few: Rows, tmp_path: Path) -> None:
    path, told = file(tmp_path / "patients.csv", cells(120, 1)), []
    job = Job(out=tmp_path / "out", seeds=2, anyway=True, told=lambda done, total: told.append((done, total)))
    found = augment_table(path, "state", job, fresh)
    with (tmp_path / "out" / "augmented.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["synthetic"] for row in rows] == sorted(row["synthetic"] for row in rows)
    assert [row["age"] for row in rows[:120]] == few.cells["age"] and rows[120]["synthetic"] == "1"
    record = json.loads((tmp_path / "out" / "outcome.json").read_text())
    assert record["audit"]["refused"] == "" and record["added"] == len(rows) - 120
    page = (tmp_path / "out" / "report.html").read_text()
    assert found.main.words.split(":")[0] in page and "http" not in page.split("<body>")[1]
    assert told[-1] == (9, 9) and [done for done, _ in told] == sorted(done for done, _ in told)


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path, calls = file(tmp_path / "patients.csv", cells(80, 1)), []

    def counting(rows: Rows, wanted: Mapping[int, int], seed: int) -> Cells:
        calls.append(seed)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return fresh(rows, wanted, seed)

    job = Job(out=tmp_path / "out", seeds=2)
    with pytest.raises(KeyboardInterrupt):
        augment_table(path, "state", job, counting)
    again = augment_table(path, "state", job, counting)
    assert len((tmp_path / "out" / augmenting.TRIALS).read_text().splitlines()) == 2
    whole = augment_table(path, "state", Job(seeds=2), fresh)
    assert again.main == whole.main and calls[3] == calls[5]  # the seed that was finished is not done again


def test_copies_are_never_written(tmp_path: Path) -> None:
    path = file(tmp_path / "patients.csv", cells(300, 1))
    with pytest.raises(InputError, match="near copies"):
        augment_table(path, "state", Job(out=tmp_path / "out", seeds=1, anyway=True), copier)
    assert not (tmp_path / "out" / "augmented.csv").exists()
    record = json.loads((tmp_path / "out" / "outcome.json").read_text())
    assert record["recommendation"].startswith(AGAINST) and not record["recommended"]
