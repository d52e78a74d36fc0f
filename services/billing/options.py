"""What billing can be told."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated

from caretrail_contracts.codes import Npi
from pydantic import StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.billing.adapters.identity import Identity
from services.billing.adapters.x12.claim import Address, BillingProvider, Submitter

X12Text = Annotated[str, StringConstraints(pattern=r"^[ -)+-9;-\]_-}]+$", min_length=1, max_length=60)]
"""Printable ASCII without the delimiters ``* : ^ ~``."""


class Options(BaseSettings):
    """Given by ``CARETRAIL_…`` or a ``.env`` file.

    The provider of the defaults is made up: set who you are before a file goes to a real payer.
    """

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    exchange_dir: Path = Path(".caretrail/exchange")
    submitter_id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,15}$")] = "CARETRAIL"
    submitter_contact: X12Text = "BILLING OFFICE"
    submitter_telephone: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")] = "5185550100"
    provider_name: X12Text = "MADE UP OUTPATIENT PROGRAM"
    provider_npi: Npi = "1234567893"
    provider_tax_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")] = "999999999"
    provider_taxonomy: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{9}X$")] = "261QR0405X"
    provider_street: X12Text = "1 MAIN STREET"
    provider_city: X12Text = "ALBANY"
    provider_state: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "NY"
    provider_postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")] = "122070001"

    @cached_property
    def identity(self) -> Identity:
        """Who we are to payers."""
        address = Address(
            self.provider_street, self.provider_city, self.provider_state, self.provider_postal_code
        )
        return Identity(
            submitter=Submitter(
                self.provider_name, self.submitter_id, self.submitter_contact, self.submitter_telephone
            ),
            billing=BillingProvider(
                self.provider_name, self.provider_npi, self.provider_tax_id, self.provider_taxonomy, address
            ),
        )
