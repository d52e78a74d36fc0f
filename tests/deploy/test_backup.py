"""Backups of a cluster of one's own: a database comes back as it was, and its topic gives back the rest."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from chassis.config import Settings, database_url
from chassis.runtime import Role
from deploy.local import backup, postgres, restoring
from deploy.local.backup import Backups, CannotBackUp, Damaged
from deploy.local.restoring import CannotRestore, Restore, Restored
from deploy.local.scratch import NotReached, scratch, why
from services.intake.app import service as intake
from tests.homes import HOMES
from tests.operations.test_restoring import log_of, plain
from tests.operations.test_topics import assert_topic_is_store, delete, republish
from tests.running import Running, running_alone, running_services

# In one group: the site is made once, by one worker.
pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("backup")]

ANA = {"family": "Rivera-Ortiz", "given": "Ana", "birth_date": "1990-04-12", "gender": "female"}
BEN = {"family": "Oakes", "given": "Ben", "birth_date": "1988-02-03", "gender": "male"}


@dataclass(frozen=True)
class Site:
    """A home with a cluster of its own, in which a service has recorded something, and a backup."""

    settings: Settings
    backups: Backups
    moment: datetime
    recorded: int
    """How many events it had recorded at the moment."""

    @property
    def live(self) -> str:
        """The service's database."""
        return f"{self.settings.database_prefix}_intake"

    async def restored(self, moment: datetime | None = None) -> Restored:
        return await Restore(self.settings, self.backups, "intake", moment or self.moment).carry_out()


@pytest.fixture(scope="module")
def site(servers: dict[str, str]) -> Iterator[Site]:
    """The one site of this module, outside of pytest's own folder: PostgreSQL's user must get there."""
    prefix = f"t{uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory(prefix="caretrail-test-", dir=HOMES) as root:
        own = Settings(
            home=Path(root) / "home",
            kafka_bootstrap=servers["kafka"],
            topic_prefix=prefix,
            database_prefix=prefix,
        )
        own.home.mkdir()
        postgres.start(own.home)
        try:
            yield asyncio.run(_begin(own))
        finally:
            postgres.stop(own.home)


async def _begin(own: Settings) -> Site:
    """The moment comes after more was recorded: what the backup lacks, the archive alone has."""
    backups = backup.backups(own)
    async with running(own) as run:
        await refer(run, ANA, ANA)
        await run.settle()
        with pytest.raises(CannotRestore, match="there is no backup"):
            await Restore(own, backups, "intake", datetime.now(UTC)).carry_out()
        with backups.alone():
            await asyncio.to_thread(backup.take, backups)
        await refer(run, ANA)
        await run.settle()
        return Site(own, backups, datetime.now(UTC), len(await log_of(run, "intake")))


@asynccontextmanager
async def running(own: Settings) -> AsyncIterator[Running]:
    url = SecretStr(backup.backups(own).url)
    async with running_services([intake], own.model_copy(update={"postgres_url": url})) as found:
        yield found


async def refer(run: Running, *persons: dict[str, str]) -> list[Any]:
    """A referral of each."""
    found = []
    for person in persons:
        answer = await run.post("intake", "/referrals", {**REFERRAL, "person": person})
        assert answer.status_code == 201, answer.text
        found.append(answer.json())
    return found


KEY = "3d1c"
REFERRAL = {"source_type": "hospital", "urgency": "urgent"}


def admin(backups: Backups, statement: str, database: str = "postgres") -> list[Any]:
    """What an administrator's statement gives, a list of its first column."""
    with psycopg.connect(make_conninfo(backups.url, dbname=database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return [first for first, *_ in cursor.fetchall()] if cursor.description else []


def databases(backups: Backups) -> set[str]:
    return set(admin(backups, "select datname from pg_database"))


@contextmanager
def away(path: Path) -> Iterator[None]:
    """While it is not where it should be; the next test finds it again."""
    aside = path.rename(path.with_name("aside"))
    try:
        yield
    finally:
        aside.rename(path)


def test_why_a_server_ended_is_its_own_word_and_not_what_it_told_who_asked_meanwhile() -> None:
    log = """\
2026-03-12 10:00:00.000 UTC [7] FATAL:  the database system is starting up
2026-03-12 10:00:00.100 UTC [5] FATAL:  recovery ended before configured recovery target was reached
2026-03-12 10:00:00.101 UTC [8] FATAL:  the database system is in recovery mode
2026-03-12 10:00:00.102 UTC [9] FATAL:  the database system is shutting down
"""
    assert why(log) == "recovery ended before configured recovery target was reached"
    assert why("") == "it ended without a word"


async def test_a_restore_that_cannot_be_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = databases(site.backups)
    monkeypatch.setattr(restoring, "GONE_MAX_S", 0.2)
    with (
        psycopg.connect(database_url(site.settings, "intake")),
        pytest.raises(CannotRestore, match="1 sessions of intake are open"),
    ):
        await site.restored()
    (base,) = site.backups.bases()
    with (
        away(site.backups.wal),
        pytest.raises(NotReached, match="before configured recovery target"),
        scratch(site.backups, base, site.moment),
    ):
        pass
    with (
        away(site.backups.folder / base.name / "backup_label"),
        pytest.raises(Damaged, match="backup_label is missing"),
    ):
        await site.restored()
    assert databases(site.backups) == before
    assert admin(
        site.backups, "select count(*) from restores", f"{site.settings.database_prefix}_intake"
    ) == [0]


async def test_a_database_comes_back_and_the_topic_gives_back_the_rest(site: Site) -> None:
    """What was not published yet is, first; who became known since is known."""
    own = site.settings
    async with running(own) as run:
        (known,) = await refer(run, BEN)
        await run.post("intake", "/referrals", {**REFERRAL, "person": ANA}, key=KEY)
        await run.settle()
    async with running_alone(intake, own, Role.API) as run:
        await refer(run, ANA, BEN)
        before = await log_of(run, "intake")
    numbered = "select last_value from parked_id_seq"
    admin(site.backups, "select setval('parked_id_seq', 41)", site.live)
    done = await site.restored()
    assert admin(site.backups, numbered, site.live) == [41], "no number of a parked record is given again"
    assert (done.at_position, done.taken_in) == (site.recorded, len(before) - site.recorded)
    assert (done.lost, done.epoch) == (0, 1)
    assert {done.kept, site.live} <= databases(site.backups)
    assert f"{site.live}_restored" not in databases(site.backups)
    async with running(own) as run:
        (again,) = await refer(run, BEN)
        assert (again["known"], again["patient"]) == (True, known["patient"])
        altered = await run.post("intake", "/referrals", {**REFERRAL, "person": BEN}, key=KEY)
        assert altered.status_code == 422, "the key was used for another body"
        await run.settle()
        assert plain(await log_of(run, "intake"))[: len(before)] == before
        await assert_topic_is_store(run, "intake")


async def test_what_the_topic_lacks_and_the_database_has_is_not_thrown_away(site: Site) -> None:
    """A topic that was deleted gives nothing back: it is restored first, from the database that has it."""
    before = databases(site.backups)
    async with running(site.settings) as run:
        await refer(run, BEN)
        await run.settle()
        events = len(await log_of(run, "intake"))
        topic = run.runtime("intake").ground.topic
        await asyncio.to_thread(delete, run, topic)
    lacking = f"lacks {events - site.recorded} events that its database has: `caretrail topics restore"
    with pytest.raises(CannotRestore, match=lacking):
        await site.restored()
    async with running_alone(intake, site.settings, Role.API) as run:
        await refer(run, ANA)
    with pytest.raises(CannotRestore, match=f"there is no topic {topic}: `caretrail topics restore intake`"):
        await site.restored()
    assert databases(site.backups) == before
    async with running(site.settings) as run:
        await republish(run, "intake")
        await run.settle()
        await assert_topic_is_store(run, "intake")


async def test_a_database_that_is_gone_comes_back_in_a_new_epoch(site: Site) -> None:
    """Nobody can tell what it had recorded and not published."""
    async with running(site.settings) as run:
        await refer(run, BEN)
        await run.settle()
        before = await log_of(run, "intake")
    admin(site.backups, f"drop database {site.live}")
    done = await site.restored()
    assert (done.lost, done.kept) == (None, None)
    async with running(site.settings) as run:
        after = await log_of(run, "intake")
    assert after[: len(before)] == before
    assert {record.envelope.epoch for record in after[len(before) :]} == {2}


def archive(backups: Backups) -> Any:
    (found,) = admin(backups, "show archive_command")
    return found


def archive_by(backups: Backups, command: str) -> None:
    quoted = command.replace("'", "''")
    admin(backups, f"alter system set archive_command = '{quoted}'")
    admin(backups, "select pg_reload_conf()")


def next_segment(backups: Backups) -> str:
    """The segment of the log that is being written."""
    (found,) = admin(backups, "select pg_walfile_name(pg_current_wal_insert_lsn())")
    return str(found)


async def test_a_backup_that_fails_leaves_the_archive_of_the_earlier_ones_as_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it that its own folder does not take the log, or that it is interrupted."""
    before = archive(site.backups)
    with tempfile.TemporaryDirectory(dir=site.settings.home.parent) as root:
        other = replace(site.backups, folder=Path(root))
        other.tools.give(other.folder)
        other.make_place()
        last = int(next_segment(other), 16)
        taken = [other.wal / f"{last + more:024X}" for more in range(3)]
        for path in taken:
            path.write_text("of somebody else")
        with other.alone(), pytest.raises(CannotBackUp, match=f"cannot be archived into .* and {other.wal}"):
            backup.take(other)
        assert archive(site.backups) == before
        for path in taken:
            assert path.read_text() == "of somebody else"
            path.unlink()

        def interrupted(*given: object) -> None:
            assert archive(site.backups) != before, "its own log is archived from now on"
            raise KeyboardInterrupt

        monkeypatch.setattr(backup, "_receive", interrupted)
        with other.alone(), pytest.raises(KeyboardInterrupt):
            backup.take(other)
        assert archive(site.backups) == before
        assert other.bases() == []
    assert (await site.restored(datetime.now(UTC))).taken_in == 0, "each moment is reached by the earlier one"


def test_a_folder_that_cannot_be_one_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "in_it"):
        found, said = replace(site.backups, folder=folder), f"the folder {folder} cannot be used: "
        with pytest.raises(CannotBackUp, match=said), found.alone():
            pass


def test_a_cluster_that_gets_other_settings_is_archived_as_before(site: Site) -> None:
    """As with a new version of the stack."""
    before = archive(site.backups)
    postgres.start(site.settings.home, {**postgres.SETTINGS, "max_wal_size": "3GB"})
    assert admin(site.backups, "show max_wal_size") == ["3GB"]
    assert archive(site.backups) == before


def test_a_folder_that_held_another_clusters_backups_serves_this_one_too(site: Site) -> None:
    """Earlier versions put the log of each cluster in the same place."""
    shared, own = site.backups.wal.parent, next_segment(site.backups)
    segments = sorted(path for path in site.backups.wal.iterdir() if len(path.name) == 24)
    first = segments[0].rename(shared / segments[0].name)
    foreign = shared / own
    foreign.write_bytes(first.read_bytes()[:24] + bytes(8))
    site.backups.adopt()
    assert segments[0].exists()
    assert not first.exists()
    site.backups.close_segment()
    assert foreign.exists()
    assert (site.backups.wal / own).exists()
    foreign.unlink()


async def test_a_moment_that_no_backup_reaches_is_refused_and_old_backups_are_forgotten(site: Site) -> None:
    (first,) = site.backups.bases()
    with pytest.raises(CannotRestore, match="the first backup is of"):
        await site.restored(first.at - timedelta(seconds=1))
    with pytest.raises(CannotRestore, match="is not over yet"):
        await site.restored(datetime.now(UTC) + timedelta(minutes=1))
    with site.backups.alone():
        with pytest.raises(CannotBackUp, match="another backup or restore"):
            await site.restored()
        archive_by(site.backups, f"false && {archive(site.backups)}")  # a folder whose disk is gone
        half = first.at - timedelta(days=1)  # of a process that was killed before it had written it down
        left = site.backups.folder / f"base-{half:%Y%m%dT%H%M%S.%fZ}"
        (left / "base").mkdir(parents=True)
        second = backup.take(site.backups)
        assert backup.forget(site.backups, 1) == [first]
        assert [path.name for path in site.backups.folder.glob("base-*Z")] == [second.name]
    assert site.backups.bases() == [second]
    segments = {path.name for path in site.backups.wal.iterdir()}
    assert second.wal in segments
    assert first.wal not in segments
    archive_by(site.backups, "true")
    with pytest.raises(NotReached, match="is archived elsewhere by now"):
        await site.restored(datetime.now(UTC))
    path = site.backups.folder / f"{second.name}.json"
    path.write_text(json.dumps(asdict(replace(second, server="7"))))
    with pytest.raises(CannotRestore, match=r"no backup of this cluster .*; 1 there are of another"):
        await site.restored(datetime.now(UTC))
