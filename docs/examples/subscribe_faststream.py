"""React to one kind of event with FastStream: `python docs/examples/subscribe_faststream.py BOOTSTRAP`."""

import asyncio
import sys

from caretrail_contracts.cloudevents import from_headers
from caretrail_contracts.intake import PatientAdmitted
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

broker = KafkaBroker(sys.argv[1])


@broker.subscriber(
    "caretrail.intake.events",
    group_id="welcome-desk",
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.ACK,  # once the handler is done; the default is before it begins
)
async def welcome(message: KafkaMessage) -> None:
    raw = message.raw_message
    record = from_headers(raw.headers, raw.value)
    if record.envelope.type == "caretrail.intake.PatientAdmitted":
        match record.decode():
            case PatientAdmitted(patient=patient, track=track):
                print(f"patient {patient} joins {track}", flush=True)


asyncio.run(FastStream(broker).run())
