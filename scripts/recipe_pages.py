"""Write docs/recipes/NAME.md and its diagram for every recipe, each in a process of its own.

python scripts/recipe_pages.py                 all pages
python scripts/recipe_pages.py dcgan wgan_gp   these
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tightrope import recipes

DOCS = Path(__file__).parent.parent / "docs"


def main(names: list[str]) -> int:
    (DOCS / "recipes").mkdir(parents=True, exist_ok=True)
    (DOCS / "pictures" / "recipes").mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names or recipes.names():
        command = [sys.executable, "-m", "tightrope", "show", name, "--out", str(DOCS / "recipes" / f"{name}.md")]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        failed += [name] if done.returncode else []
    for page in (DOCS / "recipes").glob("*.md"):
        if page.stem not in recipes.names():
            print(f"{page}: there is no such recipe any more")
    print(f"no page could be written of {', '.join(failed)}" if failed else "done")
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
