"""The mailer: neutral mails with an id of their own, and a word on each that was not taken."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    MessageReleased,
    StaffNoticeReleased,
    TaskKind,
    Template,
)
from caretrail_contracts.sealed import EmailAddress, Sealed

from chassis.ids import derive
from chassis.office import AdapterOffice
from deploy.local import mailbox
from keystore.doors import ERASED, Erased
from services.notifications.adapters.mailer import send_message, send_notice
from services.notifications.adapters.smtp import BadSmtpUrl, server_of
from services.notifications.commands.messages import RecordMessageFailed, RecordMessageSent
from services.notifications.commands.notices import RecordNoticeFailed, RecordNoticeSent
from services.notifications.options import Options
from tests.services.notifications.builders import ANA, EMAIL, cared_for

RELEASED = MessageReleased(
    message=derive("message"),
    patient=ANA,
    template=Template.SESSION_REMINDER,
    attempt=2,
    to=EMAIL,
    time_zone="America/New_York",
    appointment=datetime(2026, 3, 3, 14, tzinfo=UTC),
)
NOTICE = StaffNoticeReleased(
    notice=derive("notice"), task=derive("task"), kind=TaskKind.DENIAL, assignee="billing-desk", attempt=1
)


class Desk(AdapterOffice):
    """An office that opens every address to one text, and notes what it opened for what."""

    def __init__(self, url: str, address: str | None = "p7@example.org") -> None:
        self.options = Options(smtp_url=url)
        self._address = address
        self.opened: list[tuple[UUID | None, str]] = []

    @property
    def now(self) -> datetime:
        return datetime(2026, 3, 2, 17, tzinfo=UTC)

    async def open(
        self, patient: UUID | None, sealed: list[Sealed[Any]], *, resource: str, purpose: str
    ) -> list[Any | Erased]:
        self.opened.append((patient, purpose))
        return [EmailAddress(self._address) if self._address else ERASED for _ in sealed]


async def about(event: Event) -> Any:
    return (await cared_for()).scenario.about(event, ANA, f"message-{RELEASED.message}")


def mailbox_files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("*.eml")]


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    server = await mailbox.serve(tmp_path)
    yield "smtp://{}:{}".format(*server.sockets[0].getsockname()[:2])
    server.close()


async def test_a_message_reaches_its_patient_and_says_nothing_else(url: str, tmp_path: Path) -> None:
    desk = Desk(url)
    command = await send_message(RELEASED, await about(RELEASED), desk)
    id = f"<{RELEASED.message}@mail.example.org>"
    assert command == RecordMessageSent(message=RELEASED.message, attempt=2, message_id=id)
    assert desk.opened == [(ANA, "TREAT")]
    [mail] = mailbox.read(tmp_path)
    assert (mail.message_id, mail.to, mail.subject) == (id, "p7@example.org", "Your appointment")
    assert "Tuesday, March 3 at 9:00 AM" in mail.text
    file = b"".join(mailbox_files(tmp_path))
    assert not re.search(rb"(?i)caretrail|program|iop|" + str(ANA).encode(), file)


async def test_a_repeat_has_the_same_id_and_date(url: str, tmp_path: Path) -> None:
    envelope = await about(RELEASED)
    for _ in range(2):
        await send_message(RELEASED, envelope, Desk(url))
    first, second = mailbox.read(tmp_path)
    assert first == second


async def test_staff_are_told_kind_and_id(url: str, tmp_path: Path) -> None:
    desk = Desk(url)
    command = await send_notice(NOTICE, await about(NOTICE), desk)
    id = f"<{NOTICE.notice}@mail.example.org>"
    assert command == RecordNoticeSent(notice=NOTICE.notice, attempt=1, message_id=id)
    [mail] = mailbox.read(tmp_path)
    assert (mail.to, mail.subject) == ("billing-desk@example.org", "A task waits for you")
    assert "denial" in mail.text
    assert str(NOTICE.task) in mail.text
    assert desk.opened == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("not an address", "address_invalid"),
        ("a@example.org\r\nBcc: b@example.org", "address_invalid"),
        ("a@example.org, b@example.org", "address_invalid"),
        ("Ana <a@example.org>", "address_invalid"),
        ("@example.org", "address_invalid"),
        ("a@", "address_invalid"),
        (None, "address_erased"),
    ],
)
async def test_what_is_no_address_is_not_tried_again(
    url: str, tmp_path: Path, address: str | None, reason: str
) -> None:
    command = await send_message(RELEASED, await about(RELEASED), Desk(url, address))
    assert command == RecordMessageFailed(message=RELEASED.message, attempt=2, reason=reason, final=True)
    assert mailbox.read(tmp_path) == []


async def test_somebody_who_left_the_list_is_not_written_to(url: str) -> None:
    gone = NOTICE.model_copy(update={"assignee": "on-call-9"})
    command = await send_notice(gone, await about(gone), Desk(url))
    assert command == RecordNoticeFailed(
        notice=NOTICE.notice, attempt=1, reason="assignee_unknown", final=True
    )


async def answering(*replies: bytes) -> tuple[asyncio.Server, str]:
    """A server that says these replies, whatever it is told, and then closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply + b"\r\n")
            await writer.drain()
            if not await reader.readline():
                break
        writer.close()

    server = await asyncio.start_server(talk, mailbox.HOST, 0)
    return server, "smtp://{}:{}".format(*server.sockets[0].getsockname()[:2])


@pytest.mark.parametrize(
    ("replies", "reason", "final"),
    [
        ((b"220 x", b"250 x", b"250 ok", b"550 no such mailbox"), "recipient_refused", True),
        ((b"220 x", b"250 x", b"250 ok", b"450 later"), "recipient_refused", False),
        ((b"220 x", b"250 x", b"451 later"), "answered_451", False),
        ((b"220 x", b"250 x"), "server_unreachable", False),
        ((b"554 no",), "answered_554", False),
    ],
)
async def test_what_the_server_says_is_kept_as_a_code(
    replies: tuple[bytes, ...], reason: str, final: bool
) -> None:
    server, url = await answering(*replies)
    command = await send_message(RELEASED, await about(RELEASED), Desk(url))
    server.close()
    assert command == RecordMessageFailed(message=RELEASED.message, attempt=2, reason=reason, final=final)


async def test_a_server_that_is_down_is_a_failure_to_try_again() -> None:
    server, url = await answering()
    server.close()
    await server.wait_closed()
    command = await send_message(RELEASED, await about(RELEASED), Desk(url))
    assert command == RecordMessageFailed(
        message=RELEASED.message, attempt=2, reason="server_unreachable", final=False
    )


def test_an_smtp_url_names_a_server() -> None:
    server = server_of("smtps://a%40b:p%3Aw@mail.example.org")
    assert (server.host, server.port, server.tls) == ("mail.example.org", 465, True)
    assert (server.user, server.password) == ("a@b", "p:w")
    assert server.must_upgrade is False
    assert server_of("smtp://user:pw@mail.example.org:587").must_upgrade is True
    assert server_of("smtp://user:pw@127.0.0.1:2525").must_upgrade is None
    assert "pw" not in repr(server_of("smtp://user:pw@127.0.0.1"))


@pytest.mark.parametrize("url", ["http://x", "smtp://", "smtp://x:99999", "mail.example.org", ""])
def test_a_wrong_smtp_url_is_refused_without_its_values(url: str) -> None:
    with pytest.raises(BadSmtpUrl, match="CARETRAIL_SMTP_URL: expected"):
        server_of(url)


def test_the_on_call_list_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETRAIL_ON_CALL", "nurse-1=a@example.org, nurse-2=b@example.org")
    staffing = Options().staffing
    assert [person.code for person in staffing.on_call] == ["nurse-1", "nurse-2"]
    assert staffing.email_of("nurse-2") == "b@example.org"


@pytest.mark.parametrize("text", ["a@example.org", "nurse-1=", ","])
def test_an_on_call_list_that_reaches_nobody_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETRAIL_ON_CALL", text)
    with pytest.raises(ValueError, match="code=address"):
        Options()
