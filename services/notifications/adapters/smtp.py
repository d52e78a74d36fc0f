"""SMTP: hands one mail to a server, and says in a code why it was not taken."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

TIMEOUT_S = 10.0
"""A server that says nothing for so long is taken as down."""

PORTS = {"smtp": 25, "smtps": 465}


class BadSmtpUrl(ValueError):
    """An SMTP URL cannot be used; the message names the part, never a password."""


class NotTaken(Exception):
    """The server did not take a mail. ``final`` where trying again is no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """A mail server: ``smtp`` upgrades to TLS where the server offers it, ``smtps`` starts with it.

    A password goes to another machine over TLS alone.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None

    @property
    def must_upgrade(self) -> bool | None:
        """True to insist on TLS, None to take it where it is offered, False where it is on already."""
        if self.tls:
            return False
        return True if self.user and not _is_loopback(self.host) else None


def server_of(url: str) -> Server:
    """The server of ``smtp://[user:password@]host[:port]`` or ``smtps://…``. Raises BadSmtpUrl."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise BadSmtpUrl("CARETRAIL_SMTP_URL: expected it to start with smtp:// or smtps://")
    if not parts.hostname:
        raise BadSmtpUrl("CARETRAIL_SMTP_URL: expected a host after the slashes")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        raise BadSmtpUrl("CARETRAIL_SMTP_URL: expected a port from 1 to 65535") from None
    return Server(
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "smtps",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


async def hand_over(mail: EmailMessage, server: Server) -> None:
    """Send one mail. Raises NotTaken."""
    try:
        await aiosmtplib.send(
            mail,
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=server.must_upgrade,
            username=server.user,
            password=server.password,
            timeout=TIMEOUT_S,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        permanent = all(one.code >= 500 for one in refused.recipients)
        raise NotTaken("recipient_refused", final=permanent) from None
    except aiosmtplib.SMTPAuthenticationError:
        raise NotTaken("login_refused") from None
    except aiosmtplib.SMTPResponseException as answer:
        raise NotTaken(f"answered_{answer.code}") from None
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError):
        raise NotTaken("server_unreachable") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
