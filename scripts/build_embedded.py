"""Rebuild the data sets that ship inside the package: a class-balanced part of Fashion-MNIST, and Noto's emoji.

    python scripts/build_embedded.py --shared DIR

DIR holds `data/fashion-mnist/train-*-ubyte.gz` (Zalando's IDX files), `data/emoji/noto.json.gz` (Iconify's JSON of Noto
Emoji) and `data/emoji/emojibase-en.json.gz` (groups). Needs `resvg_py` (SVG to pixels), which the package itself does not.
Everything is stored as lossless WebP mosaics, one or more a set, with an index in JSON; the result depends on
nothing but the inputs and the versions of Pillow and resvg. Takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FASHION_PER_CLASS = 1550  # 5.97 MB of the 6 MB that the package may spend
GROUPS = ("smileys", "people", "animals", "food", "travel", "activities", "objects", "symbols", "flags")
# emojibase's numbers; 2 is "components" (skin tones, hair): too few for a class of its own
EMOJIBASE_GROUPS = (0, 1, 1, 2, 3, 4, 5, 6, 7, 8)
# Drawings that emojibase does not list: older names and the newest code points. First match wins.
LEFTOVERS = (
    ("smileys", ("-face", "face-")),
    ("people", ("thumb-sign", "-tone", "haired", "bald", "man-", "woman-")),
    ("flags", ("flag",)),
    ("animals", ("butterfly",)),
    ("food", ("pickle",)),
    ("travel", ("meteor", "lighthouse")),
    ("objects", ("eraser", "magnifying", "net-with")),
)
EMOJI_SIDE = 64
EMOJI_PER_MOSAIC = 512

FASHION_SOURCE = "https://github.com/zalandoresearch/fashion-mnist"
NOTO_SOURCE = "https://github.com/googlefonts/noto-emoji"


def mosaic(images: np.ndarray, columns: int, fill: int) -> np.ndarray:
    """(N, H, W, 3) images as one picture, row by row; the last row is filled up with `fill`."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    padded = np.full((rows * columns, height, width, channels), fill, np.uint8)
    padded[:count] = images
    tiles = padded.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(rows * height, columns * width, channels))


def save_mosaic(path: Path, picture: np.ndarray) -> int:
    """Write a lossless WebP and read it back; returns its bytes."""
    Image.fromarray(picture).save(path, "WEBP", lossless=True, quality=80, method=6)
    with Image.open(path) as image:
        if not np.array_equal(np.asarray(image.convert("RGB")), picture):
            raise SystemExit(f"{path}: not lossless")
    return path.stat().st_size


def write_index(path: Path, record: dict[str, Any]) -> None:
    """The index, with the sha256 of every mosaic: the pixel cache is keyed by this file's content."""
    for part in record["mosaics"]:
        part["sha256"] = hashlib.sha256((path.parent / part["file"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def clean(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob(f"{name}.json"), *folder.glob(f"{name}-[0-9]*.webp")):
        old.unlink()


def read_idx(path: Path) -> np.ndarray:
    with gzip.open(path) as file:
        content = file.read()
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(content[3])]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def build_fashion(source: Path, folder: Path) -> None:
    """The first FASHION_PER_CLASS training images of every class, in their original order."""
    clean(folder, "fashion")
    images = read_idx(source / "train-images-idx3-ubyte.gz")
    labels = read_idx(source / "train-labels-idx1-ubyte.gz")
    mosaics = []
    for label in range(len(FASHION)):
        chosen = images[np.flatnonzero(labels == label)[:FASHION_PER_CLASS]]
        name = f"fashion-{label}.webp"
        size = save_mosaic(folder / name, mosaic(np.repeat(chosen[..., None], 3, axis=3), 40, fill=0))
        print(f"fashion {FASHION[label]}: {len(chosen)} images, {size / len(chosen):.0f} bytes an image", flush=True)
        mosaics.append({"file": name, "count": len(chosen), "columns": 40, "label": label})
    write_index(
        folder / "fashion.json",
        {
            "side": 28,
            "channels": 1,
            "classes": FASHION,
            "mosaics": mosaics,
            "licence": "MIT (Zalando SE)",
            "source": FASHION_SOURCE,
        },
    )


def without_variation(code: str) -> str:
    return code.lower().replace("-fe0f", "")


def groups_by_code(emojibase: list[dict[str, Any]]) -> dict[str, int]:
    """Code points -> index in GROUPS, skin tones included."""
    found: dict[str, int] = {}
    for entry in emojibase:
        group = entry.get("group")
        for form in (entry, *entry.get("skins", ())):
            found[without_variation(form["hexcode"])] = GROUPS.index("symbols") if group is None else EMOJIBASE_GROUPS[group]
    return found


def group_of(name: str, codes: list[str], by_code: dict[str, int]) -> int:
    for code in codes:
        if without_variation(code) in by_code:
            return by_code[without_variation(code)]
    for group, words in LEFTOVERS:
        if any(word in name for word in words):
            return GROUPS.index(group)
    return GROUPS.index("symbols")


def render(icon: dict[str, Any], defaults: dict[str, Any]) -> np.ndarray:
    """One drawing over white, (64, 64, 3)."""
    import resvg_py

    width, height = (icon.get(side, defaults[side]) for side in ("width", "height"))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" width="{width}" height="{height}">{icon["body"]}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=EMOJI_SIDE, height=EMOJI_SIDE, background="#ffffff")
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def drawings(noto: dict[str, Any], emojibase: list[dict[str, Any]]) -> list[tuple[int, str, np.ndarray]]:
    """(group, name, pixels) of every icon that renders, sorted by group and name; failures are printed."""
    codes: dict[str, list[str]] = {}
    for code, name in noto["chars"].items():
        codes.setdefault(name, []).append(code)
    for alias, entry in noto["aliases"].items():
        codes.setdefault(entry["parent"], []).extend(codes.get(alias, []))
    by_code = groups_by_code(emojibase)
    drawn, failed, listed = [], [], 0
    for name, icon in noto["icons"].items():
        listed += any(without_variation(code) in by_code for code in codes.get(name, ()))
        try:
            pixels = render(icon, noto)
        except Exception as error:  # whatever the renderer raises: the drawing is named and left out
            failed.append(f"{name}: {error}")
            continue
        drawn.append((group_of(name, codes.get(name, []), by_code), name, pixels))
    print(f"emoji: {len(drawn)} drawn, {len(failed)} failed, {len(drawn) - listed} grouped by name", *failed, sep="\n  ")
    return sorted(drawn, key=lambda entry: entry[:2])


def build_emoji(source: Path, folder: Path) -> None:
    clean(folder, "emoji")
    noto = json.loads(gzip.decompress((source / "noto.json.gz").read_bytes()))
    emojibase = json.loads(gzip.decompress((source / "emojibase-en.json.gz").read_bytes()))
    entries = drawings(noto, emojibase)
    mosaics = []
    for start in range(0, len(entries), EMOJI_PER_MOSAIC):
        part = entries[start : start + EMOJI_PER_MOSAIC]
        name = f"emoji-{start // EMOJI_PER_MOSAIC}.webp"
        size = save_mosaic(folder / name, mosaic(np.stack([pixels for _, _, pixels in part]), 16, fill=255))
        print(f"{name}: {len(part)} images, {size / len(part):.0f} bytes an image", flush=True)
        mosaics.append({"file": name, "count": len(part), "columns": 16})
    write_index(
        folder / "emoji.json",
        {
            "side": EMOJI_SIDE,
            "channels": 3,
            "classes": GROUPS,
            "mosaics": mosaics,
            "licence": "Apache-2.0 (Google LLC, Noto Emoji)",
            "source": NOTO_SOURCE,
            "labels": [group for group, _, _ in entries],
            "names": [name for _, name, _ in entries],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/fashion-mnist and data/emoji")
    default = Path(__file__).resolve().parents[1] / "src" / "tightrope" / "data" / "embedded"
    parser.add_argument("--out", type=Path, default=default, help="folder to write (default: the package's)")
    arguments = parser.parse_args()
    build_fashion(arguments.shared / "data" / "fashion-mnist", arguments.out)
    build_emoji(arguments.shared / "data" / "emoji", arguments.out)
    for name in ("fashion", "emoji"):
        total = sum(file.stat().st_size for file in arguments.out.glob(f"{name}[.-]*"))
        print(f"{name}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
