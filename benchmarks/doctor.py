"""What the doctor finds: faults of known kinds made from real test images, and false alarms on real test images themselves.

python benchmarks/doctor.py --mnist DIR --fashion DIR [--domain DIR]

DIR holds the four gzipped IDX files of each set; --domain a folder of extractors kept by benchmarks/domain.py (they are
trained anew otherwise). The reference is drawn from the training images, fakes are made from the test images. Sizes
cycle through SIZES with the seed; held-out real images are given to every second trial.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from domain import Unlabelled
from PIL import Image
from torch import Tensor

from tightrope.data import load
from tightrope.metrics.diagnosis import Sample, diagnose
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import domain
from tightrope.metrics.extractors.small import load_shipped

SIZES = ((2_000, 1_000), (5_000, 2_500), (1_000, 1_000), (4_000, 2_000), (8_000, 4_000))  # real, fake
HEALTHY_SIZES = ((1_000, 500), (1_000, 1_000), (2_000, 1_000), (2_000, 2_000), (5_000, 500), (5_000, 5_000))
EXTRACTORS = {"mnist": ("domain", "domain, no labels", "fashion-cnn"), "fashion": ("fashion-cnn", "domain", "domain, no labels")}
POOL = 20_000  # training images that references are drawn from


@dataclasses.dataclass
class World:
    """One data set seen by one extractor: images, labels and readings of its training and test part."""

    extractor: Extractor
    classes: tuple[str, ...]
    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    readings: dict[str, tuple[Tensor, Tensor | None]]

    def sample(self, part: str, index: np.ndarray) -> Sample:
        features, logits = self.readings[part]
        return Sample(self.images[part][index], features[index], None if logits is None else logits[index], self.classes)

    def read(self, images: np.ndarray) -> Sample:
        return Sample(images, *read(self.extractor, images), self.classes)


def read(extractor: Extractor, images: np.ndarray) -> tuple[Tensor, Tensor | None]:
    readings = [extractor.read(images[i : i + 250]) for i in range(0, len(images), 250)]
    logits = [reading.logits for reading in readings if reading.logits is not None]
    return torch.cat([reading.features for reading in readings]), torch.cat(logits) if logits else None


def world(name: str, folder: Path, which: str, kept: Path | None, cache: Path) -> World:
    parts = {part: load(str(folder / f"{file}-images-idx3-ubyte.gz"), size=32, cache=cache) for part, file in FILES.items()}
    images, labels = {}, {}
    for part, data in parts.items():
        index = torch.arange(min(len(data), POOL))
        known = data.labels(index)
        assert known is not None
        images[part], labels[part] = data.modality.to_array(data.batch(index)), known.numpy()
    extractor = extractor_for(name, which, parts["train"], kept)
    home = tuple(extractor.classes) == tuple(parts["train"].spec.classes)
    readings = {part: read(extractor, images[part]) for part in parts}
    return World(extractor, extractor.classes if home else (), images, labels, readings)


FILES = {"train": "train", "test": "t10k"}


def extractor_for(name: str, which: str, train: Any, kept: Path | None) -> Extractor:
    if which == "fashion-cnn":
        return load_shipped(which)
    file = None if kept is None else kept / f"{name}-{'labels' if which == 'domain' else 'no-labels'}-0.safetensors"
    if file is not None and file.exists():
        return domain.load(file)
    return domain.train(train if which == "domain" else Unlabelled(train))


Fault = Callable[[World, np.random.Generator, np.ndarray, int], Sample]


def held_out(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
    return world.sample("test", draw.choice(len(world.labels["test"]), count, replace=False))


def dropped(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
    kept = np.flatnonzero(~np.isin(world.labels["test"], draw.choice(10, 3, replace=False)))
    return world.sample("test", draw.choice(kept, min(count, len(kept)), replace=False))


def shrunken_images(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
    index = draw.choice(len(world.labels["test"]), count, replace=False)
    images, labels = world.images["test"][index].astype(np.float64), world.labels["test"][index]
    part = ("train", "test")[draw.integers(2)]  # whose class means
    for k in range(10):
        mean = world.images[part][world.labels[part] == k].mean(0)
        images[labels == k] = mean + 0.8 * (images[labels == k] - mean)
    return world.read(np.rint(images).clip(0, 255).astype(np.uint8))


def shrunken_features(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
    index = draw.choice(len(world.labels["test"]), count, replace=False)
    sample, labels = world.sample("test", index), world.labels["test"][index]
    features = sample.features.clone()
    for k in range(10):
        mean = features[labels == k].mean(0)
        features[labels == k] = mean + 0.8 * (features[labels == k] - mean)
    return sample._replace(features=features, stored=sample.stored if draw.integers(2) else None)


def repeated(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
    part, pool = ("test", np.arange(len(world.labels["test"]))) if draw.integers(2) else ("train", reference)
    return world.sample(part, draw.choice(draw.choice(pool, 50, replace=False), count))


def copied(change: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None) -> Fault:
    def fault(world: World, draw: np.random.Generator, reference: np.ndarray, count: int) -> Sample:
        own = held_out(world, draw, reference, count - count // 10)
        copies = world.sample("train", draw.choice(reference, count // 10, replace=False))
        if change is not None:
            assert copies.stored is not None
            copies = world.read(change(copies.stored, draw))
        assert own.stored is not None and copies.stored is not None
        logits = None if own.logits is None or copies.logits is None else torch.cat([own.logits, copies.logits])
        features, stored = torch.cat([own.features, copies.features]), np.concatenate([own.stored, copies.stored])
        return Sample(stored, features, logits, world.classes)

    return fault


def noisy(images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return np.rint(images + draw.normal(0, 2, images.shape)).clip(0, 255).astype(np.uint8)


def compressed(images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    found = np.empty_like(images)
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(file := io.BytesIO(), "JPEG", quality=75)
        found[i, ..., 0] = np.array(Image.open(file))
    return found


FAULTS: dict[str, tuple[str, Fault]] = {
    "3 of 10 classes dropped": ("mode dropping", dropped),
    "images shrunk to 0.8": ("shrinking", shrunken_images),
    "features shrunk to 0.8": ("shrinking", shrunken_features),
    "50 images repeated": ("duplicating", repeated),
    "10 % copies": ("memorising", copied()),
    "10 % copies, noise 2/255": ("memorising", copied(noisy)),
    "10 % copies, moved 1 px": ("memorising", copied(lambda images, draw: np.roll(images, 1, int(draw.integers(1, 3))))),
    "10 % copies, JPEG 75": ("memorising", copied(compressed)),
}


def verdict(world: World, fault: Fault, seed: int, sizes: tuple[int, int]) -> str:
    draw = np.random.default_rng(seed)
    order = draw.permutation(POOL)
    reference, rest = order[: sizes[0]], order[sizes[0] : sizes[0] + sizes[1]]
    fake = fault(world, draw, reference, sizes[1])
    held = world.sample("train", rest) if seed % 2 else None
    return diagnose(world.sample("train", reference), fake, held_out=held, seed=seed).verdict


def table(name: str, which: str, world: World, seeds: int, healthy: int) -> None:
    for scenario, (expected, fault) in FAULTS.items():
        start = time.process_time()
        found = [verdict(world, fault, seed, SIZES[seed % len(SIZES)]) for seed in range(seeds)]
        right, wrong = found.count(expected), Counter(v for v in found if v != expected)
        said = f"  not {dict(wrong)}" if wrong else ""
        row = f"{name:8} {which:18} {scenario:26} found {seeds - found.count('healthy')}/{seeds}  named {right}/{seeds}"
        print(f"{row}{said}  {(time.process_time() - start) / max(1, seeds):.1f} CPU s each", flush=True)
    false: Counter[str] = Counter()
    for seed in range(healthy):
        false[verdict(world, held_out, 10_000 + seed, HEALTHY_SIZES[seed % len(HEALTHY_SIZES)])] += 1
        if (seed + 1) % 50 == 0 or seed + 1 == healthy:
            alarms = seed + 1 - false["healthy"]
            print(f"{name:8} {which:18} {'real, held out':26} false alarms {alarms}/{seed + 1}  {dict(false)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=Path("mnist"))
    parser.add_argument("--fashion", type=Path, default=Path("fashion-mnist"))
    parser.add_argument("--domain", type=Path, help="folder of domain extractors")
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion"], choices=("mnist", "fashion"))
    parser.add_argument("--extractors", nargs="+", choices=("domain", "domain, no labels", "fashion-cnn"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--healthy", type=int, default=200, help="trials for false alarms, of each data set and extractor")
    parser.add_argument("--cache", type=Path, help="folder for decoded pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.data:
            for which in options.extractors or EXTRACTORS[name]:
                seen = world(name, getattr(options, name), which, options.domain, options.cache or Path(scratch))
                table(name, which, seen, options.seeds, options.healthy)


if __name__ == "__main__":
    main()
