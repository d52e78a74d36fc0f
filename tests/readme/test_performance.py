"""The figures that the page on performance shows are those of the file beside it."""

import json

from benchmarks.keys import KEYS
from benchmarks.page import beside, rows
from tests.readme.tour import ROOT

PAGE, RESULTS, EARLIER = (
    ROOT / "docs" / f"performance{kind}" for kind in (".md", ".json", "-2026-11-26.json")
)


def test_the_page_shows_the_figures_that_were_measured() -> None:
    results, page = json.loads(RESULTS.read_text()), PAGE.read_text().splitlines()
    assert list(results["figures"]) == list(KEYS)
    assert [row for row in rows(results) if row not in page] == []


def test_the_page_shows_ratios_beside_those_of_another_machine() -> None:
    results, earlier = (json.loads(path.read_text()) for path in (RESULTS, EARLIER))
    page = PAGE.read_text().splitlines()
    assert [row for row in beside(results, earlier) if row not in page] == []


def test_the_page_shows_them_as_they_are_judged() -> None:
    results = json.loads(RESULTS.read_text())
    assert {key: figure["floor"] for key, figure in results["figures"].items()} == {
        name: str(key.floor) for name, key in KEYS.items()
    }
