"""A merge that was not resolved is in no file."""

import re

from tests.architecture.source import texts

MARKER = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)


def test_no_file_holds_the_markers_of_a_merge() -> None:
    assert [path for path, text in texts().items() if MARKER.search(text)] == []


def test_the_rule_sees_what_it_should() -> None:
    assert MARKER.search("5. Rename\n" + "<" * 7 + " HEAD\n")
    assert not MARKER.search("a heading\n=======\n<<<<<<<< no marker")
