"""What the programs of a local stack are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import postgres, stack
from deploy.local.programs import SERVICES, services

PORTS = {name: 1_000 + number for number, name in enumerate((*SERVICES, "mailbox"))}


@pytest.mark.parametrize("where", ["nowhere", "environment", "file"])
def test_mails_go_to_the_mailbox_unless_another_server_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CARETRAIL_SMTP_URL", raising=False)
    if where == "environment":
        monkeypatch.setenv("CARETRAIL_SMTP_URL", "smtp://mail.example:25")
    if where == "file":
        (tmp_path / ".env").write_text("CARETRAIL_SMTP_URL=smtp://mail.example:25\n")
    told = {program.env.get("CARETRAIL_SMTP_URL") for program in services(tmp_path, {}, PORTS)}
    # What is named elsewhere each process reads for itself.
    assert told == ({f"smtp://127.0.0.1:{PORTS['mailbox']}"} if where == "nowhere" else {None})


@pytest.mark.parametrize("word", ['a"b', "a$b", "a`b", "a\\b"])
def test_a_home_that_the_database_cannot_take_is_refused_before_anything_is_made(
    tmp_path: Path, word: str
) -> None:
    """pg_ctl hands its path to the shell within double quotes, as it is."""
    with pytest.raises(OSError, match="whose path has none of") as refused:
        postgres.start(tmp_path / word)
    assert refused.value.filename == str(tmp_path / word)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_stack_wrote_of_its_processes_is_gone_once_it_is_cleared(tmp_path: Path) -> None:
    """They died with it: their numbers may be others' by now."""
    run = tmp_path / "run"
    run.mkdir()
    for name in ("stack", "kafka", "billing"):
        (run / f"{name}.json").write_text("{}")
    assert stack.stop(tmp_path)
    assert list(run.glob("*.json")) == []
    assert not stack.stop(tmp_path)
