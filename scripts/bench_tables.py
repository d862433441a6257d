"""Put the tables of finished benchmarks into docs/bench.md, between the marks of each.

python scripts/bench_tables.py bench        (the folder that holds ring8/table.md, grid25/table.md ...)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs" / "bench.md"


def main() -> None:
    folder, text = Path(sys.argv[1]), DOCS.read_text(encoding="utf-8")
    for name in re.findall(r"<!-- table: (\w+) -->", text):
        path = folder / name / "table.md"
        if not path.is_file():
            print(f"{name}: no {path}")
            continue
        body = path.read_text(encoding="utf-8").replace("### ", "#### ").strip()
        marked = f"<!-- table: {name} -->\n\n{body}\n\n<!-- end -->"
        text = re.sub(rf"<!-- table: {name} -->.*?<!-- end -->", lambda _, new=marked: new, text, flags=re.DOTALL)
        print(f"{name}: {path}")
    DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
