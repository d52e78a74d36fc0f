"""Follow a topic: `python docs/examples/subscribe.py BOOTSTRAP [TOPIC]`; Ctrl-C ends it."""

import asyncio
import sys
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from caretrail_contracts import catalogue
from caretrail_contracts.cloudevents import BrokenHeader, from_headers

catalogue.all_events()  # every model, so that any type is decoded


async def follow(bootstrap: str, topic: str = "caretrail.intake.events") -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        async for message in consumer:
            try:
                record = from_headers(message.headers, message.value)
            except BrokenHeader as broken:  # nobody but a stranger sends these
                print("passed over:", broken, flush=True)
                continue
            print(record.envelope.occurred_at, record.envelope.patient, repr(record.decode()), flush=True)


if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
with suppress(KeyboardInterrupt):
    asyncio.run(follow(*sys.argv[1:]))
