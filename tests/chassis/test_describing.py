"""What an error says of its input: places and what was expected there, never what somebody wrote."""

from types import SimpleNamespace

import pytest
from caretrail_contracts.examples import example
from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.wording import describe, known
from pydantic import ValidationError


def refused(**fields: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        ReferralReceived.model_validate({**example(ReferralReceived).model_dump(), **fields})
    return caught.value


def test_the_name_of_an_unknown_field_is_left_out() -> None:
    error = refused(Zzyzx=1)
    assert [known(item) for item in error.errors()] == [()]
    assert describe(error) == "ReferralReceived: /: expected no other fields than those of the schema"


def test_what_was_expected_is_told_in_plain_words_and_no_value_is() -> None:
    assert describe(refused(patient="Zyxwvut", urgency="Zyxwvut")) == (
        "ReferralReceived: /patient: expected a UUID; /urgency: expected one of routine, urgent, asap, stat"
    )


def test_of_what_a_database_refused_the_constraint_is_told_and_no_value() -> None:
    class CheckViolation(Exception):
        diag = SimpleNamespace(constraint_name="contacts_check", table_name="contacts", message_detail="Zyx")

    assert describe(CheckViolation("Zyx")) == "CheckViolation, constraint contacts_check, table contacts"


def test_another_error_is_told_by_its_class_alone() -> None:
    assert describe(KeyError("Zyxwvut")) == "KeyError"
