"""`tightrope export`: a generator for other programs, by `interop.exporting.export`."""

from __future__ import annotations

import json
from argparse import Namespace

from tightrope import api
from tightrope.interop import exporting
from tightrope.interop.facts import BEST


def export(arguments: Namespace) -> None:
    """Write the generator in another form and say what was checked."""
    if arguments.best:
        run = api.Run(arguments.run, arguments.recipe)
        generator, source = run.generator(best=True), run.path / BEST
    else:
        generator, source = api.load(arguments.run, arguments.recipe), arguments.run
    made = exporting.export(generator, source, arguments.to, arguments.out)
    if arguments.json:
        files = [str(path) for path in made.files]
        print(json.dumps({"files": files, "difference": made.difference, "generator_sha256": made.sha256}))
        return
    print("\n".join(str(path) for path in made.files))
    if made.difference is not None:
        print(f"largest difference to PyTorch's samples: {made.difference:.2g}")
