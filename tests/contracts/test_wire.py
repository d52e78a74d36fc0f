"""The wire: an envelope survives its headers, and each broken header is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from aiokafka.partitioner import murmur2
from caretrail_contracts import attributes, direct
from caretrail_contracts.binding import read_message
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.cloudevents import BrokenHeader, from_headers, to_headers
from caretrail_contracts.envelope import (
    PARTITIONS,
    Actor,
    Envelope,
    Purpose,
    Sensitivity,
    partition_of,
    topic_of,
)
from caretrail_contracts.event import UnknownEvent
from caretrail_contracts.examples import envelope_of, example
from caretrail_contracts.intake import PatientAdmitted
from hypothesis import given
from hypothesis import strategies as st

ENVELOPE = envelope_of(PatientAdmitted)
BODY = example(PatientAdmitted).to_bytes()
OPTIONAL = {"ce_prev", "ce_site", "ce_causationid", "ce_dataschema", "ce_sensitivity", "content-type"}

TEXT = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=40)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=OFFSETS).filter(lambda time: 2 < time.year < 9998)
NUMBERS = st.integers(1, 2**63 - 1)
EPOCHS = st.integers(1, 2**31 - 1)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    patient, stream = draw(st.none() | st.uuids()), draw(TEXT)
    return Envelope(
        id=draw(st.uuids()),
        type=f"caretrail.intake.{draw(st.from_regex(r'[A-Z][A-Za-z]{1,20}', fullmatch=True))}",
        version=draw(st.integers(1, 99)),
        source="urn:caretrail:intake:main",
        epoch=draw(EPOCHS),
        position=draw(NUMBERS),
        partition=partition_of(str(patient) if patient else stream),
        stream=stream,
        stream_version=draw(EPOCHS),
        occurred_at=draw(TIMES),
        recorded_at=draw(TIMES),
        organisation=draw(TEXT),
        program=draw(TEXT),
        site=draw(st.none() | TEXT),
        patient=patient,
        actor=Actor(draw(TEXT), draw(TEXT)),
        purpose=draw(st.sampled_from(Purpose)).value,
        correlation_id=draw(st.uuids()),
        causation_id=draw(st.none() | st.uuids()),
        command_id=draw(st.uuids()),
        sensitivity=draw(st.sampled_from(Sensitivity)),
    )


@given(envelopes(), st.none() | NUMBERS, st.binary(max_size=80))
def test_an_envelope_survives_its_headers(envelope: Envelope, prev: int | None, body: bytes) -> None:
    record = from_headers(to_headers(envelope, prev), body)
    assert (record.envelope, record.prev, record.body) == (envelope, prev, body)


@pytest.mark.parametrize("event", all_events(), ids=lambda event: event.type())
def test_every_example_travels_and_comes_back_equal(event: type) -> None:
    body = example(event).to_bytes()
    record = from_headers(to_headers(envelope_of(event), prev=1017), body)
    assert record.decode() == example(event)
    assert record.decode().to_bytes() == body


WRONG = [
    *(None, b"", b"0", b"07", b"1_0", b" 1", b"12", b"9" * 19, b"9" * 20, "١٢".encode()),
    *(b"x" * 36, b"x\x00", b"\xff", b"Z" * 401, b"text/plain"),
    *(str(ENVELOPE.patient).upper().encode(), b"{" + str(ENVELOPE.id).encode()[1:-1] + b"}"),
    *(b"2026-03-09T14:00:00-05:00", b"2026-W11-1T14:00:00Z", b"2026-03-09"),
]


@given(envelopes(), st.none() | NUMBERS, st.data())
def test_headers_are_read_in_one_pass_exactly_as_they_are_read_with_care(
    envelope: Envelope, prev: int | None, data: st.DataObject
) -> None:
    headers: list[tuple[str, bytes | None]] = [*to_headers(envelope, prev)]
    direct.learn(tuple(name for name, _ in headers))
    changed = data.draw(
        st.dictionaries(
            st.sampled_from(headers).map(lambda header: header[0]), st.sampled_from(WRONG), max_size=2
        )
    )
    headers = [(name, changed.get(name, value)) for name, value in headers]
    try:
        careful = attributes.envelope_of(read_message(headers, BODY)[0])
    except BrokenHeader:
        careful = None
    found = direct.envelope_of(tuple(headers))
    assert found == careful or found is None
    assert found or changed


def test_a_key_in_capitals_is_no_patient_s_even_where_the_patient_is_told_so_too() -> None:
    loud = str(ENVELOPE.patient).upper().encode()
    changed = {"ce_patient": loud, "ce_partitionkey": loud}
    headers = [(name, changed.get(name, value)) for name, value in to_headers(ENVELOPE, 7)]
    direct.learn(tuple(name for name, _ in headers))
    with pytest.raises(BrokenHeader, match="ce_partitionkey"):
        from_headers(headers, BODY)


def broken(name: str, value: bytes | None) -> str:
    """The header that is named when one header has this value, or is left out."""
    headers = [(key, old) for key, old in to_headers(ENVELOPE, prev=7) if key != name]
    headers += [] if value is None else [(name, value)]
    with pytest.raises(BrokenHeader) as refused:
        from_headers(headers, BODY)
    assert value is None or len(value) < 4 or value.decode(errors="replace") not in str(refused.value)
    return refused.value.header


@pytest.mark.parametrize("name", [name for name, _ in to_headers(ENVELOPE, 7) if name not in OPTIONAL])
def test_a_missing_header_is_named(name: str) -> None:
    # without its patient the key is that of the stream: the header beside it gives that away
    assert broken(name, None) == ("ce_partitionkey" if name == "ce_patient" else name)


@pytest.mark.parametrize("name", [name for name, _ in to_headers(ENVELOPE, 7)])
def test_a_header_that_is_not_utf8_is_named(name: str) -> None:
    assert broken(name, b"\xff\xfe\xfd\xfc") == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"17"),
        ("ce_id", b"urn:uuid:5c83405b-7326-5535-adc1-de198e5aeaf9"),
        ("ce_type", b""),
        ("ce_source", b"/mycontext"),
        ("ce_time", b"2026-03-09"),
        ("ce_time", b"2026-03-09T14:00:00"),
        ("ce_time", b"2026-13-09T14:00:00Z"),
        ("ce_time", b"0001-01-01T00:00:00+23:00"),
        ("ce_recordedat", b"yesterday"),
        ("ce_eventversion", b"0"),
        ("ce_position", b"0"),
        ("ce_position", b"-1"),
        ("ce_position", b"1.0"),
        ("ce_position", b"9" * 5000),
        ("ce_position", "١٢".encode()),
        ("ce_prev", b""),
        ("ce_epoch", b"2147483648"),
        ("ce_eventversion", b"32768"),
        ("ce_position", b"9223372036854775808"),
        ("ce_prev", b"9223372036854775808"),
        ("ce_streamversion", b"2147483648"),
        ("ce_type", b"caretrail.intake.\x00"),
        ("ce_site", b"main\x00street"),
        ("ce_organisation", b"\x00ed"),
        ("ce_program", b"i\x00op"),
        ("ce_actorid", b"\x00" * 4),
        ("ce_actorrole", b"r" * 401),
        ("ce_purpose", b"TREAT\x00"),
        ("ce_stream", b"s" * 121),
        ("ce_source", b"urn:caretrail:intake:" + b"m" * 100),
        ("ce_partition", b"12"),
        ("ce_partitionkey", b"somebody-else"),
        ("ce_patient", b"Ana"),
        ("ce_causationid", b""),
        ("ce_dataschema", b"urn:caretrail:schema:intake.PatientAdmitted:v2"),
        ("content-type", b"text/plain"),
        ("content-type", b"application/cloudevents-batch+json"),
    ],
)
def test_a_wrong_value_is_refused_at_its_header_and_not_shown(name: str, value: bytes) -> None:
    assert broken(name, value) == name


@given(st.text(max_size=20).filter(lambda site: site != ""))
def test_text_that_postgresql_cannot_keep_is_refused_in_structured_mode_too(site: str) -> None:
    event: dict[str, Any] = {
        name.removeprefix("ce_"): value.decode() for name, value in to_headers(ENVELOPE, 7)
    }
    event |= {"datacontenttype": event.pop("content-type"), "data": {}, "site": site + "\ud800"}
    with pytest.raises(BrokenHeader, match="ce_site"):
        from_headers([("content-type", b"application/cloudevents+json")], json.dumps(event).encode())


def test_a_header_given_twice_is_refused() -> None:
    with pytest.raises(BrokenHeader, match="ce_id: expected one value"):
        from_headers([*to_headers(ENVELOPE, None), ("ce_id", b"x")], BODY)


def test_a_null_header_is_an_absent_one_and_foreign_headers_are_let_be() -> None:
    headers = [*to_headers(ENVELOPE._replace(site=None), None), ("ce_site", None), ("traceparent", b"\xff")]
    assert from_headers(headers, BODY).envelope.site is None


def test_an_unknown_sensitivity_is_treated_as_part2() -> None:
    headers = [
        (name, b"secret") if name == "ce_sensitivity" else (name, value)
        for name, value in to_headers(ENVELOPE._replace(sensitivity=Sensitivity.NORMAL), None)
    ]
    assert from_headers(headers, BODY).envelope.sensitivity is Sensitivity.PART2


def test_a_time_without_offset_is_never_sent() -> None:
    with pytest.raises(ValueError, match="no offset"):
        to_headers(ENVELOPE._replace(occurred_at=datetime.fromisoformat("2026-03-09T14:00:00")), None)


def test_one_instant_has_one_form_in_headers() -> None:
    there = ENVELOPE.occurred_at.astimezone(timezone(timedelta(hours=-5)))
    assert to_headers(ENVELOPE._replace(occurred_at=there), 7) == to_headers(ENVELOPE, 7)
    assert from_headers(to_headers(ENVELOPE, 7), BODY).envelope.occurred_at.tzinfo is UTC


def test_an_unknown_type_is_a_record_all_the_same() -> None:
    record = from_headers(to_headers(ENVELOPE._replace(type="caretrail.intake.MoonPhaseNoted"), None), BODY)
    with pytest.raises(UnknownEvent):
        record.decode()


@given(st.text(max_size=80) | st.uuids().map(str))
def test_a_key_goes_to_the_partition_that_kafka_s_own_clients_choose(key: str) -> None:
    assert partition_of(key) == (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def test_the_partition_of_a_patient_never_changes() -> None:
    assert partition_of(str(UUID(int=1))) == 2
    assert topic_of("intake") == "caretrail.intake.events"
