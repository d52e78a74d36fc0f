"""What the README shows and names is there."""

import re

from tests.readme.tour import README, ROOT, blocks


def test_the_readme_shows_the_subscriber_that_runs() -> None:
    (shown,) = blocks("Subscribing", "python")
    assert shown in (ROOT / "docs" / "examples" / "subscribe.py").read_text()


def test_every_module_that_a_page_names_is_there() -> None:
    pages = [README, *ROOT.glob("docs/**/*.md")]
    named = {
        name for page in pages for name in re.findall(r"`([\w/]+/[\w/]*\w\.(?:py|sql))`", page.read_text())
    }
    assert len(named) > 10
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_page_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_what_the_page_on_readers_resets_is_what_it_paused_and_resumes() -> None:
    (shown,) = blocks("Reset", page=ROOT / "docs" / "operations" / "consumers.md")
    named = dict[str, set[str]]()
    for line in shown.splitlines():
        word, *partitions = line.split()[2], *re.findall(r"--partition (\d+)", line)
        named[word] = named.get(word, set()) | set(partitions)
    assert named["pause"] == named["reset"] == named["resume"] != set()
