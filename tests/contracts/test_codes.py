"""Codes of public lists: what their rules say of a value."""

import pytest
from caretrail_contracts.codes import Npi
from pydantic import TypeAdapter, ValidationError


@pytest.mark.parametrize("number", ["1234567893", "1558597799", "2000000002"])
def test_an_npi_with_its_check_digit_is_one(number: str) -> None:
    assert TypeAdapter(Npi).validate_python(number) == number


@pytest.mark.parametrize("number", ["1234567890", "1558597797", "1234567839", "3234567893", "123456789"])
def test_a_mistyped_npi_is_none(number: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Npi).validate_python(number)
