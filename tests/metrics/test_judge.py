"""The judges: their files, their accuracy on real images, what their distance sees, and the records of `evaluate`."""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.catalog import EMBEDDED_FOLDER
from tightrope.metrics.classifier import WEIGHTS, SmallCNN, load_classifier, save_classifier
from tightrope.metrics.judge import evaluate, judge_for, spread_index

HEADER = {"name", "classes", "input", "training data", "held out", "accuracy", "licence"}
JUDGES = ("fashion-cnn", "emoji-cnn")


class Images:
    """The image modality, as far as judging needs it."""

    def to_array(self, samples: Tensor) -> np.ndarray:
        levels = ((samples.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).numpy()


class Points:
    def to_array(self, samples: Tensor) -> np.ndarray:
        return 2.0 * samples.numpy()  # data units are twice the networks'


class Data:
    """A dataset of tensors in network range."""

    source: dict[str, Any] = {}
    licence = None

    def __init__(self, samples: Tensor, modality: Any, classes: tuple[str, ...] = (), name: str = "trial") -> None:
        kind = "points" if samples.ndim == 2 else "images"
        self.spec = DataSpec(modality=kind, shape=tuple(samples.shape[1:]), classes=classes, count=len(samples))
        self.samples, self.modality, self.name = samples, modality, name
        self.fingerprint = f"{name}-{samples.double().sum().item():.9f}-{len(samples)}"
        self.reads = 0

    def __len__(self) -> int:
        return len(self.samples)

    def batch(self, index: Tensor) -> Tensor:
        self.reads += len(index)
        return self.samples[index]

    def labels(self, index: Tensor) -> None:
        return None


def sampler(samples: Tensor) -> Any:
    return lambda start, n: samples[start : start + n]


def value(records: list[dict[str, Any]], name: str) -> Any:
    return next(record["value"] for record in records if record["name"].startswith(name))


def drawings(n: int, kinds: int = 4, *, seed: int = 0, channels: int = 1, size: int = 32) -> Tensor:
    """Bright bars on black, n / kinds of each of `kinds` angles, at random places: a data set with classes."""
    draw = torch.Generator().manual_seed(seed)
    angle = torch.arange(n).mul(kinds).div(n, rounding_mode="floor").view(n, 1, 1) * torch.pi / 4
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    centre, width = torch.rand(2, n, 1, 1, generator=draw) - 0.5, 0.15 + 0.2 * torch.rand(n, 1, 1, generator=draw)
    across = (x - centre[0]) * angle.cos() + (y - centre[1]) * angle.sin()
    tint = 0.5 + 0.5 * torch.rand(n, channels, 1, 1, generator=draw)
    return (across.abs() < width).float()[:, None] * tint * 2 - 1


def frechet(real: Tensor, fake: Tensor) -> float:
    return value(evaluate(sampler(fake), Data(real, Images()), count=len(fake), quick=True), "frechet")


@pytest.mark.parametrize("name", JUDGES)
def test_weights_are_small_and_say_what_they_are(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size < 1_000_000
    judge = load_classifier(path)
    assert set(judge.header) >= HEADER and judge.header["name"] == name and judge.header["licence"] == "Apache-2.0"
    assert 64 <= judge.network.dimensions <= 128
    assert 0.5 < float(judge.header["accuracy"]) < 1
    assert len(judge.classes) == judge.network.head.out_features


@pytest.mark.parametrize("name", ["fashion", "emoji"])
def test_the_embedded_data_is_at_home(name: str) -> None:
    index = json.loads((EMBEDDED_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    spec = DataSpec(modality="images", shape=(index["channels"], 32, 32))
    assert judge_for(spec).classes == tuple(index["classes"])


def test_a_judge_is_found_by_the_shape_of_the_data() -> None:
    for channels, name in ((1, "fashion-cnn"), (3, "emoji-cnn")):
        judge = judge_for(DataSpec(modality="images", shape=(channels, 28, 28)))
        assert judge.id == name and len(judge.weights_sha256 or "") == 64 and judge.licence == "Apache-2.0"
    assert judge_for(DataSpec(modality="points", shape=(2,))).id == "coordinates"
    for modality, shape in (("images", (4, 32, 32)), ("sound", (1, 32, 32))):
        with pytest.raises(InputError, match="no judge"):
            judge_for(DataSpec(modality=modality, shape=shape))


def test_weights_round_trip_and_broken_ones_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = SmallCNN(3, 64, 5, width=16).eval(), tmp_path / "judge.safetensors"
    header = {"channels": "3", "size": "64", "width": "16", "classes": json.dumps(list("abcde"))}
    save_classifier(path, network, header)
    images = torch.randn(2, 3, 64, 64)
    assert network.features(images).shape == (2, 64)
    assert torch.equal(load_classifier(path).network(images), network(images))
    again = tmp_path / "again.safetensors"
    save_classifier(again, network, dict(reversed(header.items())))
    assert again.read_bytes() == path.read_bytes()
    path.write_bytes(path.read_bytes()[:100])
    for broken in (path, tmp_path / "absent.safetensors"):
        with pytest.raises(InputError, match="weights of a judge"):
            load_classifier(broken)
    with pytest.raises(InputError, match="power of two"):
        SmallCNN(1, 28, 10)


def test_the_reference_keeps_the_balance_of_classes_in_any_order() -> None:
    assert spread_index(3, 5).tolist() == [0, 1, 2]
    index = spread_index(7_000, 700)
    assert index.unique().numel() == 700 and torch.equal(index, spread_index(7_000, 700))
    assert torch.bincount(index // 700).tolist() == [70] * 10  # stored class by class
    assert torch.bincount(index % 10).min() >= 50  # dealt out in turn: a stride of 10 would see one class


def test_distance_sees_a_missing_class_and_a_collapse() -> None:
    real, again = drawings(800), drawings(800, seed=1)
    same, missing = frechet(real, again), frechet(real, again[200:].repeat(2, 1, 1, 1)[:800])
    collapsed = frechet(real, again[:1].repeat(800, 1, 1, 1))
    assert 5 * same < missing < collapsed / 2


@pytest.mark.parametrize(("channels", "size"), [(1, 32), (3, 64), (3, 32)])
def test_distance_orders_noise_and_blur(channels: int, size: int) -> None:
    real = drawings(120, channels=channels, size=size)
    again = drawings(120, seed=1, channels=channels, size=size)
    noise = torch.randn(again.shape, generator=torch.Generator().manual_seed(2))
    noisy = [frechet(real, (again + level * noise).clamp(-1, 1)) for level in (0, 0.1, 0.3, 1.0)]
    assert noisy == sorted(noisy) and noisy[0] < noisy[1] / 1.5
    blurred = [frechet(real, avg_pool2d(again, k, 1, k // 2) if k else again) for k in (0, 3, 7)]
    assert blurred == sorted(blurred)


FAMILIES = [
    "frechet", "kernel distance", "sliced distance", "precision", "recall", "density", "coverage", "vendi ratio",
    "NDB share", "JS", "near-duplicates", "copies", "authenticity",
]  # fmt: skip
CLASSES = ["class shares", "classes covered", "smallest class share", "largest class share"]


def test_records_have_the_stored_form() -> None:
    classes = judge_for(DataSpec(modality="images", shape=(1, 32, 32))).classes
    data, fake = Data(drawings(101), Images(), classes), drawings(60, seed=1)
    records = evaluate(sampler(fake), data, count=60)
    assert json.loads(json.dumps(records)) == records
    assert [record["name"] for record in records] == [f"{name}[fashion-cnn]" for name in FAMILIES + CLASSES]
    shares = value(records, "class shares")
    assert tuple(shares) == classes and sum(shares.values()) == pytest.approx(1)
    assert value(records, "largest") == max(shares.values()) and value(records, "smallest") == min(shares.values())
    asked = {"extractor", "weights_sha256", "input", "pixels", "quantised", "n_real", "n_generated", "reference", "seed"}
    assert all(set(record["protocol"]) >= asked for record in records)
    first = records[0]
    assert (first["protocol"]["n_real"], first["protocol"]["n_generated"], first["protocol"]["ddof"]) == (60, 60, 1)
    assert first["null"]["n"] == [30, 30] and first["null"]["value"] > 0
    assert all(math.isfinite(r["value"]) for r in records if not isinstance(r["value"], dict))


def test_no_class_numbers_away_from_home_and_the_size_is_stated() -> None:
    data = Data(drawings(40, size=28), Images(), classes=("a", "b"))
    records = evaluate(sampler(drawings(40, size=28)), data, count=40)
    assert not any(record["name"].startswith("class") for record in records)
    assert records[0]["protocol"]["pixels"] == 28


def test_the_distance_has_an_interval_and_its_value_at_infinity() -> None:
    data = Data(drawings(400), Images())
    records = evaluate(sampler(drawings(400, seed=1)), data, count=400, quick=True)
    plain, infinite = records[:2]
    assert plain["interval"][0] <= plain["value"] <= plain["interval"][1]
    assert infinite["name"] == "frechet[fashion-cnn] at infinite n" and infinite["value"] < plain["value"]


def test_equal_sets_and_the_memory_of_the_reference() -> None:
    data = Data(drawings(90), Images(), name="twice")
    assert evaluate(sampler(data.samples), data, count=90)[0]["value"] == pytest.approx(0, abs=1e-4)
    assert data.reads == 90
    evaluate(sampler(data.samples), data, count=90)
    assert data.reads == 90  # the reference came from the cache


def test_held_out_data_tells_copies_from_chance() -> None:
    data, unseen, fresh = (Data(drawings(300, seed=s), Images(), name=f"set {s}") for s in (0, 1, 2))
    copied, honest = (evaluate(sampler(f), data, count=300, held_out=unseen) for f in (data.samples, fresh.samples))
    assert value(copied, "closer to train") > 0.95 and value(copied, "membership AUC") > 0.95 and value(copied, "C_T") < -5
    assert value(copied, "copies") == 1 and value(copied, "authenticity") == 0
    assert value(honest, "closer to train") == pytest.approx(0.5, abs=0.1) and abs(value(honest, "C_T")) < 3


def test_a_constant_set_gives_numbers_and_says_what_it_is() -> None:
    flat = torch.zeros(60, 1, 32, 32)
    records = evaluate(sampler(flat), Data(flat, Images()), count=60)
    assert value(records, "frechet") == 0 and value(records, "precision") == 1
    assert not any(record["name"].startswith(("coverage", "vendi")) for record in records)
    assert any("same features" in note for note in records[0]["notes"])


def test_data_that_is_mostly_one_image_gives_the_figures_it_can() -> None:
    real = torch.cat([torch.zeros(104, 1, 32, 32), drawings(16)])
    records = evaluate(sampler(drawings(60, seed=1)), Data(real, Images()), count=60, references=120)
    names = [record["name"].partition("[")[0] for record in records]
    assert "precision" in names and "copies" in names and "vendi ratio" not in names
    assert any("hardly two different samples" in note for note in records[0]["notes"])


def test_generated_images_are_judged_as_a_file_would_hold_them() -> None:
    data = Data(drawings(60), Images())
    below_a_level = drawings(60, seed=1) * 0.99  # the nearest levels of the changed values are other ones
    stored = torch.from_numpy(Images().to_array(below_a_level)).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert not torch.equal(stored, below_a_level)
    assert frechet(data.samples, stored) == frechet(data.samples, below_a_level)


def test_wrong_samples_are_refused() -> None:
    data = Data(drawings(20), Images())
    with pytest.raises(InputError, match="shape"):
        evaluate(lambda start, n: torch.zeros(n, 1, 16, 16), data, count=20)
    with pytest.raises(InputError, match="NaN"):
        evaluate(lambda start, n: torch.full((n, 1, 32, 32), float("nan")), data, count=20)
    with pytest.raises(InputError, match="at least"):
        evaluate(sampler(data.samples), data, count=1)


def test_points_are_judged_by_coordinates_and_modes() -> None:
    centres = torch.cartesian_prod(*[torch.tensor([-4.0, -2, 0, 2, 4])] * 2)
    spots = 0.01 * torch.randn(3_000, 2, generator=torch.Generator().manual_seed(0))
    data = Data((centres.repeat(120, 1) + spots) / 2, Points())
    names = [r["name"] for r in evaluate(sampler(data.samples), data, count=3_000, quick=True)]
    assert names[0] == "frechet[coordinates]" and "modes" not in names
    data.centres, data.sigma = centres, 0.05  # type: ignore[attr-defined]
    records = evaluate(sampler(data.samples), data, count=3_000, quick=True)
    modes = records[-3:]
    assert [r["name"] for r in modes] == ["modes", "high-quality share", "reverse KL"]
    assert [r["value"] for r in modes] == pytest.approx([25, 1.0, 0], abs=1e-9)
    assert modes[0]["protocol"]["n_generated"] == 2_500 and records[0]["protocol"]["quantised"] is None
    assert json.loads(json.dumps(records)) == records


@pytest.fixture(scope="module")
def fashion() -> tuple[Tensor, Tensor]:
    """The first 2,000 test images of Fashion-MNIST at 32 px, in [-1, 1], and their labels."""
    shared = Path(os.environ.get("TIGHTROPE_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "data" / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set TIGHTROPE_SHARED to the folder that holds data/fashion-mnist")
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 2_000 * 784), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + 2_000), np.uint8, offset=8)
    return pad(torch.from_numpy(images.copy()), (2, 2, 2, 2)) / 127.5 - 1, torch.from_numpy(labels.astype(np.int64))


def test_fashion_accuracy_is_as_stated(fashion: tuple[Tensor, Tensor]) -> None:
    judge, (images, labels) = load_classifier(WEIGHTS / "fashion-cnn.safetensors"), fashion
    with torch.inference_mode():
        found = torch.cat([judge.network(chunk).argmax(1) for chunk in images.split(250)])
    stated = float(judge.header["accuracy"])
    assert stated >= 0.92
    assert (found == labels).float().mean().item() == pytest.approx(stated, abs=0.03)


def test_28_px_are_read_as_the_rule_says(fashion: tuple[Tensor, Tensor]) -> None:
    judge = judge_for(DataSpec(modality="images", shape=(1, 28, 28)))
    stored = Images().to_array(fashion[0][:50])
    assert "28 px images with a black margin of 2" in judge.input_rule
    assert torch.allclose(judge.read(stored).features, judge.read(stored[:, 2:-2, 2:-2]).features, atol=1e-4)


def test_fashion_classes_are_counted(fashion: tuple[Tensor, Tensor]) -> None:
    images, labels = fashion
    judge = judge_for(DataSpec(modality="images", shape=(1, 32, 32)))
    data = Data(images[:1000], Images(), judge.classes, name="fashion")
    no_bags = images[1000:][labels[1000:] != judge.classes.index("Bag")][:800]
    whole, lacking = (evaluate(sampler(fake), data, count=800, quick=True) for fake in (images[1000:1800], no_bags))
    assert value(whole, "classes covered") == 10 and value(lacking, "classes covered") == 9
    assert value(lacking, "class shares")["Bag"] < 0.02 < 0.07 < value(whole, "class shares")["Bag"]
    assert value(lacking, "frechet") > 1.5 * value(whole, "frechet")
