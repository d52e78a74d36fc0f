"""Kafka's clients: one that is let go of leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from chassis.kafka import consumer, dropped, stopped


async def test_a_producer_is_let_go_of_without_a_word_whatever_it_was_about_to_send() -> None:
    """What waits, what is under way, and what was to be sent again."""
    told, loop = list[dict[str, Any]](), asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, about: told.append(about))
    producer = AIOKafkaProducer()
    unsent, sent = producer._message_accumulator, list[Any]()
    for number in range(3):
        batch = producer.create_batch()
        batch.append(key=None, value=b"x", timestamp=None)
        sent.append(await unsent.add_batch(batch, TopicPartition("t", number), 1))
    unsent.reenqueue(unsent._pop_batch(TopicPartition("t", 0)))
    unsent._pop_batch(TopicPartition("t", 1))
    await dropped(producer)
    await asyncio.gather(*sent, return_exceptions=True)
    del producer, unsent, sent, batch
    gc.collect()
    await asyncio.sleep(0)
    assert told == []


@pytest.mark.servers
async def test_a_client_whose_start_is_given_up_leaves_no_connection_open(servers: dict[str, str]) -> None:
    """At whatever moment: aiokafka forgets the first one where it is cancelled between two answers on it."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    for step in range(40):
        starting = asyncio.create_task(consumer(servers["kafka"]))
        await asyncio.sleep(step / 4_000)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await stopped(await starting)
        del starting
        gc.collect()
    assert told == []
