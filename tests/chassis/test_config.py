"""Settings of a process: where the address of a database may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.config import NotMigrated, Settings, database_url


@pytest.mark.parametrize("bound", ["body_bytes_max", "unpublished_max", "queued_max"])
def test_a_bound_lets_something_through(bound: str) -> None:
    """Below 1 each command would be turned away, for ever."""
    assert getattr(Settings.model_validate({bound: 1}), bound) == 1
    for value in (0, -1):
        with pytest.raises(ValidationError, match=bound):
            Settings.model_validate({bound: value})


def test_a_databases_address_may_stand_where_all_settings_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment goes before .env, and both before what the migration wrote."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path)
    with pytest.raises(NotMigrated, match="CARETRAIL_INTAKE_DATABASE_URL"):
        database_url(settings, "intake")
    settings.secrets.mkdir()
    (settings.secrets / "databases.json").write_text('{"intake": "written"}')
    assert database_url(settings, "intake") == "written"
    (tmp_path / ".env").write_text("CARETRAIL_INTAKE_DATABASE_URL=of the file\n")
    assert database_url(settings, "intake") == "of the file"
    monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", "of the environment")
    assert database_url(settings, "intake") == "of the environment"
