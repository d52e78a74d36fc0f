"""Text of people at the doors: no control characters, which tables and readers choke on, and not blank."""

from __future__ import annotations

import re
from typing import Annotated

from caretrail_contracts.codes import Label
from caretrail_contracts.sealed import ShortText, Text
from pydantic import StringConstraints

_UNSEEN = (
    r"\x00-\x20\x7f-\xa0\xad\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u2800\u3000\u3164\ufeff\uffa0"
)
"""What prints nothing: control characters, every width of space, and what only guides the letters beside."""

_LINE, _LINES = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*", r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]*"

ONE_LINE = rf"^{_LINE}[^{_UNSEEN}]{_LINE}$"
LINES = rf"^{_LINES}[^{_UNSEEN}]{_LINES}$"

Name = Annotated[Label, StringConstraints(pattern=ONE_LINE)]
Line = Annotated[ShortText, StringConstraints(pattern=ONE_LINE)]
Lines = Annotated[Text, StringConstraints(pattern=LINES)]
"""Tab and line breaks may stand in it."""

_SEEN = re.compile(f"[^{_UNSEEN}]")


def is_blank(text: str) -> bool:
    """Whether nothing of a text prints."""
    return _SEEN.search(text) is None
