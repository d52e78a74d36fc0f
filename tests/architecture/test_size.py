"""Whoever reads this has ten minutes: functions, modules, lines and the chassis stay small."""

from pathlib import Path

import pytest

from tests.architecture.source import FOLDERS, functions, modules, name, source_lines

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
LINE_CHARS_MAX = 110
CHASSIS_LINES_MAX = 2_710
"""Lines of code, docstrings apart: they are what one reads instead. So small it is read in an hour."""

LARGER_FUNCTIONS: dict[str, str] = {}
"""``path::function``, each with the reason why it may be larger."""

LARGER_MODULES: dict[str, str] = {}
"""Paths, each with the reason why it may be larger."""


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=name)
def test_functions_fit_in_the_eye(path: Path) -> None:
    long = {found: lines for found, lines in functions(path) if lines > FUNCTION_LINES_MAX}
    assert long.keys() - LARGER_FUNCTIONS.keys() == set(), long


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=name)
def test_a_module_holds_one_idea(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MODULE_LINES_MAX or name(path) in LARGER_MODULES
    long = [number for number, line in enumerate(lines, 1) if len(line) > LINE_CHARS_MAX]
    assert long == []


def test_the_chassis_can_be_read_in_an_hour() -> None:
    sizes = {name(path): source_lines(path) for path in modules("chassis")}
    assert sum(sizes.values()) < CHASSIS_LINES_MAX, sizes


def test_every_exception_is_still_needed() -> None:
    large = {
        found for path in modules(*FOLDERS) for found, lines in functions(path) if lines > FUNCTION_LINES_MAX
    }
    assert LARGER_FUNCTIONS.keys() <= large
    long = {name(path) for path in modules(*FOLDERS) if len(path.read_text().splitlines()) > MODULE_LINES_MAX}
    assert LARGER_MODULES.keys() <= long
