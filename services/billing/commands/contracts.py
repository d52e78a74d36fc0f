"""Contracts with payers, coverage of episodes, and requests for authorization."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from caretrail_contracts.billing import AuthorizationRequested, ContractAgreed, CoverageRegistered
from caretrail_contracts.codes import Code
from caretrail_contracts.sealed import MemberId, Sealed
from pydantic import Field

from chassis.command import Command, Work
from chassis.refusal import NotFound
from services.billing.commands.charges import decide_held
from services.billing.commands.registry import handlers
from services.billing.domain.authorization import Authorization, authorization_id
from services.billing.domain.coverage import Coverage
from services.billing.domain.payer_contract import Contract, contract_id
from services.billing.domain.refusals import NoContract, PeriodBackwards

INITIAL, CONCURRENT = "initial", "concurrent"


class AgreeContract(Command):
    """Keep the terms that were agreed with a payer."""

    terms: ContractAgreed


class RegisterCoverage(Command):
    """An episode is billed to a payer; where its contract says so, the payer is asked for authorization."""

    patient: UUID
    episode: UUID
    payer: Code
    member_id: Sealed[MemberId] | None
    admitted_on: date


class ReviewCoverages(Command):
    """A payer's terms came: do for its episodes what waited for them."""

    payer: Code


class RequestAuthorization(Command):
    """Ask a payer for more, with a concurrent review."""

    episode: UUID
    units: Annotated[int, Field(ge=1, le=10_000)]
    starts_on: date
    ends_on: date


@handlers.handles(AgreeContract)
async def agree_contract(command: AgreeContract, work: Work) -> None:
    """Raises what Contract.agree raises."""
    found = await work.find(Contract, contract_id(command.terms.payer))
    contract = Contract.agree(found, command.terms, work.now)
    if found is None:
        work.add(contract)


@handlers.handles(RegisterCoverage)
async def register_coverage(command: RegisterCoverage, work: Work) -> None:
    """Once for each episode."""
    if await work.find(Coverage, command.episode) is None:
        registered = CoverageRegistered(
            patient=command.patient,
            episode=command.episode,
            payer=command.payer,
            member_id=command.member_id,
        )
        work.add(Coverage.register(registered, work.now))
    await _request_initial(command.episode, command.admitted_on, work)


@handlers.handles(ReviewCoverages)
async def review_coverages(command: ReviewCoverages, work: Work) -> None:
    """Ask for the authorizations that nobody could ask for, and decide held days again."""
    for row in await work.rows("coverages", payer=command.payer):
        await _request_initial(row["episode"], row["admitted_on"], work)
        await decide_held(row["episode"], work)


@handlers.handles(RequestAuthorization)
async def request_authorization(command: RequestAuthorization, work: Work) -> None:
    """Raises NotFound for an unknown episode, NoContract, PeriodBackwards."""
    if command.ends_on < command.starts_on:
        raise PeriodBackwards
    coverage = await work.load(Coverage, command.episode)
    terms = await terms_of(coverage.payer, command.starts_on, work)
    if terms is None:
        raise NoContract(payer=coverage.payer, day=command.starts_on)
    if terms.requires_auth:
        period = (command.starts_on, command.ends_on)
        await _request(coverage, terms, command.units, period, CONCURRENT, work)


async def terms_of(payer: str, day: date, work: Work) -> ContractAgreed | None:
    """A payer's terms in force on a day."""
    contract = await work.find(Contract, contract_id(payer))
    return contract.on(day) if contract else None


async def _request_initial(episode: UUID, admitted_on: date, work: Work) -> None:
    coverage = await work.find(Coverage, episode)
    if coverage is None:
        return
    terms = await terms_of(coverage.payer, admitted_on, work)
    if terms and terms.requires_auth:
        period = (admitted_on, admitted_on + timedelta(days=terms.auth_days - 1))
        await _request(coverage, terms, terms.auth_units, period, INITIAL, work)


async def _request(
    coverage: Coverage, terms: ContractAgreed, units: int, period: tuple[date, date], review: str, work: Work
) -> None:
    """Once for each episode, kind of review and first day."""
    if coverage.patient is None:
        raise NotFound(kind="patient of episode", id=coverage.id)
    id = authorization_id(coverage.id, review, period[0])
    if await work.find(Authorization, id) is not None:
        return
    request = AuthorizationRequested(
        authorization=id,
        patient=coverage.patient,
        episode=coverage.id,
        payer=coverage.payer,
        code=terms.code,
        units=units,
        starts_on=period[0],
        ends_on=period[1],
        review=review,
        member_id=coverage.member_id,
    )
    work.add(Authorization.request(request, work.now))
