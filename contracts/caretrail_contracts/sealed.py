"""Sealed values: personal data that travels encrypted, and the named kinds it may have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, RootModel, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]

CIPHERTEXT_CHARS_MAX = 240_000
"""Size of a sealed value at most: with the rest of its event it stays below the store's 256 KiB."""

Base64 = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", min_length=1, max_length=CIPHERTEXT_CHARS_MAX)
]

T = TypeVar("T", bound=BaseModel)


class Sealed(BaseModel, Generic[T]):
    """A value of kind T, encrypted under its owner's key: AES-256-GCM, base64 without line breaks.

    ``kid`` names the key (``<owner>.<generation>``), ``nonce`` has 12 bytes, ``ct`` is ciphertext and
    tag. The associated data is ``<owner>|<kind>``, the kind being the class name of T, so that the
    object may be carried from one event into another and still be opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kid: Annotated[str, StringConstraints(min_length=3, max_length=120)]
    nonce: Base64
    ct: Base64

    @classmethod
    def content(cls) -> type[BaseModel]:
        """The model of the value inside."""
        inner: type[BaseModel] = cls.__pydantic_generic_metadata__["args"][0]
        return inner

    @property
    def owner(self) -> str:
        """Whose key sealed it: a patient's pseudonym or ``service:<name>``."""
        return self.kid.rpartition(".")[0]

    def __str__(self) -> str:
        return "‹sealed›"

    __repr__ = __str__

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        result = handler(schema)
        place = handler.resolve_ref_schema(result)
        inner = cls.content()
        place["title"] = f"Sealed[{inner.__name__}]"
        place["x-sealed"] = inner.model_json_schema()
        return result


class _Kind(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PersonName(_Kind):
    """A person's family and given name."""

    family: ShortText
    given: ShortText


class BirthDate(RootModel[date]):
    """A date of birth."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class PostalAddress(_Kind):
    """A United States postal address."""

    line: ShortText
    city: ShortText
    state: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    postal_code: Annotated[str, StringConstraints(pattern=r"^\d{5}(\d{4})?$")]


class EmailAddress(RootModel[ShortText]):
    """A mail address."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class PhoneNumber(RootModel[ShortText]):
    """A telephone number."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class MemberId(RootModel[ShortText]):
    """A payer's number for its member."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class RecordNumber(RootModel[ShortText]):
    """Another party's identifier for the patient or the referral: a record, account or claim number."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class FreeText(RootModel[Text]):
    """Anything that a person wrote in words."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Document(_Kind):
    """A refused or parked input as it came, base64, with its media type."""

    media_type: ShortText
    content: str


def sealed_fields(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a model that are sealed, with the kind of value inside."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, Sealed):
                found[name] = part.content()
    return found


def sealed_values(value: object, at: str = "") -> Iterator[tuple[str, Sealed[Any]]]:
    """Every sealed value inside a model, at any depth, with its JSON pointer."""
    if isinstance(value, Sealed):
        yield at, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from sealed_values(getattr(value, name), f"{at}/{name}")
    elif isinstance(value, tuple | list):
        for index, part in enumerate(value):
            yield from sealed_values(part, f"{at}/{index}")
