"""docs/recipes.md lists every recipe and shows the example as it is."""

from __future__ import annotations

from pathlib import Path

from tightrope import recipes

DOCS = Path(__file__).parents[2] / "docs"


def test_every_recipe_is_in_the_table() -> None:
    text = (DOCS / "recipes.md").read_text()
    assert [name for name in recipes.names() if f"| [`{name}`](recipes/{name}.md) |" not in text] == []


def test_the_example_is_shown_as_it_is_and_short() -> None:
    code = (DOCS / "examples" / "ebgan.py").read_text()
    count = len(code.splitlines())
    text = (DOCS / "recipes.md").read_text()
    assert count < 60
    assert f"```python\n{code}```" in text
    assert f"1 file changed, {count} insertions(+)" in text
