"""A shelf: a folder of files of one kind, each found by its name and read without being run. No torch here.

Recipes and benchmarks stand on one each. A user's own file is found by its path.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tightrope.core.errors import InputError


@dataclass(frozen=True)
class Shelf:
    """Files of one kind.

    Attributes:
        folder: where those of the package lie.
        package: the dotted name of that folder.
        kind: what one is called ("recipe").
        mark: text that tells such a file from its neighbours; "" where all are.
    """

    folder: Path
    package: str
    kind: str
    mark: str = ""

    def names(self) -> list[str]:
        """Those that come with the package."""
        paths = (path for path in self.folder.glob("*.py") if not path.stem.startswith("_"))
        return sorted(path.stem for path in paths if not self.mark or self.mark in path.read_text(encoding="utf-8"))

    def path(self, name: str) -> Path:
        """The file of a name, or a user's own file.

        Raises:
            InputError: there is no such file.
        """
        names = self.names()
        if name in names:
            return self.folder / f"{name}.py"
        path = Path(name)
        if path.suffix == ".py":
            if path.is_file():
                return path.resolve()
            raise InputError(f"{name}: no such {self.kind} file.")
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}, or the path of a .py file."
        raise InputError(f"no {self.kind} is called {name!r}: {hint}")

    def load(self, path: Path) -> ModuleType:
        """Import a file; a user's own is run anew each time, so that what was edited in between counts."""
        if path.parent == self.folder:
            return importlib.import_module(f"{self.package}.{path.stem}")
        known = f"tightrope_{self.kind}_{path.stem}"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module


@dataclass(frozen=True)
class Source:
    """A file's text, parsed: its code, and its docstring in paragraphs."""

    path: Path
    tree: ast.Module
    text: str

    @classmethod
    def read(cls, path: Path) -> Source:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        return cls(path, tree, ast.get_docstring(tree) or "")

    @property
    def sentence(self) -> str:
        """The docstring's first paragraph, on one line."""
        return " ".join(self.text.split("\n\n")[0].split())

    def paragraph(self, mark: str) -> str:
        """The docstring's paragraph that begins with `mark`, on one line; "" where there is none."""
        lines = self.text.splitlines()
        start = next((i for i, line in enumerate(lines) if line.startswith(mark)), None)
        if start is None:
            return ""
        rest = [lines[start].removeprefix(mark)]
        for line in lines[start + 1 :]:
            if not line.startswith(" "):
                break
            rest.append(line)
        return " ".join(" ".join(rest).split())
