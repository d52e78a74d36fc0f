"""A mail server for one machine: takes every mail, keeps each as a file, delivers nothing.

Files appear whole (written aside, then renamed), so that a killed server leaves no half mail; a mail
that comes twice is kept twice. Addresses are personal data: the log counts mails and names nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
"""A mailbox never listens to other machines."""

MAIL_BYTES_MAX = 1_048_576

NO_DATE = datetime.fromtimestamp(0, UTC)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was kept. ``sent`` is its Date header, 1970 where there is none that can be read."""

    message_id: str
    to: str
    subject: str
    sent: datetime
    text: str


def read(folder: Path) -> list[Mail]:
    """Every mail of a mailbox, the oldest first; none where the folder is not there yet."""
    found = [(path.name, _mail(path.read_bytes())) for path in folder.glob("*.eml")]
    return [mail for _, mail in sorted(found, key=lambda one: (one[1].sent, one[1].message_id, one[0]))]


def _mail(data: bytes) -> Mail:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain", "html"))
    assert body is None or isinstance(body, EmailMessage)
    return Mail(
        message_id=str(message.get("message-id", "")).strip(),
        to=str(message.get("to", "")),
        subject=str(message.get("subject", "")),
        sent=_sent(str(message.get("date", ""))),
        text=_text(body) if body else "",
    )


def _text(body: EmailMessage) -> str:
    try:
        return str(body.get_content()).strip()
    except LookupError:  # a charset that nobody knows
        content = body.get_payload(decode=True)
        return content.decode(errors="replace").strip() if isinstance(content, bytes) else ""


def _sent(date: str) -> datetime:
    try:
        sent = parsedate_to_datetime(date)
    except ValueError:
        return NO_DATE
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)


class Folder:
    """Where mails are kept, one file each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = _names()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for half in path.glob("*.part"):
            half.unlink()

    def keep(self, data: bytes) -> None:
        """Keep one mail durably."""
        name = next(self._names)
        half = self._path / f"{name}.part"
        with half.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.rename(self._path / f"{name}.eml")


def _names() -> Iterator[str]:
    """Names that never meet: one server writes a folder, and no two start in one nanosecond."""
    started, count = time.time_ns(), 0
    while True:
        yield f"{started:020d}-{count:08d}"
        count += 1


class Keeper:
    """Answers aiosmtpd: a mail is taken once it is on the disk."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail, or ask for it again later."""
        content = envelope.content
        data = content.encode() if isinstance(content, str) else content or b""
        try:
            self._folder.keep(data)
        except OSError as error:
            log.error("a mail could not be kept: %s", error.strerror)
            return "451 the mail could not be kept, try again later"
        log.info("a mail of %d bytes was kept", len(data))
        return "250 kept"


async def serve(folder: Path, port: int = 0) -> asyncio.Server:
    """Start a mailbox on this machine; port 0 takes a free one (``server.sockets`` names it)."""
    keeper = Keeper(Folder(folder))
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: SMTP(keeper, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, ident="mailbox"),
        HOST,
        port,
    )


async def run(folder: Path, port: int) -> None:
    """Serve until the process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await serve(folder, port)
    log.info("the mailbox listens on %s:%d", *server.sockets[0].getsockname()[:2])
    await stop.wait()
    server.close()


def main() -> None:
    """Start the program: ``python -m deploy.local.mailbox --folder DIR --port N``."""
    parser = argparse.ArgumentParser(prog="deploy.local.mailbox", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where mails are kept, one file each")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own log names addresses
    with suppress(KeyboardInterrupt):
        asyncio.run(run(given.folder, given.port))


if __name__ == "__main__":
    main()
