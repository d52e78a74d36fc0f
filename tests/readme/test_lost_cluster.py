"""A lost cluster comes back by the page's commands: from its own newest backup, whatever else lies there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme.tour import lost_cluster

LOST, NEW = "7554821230119346215", "7560000000000000007"

AROUND = """
caretrail() { echo "caretrail $*"; }
date() { command date +%s%N; }
"""
"""No stack, and a clock that never shows the same twice."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home with a new cluster, and backups of both; the newest copy was never finished."""
    for day, server in (("01", LOST), ("02", LOST), ("03", NEW), ("04", "")):
        base = tmp_path / "kept backups" / f"base-202603{day}T100000.000000Z"
        cluster(base, server, f"{server} of {day}")
        if server:
            about = {"name": base.name, "taken_at": f"2026-03-{day}", "server": server}
            base.with_name(f"{base.name}.json").write_text(json.dumps(about, indent=1))
    cluster(tmp_path / "home" / "postgres", NEW, "new")
    return tmp_path


def cluster(data: Path, server: str, word: str) -> None:
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").write_bytes(int(server or 0).to_bytes(8, sys.byteorder))
    (data / "PG_VERSION").write_text("18\n")
    (data / "word").write_text(word)


def sh(folder: Path, command: str) -> str:
    env = {
        "PATH": "/usr/bin:/bin",
        "CARETRAIL_HOME": str(folder / "home"),
        "CARETRAIL_BACKUP_DIR": str(folder / "kept backups"),
    }
    done = subprocess.run(["bash", "-c", AROUND + command], env=env, capture_output=True, text=True)
    return done.stdout


def test_the_newest_backup_of_the_lost_cluster_is_taken(folder: Path) -> None:
    look, command = lost_cluster()
    seen = sh(folder, look)
    assert seen.count(LOST) == 2
    assert seen.splitlines()[-1].strip() == NEW, "the home's own"
    home, data = folder / "home", folder / "home" / "postgres"
    for aside in (1, 2):
        assert sh(folder, command) == "caretrail up\n"
        assert (data / "word").read_text() == f"{LOST} of 02"
        log = folder / "kept backups" / "wal" / LOST
        assert f"restore_command = 'cp \"{log}/%f\" %p'" in (data / "postgresql.auto.conf").read_text()
        assert (data / "recovery.signal").exists()
        assert len(list(home.glob("postgres-lost-*"))) == aside, "each is kept beside the others"
    assert sorted((path / "word").read_text() for path in home.glob("postgres-lost-*"))[1] == "new"


def test_what_is_there_stays_where_no_backup_is_of_that_cluster(folder: Path) -> None:
    _, command = lost_cluster()
    assert LOST in command
    assert sh(folder, command.replace(LOST, "7554821230119346216")) == ""
    assert [path.name for path in (folder / "home").iterdir()] == ["postgres"]
    assert (folder / "home" / "postgres" / "word").read_text() == "new"
