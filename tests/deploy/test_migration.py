"""A server or a database on which services cannot work is refused in words, by `migrate` and `run`."""

from __future__ import annotations

import pytest
from psycopg.conninfo import make_conninfo

from chassis.config import Settings, database_url
from deploy import migration
from deploy.migration import Unusable, migrate
from tests.cli.conftest import Run, home, run
from tests.operations.test_restoring import admin

__all__ = ["home", "run"]

pytestmark = pytest.mark.servers


@pytest.fixture
def told(settings: Settings, home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the servers, and the database of intake for the keystore's too."""
    assert settings.postgres_url is not None
    url = settings.postgres_url.get_secret_value()
    intake = make_conninfo(url, dbname=f"{settings.database_prefix}_intake")
    for name, value in (
        ("POSTGRES_URL", url),
        ("KAFKA_BOOTSTRAP", settings.kafka_bootstrap),
        ("DATABASE_PREFIX", settings.database_prefix),
        ("INTAKE_DATABASE_URL", intake),
        ("KEYSTORE_DATABASE_URL", intake),
    ):
        monkeypatch.setenv(f"CARETRAIL_{name}", value)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_letter_is_refused(
    run: Run, settings: Settings, encoding: str
) -> None:
    """As one is that somebody made beforehand: what it cannot hold came back as other letters."""
    name = f"{settings.database_prefix}_intake"
    admin(settings, f"create database {name} encoding '{encoding}' locale 'C' template template0")
    with pytest.raises(Unusable, match=f"{name} is in {encoding}"):
        migrate(settings, {"intake": []})
    assert not settings.secrets.exists(), "nothing was made"
    for command in (("migrate",), ("run", "intake")):
        answer = run(*command)
        assert answer.exit_code == 1
        assert f"the database {name} is in {encoding}, expected UTF8" in answer.stderr


@pytest.mark.usefixtures("told")
def test_a_server_of_a_version_that_is_too_old_is_refused(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lacks what keeps a frozen process from holding all others up."""
    migrate(settings, {"intake": []})
    monkeypatch.setattr(migration, "VERSION_MIN", 99)
    monkeypatch.setenv("CARETRAIL_KEYSTORE_DATABASE_URL", database_url(settings, "keystore"))
    for command in (("migrate",), ("run", "intake")):
        answer = run(*command)
        assert answer.exit_code == 1
        assert "expected PostgreSQL 99 or later, found 18." in answer.stderr
