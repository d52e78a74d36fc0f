"""A keystore keeps to one master key: a home with another one changes nothing there."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from chassis.config import Settings, database_url
from chassis.runtime import Role, Runtime
from deploy.master import OtherMasterKey, see_master
from deploy.migration import migrate
from keystore.keys import BadMaster
from tests.chassis.toy import INTAKE
from tests.cli.conftest import Run, home, run

__all__ = ["home", "run"]

pytestmark = pytest.mark.servers


@pytest.fixture
def other(settings: Settings, tmp_path: Path) -> Settings:
    """Another home on the databases that a first one made."""
    migrate(settings, {})
    return settings.model_copy(update={"home": tmp_path / "other"})


def test_another_home_is_refused_before_anything_is_changed(settings: Settings, other: Settings) -> None:
    for _ in range(2):
        with pytest.raises(OtherMasterKey, match=r"other/secrets/master\.key"):
            migrate(other, {})
        assert not other.home.exists()
    with psycopg.connect(database_url(settings, "keystore")) as connection:  # its password is the first's
        assert connection.execute("select count(*) from master").fetchone() == (1,)


def test_another_home_with_the_key_is_as_good(settings: Settings, other: Settings) -> None:
    other.secrets.mkdir(parents=True)
    (other.secrets / "master.key").write_bytes((settings.secrets / "master.key").read_bytes())
    assert migrate(other, {}) == migrate(settings, {})


def test_keys_from_before_the_check_value_tell_their_master(settings: Settings, other: Settings) -> None:
    keys = make_conninfo(_admin(settings), dbname=f"{settings.database_prefix}_keystore")
    with psycopg.connect(keys) as connection:
        connection.execute("delete from master")
        connection.execute(
            "insert into keys (kid, owner, wrapped) values ('a.1', 'a', '\\x00'::bytea || "
            "decode(repeat('ab', 60), 'hex'))"
        )
    with pytest.raises(OtherMasterKey):
        see_master(keys, settings.secrets)


@pytest.mark.parametrize("command", [("run", "intake"), ("migrate",), ("up",)])
def test_a_second_master_key_is_told_at_the_start(
    run: Run,
    home: Path,
    settings: Settings,
    other: Settings,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setenv("CARETRAIL_POSTGRES_URL", _admin(settings))
    monkeypatch.setenv("CARETRAIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("CARETRAIL_DATABASE_PREFIX", settings.database_prefix)
    for name in ("intake", "keystore"):
        monkeypatch.setenv(f"CARETRAIL_{name.upper()}_DATABASE_URL", database_url(settings, "keystore"))
    (home / "secrets").mkdir(parents=True)
    (home / "secrets" / "master.key").write_bytes(b"k" * 32)
    answer = run(*command)
    assert answer.exit_code == 1
    assert "another master key than" in answer.stderr
    assert "copy secrets/master.key" in answer.stderr.replace("\n", " ")


def _admin(settings: Settings) -> str:
    assert settings.postgres_url is not None
    return settings.postgres_url.get_secret_value()


@pytest.mark.parametrize("held", [None, b"", b"short enough for another cipher."[:16]])
async def test_a_service_makes_no_key_and_takes_none_that_is_damaged(
    settings: Settings, held: bytes | None
) -> None:
    """Sealed under another key, what it takes in could be opened by nobody."""
    migrate(settings, {"intake": []})
    file = settings.secrets / "master.key"
    file.unlink() if held is None else file.write_bytes(held)
    with pytest.raises(BadMaster, match=r"secrets/master\.key"):
        async with Runtime(INTAKE, settings, Role.API):
            pass
    assert file.exists() == (held is not None)
