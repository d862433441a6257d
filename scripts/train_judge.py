"""Train the classifiers that judge generated images, and write them into src/tightrope/metrics/weights/.

python scripts/train_judge.py fashion --idx DIR     the four gzipped IDX files of Fashion-MNIST: 10 classes, grey, 32 px
python scripts/train_judge.py emoji                 the embedded emoji and their groups: RGB, 64 px

Each takes under six CPU minutes on one thread. The same seed on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.data import ImageDataset, load
from tightrope.metrics.classifier import WEIGHTS, SmallCNN, save_classifier

PERSONS = frozenset({"man", "woman", "person", "men", "women", "people"})


class Split(NamedTuple):
    """uint8 images (N, C, H, W) with their class indices."""

    images: Tensor
    labels: Tensor


class Job(NamedTuple):
    """What one judge is trained on, and how long. `weights` are the chances of each image to be drawn."""

    train: Split
    weights: Tensor
    held_out: Split
    classes: tuple[str, ...]
    augment: Callable[[Tensor, torch.Generator], Tensor]
    epochs: int
    header: dict[str, str]


def split_of(dataset: Dataset) -> Split:
    """All of a data set as files would hold it."""
    everything = torch.arange(len(dataset))
    images, labels = dataset.modality.to_array(dataset.batch(everything)), dataset.labels(everything)
    if labels is None:
        raise InputError(f"{dataset.name}: it has no labels; put the file of labels next to the images.")
    return Split(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels)


def affine(images: Tensor, draw: torch.Generator, *, shift: float, scale: float) -> Tensor:
    """Mirror half of the images; move and zoom half of them (bilinear), by fractions of the half side. Edges repeat."""
    count = len(images)
    uniform = torch.rand(count, 4, generator=draw) * 2 - 1
    flip, moved = uniform[:, 0].sign(), (torch.rand(count, generator=draw) < 0.5).view(-1, 1, 1, 1)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.exp(uniform[:, 1] * math.log1p(scale))
    theta[:, :, 2] = uniform[:, 2:] * shift
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = torch.where(moved, F.grid_sample(images, grid, padding_mode="border", align_corners=False), images)
    return torch.where((flip > 0).view(-1, 1, 1, 1), images, images.flip(3))


def augment_fashion(images: Tensor, draw: torch.Generator) -> Tensor:
    """Zoom up to 15 %: images of 28 px that were resized rather than padded are 14 % larger."""
    return affine(images, draw, shift=0.06, scale=0.15)


def augment_emoji(images: Tensor, draw: torch.Generator) -> Tensor:
    """Geometry, then contrast, a shift of each colour channel, and resolution: half are seen through 32 px."""
    count = len(images)
    images = affine(images, draw, shift=0.2, scale=0.25)
    contrast = 0.75 + 0.5 * torch.rand(count, 1, 1, 1, generator=draw)
    shift = 0.4 * torch.rand(count, 3, 1, 1, generator=draw) - 0.2
    images = (images * contrast + shift).clamp(-1, 1)
    coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    return torch.where((torch.rand(count, generator=draw) < 0.5).view(-1, 1, 1, 1), coarse, images)


def fashion_job(folder: Path) -> Job:
    header = {
        "name": "fashion-cnn",
        "input": "grey, [-1, 1], 32 px; 28 px images with a black margin of 2; other sizes antialiased bilinear",
        "training data": "Fashion-MNIST, the 60,000 training images (MIT, Zalando SE)",
        "held out": "the 10,000 test images of Fashion-MNIST",
    }
    files = [load(str(folder / f"{part}-images-idx3-ubyte.gz"), size=32) for part in ("train", "t10k")]
    train, held_out = (split_of(file) for file in files)
    weights = torch.ones(len(train.labels))
    return Job(train, weights, held_out, files[0].spec.classes, augment_fashion, epochs=10, header=header)


def emoji_job_from(images: Tensor, labels: Tensor, bases: list[str], classes: tuple[str, ...]) -> Job:
    """Hold out a tenth of each class's base names with all their variants; draw the other names equally often."""
    draw, hidden = generator(0, "emoji judge", "held out"), set[str]()
    for k in range(len(classes)):
        names = sorted({base for base, label in zip(bases, labels.tolist(), strict=True) if label == k})
        hidden |= {names[i] for i in torch.randperm(len(names), generator=draw)[: max(1, len(names) // 10)].tolist()}
    held = torch.tensor([base in hidden for base in bases])
    variants = Counter(bases)
    weights = torch.tensor([1 / variants[base] for base in bases])
    header = {
        "name": "emoji-cnn",
        "input": "RGB, [-1, 1], 64 px; other sizes antialiased bilinear",
        "training data": f"the embedded emoji: {int((~held).sum())} drawings and their groups",
        "held out": f"{int(held.sum())} drawings: {len(hidden)} of {len(variants)} base names, with their variants",
    }
    train, rest = Split(images[~held], labels[~held]), Split(images[held], labels[held])
    return Job(train, weights[~held], rest, classes, augment_emoji, epochs=58, header=header)


def emoji_job() -> Job:
    dataset = load("emoji")
    assert isinstance(dataset, ImageDataset)
    images, labels = split_of(dataset)
    return emoji_job_from(images, labels, [base_name(name) for name in dataset.names()], dataset.spec.classes)


def base_name(name: str) -> str:
    """A drawing's name without skin tone and gender: "woman-pilot-dark-skin-tone" and "pilot" are both "pilot"."""
    plain = re.sub(r"(^|-)(((medium-)?(light|dark)|medium)-skin-tone|tone\d)", "", name).strip("-")
    words = [word for word in plain.split("-") if word not in PERSONS]
    return "-".join(words) or "person"


def normalise(images: Tensor) -> Tensor:
    return images.float().div(127.5).sub(1)


def logits_of(network: SmallCNN, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(normalise(chunk)) for chunk in images.split(250)])


def fit(job: Job, *, seed: int, width: int, batch: int = 128, rate: float = 4e-3) -> SmallCNN:
    """AdamW, one cycle, label smoothing 0.05; bf16 arithmetic over float32 weights."""
    torch.manual_seed(seed)
    draw, count = generator(seed, "judge"), len(job.train.images)
    network = SmallCNN(job.train.images.shape[1], job.train.images.shape[3], len(job.classes), width)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    repeats = bool(job.weights.min() < job.weights.max())  # equal weights: every image once an epoch
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, job.epochs * (count // batch))
    for epoch in range(job.epochs):
        start, total = time.process_time(), 0.0
        order = torch.multinomial(job.weights, count // batch * batch, repeats, generator=draw)
        for index in order.split(batch):
            images = job.augment(normalise(job.train.images[index]), draw)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(images.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), job.train.labels[index], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * batch / len(order)
        print(f"epoch {epoch + 1}/{job.epochs}  loss {total:.4f}  {time.process_time() - start:.1f} CPU s", flush=True)
    return network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]


def accuracies(network: SmallCNN, held_out: Split, classes: tuple[str, ...]) -> tuple[float, dict[str, float]]:
    """Share of held-out images that are right: of all, and of each class."""
    right = logits_of(network, held_out.images).argmax(1) == held_out.labels
    of_class = {name: right[held_out.labels == k].float().mean().item() for k, name in enumerate(classes)}
    return right.float().mean().item(), of_class


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judge", choices=("fashion", "emoji"))
    parser.add_argument("--idx", type=Path, default=Path("fashion-mnist"), help="folder of the gzipped IDX files")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that receives the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the judge's own number")
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    job = fashion_job(options.idx) if options.judge == "fashion" else emoji_job()
    job = job._replace(epochs=options.epochs or job.epochs)
    network = fit(job, seed=options.seed, width=options.width)
    accuracy, of_class = accuracies(network, job.held_out, job.classes)
    header = job.header | {
        "classes": json.dumps(job.classes),
        "channels": str(job.train.images.shape[1]),
        "size": str(job.train.images.shape[3]),
        "width": str(options.width),
        "features": str(network.dimensions),
        "accuracy": f"{accuracy:.4f}",
        "mean class accuracy": f"{sum(of_class.values()) / len(of_class):.4f}",
        "accuracy by class": json.dumps({name: round(value, 3) for name, value in of_class.items()}),
        "seed": str(options.seed),
        "licence": "Apache-2.0",
    }
    path = options.out / f"{job.header['name']}.safetensors"
    save_classifier(path, network, header)
    print(json.dumps(header, indent=2, ensure_ascii=False))
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB, {time.process_time():.0f} CPU s in all")


if __name__ == "__main__":
    main()
