"""Text of people at the doors: no control characters, which tables and readers choke on."""

from __future__ import annotations

from typing import Annotated

from caretrail_contracts.codes import Label
from caretrail_contracts.sealed import ShortText, Text
from pydantic import StringConstraints

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]+$"

Name = Annotated[Label, StringConstraints(pattern=ONE_LINE)]
Line = Annotated[ShortText, StringConstraints(pattern=ONE_LINE)]
Lines = Annotated[Text, StringConstraints(pattern=LINES)]
"""Tab and line breaks may stand in it."""
