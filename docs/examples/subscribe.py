"""Follow a topic: `python docs/examples/subscribe.py BOOTSTRAP [TOPIC]`; Ctrl-C ends it."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer
from caretrail_contracts import catalogue
from caretrail_contracts.cloudevents import from_headers

catalogue.all_events()  # every model, so that any type is decoded


async def follow(bootstrap: str, topic: str = "caretrail.intake.events") -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        async for message in consumer:
            record = from_headers(message.headers, message.value)
            print(record.envelope.occurred_at, record.envelope.patient, repr(record.decode()), flush=True)


asyncio.run(follow(*sys.argv[1:]))
