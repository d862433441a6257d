"""Draws samples from the generator in this folder. Needs numpy, onnxruntime and pillow; neither torch nor Tightrope.

    python infer.py --seed 3 --count 16 --out grid.png
    python infer.py --class sandal --out sandals.png       # where samples are made by class (a name or number)
    python infer.py --psi 0.7 --out typical.png            # where styles can be truncated: nearer to the mean
    python infer.py --latents z.npy --out mine.png         # your own latents, float32 (N, Z)

Seeds that seeds.npz holds (0 to 255) are the latents and classes of `tightrope sample`, so they give the same pictures. Beyond
them latents are drawn by numpy, from the same distribution: the same seed always gives the same picture here, but another one
than `tightrope sample`, whose numbers come from torch. Points are written as CSV instead of a picture.

From Tightrope; Apache-2.0. What the generator is and what it may be used for: card.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

HERE = Path(__file__).resolve().parent
GAP = 2  # white pixels between the images of a grid
BATCH = 64


def main() -> None:
    """Read the command, draw, write."""
    parser = argparse.ArgumentParser(description="Draw samples from the generator in this folder.")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--count", type=int, default=16, help="samples, one a seed (default: 16)")
    parser.add_argument("--class", dest="of_class", metavar="C", help="all of one class, by name or number")
    parser.add_argument("--psi", type=float, default=1.0, help="truncation of styles (default: 1, none)")
    parser.add_argument("--latents", metavar="FILE.npy", help="your own latents, float32 (N, Z), instead of seeds")
    parser.add_argument("--out", required=True, metavar="FILE", help="grid.png (points: points.csv)")
    asked = parser.parse_args()
    session = onnxruntime.InferenceSession(str(HERE / "generator.onnx"), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    spec = json.loads(facts["spec"])
    given = inputs(asked, session, facts, spec["classes"])
    samples = np.concatenate([draw(session, given, start) for start in range(0, len(given["z"]), BATCH)])
    if samples.ndim == 4:
        Image.fromarray(grid(samples)).save(asked.out)
    else:
        points = samples * spec["scale"] + np.asarray(spec["mean"] or 0.0)
        head = ",".join(f"x{i}" for i in range(points.shape[1]))
        np.savetxt(asked.out, points, delimiter=",", header=head, comments="", fmt="%.9g")
    print(asked.out)


def inputs(asked: argparse.Namespace, session: onnxruntime.InferenceSession, facts: dict, classes: list[str]) -> dict:
    """What the network is given, by name."""
    wanted = {item.name: item.shape for item in session.get_inputs()}
    by_class, width = "labels" in wanted, wanted["z"][1]
    if asked.of_class is not None and not by_class:
        sys.exit("infer.py: this generator makes samples without classes; leave --class out.")
    if asked.psi != 1 and "psi" not in wanted:
        sys.exit("infer.py: this generator has no styles to truncate; leave --psi out.")
    if asked.latents:
        z = np.load(asked.latents, allow_pickle=False).astype(np.float32)
        if z.ndim != 2 or z.shape[1] != width:
            sys.exit(f"infer.py: {asked.latents} has the shape {z.shape}; latents here are (N, {width}).")
        labels = np.arange(len(z)) % max(1, len(classes))
    elif asked.count < 1 or asked.seed < 0:
        sys.exit("infer.py: --count is at least 1 and --seed at least 0.")
    else:
        drawn = [of_seed(seed, width, facts, classes) for seed in range(asked.seed, asked.seed + asked.count)]
        z, labels = np.stack([z for z, _ in drawn]), np.array([label for _, label in drawn])
    if asked.of_class is not None:
        labels = np.full(len(z), class_number(asked.of_class, classes))
    given = {"z": z} | ({"labels": labels.astype(np.int64)} if by_class else {})
    return given | ({"psi": np.array(asked.psi, np.float32)} if "psi" in wanted else {})


def of_seed(seed: int, width: int, facts: dict, classes: list[str]) -> tuple[np.ndarray, int]:
    """One seed's latent and class: Tightrope's own where seeds.npz has them, else numpy's."""
    with np.load(HERE / "seeds.npz") as known:
        if seed < len(known["z"]):
            return known["z"][seed], int(known["labels"][seed]) if "labels" in known else 0
    random = np.random.RandomState(seed % 2**32)  # its stream is frozen by numpy's policy
    if facts["latents"] == "normal":
        z = random.standard_normal(width)
    elif facts["latents"] == "uniform":
        z = random.uniform(-1, 1, width)
    else:
        sys.exit(f"infer.py: seed {seed} is beyond seeds.npz, and these latents have a form of their own; give --latents.")
    return z.astype(np.float32), int(random.randint(max(1, len(classes))))


def class_number(word: str, classes: list[str]) -> int:
    """A class by its name, in any case, or its number."""
    folded = [name.casefold() for name in classes]
    if word.casefold() in folded:
        return folded.index(word.casefold())
    if word.isdecimal() and int(word) < len(classes):
        return int(word)
    sys.exit(f"infer.py: class {word!r} is not known; there are {', '.join(classes)} (or 0 to {len(classes) - 1}).")


def draw(session: onnxruntime.InferenceSession, given: dict, start: int) -> np.ndarray:
    """The samples of one batch."""
    part = {name: value if np.ndim(value) == 0 else value[start : start + BATCH] for name, value in given.items()}
    return session.run(None, part)[0]


def grid(samples: np.ndarray) -> np.ndarray:
    """Samples (N, C, H, W) in [-1, 1] as one picture on white; values beyond are clipped."""
    pixels = np.clip(np.rint((samples + 1) * 127.5), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    count, height, width, _ = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
    for i, image in enumerate(pixels):
        top, left = i // columns * (height + GAP) + GAP, i % columns * (width + GAP) + GAP
        sheet[top : top + height, left : left + width] = image
    return sheet


if __name__ == "__main__":
    main()
