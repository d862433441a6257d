"""The doctor's question about classes: false alarms on real labelled images, and faults made of their labels.

python benchmarks/classes.py --fashion DIR [--domain]

DIR holds the four gzipped IDX files of Fashion-MNIST: the samples are its test images. Of the emoji they are drawings whose base
names the classifier has never seen (and all of them). --domain trains classifiers on the data besides the ones that ship
(up to three minutes each): of the emoji on drawings of other base names than those that are judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tightrope.core.seeds import generator
from tightrope.data import load
from tightrope.metrics import features, judge
from tightrope.metrics.by_class import Labelled, usual_accuracy
from tightrope.metrics.diagnosis_classes import obeying
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import domain
from tightrope.metrics.extractors.small import load_shipped

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from train_judge import base_name

SIZES = (200, 500, 2_000)
Change = Callable[[Tensor, int, torch.Generator], Tensor]


class Part:
    """Some samples of a data set."""

    def __init__(self, whole: Any, index: Tensor) -> None:
        self.whole, self.index = whole, index
        self.name, self.spec, self.modality, self.licence = whole.name, whole.spec, whole.modality, whole.licence
        self.fingerprint = f"{whole.fingerprint[:32]}-{len(index)}"

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, index: Tensor) -> Tensor:
        return self.whole.batch(self.index[index])

    def labels(self, index: Tensor) -> Tensor:
        return self.whole.labels(self.index[index])


def read(extractor: Extractor, data: Any, most: int = 10_000) -> Labelled:
    index = judge.spread_index(len(data), most)
    return Labelled(features.read(extractor, judge.stored(data, index)), data.labels(index))


def shuffled(asked: Tensor, classes: int, draw: torch.Generator) -> Tensor:
    return asked[torch.randperm(len(asked), generator=draw)]


def some_shuffled(asked: Tensor, classes: int, draw: torch.Generator) -> Tensor:
    return torch.where(torch.rand(len(asked), generator=draw) < 0.4, shuffled(asked, classes, draw), asked)


def swapped(asked: Tensor, classes: int, draw: torch.Generator) -> Tensor:
    a, b = torch.randperm(classes, generator=draw)[:2].tolist()
    turn = torch.arange(classes)
    turn[a], turn[b] = b, a
    return turn[asked]


def intruded(asked: Tensor, classes: int, draw: torch.Generator) -> Tensor:
    """Of one class half comes out as another: as many samples of that one are said to be of it as it has itself."""
    a, b = torch.randperm(classes, generator=draw)[:2].tolist()
    moved = (asked == a).nonzero().flatten()[: int((asked == b).sum())]
    changed = asked.clone()
    changed[moved] = b
    return changed


FAULTS: dict[str, Change | None] = {
    "none": None,
    "labels shuffled": shuffled,
    "40 % of the labels shuffled": some_shuffled,
    "two classes swapped": swapped,
    "half of a class is another": intruded,
}


def table(what: str, extractor: Extractor, usual: Tensor, pool: Labelled, seeds: int) -> None:
    classes = pool.read.classes
    assert classes is not None
    for name, change in FAULTS.items():
        for n in sorted({min(size, len(pool.labels)) for size in SIZES}):
            found: Counter[str] = Counter()
            right = 0.0
            for seed in range(seeds):
                draw = torch.Generator().manual_seed(seed)
                index = torch.randperm(len(pool.labels), generator=draw)[:n]
                asked = pool.labels[index]
                asked = asked if change is None else change(asked, len(usual), draw)
                answer = obeying(extractor.classes, classes[index], asked, usual)
                found[answer.name if answer.alarm else "no alarm"] += 1
                right += answer.figure / seeds
            print(f"{what:28} {name:28} n {n:5}  recognised {right:5.1%}  {dict(found)}", flush=True)


def emoji_parts(emoji: Any) -> tuple[Tensor, Tensor]:
    """Drawings that emoji-cnn was trained on, and those of other base names, as `scripts/train_judge.py` drew them."""
    bases, labels = [base_name(name) for name in emoji.names()], emoji.labels(torch.arange(len(emoji))).tolist()
    draw, hidden = generator(0, "emoji judge", "held out"), set[str]()
    for k in range(len(emoji.spec.classes)):
        names = sorted({base for base, label in zip(bases, labels, strict=True) if label == k})
        hidden |= {names[i] for i in torch.randperm(len(names), generator=draw)[: max(1, len(names) // 10)].tolist()}
    held = torch.tensor([base in hidden for base in bases])
    return (~held).nonzero().flatten(), held.nonzero().flatten()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", type=Path, default=Path("fashion-mnist"))
    parser.add_argument("--domain", action="store_true", help="also with classifiers trained on the data")
    parser.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    clothes, unseen = load("fashion"), load(str(options.fashion / "t10k-images-idx3-ubyte.gz"), size=32)
    emoji = load("emoji")
    known, held = (Part(emoji, index) for index in emoji_parts(emoji))
    cases = [
        ("fashion-cnn", "fashion", clothes, unseen),
        ("emoji-cnn", "emoji, unseen names", emoji, held),
        ("emoji-cnn", "emoji, all", emoji, emoji),
    ]
    if options.domain:
        cases += [("domain", "fashion", clothes, unseen), ("domain", "emoji, unseen names", known, held)]
    for kind, name, real, judged in cases:
        start = time.process_time()
        extractor = domain.train(real) if kind == "domain" else load_shipped(kind)
        usual = usual_accuracy(extractor, read(extractor, real))
        table(f"{kind}, {name}", extractor, usual, read(extractor, judged), options.seeds)
        print(f"null by class {[round(u, 2) for u in usual.tolist()]}, {time.process_time() - start:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
