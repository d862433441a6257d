"""Judging samples that were made for classes: from runs, arrays, folders and the files of `tightrope sample`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import levels
import tightrope
from levels import NAMES, SIDE, shades
from tightrope.cli.judging import metrics_table
from tightrope.cli.main import main
from tightrope.core.labels import slugs
from tightrope.judging.subjects import open_case
from tightrope.metrics.extractor import Extractor, Reading


def _read(stored: np.ndarray) -> Reading:
    """Mean and spread of the pixels; the class by the nearest level."""
    pixels = torch.from_numpy(stored).float().flatten(1) / 127.5 - 1
    features = torch.stack([pixels.mean(1), pixels.std(1), pixels[:, 0]], 1)
    return Reading(features, -(features[:, :1] - torch.linspace(-0.75, 0.75, len(NAMES))).square())


EYE = Extractor(id="eye", dimensions=3, input_rule="pixels", read=_read, classes=NAMES)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "real.npz"
    images, labels = shades(800, seed=0)
    np.savez(path, images=images, labels=labels, classes=np.array(NAMES))
    return path


@pytest.fixture(scope="module")
def run(real: Path) -> Path:
    """A short run of a recipe that makes samples by class."""
    options = tightrope.Options(judge=0, precision="fp32", threads=1, watch=False)
    return tightrope.train(levels.__file__, real, seen=64, run=real.parent / "run", options=options).path


def saved(path: Path, labels: np.ndarray, **more: np.ndarray) -> Path:
    np.savez(path, samples=shades(400, seed=1)[0], labels=labels, **more)
    return path


def asked(what: Path, real: Path) -> list[int] | None:
    found = open_case(what, real, {}).subject.asked
    return None if found is None else found.tolist()


def test_classes_are_read_back_from_whatever_samples_are_kept_in(real: Path, tmp_path: Path) -> None:
    images, labels = shades(40, seed=1)
    expected = labels.tolist()
    assert asked(saved(tmp_path / "a.npz", np.tile(labels, 10), classes=np.array(NAMES)), real) == expected * 10
    assert asked(saved(tmp_path / "numbers.npz", np.tile(labels, 10)), real) == expected * 10
    turned = np.array(NAMES[::-1])  # the same names, numbered the other way
    assert asked(saved(tmp_path / "turned.npz", np.tile(3 - labels, 10), classes=turned), real) == expected * 10
    for i, (image, k) in enumerate(zip(images, expected, strict=True)):
        for path in (tmp_path / "flat" / f"{i:06d}-{slugs(NAMES)[k]}.png", tmp_path / "deep" / slugs(NAMES)[k] / f"{i:02d}.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    assert asked(tmp_path / "flat", real) == expected
    assert asked(tmp_path / "deep", real) == sorted(expected, key=lambda k: slugs(NAMES)[k])


def test_other_classes_are_said_and_none_are_none(real: Path, tmp_path: Path) -> None:
    subject = open_case(saved(tmp_path / "x.npz", np.arange(400) % 2, classes=np.array(["cat", "dog"])), real, {}).subject
    assert subject.asked is None and "cat, dog" in subject.notes[0]
    np.savez(tmp_path / "plain.npz", samples=shades(400, seed=1)[0])
    subject = open_case(tmp_path / "plain.npz", real, {}).subject
    assert subject.asked is None and not subject.notes


def test_figures_by_class_stand_beside_the_others(real: Path, tmp_path: Path) -> None:
    _, labels = shades(400, seed=1)
    wrong = np.where(labels == 2, 1, np.where(labels == 1, 2, labels))
    found = {}
    for name, given in (("right", labels), ("wrong", wrong)):
        path = saved(tmp_path / f"{name}.npz", given, classes=np.array(NAMES))
        found[name] = {r["name"]: r for r in tightrope.evaluate(path, real, extractor=EYE, quick=True)}
    right, mixed = found["right"], found["wrong"]
    assert right["class accuracy[eye]"]["value"] == 1 and mixed["class accuracy[eye]"]["value"] == 0.5
    assert mixed["class accuracy by class[eye]"]["value"] == {NAMES[0]: 1, NAMES[1]: 0, NAMES[2]: 0, NAMES[3]: 1}
    assert mixed["intra-class frechet[eye]"]["value"] > 0.1 > 10 * right["intra-class frechet[eye]"]["value"]
    text = metrics_table(list(mixed.values()))
    assert "worst of 4: Dusk 0% (real 100%)  Dawn 0% (real 100%)" in text


def test_a_generator_is_asked_for_classes(run: Path) -> None:
    records = tightrope.evaluate(run, extractor=EYE, quick=True, count=400, recipe=levels.__file__)
    by_name = {record["name"]: record for record in records}
    assert by_name["class accuracy[eye]"]["value"] > 0.99
    numbers = by_name["frechet by class[eye]"]["n"]
    assert all(60 < n < 140 for pair in numbers.values() for n in pair) and sum(n for _, n in numbers.values()) == 400


def test_the_doctor_names_classes_that_are_mixed_up(real: Path, tmp_path: Path) -> None:
    _, labels = shades(400, seed=1)
    wrong = saved(tmp_path / "wrong.npz", np.where(labels == 2, 1, np.where(labels == 1, 2, labels)), classes=np.array(NAMES))
    found = tightrope.doctor(wrong, real, extractor=EYE)
    assert found["verdict"] == "mixes up classes" and "Dusk and Dawn" in found["summary"].replace(
        "Dawn and Dusk", "Dusk and Dawn"
    )
    page = (tmp_path / "wrong.npz.doctor.html").read_text()
    assert "Not what was asked for" in page and page.count('<img class="real"') == 4 and "{{" not in page
    assert json.loads(json.dumps(found))["by_class"][0]["value"]["Dusk"] == 0
    shuffled = saved(tmp_path / "s.npz", np.random.default_rng(0).permutation(labels), classes=np.array(NAMES))
    assert tightrope.doctor(shuffled, real, extractor=EYE)["verdict"] == "ignores its classes"
    fine = saved(tmp_path / "f.npz", labels, classes=np.array(NAMES))
    found = tightrope.doctor(fine, real, extractor=EYE)
    assert found["verdict"] == "healthy" and "obeys its classes" in Path(found["page"]).read_text()


def test_the_report_has_a_class_a_column_and_a_class_a_row(run: Path) -> None:
    tightrope.evaluate(run, extractor=EYE, quick=True, count=400, recipe=levels.__file__)
    page = tightrope.Run(run).report().read_text()
    assert 'href="#classes"' in page and '<section id="classes">' in page
    columns = re.findall(r'<figure><figcaption>([^<]+)</figcaption><img class="fake"', page)
    assert columns == ["Dark night", "Dusk", "Dawn", "Bright/day"]
    table = page[page.index('<table class="classes">') :]
    assert table[: table.index("</table>")].count("<tr>") == 5
    assert "by class[eye]</h3>" not in page  # not drawn as shares


def test_samples_that_the_program_wrote_are_judged_by_class(run: Path, real: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["sample", str(run), "--recipe", levels.__file__, "--seeds", "0-199", "--out", str(out), "--grid", "--npz"]
    assert main(words) == 0
    for what in (out, out / "samples.npz"):
        records = {r["name"]: r for r in tightrope.evaluate(what, real, extractor=EYE, quick=True)}
        assert records["class accuracy[eye]"]["value"] > 0.99
    assert Image.open(out / "grid.png").size[0] == 4 * (SIDE + 2) + 2
