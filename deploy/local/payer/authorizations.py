"""How the payer answers an authorization request: a pure function of its seed and the request."""

from typing import Any

from deploy.local.payer.draw import draw, number
from deploy.local.payer.requests import AuthorizationRequest

# Shares of requests, cumulative: not certified, partly, modified; the others are certified in total.
DENIED_SHARE, PARTIAL_SHARE, MODIFIED_SHARE = 0.05, 0.13, 0.17
CERTIFIED, PARTIAL, DENIED, MODIFIED = "A1", "A2", "A3", "A6"  # X12 278, HCR01


def answer_authorization(seed: str, request: AuthorizationRequest) -> dict[str, Any]:
    """Partial certifies half of the units; modified takes a fifth off; a single unit is all or nothing."""
    chance = draw(seed, "authorization", *request.content)
    if chance < DENIED_SHARE:
        return _answer(seed, request, DENIED, 0, "level_of_care_not_met")
    if chance < PARTIAL_SHARE and request.units > 1:
        return _answer(seed, request, PARTIAL, request.units // 2, "fewer_units_supported")
    if chance < MODIFIED_SHARE and request.units > 1:
        units = max(request.units * 4 // 5, 1)
        return _answer(seed, request, MODIFIED, units, "units_modified")
    return _answer(seed, request, CERTIFIED, request.units, None)


def _answer(
    seed: str, request: AuthorizationRequest, action: str, units: int, reason: str | None
) -> dict[str, Any]:
    own_number = None if action == DENIED else "A" + number(seed, "authorization", *request.content)
    return {
        "request": request.request,
        "action": action,
        "number": own_number,
        "units": units,
        "from": request.starts.isoformat(),
        "to": request.ends.isoformat(),
        "reason": reason,
    }
