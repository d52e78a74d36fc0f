"""A search for personal data in everything a stage leaves behind: topics, tables, logs and files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from deploy.local.demo.cohort import Patient
from deploy.local.programs import SERVICES
from tests.journeys.stage import Stage
from tests.journeys.topics import Message


@dataclass(frozen=True)
class Text:
    """Some bytes and where they were found."""

    where: str
    content: bytes


SHORT = 8
"""Fewer letters than this are looked for as a word: by chance they occur within base64."""


def secrets_of(patients: list[Patient]) -> dict[str, re.Pattern[bytes]]:
    """What must be found nowhere, by patient: names, birth date in usual forms, member id, addresses."""
    return {
        f"patient {one.number} {what}": re.compile(b"|".join(map(_pattern, forms)), re.IGNORECASE)
        for one in patients
        for what, forms in _personal(one).items()
        if forms
    }


def unaddressed(secrets: dict[str, re.Pattern[bytes]]) -> dict[str, re.Pattern[bytes]]:
    """The same without mail addresses: a mail must name its recipient."""
    return {what: pattern for what, pattern in secrets.items() if not what.endswith("mail address")}


def _pattern(form: str) -> bytes:
    text = re.escape(form.encode())
    return text if len(form) >= SHORT else rb"(?<![A-Za-z0-9+/])" + text + rb"(?![A-Za-z0-9+/])"


def _personal(one: Patient) -> dict[str, tuple[str, ...]]:
    born = one.birth_date
    return {
        "family name": (one.family,),
        "given name": (one.given,),
        "birth date": (f"{born:%Y-%m-%d}", f"{born:%Y%m%d}", f"{born:%m/%d/%Y}", f"{born:%d.%m.%Y}"),
        "member id": (one.member_id,),
        "street": (one.street,),
        "mail address": (one.email,) if one.email else (),
    }


def sightings(texts: Iterable[Text], secrets: dict[str, re.Pattern[bytes]]) -> list[str]:
    """Where something personal shows: the place and what it is, never the value."""
    return [
        f"{text.where}: {name}"
        for text in texts
        for name, pattern in secrets.items()
        if pattern.search(text.content)
    ]


def tables(stage: Stage) -> Iterator[Text]:
    """Every row of every table of every database, as text, with bytes as they are."""
    for name in (*SERVICES, "keystore"):
        with psycopg.connect(stage.database(name)) as connection:
            found = connection.execute(TABLES).fetchall()
            for (table,) in found:
                query = sql.SQL("select * from {}").format(sql.Identifier(table))
                for row in connection.execute(query):
                    yield Text(f"{name}.{table}", b"\x1f".join(_bytes(value) for value in row))


TABLES = b"select tablename from pg_tables where schemaname = 'public' order by tablename"


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def files(home: Path, apart: tuple[str, ...] = ()) -> Iterator[Text]:
    """Every file under a home, its name included; the folders ``apart`` are left out."""
    for path in sorted(home.rglob("*")):
        where = path.relative_to(home)
        if path.is_file() and where.parts[0] not in apart:
            yield Text(str(where), str(where).encode() + b"\x1f" + path.read_bytes())


def messages(records: Iterable[Message]) -> Iterator[Text]:
    """Every record of a topic: key, headers and value."""
    for record in records:
        headers = [part for name, value in record.headers for part in (name.encode(), value)]
        yield Text(record.topic, b"\x1f".join((record.key, record.value, *headers)))
