"""The one refusal of the FHIR reader."""

from __future__ import annotations


class FhirError(ValueError):
    """A file is not a referral that can be read. It names a place and a rule, never a value of the file.

    `pointer` is an RFC 6901 JSON pointer into `file`, `""` being the whole document.
    """

    def __init__(self, file: str, pointer: str, what: str, expected: str) -> None:
        super().__init__(f"{file}#{pointer}: {what}; expected {expected}")
        self.file = file
        self.pointer = pointer
        self.what = what
        self.expected = expected
