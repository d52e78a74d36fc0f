"""The repository's own source, as the rules about it see it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = (
    "chassis",
    "keystore",
    "operations",
    "services",
    "web",
    "cli",
    "deploy",
    "contracts",
    "tests",
    "benchmarks",
    ".ci",
)


@cache
def modules(*folders: str) -> tuple[Path, ...]:
    """Every Python file below these folders of the repository, in order."""
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), path.name)


def name(path: Path) -> str:
    """A file's path from the root, as the exception lists write it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module: its name after the module's, and its lines from ``def`` to the last one."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield f"{name(path)}::{node.name}", node.end_lineno - node.lineno + 1


def source_lines(path: Path) -> int:
    """Lines of code: neither blank, nor only a comment, nor of a docstring."""
    told = docstring_lines(path)
    lines = enumerate((line.strip() for line in path.read_text().splitlines()), 1)
    return sum(bool(line) and not line.startswith("#") and number not in told for number, line in lines)


def docstring_lines(path: Path) -> set[int]:
    """The numbers of the lines of docstrings, those of constants and fields too."""
    told = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return {number for node in told for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def imports(path: Path) -> set[str]:
    """The top-level names of what a module imports from outside its own package."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


@cache
def texts() -> dict[str, str]:
    """Every text file that is, or is about to be, in the repository, by its path from the root."""
    argv = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for path in filter(None, listed.split("\0")):
        try:
            found[path] = (ROOT / path).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # no text, or deleted and not yet committed
    return found
