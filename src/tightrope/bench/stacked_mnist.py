"""Stacked MNIST: three digits in the channels of an image, 1,000 modes, counted by a classifier of digits.

Paper:  VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2018, arXiv:1712.04086): 128,000 images, 26,000
        samples; a discriminator of a quarter and a half of G's channels: Unrolled GANs (Metz et al. 2017, arXiv:1611.02163);
        reverse KL against equal shares: R3GAN (Huang et al. 2024, arXiv:2501.05441).
Run:    tightrope bench stacked_mnist --data ./mnist --methods swift --seeds 1
Time:   hours a case; `--minutes` stops it, the same command goes on. A case uses all cores that --jobs leaves it (default 1).

The published runs take 6.4 million images (PacGAN's 50 epochs; for a pack of m, m times as many) and 64 million (Unrolled's
500,000 steps of 128); `--scale` is the share of that which is trained, and stands in the table.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.bench.protocol import Ask, Case, Figures, Result, Table, of, spread
from tightrope.core.errors import InputError

METHODS = {
    "swift": "the default recipe",
    "r3": "R3GAN's objective (relativistic, R1 and R2 on every step), a small residual network without normalisation",
    "dcgan": "DCGAN in PacGAN's setting",
    "pacdcgan2": "the same, D judges 2 images at once",
    "pacdcgan3": "the same, 3 images",
    "pacdcgan4": "the same, 4 images",
    "dcgan/half": "Unrolled's small networks, D at half of its width",
    "pacdcgan2/half": "the same, D judges 2 images at once",
    "pacdcgan3/half": "the same, 3 images",
    "pacdcgan4/half": "the same, 4 images",
    "dcgan/quarter": "the same, D at a quarter of its width",
    "pacdcgan2/quarter": "the same, D judges 2 images at once",
    "pacdcgan3/quarter": "the same, 3 images",
    "pacdcgan4/quarter": "the same, 4 images",
}
SEEDS = 1
NEEDS_DATA = "a folder with MNIST's IDX files (train-... and t10k-...)"
KEEP = ("generator.safetensors", "run.json", "events.jsonl")
JOBS = 1  # by default: one training, on all cores
SCALE = 0.5  # of the published number of images

GAME = str(Path(__file__).parent / "games" / "pacdcgan.py")
IMAGES = 6_400_000  # 50 epochs of 128,000
UNROLLED_IMAGES = 64_000_000  # 500,000 steps of 128
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "swift": ("swift", {}),
    "r3": ("r3gan", {"width": 64, "blocks": 1, "gamma": 1.0, "batch": 64}),
}
UNROLLED = {"z": 256, "latent": "normal", "lr_g": 1e-4, "lr_d": 2e-4, "beta2": 0.99, "g_steps": 1}  # batches of 128 packs
SHARES = {"half": 0.5, "quarter": 0.25}  # of D's full width

# (modes, KL) as published
VEEGAN = {"DCGAN": (99, 3.4), "ALI": (16, 5.4), "Unrolled": (48.7, 4.32), "VEEGAN": (150, 2.95)}  # table 1; 5 runs
PACGAN = {  # tables 3 and 4: mean and standard error; 10 and 50 runs
    "dcgan": (78.9, 6.46, 4.50), "pacdcgan2": (1000.0, 0.0, 0.06), "pacdcgan3": (1000.0, 0.0, 0.06),
    "pacdcgan4": (1000.0, 0.0, 0.07),
    "dcgan/half": (487.7, 34.59, 2.24), "pacdcgan2/half": (840.7, 0.0, 1.00), "pacdcgan3/half": (866.6, 0.0, 0.90),
    "pacdcgan4/half": (820.2, 0.0, 1.15),
    "dcgan/quarter": (78.5, 17.56, 5.21), "pacdcgan2/quarter": (484.5, 0.0, 2.61), "pacdcgan3/quarter": (601.3, 0.0, 2.00),
    "pacdcgan4/quarter": (667.4, 0.0, 1.81),
}  # fmt: skip
R3GAN = {  # tables 1 and 3, one run each; None: diverged
    "relativistic + R1 + R2, small ResNet": (1000, 0.0781), "non-saturating + R1 + R2": (693, 0.9270),
    "relativistic + R1": None, "non-saturating + R1": None, "WGAN-GP": (959, 0.73), "StyleGAN2": (940, 0.42),
    "PresGAN": (1000, 0.12), "DDGAN": (1000, 0.071), "R3GAN": (1000, 0.029),
}  # fmt: skip


def cases(ask: Ask) -> list[Case]:
    if ask.data is None:
        raise InputError(f"stacked_mnist needs {NEEDS_DATA}: --data FOLDER.")
    scale = ask.scale or SCALE
    data = str(Path(ask.data).expanduser().resolve())
    return [
        Case(benchmark="stacked_mnist", method=method, seed=seed, settings=_settings(method, scale, data))
        for seed in range(ask.seeds)
        for method in ask.methods
    ]


def _settings(method: str, scale: float, data: str) -> dict[str, Any]:
    recipe, fields = _game(method)
    # a batch of PacGAN holds `pack` times the images; epochs and steps are those of the packs
    seen = round(scale * (UNROLLED_IMAGES if "/" in method else IMAGES) * fields.get("pack", 1))
    return {"recipe": "pacdcgan" if recipe == GAME else recipe, "fields": fields, "seen": seen, "scale": scale, "data": data}


def _game(method: str) -> tuple[str, dict[str, Any]]:
    """The recipe (or its file) and the fields that are not its defaults."""
    if method in OURS:
        return OURS[method]
    name, _, share = method.partition("/")
    pack = int(name.removeprefix("pacdcgan")) if name != "dcgan" else 1
    hard = {**UNROLLED, "d_share": SHARES[share]} if share else {}
    return GAME, {"pack": pack, **hard, "batch": pack * (128 if share else 64)}  # the authors count packs


def run(case: Case, folder: Path) -> Figures:
    """Train (or go on), then count."""
    import torch

    from tightrope import api
    from tightrope.core.errors import RunStopped

    recipe = _game(case.method)[0]
    if not (folder / "run" / "run.json").exists():
        shutil.rmtree(folder / "run", ignore_errors=True)  # killed before it had begun
    options = api.Options(judge=0, watch=False, threads=torch.get_num_threads(), tick=100_000)
    seen, data = case.settings["seen"], f"stacked:{case.settings['data']}"
    try:
        trained = api.train(
            recipe, data, run=folder / "run", seen=seen, seed=case.seed, options=options, **case.settings["fields"]
        )
    except RunStopped:
        return {"modes": 0, "reverse KL": math.log(1000), "diverged": True}
    return _counted(trained.path, recipe, Path(case.settings["data"]))


def evaluate(path: Path, ask: Ask) -> Figures:
    """Modes and reverse KL of a run directory or a generator.safetensors."""
    if ask.data is None:
        raise InputError(f"stacked_mnist --evaluate needs {NEEDS_DATA}: --data FOLDER.")
    return _counted(path, None, Path(ask.data))


def _counted(path: Path, recipe: str | None, mnist: Path) -> Figures:
    from tightrope import api
    from tightrope.bench import digits
    from tightrope.data.stacked import splits

    if recipe is None and path.is_dir():
        named = api.Run(path).record["recipe"]["file"]
        recipe = GAME if Path(named).name == Path(GAME).name else None
    known = digits.classifier(mnist, tell=print)
    generator = api.load(path, recipe if recipe == GAME else None)
    shares = digits.digit_shares(splits(mnist, digits.SIDE, None, None)[0])
    report = digits.modes_of(digits.drawn(generator), known, shares)
    return {
        "modes": report.modes, "reverse KL": report.reverse_kl, "KL from the data": report.kl_from_data,
        "samples": report.samples, "classifier": digits.accuracy(known), "seen": int(generator.header.get("seen", 0)),
    }  # fmt: skip


def tables(results: list[Result]) -> list[Table]:
    found = []
    for scale in sorted({result.case.settings["scale"] for result in results}):
        rows = [_row(method, [r for r in results if r.case.settings["scale"] == scale]) for method in METHODS]
        share = f"{100 * scale:g} % of the published images" if scale != 1 else "the published number of images"
        found.append(
            Table(
                title=f"Stacked MNIST, 26,000 samples, {share}",
                head=("method", "seeds", "modes of 1,000", "reverse KL", "KL from the data", "published modes", "published KL"),
                rows=[row for row in rows if row],
                notes=_notes(results),
            )
        )
    published = {**{f"{name} (VEEGAN)": value for name, value in VEEGAN.items()}, **R3GAN}
    rows = [(name, f"{v[0]:g}" if v else "diverged", f"{v[1]:g}" if v else "–") for name, v in published.items()]
    return [*found, Table(title="Published elsewhere", head=("method", "modes", "KL"), rows=rows)]


def _row(method: str, results: list[Result]) -> tuple[str, ...]:
    modes = of(results, "modes", method=method)
    if not modes:
        return ()
    kl, data = of(results, "reverse KL", method=method), of(results, "KL from the data", method=method)
    known = PACGAN.get(method)
    if known:
        theirs = f"{known[0]:g} ± {known[1]:g}" if known[1] else f"{known[0]:g}"
        return method, str(len(modes)), spread(modes), spread(kl, 3), spread(data, 3), theirs, f"{known[2]:g}"
    return method, str(len(modes)), spread(modes), spread(kl, 3), spread(data, 3), "–", "–"


def _notes(results: list[Result]) -> tuple[str, ...]:
    accuracies = [r.figures["classifier"] for r in results if "classifier" in r.figures]
    read = f"The classifier reads {max(accuracies):.2%} of the 10,000 test digits right." if accuracies else ""
    floor = (
        "A perfect sampler of 26,000 has a reverse KL of 0.019 from counting alone; MNIST's digits are not equally frequent, "
        "which adds 0.004 to the KL against equal shares."
    )
    return tuple(note for note in (read, floor, "Published: PacGAN, tables 3 and 4 (10 and 50 runs).") if note)


def picture(results: list[Result], out: Path) -> np.ndarray | None:
    """64 samples of the best run."""
    from tightrope import api
    from tightrope.bench.runner import folder_of
    from tightrope.data.images import Images

    best = max(results, key=lambda r: (r.figures["modes"], -r.figures["reverse KL"]))
    path = folder_of(best.case, out) / "run"
    if not (path / "generator.safetensors").is_file():
        return None
    recipe = _game(best.case.method)[0]
    return Images().grid(api.load(path, recipe if recipe == GAME else None).sample(64))
