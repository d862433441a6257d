"""Memory and time of `tightrope translate` for one large picture: peak resident memory of a process that does nothing else.

    python benchmarks/translate_memory.py PHOTO [--megapixels 50] [--network FILE] [--tile PX] [--out FILE]

The picture is PHOTO enlarged. Without --network it goes through a small one with random weights (two layers of 64 channels, twice
as large), whose windows take as much memory as those of any other: their size is chosen so.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from tightrope import translate
from tightrope.networks.sr import SRVGGNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--megapixels", type=float, default=50)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--out", type=Path, help="keep the result")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.jpg"
        if enlarged(asked.photo, given, asked.megapixels):
            run(asked, given, asked.out or Path(folder) / "result.png")


def enlarged(photo: Path, to: Path, megapixels: float) -> bool:
    """Written by a child, whose memory is not counted; True in the parent."""
    child = multiprocessing.get_context("spawn").Process(target=_enlarge, args=(photo, to, megapixels))
    child.start()
    child.join()
    return child.exitcode == 0


def _enlarge(photo: Path, to: Path, megapixels: float) -> None:
    with Image.open(photo) as image:
        factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        image.convert("RGB").resize((round(image.width * factor), round(image.height * factor))).save(to, quality=90)


def run(asked: argparse.Namespace, given: Path, out: Path) -> None:
    if asked.network:
        network = translate.opened(asked.network)
    else:
        net = SRVGGNet(scale=2, layers=1).eval().requires_grad_(False)
        network = translate.Translator(net=net, name="small", scale=2, reach=5, darkest=0.0, restores=True)
    network.net.to(memory_format=torch.channels_last)
    with Image.open(given) as image:
        size = image.size
    began, busy = time.perf_counter(), time.process_time()
    translate.files(network, [given], out, translate.Settings(tile=asked.tile))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # kilobytes on Linux
    spent, used = time.perf_counter() - began, time.process_time() - busy
    print(f"{network.name} x{network.scale}: {size[0]} x {size[1]} px ({size[0] * size[1] / 1e6:.1f} megapixels)")
    threads, megabytes = torch.get_num_threads(), out.stat().st_size / 1e6
    print(f"peak {peak:.2f} GiB, {spent:.0f} s ({used:.0f} s of CPU, {threads} threads), {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
