"""What comes back from payers beside remittances, and what fails on the way."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.billing import ExchangeFailed
from caretrail_contracts.codes import Code, Units
from caretrail_contracts.system import InputRefused

from chassis.command import Command, Work
from services.billing.commands.registry import handlers
from services.billing.domain.authorization import Action, Authorization, AuthorizationAnswer
from services.billing.domain.exchange import Exchange, RefusedInput, exchange_id


class RecordAuthorizationAnswer(Command):
    """A payer answered a request for authorization."""

    authorization: UUID
    action: Action
    number: str
    units: Units
    starts_on: date
    ends_on: date
    reason: Code


class RecordExchangeFailure(Command):
    """A file could not be written, or its receiver could not read it."""

    failure: ExchangeFailed


class KeepRefusedInput(Command):
    """A file from outside could not be read: keep it sealed, with the place."""

    input: UUID
    kind: Code
    refused: InputRefused


@handlers.handles(RecordAuthorizationAnswer)
async def record_authorization_answer(command: RecordAuthorizationAnswer, work: Work) -> None:
    """Raises NotFound for a request that is none of ours."""
    authorization = await work.load(Authorization, command.authorization)
    answer = AuthorizationAnswer(
        action=command.action,
        number=command.number,
        units=command.units,
        starts_on=command.starts_on,
        ends_on=command.ends_on,
        reason=command.reason,
    )
    authorization.answer(answer, work.now)


@handlers.handles(RecordExchangeFailure)
async def record_exchange_failure(command: RecordExchangeFailure, work: Work) -> None:
    """The same failure again changes nothing."""
    await fail(command.failure, work)


@handlers.handles(KeepRefusedInput)
async def keep_refused_input(command: KeepRefusedInput, work: Work) -> None:
    """Once for each file; what it was to bring is missing until staff ask the payer for another one."""
    if await work.find(RefusedInput, command.input) is None:
        refused = command.refused
        work.add(RefusedInput.start(command.input, refused, work.now))
        at = refused.places[0].at if refused.places else ""
        failure = ExchangeFailed(
            kind=command.kind, about=command.input, patient=None, rule=refused.rule, at=at or None
        )
        await fail(failure, work)


async def fail(failure: ExchangeFailed, work: Work) -> None:
    """Record a failure of the exchange."""
    found = await work.find(Exchange, exchange_id(failure.kind, failure.about))
    exchange = Exchange.failed(found, failure, work.now)
    if found is None:
        work.add(exchange)
