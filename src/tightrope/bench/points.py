"""What `ring8` and `grid25` share: PacGAN's protocol for points in the plane.

Lin, Khetan, Fanti & Oh 2018 (arXiv:1712.04086), section 4.1 and appendix: 100,000 points, 400 epochs, 2,500 samples, 10 runs with
standard error; a sample is of high quality within three standard deviations of its nearest centre; a mode is captured when it is
the nearest of one such sample; reverse KL of the shares of these samples.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tightrope.bench.pictures import tiles
from tightrope.bench.protocol import Ask, Case, Figures, Result, Table, of, spread
from tightrope.recipes import header

POINTS = 40_000_000  # 400 epochs of 100,000
SAMPLES = 2_500
FILE = "points.npy"
KEEP = (FILE,)


class Published(NamedTuple):
    """Modes, share of high quality in percent, reverse KL: each mean and standard error (None where none is given)."""

    modes: tuple[float, float | None]
    quality: tuple[float, float | None]
    kl: tuple[float | None, float | None]
    source: str


class Method(NamedTuple):
    """How a method is played: recipe, preset, fields that are not the preset's, share of the published points by default."""

    recipe: str
    preset: str
    fields: dict[str, Any]
    scale: float = 0.1


# R3GAN's objective with MLPs of our own; `gan` and packing with PacGAN's networks and rates
PLAYED: dict[str, Method] = {
    "relativistic": Method("swift", "points", {"batch": 256, "ema": 125_000.0}),
    "gan": Method("gan", "pacgan", {"pack": 1, "batch": 100}, scale=0.05),
    **{f"pacgan{m}": Method("gan", "pacgan", {"pack": m, "batch": 100 * m}, scale=0.05) for m in (2, 3, 4)},
    "unrolled": Method("gan", "unrolled", {}),
    "wgan_gp": Method("wgan_gp", "points", {}, scale=0.05),
    "dragan": Method("dragan", "points", {}),
    "lsgan": Method("lsgan", "points", {}),
}


def cases(benchmark: str, ask: Ask) -> list[Case]:
    """Method by method within a seed, so that an early stop leaves a whole table."""
    return [
        Case(benchmark=benchmark, method=method, seed=seed, settings=_settings(method, ask.scale))
        for seed in range(ask.seeds)
        for method in ask.methods
    ]


def _settings(method: str, scale: float | None) -> dict[str, Any]:
    played = PLAYED[method]
    scale = scale or played.scale
    fields = header(played.recipe).resolve(played.preset, played.fields)
    seen = round(scale * POINTS) * fields.get("pack", 1)  # an epoch of packs holds `pack` times the points
    return {"recipe": played.recipe, "fields": fields, "seen": seen, "scale": scale}


def run(case: Case, folder: Path) -> Figures:
    """Train, draw 2,500 samples, count."""
    import torch

    from tightrope import recipes
    from tightrope.bench.playing import samples, trained
    from tightrope.core.errors import RunStopped
    from tightrope.data import PointDataset, load
    from tightrope.metrics.modes import mode_report

    given, data = case.settings, load(case.benchmark)
    assert isinstance(data, PointDataset)
    assert data.centres is not None
    assert data.sigma is not None
    recipe = recipes.build(given["recipe"], data.spec, "default", given["fields"])
    try:
        drawn = samples(recipe, trained(recipe, data, seen=given["seen"], seed=case.seed), data, SAMPLES)
    except RunStopped:
        return {"modes": 0, "high quality": 0.0, "reverse KL": math.log(len(data.centres)), "diverged": True}
    np.save(folder / FILE, drawn)
    report = mode_report(torch.from_numpy(drawn), torch.from_numpy(data.centres), data.sigma)
    return {"modes": report.captured, "high quality": report.high_quality, "reverse KL": report.reverse_kl}


HEAD = ("method", "M points", "seeds", "modes", "% high quality", "worst", "reverse KL", "CPU s", "published modes", "% HQ", "KL")


def tables(results: list[Result], methods: dict[str, str], published: dict[str, Published], modes: int) -> list[Table]:
    """Ours beside the published ones, one row a method and amount of training."""
    keys = sorted({(list(methods).index(r.case.method), r.case.settings["scale"], r.case.method) for r in results})
    rows = [
        _row([r for r in results if (r.case.method, r.case.settings["scale"]) == (method, scale)], published.get(method))
        for _, scale, method in keys
    ]
    done = {method for *_, method in keys}
    sources = sorted({p.source for p in published.values()})
    notes = (
        f"Modes of {modes}, {SAMPLES:,} samples, mean ± standard error; worst: of the seeds, modes and quality.",
        "PacGAN trains on 40 million points (400 epochs of 100,000), or as many packs; a pack of m holds m points.",
        f"A perfect generator has 98.9 % of high quality. Published: {'; '.join(sources)}.",
    )
    more = [_other(name, p) for name, p in published.items() if name not in done]
    return [Table(title=f"{results[0].case.benchmark}: ours beside the published", head=HEAD, rows=[*rows, *more], notes=notes)]


def _row(results: list[Result], known: Published | None) -> tuple[str, ...]:
    modes, kl = of(results, "modes"), of(results, "reverse KL")
    quality = [100 * value for value in of(results, "high quality")]
    cpu = np.mean([result.cpu_seconds for result in results])
    worst = f"{min(modes):.0f} / {min(quality):.1f} %"
    case = results[0].case
    trained = f"{case.settings['seen'] / 1e6:g}"
    ours = (case.method, trained, str(len(modes)), spread(modes), spread(quality), worst, spread(kl, 3), f"{cpu:.0f}")
    return (*ours, *_shown(known))


def _other(name: str, known: Published) -> tuple[str, ...]:
    return (name, *("–",) * 7, *_shown(known))


def _shown(known: Published | None) -> tuple[str, str, str]:
    if known is None:
        return "–", "–", "–"
    modes, quality, kl = (
        "–" if mean is None else f"{mean:g}" if error is None else f"{mean:g} ± {error:g}"
        for mean, error in (known.modes, known.quality, known.kl)
    )
    return modes, quality, kl


def picture(results: list[Result], out: Path) -> np.ndarray | None:
    """The samples of each method's first seed."""
    import torch

    from tightrope.bench.runner import folder_of
    from tightrope.data import PointDataset, load

    data = load(results[0].case.benchmark)
    assert isinstance(data, PointDataset)
    shown = {}
    for result in sorted(results, key=lambda r: (list(PLAYED).index(r.case.method), r.case.seed)):
        path = folder_of(result.case, out) / FILE
        if result.case.method not in shown and path.is_file():
            standard = (np.load(path) - data.mean) / data.scale
            shown[result.case.method] = data.modality.grid(torch.from_numpy(standard))
    return tiles(shown) if shown else None
