"""Do the 95 % intervals of the Frechet distance hold the truth? Real images against real ones, and against nine classes of ten.

    python benchmarks/intervals.py --idx DIR         # the four gzipped IDX files of Fashion-MNIST
    python benchmarks/intervals.py --idx DIR --features FILE.npz          # keeps their features for the next time

Each repetition draws two disjoint sets of n images from the 70,000, in the features of fashion-cnn. The truth at n is the mean
of 200 further draws. The truth at infinite n is 0 for equal classes, and otherwise the distance of all images at hand, corrected.
The percentile bootstrap stands beside them to show why it is not used. Repetitions share the pool they are drawn from.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tightrope.metrics.classifier import WEIGHTS, load_classifier
from tightrope.metrics.frechet import frechet_from_features
from tightrope.metrics.intervals import Interval, bootstrap, frechet_infinity, frechet_interval

BAG = 8


def idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    dimensions = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(content[3])]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(dimensions)


@torch.inference_mode()
def features_of(folder: Path, kept: Path | None) -> tuple[Tensor, Tensor]:
    """Features and labels of the 70,000 images."""
    if kept and kept.exists():
        with np.load(kept) as file:
            return torch.from_numpy(file["features"]), torch.from_numpy(file["labels"])
    network = load_classifier(WEIGHTS / "fashion-cnn.safetensors").network
    images = np.concatenate([idx(folder / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")])
    labels = np.concatenate([idx(folder / f"{part}-labels-idx1-ubyte.gz") for part in ("train", "t10k")])
    padded = torch.from_numpy(np.pad(images, ((0, 0), (2, 2), (2, 2))))[:, None]
    features = torch.cat([network.features(batch.float() / 127.5 - 1) for batch in padded.split(500)])
    if kept:
        np.savez(kept, features=features.numpy(), labels=labels)
    return features, torch.from_numpy(labels)


def two_sets(real: Tensor, fake: Tensor, n: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """n samples of each; disjoint where both come from one pool."""
    if real is fake:
        both = real[torch.randperm(len(real), generator=draw)[: 2 * n]]
        return both[:n], both[n:]
    return real[torch.randperm(len(real), generator=draw)[:n]], fake[torch.randperm(len(fake), generator=draw)[:n]]


def show(name: str, found: list[Interval], truth: float, seconds: float) -> None:
    inside = sum(interval.low <= truth <= interval.high for interval in found)
    values = [interval.value for interval in found]
    half = statistics.fmean((interval.high - interval.low) / 2 for interval in found)
    print(
        f"  {name:<34} truth {truth:7.4f}  mean {statistics.fmean(values):7.4f}  sd {statistics.stdev(values):.4f}  "
        f"half width {half:.4f}  holds {inside}/{len(found)}  {seconds / len(found):.2f} s each",
        flush=True,
    )


def trial(real: Tensor, fake: Tensor, n: int, repeats: int, infinite: float) -> None:
    draw = torch.Generator().manual_seed(n)
    truth = statistics.fmean(frechet_from_features(*two_sets(real, fake, n, draw)) for _ in range(200))
    pairs = [two_sets(real, fake, n, draw) for _ in range(repeats)]
    start = time.process_time()
    knives = [frechet_interval(*pair) for pair in pairs]
    seconds = time.process_time() - start
    show("jackknife, at this n", [k.plain for k in knives], truth, seconds)
    show("jackknife, at infinite n", [k.corrected for k in knives], infinite, seconds)
    start = time.process_time()
    show("line in 1/n, at infinite n", [frechet_infinity(*pair) for pair in pairs], infinite, time.process_time() - start)
    start, some = time.process_time(), pairs[:10]
    naive = [bootstrap(frechet_from_features, *pair, resamples=100) for pair in some]
    show("percentile bootstrap, at this n", naive, truth, time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idx", type=Path, default=Path())
    parser.add_argument("--features", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1_000, 5_000])
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    features, labels = features_of(arguments.idx, arguments.features)
    bagless = features[labels != BAG]
    gap = frechet_interval(features, bagless).corrected.value
    for n in arguments.sizes:
        print(f"n = {n}, real against real, {features.shape[1]} features, {arguments.repeats} repetitions")
        trial(features, features, n, arguments.repeats, 0.0)
        print(f"n = {n}, real against real without bags")
        trial(features, bagless, n, arguments.repeats, gap)


if __name__ == "__main__":
    main()
