"""How many records each process's relay had acknowledged, in a file that outlives it."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from tests.faults.shared import shared

_COUNT = struct.Struct("<q")


def sent(folder: Path, name: str) -> int:
    """The records of a process, and of those of its name before it."""
    path = folder / f"sent-{name}"
    return int(_COUNT.unpack(path.read_bytes())[0]) if path.exists() else 0


def install(folder: Path, name: str) -> None:
    """Have this process count: only relays send whole batches."""
    from aiokafka import AIOKafkaProducer

    inner, count = AIOKafkaProducer.send_batch, _count_of(folder, name)

    async def send_batch(self: Any, batch: Any, *args: Any, **named: Any) -> Any:
        records = batch.record_count()

        def acknowledged(future: Any) -> None:
            if not future.cancelled() and future.exception() is None:
                count[:] = _COUNT.pack(_COUNT.unpack(count[:])[0] + records)

        future = await inner(self, batch, *args, **named)
        future.add_done_callback(acknowledged)
        return future

    AIOKafkaProducer.send_batch = send_batch


def _count_of(folder: Path, name: str) -> mmap.mmap:
    return shared(folder / f"sent-{name}", _COUNT)
