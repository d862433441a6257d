"""Memory and time of `tightrope translate` for one large picture: peak resident memory of a process that does nothing else.

    python benchmarks/translate_memory.py PHOTO [--megapixels 50] [--network FILE] [--kind KIND] [--tile PX] [--out FILE]

The picture is PHOTO enlarged. Without --network it goes through one with random weights, whose windows take as much memory as
those of any other: their size is chosen so. KIND `small` has two layers of 64 channels and makes it twice as large; `unet` is
pix2pix's with 8 halvings and 16 channels, `resnet` CycleGAN's with nine blocks and 8 channels (the papers: 64).
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
from tightrope.networks.translation import ResNetTranslator
from tightrope.networks.unet import UNetTranslator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--megapixels", type=float, default=50)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--kind", choices=("small", "unet", "resnet"), default="small")
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
    network = translate.opened(asked.network) if asked.network else random_network(asked.kind)
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


def random_network(kind: str) -> translate.Translator:
    """With PyTorch's initial weights."""
    if kind == "small":
        small = SRVGGNet(scale=2, layers=1).eval().requires_grad_(False)
        return translate.Translator(net=small, name="small", scale=2, reach=5, darkest=0.0, restores=True)
    if kind == "unet":
        unet = UNetTranslator(3, 3, width=16, downs=8).eval().requires_grad_(False)
        return translate.Translator(net=unet, name="unet, width 16", multiple=256, least=256, reach=10_000)
    resnet = ResNetTranslator(3, 3, width=8, blocks=9).eval().requires_grad_(False)
    return translate.Translator(net=resnet, name="resnet, width 8", multiple=4, least=8, reach=10_000, whole=True)


if __name__ == "__main__":
    main()
