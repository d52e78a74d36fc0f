"""The README's commands, as a new user copies them: the shell blocks of a section, in order."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
BACKUP = ROOT / "docs" / "operations" / "backup.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(title: str, page: Path = README) -> str:
    """The text below a heading, up to the next of its rank."""
    _, found, below = page.read_text().partition(f"\n## {title}\n")
    assert found, f"{page.name} has no section {title!r}"
    return below.partition("\n## ")[0]


def blocks(title: str, language: str = "sh", page: Path = README) -> list[str]:
    """The code blocks of a section in one language."""
    return [code for tag, code in _BLOCK.findall(section(title, page)) if tag == language]


def tour() -> list[str]:
    """The tour after `make up`, without the `make down` that ends it; what is refused is expected to fail."""
    first, *rest = blocks("A tour of ten minutes")
    assert first == "make up\n"
    assert rest[-1].endswith("make down\n")
    rest[-1] = rest[-1].removesuffix("make down\n")
    return [re.sub(r"^(?=[^\n#]+# refused)", "! ", block, flags=re.MULTILINE) for block in rest]


def backup_and_restore() -> tuple[str, str, str]:
    """The runbook of backups: what is done before, the moment that is kept, and after something happened."""
    (before,) = blocks("Take a backup", page=BACKUP)
    (after,) = blocks("Bring one service back", page=BACKUP)
    backup, moment = before.splitlines()
    assert moment.startswith("moment=")
    return backup, moment, after


def lost_cluster() -> tuple[str, str]:
    """How a cluster that is lost comes back: what is looked at, and the command with an identifier in it."""
    look, command = blocks("Where the whole cluster is gone", page=BACKUP)
    return look, command


def restored_by_hand() -> tuple[list[str], list[str]]:
    """The statements of a restore by hand: what the old database is asked, what the restored one is told."""
    (found,) = blocks("On a server of your own", "sql", page=BACKUP)
    asked, told = found.removeprefix("-- in the old database\n").split("-- in the restored one\n")
    return asked.splitlines(), told.splitlines()
