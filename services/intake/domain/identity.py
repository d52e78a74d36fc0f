"""Who is the same person: the text that a keyed digest of name and birth date is made of."""

from __future__ import annotations

import unicodedata
from datetime import date

UNKNOWN = "UNKNOWN"
"""Stands for the missing half of a name, as registration desks write it; nobody is matched by it."""


def normalized(name: str) -> str:
    """A name for matching: form, case, diacritics, punctuation and spaces make no difference."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in unicodedata.normalize("NFKD", folded) if letter.isalnum())


def match_text(family: str, given: str, birth_date: date | None) -> str | None:
    """What persons are matched by; None where a part is missing, since a guess would mix up two persons."""
    parts = (normalized(family), normalized(given))
    if birth_date is None or not all(parts) or UNKNOWN in (family, given):
        return None
    return "|".join((*parts, birth_date.isoformat()))
