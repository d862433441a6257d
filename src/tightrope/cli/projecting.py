"""`tightrope project`: its flags. The work is in `cli.projected`, which needs torch."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tightrope.cli.parsing import Parser
from tightrope.core.errors import InputError


def arguments(parser: Parser) -> None:
    """The flags of the verb."""
    parser.description = "Find the latents whose images are nearest to pictures of yours. Pictures already done are skipped."
    parser.epilog = """Of each picture: NAME.safetensors, the latent; NAME.png, the picture and what was found; NAME.json, the
record.

examples:
  tightrope project runs/00000-swift-fashion boot.png --out found
  tightrope project runs/00003-stylegan2-photos ./faces --space w+ --noise --movie webp --out found
  tightrope sample runs/00000-swift-fashion --latents found/boot.safetensors --out again"""
    add = parser.add_argument
    add("run", metavar="RUN", help="a run directory or a generator.safetensors")
    add("pictures", metavar="PICTURE", nargs="+", type=Path, help="image files, or folders of them")
    add("--out", metavar="DIR", required=True, type=Path, help="where the files go")
    add("--recipe", metavar="FILE", help="the recipe's file, where the run was trained with your own")
    add("--best", action="store_true", help="the weights whose samples were the best, not the last ones")
    add("--space", metavar="S", help="z, w (one style) or w+ (a style a layer); default: w where there are styles, else z")
    add("--steps", metavar="N", type=int, default=500, help="of the search (default: 500)")
    add("--class", dest="of_class", metavar="C", help="the class of the pictures (default: the one that comes nearest)")
    add("--noise", action="store_true", help="find the noise maps too (w and w+)")
    add("--distance", metavar="D", help="laplacian-pyramid, lpips-alex or lpips-vgg (default: lpips-alex where its weights are)")
    add("--weights", metavar="FILE", type=Path, help="LPIPS' weights, where they are not installed")
    add("--movie", metavar="KIND", help="also a film of how it was found: gif, webp or mp4")
    add("--seed", metavar="S", type=int, default=0, help="of everything random (default: 0)")


def project(asked: Namespace) -> None:
    """Check what can be checked without torch, then search."""
    if asked.out.exists() and not asked.out.is_dir():
        raise InputError(f"--out {asked.out}: is a file; name a directory.")
    for picture in asked.pictures:
        if not picture.exists():
            raise InputError(f"{picture}: no such picture; name image files, or folders of them.")
    if asked.steps < 1:
        raise InputError(f"--steps {asked.steps}: at least 1 is needed; 500 are usual.")
    if asked.space not in (None, "z", "w", "w+"):
        raise InputError(f"--space {asked.space}: there are z (every recipe), w and w+ (generators with styles).")
    from tightrope.cli import projected

    projected.project(asked)
