"""What an error says of its input: places, never what somebody wrote there."""

import pytest
from caretrail_contracts.examples import example
from caretrail_contracts.intake import ReferralReceived
from pydantic import ValidationError

from chassis.applying import describe, known


def test_the_name_of_an_unknown_field_is_left_out() -> None:
    with pytest.raises(ValidationError) as caught:
        ReferralReceived.model_validate({**example(ReferralReceived).model_dump(), "Zzyzx": 1})
    assert [known(item) for item in caught.value.errors()] == [()]
    assert describe(caught.value) == "ReferralReceived: /: extra_forbidden"
