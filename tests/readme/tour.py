"""The README's commands, as a new user copies them: the shell blocks of a section, in order."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """The text below a heading, up to the next of its rank."""
    _, found, below = README.read_text().partition(f"\n## {title}\n")
    assert found, f"the README has no section {title!r}"
    return below.partition("\n## ")[0]


def blocks(title: str, language: str = "sh") -> list[str]:
    """The code blocks of a section in one language."""
    return [code for tag, code in _BLOCK.findall(section(title)) if tag == language]


def tour() -> list[str]:
    """The tour after `make up`, without the `make down` that ends it; what is refused is expected to fail."""
    first, *rest = blocks("A tour of ten minutes")
    assert first == "make up\n"
    assert rest[-1].endswith("make down\n")
    rest[-1] = rest[-1].removesuffix("make down\n")
    return [re.sub(r"^(?=[^\n#]+# refused)", "! ", block, flags=re.MULTILINE) for block in rest]
