"""The local mailbox: what was taken is there, whole, after any end of the program."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from deploy.local import mailbox

SENT = datetime(2026, 3, 2, 15, tzinfo=UTC)
START_S = 20.0


def mail(id: str = "<1@example.org>", sent: datetime = SENT, text: str = "Good morning.") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "office@example.org"
    message["To"] = "one@example.org"
    message["Subject"] = "Hello"
    message["Date"] = sent
    message["Message-ID"] = id
    message.set_content(text)
    return message


@asynccontextmanager
async def program(folder: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The mailbox as a program of its own, on a free port."""
    argv = (sys.executable, "-m", "deploy.local.mailbox", "--folder", str(folder))
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr
        async with asyncio.timeout(START_S):
            line = await process.stderr.readline()
        yield int(line.decode().rpartition(":")[2]), process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def send(port: int, *mails: EmailMessage) -> None:
    for one in mails:
        await aiosmtplib.send(one, hostname=mailbox.HOST, port=port)


async def test_a_mail_that_was_taken_survives_a_kill(tmp_path: Path) -> None:
    async with program(tmp_path) as (port, process):
        await send(port, mail())
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with program(tmp_path) as (port, _):
        await send(port, mail("<2@example.org>"))
    found = mailbox.read(tmp_path)
    assert [one.message_id for one in found] == ["<1@example.org>", "<2@example.org>"]
    assert found[0] == mailbox.Mail("<1@example.org>", "one@example.org", "Hello", SENT, "Good morning.")


async def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    async with program(tmp_path) as (_, process):
        process.terminate()
        async with asyncio.timeout(START_S):
            assert await process.wait() == 0


async def test_the_log_names_nobody(tmp_path: Path) -> None:
    async with program(tmp_path) as (port, process):
        await send(port, mail())
        process.terminate()
        assert process.stderr
        rest = (await process.stderr.read()).decode()
    assert "kept" in rest
    assert "example.org" not in rest


async def test_the_same_mail_twice_is_kept_twice(tmp_path: Path) -> None:
    server = await mailbox.serve(tmp_path)
    port = server.sockets[0].getsockname()[1]
    await send(port, mail(), mail())
    server.close()
    assert [one.message_id for one in mailbox.read(tmp_path)] == ["<1@example.org>"] * 2


async def test_a_full_disk_is_told_to_the_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await mailbox.serve(tmp_path)
    port = server.sockets[0].getsockname()[1]

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(mailbox.Folder, "keep", full)
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(port, mail())
    server.close()
    assert refused.value.code == 451


def test_half_a_mail_of_a_killed_server_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "1.part").write_bytes(b"Subject: ha")
    assert mailbox.read(tmp_path) == []
    mailbox.Folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_mails_come_oldest_first_and_a_strange_one_is_read_too(tmp_path: Path) -> None:
    folder = mailbox.Folder(tmp_path)
    for one in (mail("<b@x>", SENT), mail("<a@x>", SENT.replace(hour=9))):
        folder.keep(one.as_bytes())
    folder.keep(b"Date: never\r\n\r\nplain\r\n")
    found = mailbox.read(tmp_path)
    assert [one.message_id for one in found] == ["", "<a@x>", "<b@x>"]
    assert found[0] == mailbox.Mail("", "", "", mailbox.NO_DATE, "plain")


def test_a_charset_that_nobody_knows_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    mailbox.Folder(tmp_path).keep(b"Content-Type: text/plain; charset=moon\r\n\r\nplain\r\n")
    assert [one.text for one in mailbox.read(tmp_path)] == ["plain"]


def test_a_mailbox_that_was_never_used_is_empty(tmp_path: Path) -> None:
    assert mailbox.read(tmp_path / "none") == []
