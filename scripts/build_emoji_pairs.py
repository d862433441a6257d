"""Build pairs of emoji: line art and colour (OpenMoji), a vendor's drawings (Iconify's JSON), the package's `emoji-pairs`.

    python scripts/build_emoji_pairs.py lines openmoji-17.0.0.tgz --out openmoji-lines
    python scripts/build_emoji_pairs.py vendor noto.json.gz --out noto
    python scripts/build_emoji_pairs.py embed noto.json.gz fluent-emoji-flat.json.gz

    tightrope train pix2pix pairs:openmoji-lines/black,openmoji-lines/color

`lines` writes OUT/black and OUT/color, `vendor` writes OUT: PNG over white, named by code points, so that folders of two vendors
match. OpenMoji is the tarball of npm's package `openmoji` (CC BY-SA 4.0: what is made of it is, too); its flags are left out,
whose line art is a rectangle. `embed` rebuilds the package's own: Noto's drawings are those of `emoji` (see build_embedded.py).
Needs `resvg_py` (SVG to pixels), which the package itself does not. A drawing takes 3 to 7 ms.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from build_embedded import EMOJI_PER_MOSAIC, clean, mosaic, render, save_mosaic, without_variation, write_index
from PIL import Image

SIDE = 64
STYLES = ("black", "color")
EMBEDDED = Path(__file__).resolve().parents[1] / "src" / "tightrope" / "data" / "embedded"


def is_flag(entry: dict[str, Any]) -> bool:
    return bool(entry["group"] == "flags" or entry["subgroups"].endswith(("flag", "flags")))


def build_lines(tarball: Path, out: Path, size: int) -> None:
    """OpenMoji's line art and colour, of equal names."""
    import resvg_py

    with tarfile.open(tarball) as packed:
        record = packed.extractfile("package/data/openmoji.json")
        assert record is not None
        wanted = {entry["hexcode"] for entry in json.load(record) if not is_flag(entry)}
        counts = dict.fromkeys(STYLES, 0)
        for member in packed:
            place = Path(member.name)
            style, file = place.parent.parent.name, packed.extractfile(member)
            if place.suffix != ".svg" or style not in STYLES or place.stem not in wanted or file is None:
                continue
            svg = file.read().decode("utf-8")
            png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background="#ffffff")
            save(out / style, place.stem, np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB")))
            counts[style] += 1
    for style in STYLES:
        (out / style / "LICENSE.txt").write_text("CC BY-SA 4.0, OpenMoji (https://openmoji.org)\n", "utf-8")
    print(*(f"{style}: {count} drawings" for style, count in counts.items()), sep="\n")


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")


def by_code(vendor: dict[str, Any]) -> dict[str, str]:
    """Code points without variation selectors -> the name of an icon, in order."""
    icons, aliases = vendor["icons"], vendor["aliases"]
    found = {}
    for code, name in sorted(vendor["chars"].items()):
        icon = name if name in icons else aliases[name]["parent"]
        found.setdefault(without_variation(code), icon)
    return found


def read_vendor(path: Path) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(path.read_bytes())))


def drawn(vendor: dict[str, Any], codes: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """(code points, pixels) of every icon that renders; the others are named."""
    for code, name in codes.items():
        try:
            yield code, squared(render(vendor["icons"][name], vendor))
        except Exception as error:  # whatever the renderer raises: the drawing is left out
            print(f"{name}: {error}")


def squared(pixels: np.ndarray) -> np.ndarray:
    """A drawing that is narrower than the others, in the middle of white."""
    lacking = [SIDE - side for side in pixels.shape[:2]]
    margins = [(rest // 2, rest - rest // 2) for rest in lacking]
    return np.pad(pixels, (*margins, (0, 0)), constant_values=255)


def build_vendor(path: Path, out: Path) -> None:
    """One vendor's drawings as PNG."""
    vendor, count = read_vendor(path), 0
    for code, pixels in drawn(vendor, by_code(vendor)):
        save(out, code, pixels)
        count += 1
    (out / "LICENSE.txt").write_text(f"{vendor['info']['license']['title']}, {vendor['info']['author']['name']}\n", "utf-8")
    print(f"{out}: {count} drawings")


def embed(noto: Path, fluent: Path, folder: Path) -> None:
    """Fluent's drawings of what Noto draws too, and the places of Noto's in `emoji`."""
    clean(folder, "emoji-pairs")
    places = {name: i for i, name in enumerate(json.loads((folder / "emoji.json").read_text("utf-8"))["names"])}
    given = {code: places[name] for code, name in by_code(read_vendor(noto)).items() if name in places}
    vendor = read_vendor(fluent)
    both = {code: name for code, name in by_code(vendor).items() if code in given}
    entries = list(drawn(vendor, both))
    mosaics = []
    for start in range(0, len(entries), EMOJI_PER_MOSAIC):
        part = entries[start : start + EMOJI_PER_MOSAIC]
        name = f"emoji-pairs-{start // EMOJI_PER_MOSAIC}.webp"
        size = save_mosaic(folder / name, mosaic(np.stack([pixels for _, pixels in part]), 16, fill=255))
        print(f"{name}: {len(part)} images, {size / len(part):.0f} bytes an image", flush=True)
        mosaics.append({"file": name, "count": len(part), "columns": 16})
    write_index(
        folder / "emoji-pairs.json",
        {
            "side": SIDE,
            "channels": 3,
            "mosaics": mosaics,
            "licence": "Apache-2.0 (Google LLC, Noto Emoji), MIT (Microsoft Corporation, Fluent Emoji)",
            "source": "https://github.com/microsoft/fluentui-emoji",
            "given": "emoji",
            "places": [given[code] for code, _ in entries],
            "names": [code for code, _ in entries],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    lines = verbs.add_parser("lines", help="OpenMoji's line art and colour")
    lines.add_argument("tarball", type=Path)
    lines.add_argument("--size", type=int, default=SIDE)
    vendor = verbs.add_parser("vendor", help="one vendor's drawings")
    vendor.add_argument("icons", type=Path)
    for verb in (lines, vendor):
        verb.add_argument("--out", type=Path, required=True)
    embedding = verbs.add_parser("embed", help="the package's own pairs")
    embedding.add_argument("noto", type=Path)
    embedding.add_argument("fluent", type=Path)
    embedding.add_argument("--out", type=Path, default=EMBEDDED)
    asked = parser.parse_args()
    if asked.verb == "lines":
        build_lines(asked.tarball, asked.out, asked.size)
    elif asked.verb == "vendor":
        build_vendor(asked.icons, asked.out)
    else:
        embed(asked.noto, asked.fluent, asked.out)


if __name__ == "__main__":
    main()
