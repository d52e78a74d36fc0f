"""The repository goes anywhere: it names no package registry, no proxy and no folder of anyone's machine."""

import re

import pytest

from tests.architecture.source import texts

HOSTS = (
    *(r"pypi\.org", r"pythonhosted\.org", r"repo1?\.maven(\.apache)?\.org", r"central\.sonatype\.com"),
    *(r"registry\.npmjs\.org", r"crates\.io", r"proxy\.golang\.org", r"deb\.debian\.org", r"docker\.io"),
)
REGISTRY = re.compile("|".join(HOSTS))
FOLDER = re.compile(r"(?<![\w.}/-])/(?:root|work|Users|home/[a-z]+)(?:/|\b(?=[\s\"'`:)]|$))")
LOCKS = ("requirements.lock", "deploy/local/kafka.lock")
HERE = "tests/architecture/test_addresses.py"


def places(pattern: re.Pattern[str]) -> list[str]:
    """Where it stands: file and line, never the text itself."""
    return [
        f"{path}:{number}"
        for path, text in texts().items()
        if path != HERE
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert places(REGISTRY) == []


def test_no_file_names_a_folder_of_a_machine() -> None:
    assert places(FOLDER) == []


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_no_address(path: str) -> None:
    assert "://" not in texts()[path]
    lines = [line for line in texts()[path].splitlines() if line and not line.startswith("#")]
    assert lines
    assert any(re.search(r"[0-9a-f]{64}", line) for line in lines)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("see /root/notes", True),
        ('"/work/project"', True),
        ("/home/ana/project", True),
        ("GET /patients/home/x", False),
        ("a/work/b", False),
        ("CARETRAIL_HOME", False),
    ],
)
def test_the_rule_sees_what_it_should(line: str, found: bool) -> None:
    assert (FOLDER.search(line) is not None) is found
