"""Claim adjustment reasons (CARC): which of them deny, why, and what staff do first.

Numbers are those of X12 external code list 139 (CARC); labels are our own, its text is licensed. What staff
do first is program policy. A number that is not here goes to a person.
Left out on purpose: 133 and 257 (pended: nobody has decided yet), codes of workers' compensation (P…) and
codes long deactivated.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ReasonClass(StrEnum):
    """Why money was taken off a charge; the first five deny it."""

    UTILIZATION = "utilization"
    TIMELY_FILING = "timely_filing"
    DATA = "data"
    CLINICAL = "clinical"
    COVERAGE = "coverage"
    CONTRACTUAL = "contractual"
    PATIENT_SHARE = "patient_share"
    OTHER_PAYER = "other_payer"
    BUNDLED = "bundled"
    INFORMATION = "information"

    @property
    def denies(self) -> bool:
        """True when a line that is paid nothing for such a reason is a denied line."""
        return self in _DENYING


_DENYING = frozenset(
    {
        ReasonClass.UTILIZATION,
        ReasonClass.TIMELY_FILING,
        ReasonClass.DATA,
        ReasonClass.CLINICAL,
        ReasonClass.COVERAGE,
    }
)


class DefaultAction(StrEnum):
    """What staff do first with a reason."""

    ATTACH_AUTHORIZATION = "attach_authorization"
    EXTEND_AUTHORIZATION = "extend_authorization"
    PROVE_TIMELY_FILING = "prove_timely_filing"
    CORRECT_CLAIM = "correct_claim"
    CHECK_ORIGINAL = "check_original"
    PEER_TO_PEER = "peer_to_peer"
    RECHECK_ELIGIBILITY = "recheck_eligibility"
    BILL_OTHER_PAYER = "bill_other_payer"
    CHECK_CONTRACT = "check_contract"
    WRITE_OFF = "write_off"
    ASSIGN_TO_PATIENT = "assign_to_patient"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AdjustmentReason:
    """One CARC: its number, class, our short label and the first thing to do."""

    code: str
    reason_class: ReasonClass
    label: str
    action: DefaultAction


_Rows = dict[str, str]
_UTILIZATION: _Rows = {
    "197": "authorization absent",
    "15": "authorization number missing or invalid",
    "39": "denied when authorization was asked",
    "165": "referral absent or exceeded",
    "210": "authorization asked too late",
    "243": "not authorized by network or primary care",
    "284": "authorization does not cover these services",
    "288": "referral absent",
    "296": "authorization does not cover this provider",
    "302": "authorization has run out",
}
_EXCEEDED: _Rows = {
    "198": "authorization exceeded",
    "222": "contracted units of the period exceeded",
    "273": "plan guideline exceeded",
    "287": "referral exceeded",
}
_TIMELY: _Rows = {"29": "filed too late"}
_APPEAL_CLOCKS: _Rows = {
    "138": "appeal too late or out of form",
    "285": "appeal procedure not followed",
    "286": "appeal filed too late",
}
_DUPLICATE: _Rows = {"18": "duplicate of an earlier claim", "B13": "paid before"}
_DATA: _Rows = {
    "4": "modifier missing or inconsistent",
    "5": "place of service inconsistent with procedure",
    "6": "procedure inconsistent with age",
    "7": "procedure inconsistent with sex",
    "8": "procedure inconsistent with provider's taxonomy",
    "9": "diagnosis inconsistent with age",
    "10": "diagnosis inconsistent with sex",
    "11": "diagnosis inconsistent with procedure",
    "12": "diagnosis inconsistent with provider",
    "13": "death before service",
    "14": "birth after service",
    "16": "information missing or wrong",
    "107": "related claim not identified",
    "110": "billed before service",
    "125": "billing error",
    "129": "earlier processing information wrong",
    "135": "interim bill not accepted",
    "140": "name and member id do not match",
    "146": "diagnosis invalid on that date",
    "148": "another provider's information missing",
    "163": "attachment not received",
    "164": "attachment too late",
    "181": "procedure invalid on that date",
    "182": "modifier invalid on that date",
    "189": "unlisted code where a listed one exists",
    "199": "revenue and procedure code do not match",
    "206": "NPI missing",
    "207": "NPI malformed",
    "208": "NPI unknown",
    "226": "asked information not supplied by us",
    "227": "asked information not supplied by patient",
    "228": "asked information not supplied by another provider",
    "236": "code combination not allowed that day",
    "239": "claim spans eligible and ineligible days",
    "250": "attachment of the wrong kind",
    "251": "attachment incomplete",
    "252": "attachment needed",
    "267": "claim spans months",
    "268": "claim spans years",
    "282": "procedure inconsistent with type of bill",
    "A1": "denied, see remark",
}
_CLINICAL: _Rows = {
    "50": "not medically necessary",
    "40": "not urgent by the plan's rules",
    "54": "several practitioners not covered",
    "55": "held experimental",
    "56": "held unproven",
    "58": "place of service held unsuitable",
    "150": "record does not support the level of service",
    "151": "record does not support the frequency",
    "152": "record does not support the length",
    "153": "record does not support the dose",
    "154": "record does not support the days supplied",
    "167": "diagnosis not covered",
    "186": "level of care changed",
    "193": "first decision upheld",
    "203": "service discontinued or reduced",
    "216": "review organization's finding",
    "249": "held a readmission",
    "261": "inconsistent with history",
    "272": "plan guideline not met",
    "B8": "alternative service available",
    "B12": "not documented in the record",
}
_COVERAGE: _Rows = {
    "204": "not covered under the plan",
    "96": "non-covered charge",
    "119": "benefit maximum reached",
    "26": "before coverage began",
    "27": "after coverage ended",
    "31": "not known as insured",
    "32": "not an eligible dependent",
    "33": "dependents not covered",
    "34": "newborns not covered",
    "35": "lifetime maximum reached",
    "49": "routine service not covered",
    "51": "pre-existing condition",
    "53": "provider is family",
    "60": "outpatient service too near a stay",
    "95": "plan procedure not followed",
    "111": "needs accepted assignment",
    "149": "lifetime maximum of the service reached",
    "166": "after payer's responsibility ended",
    "177": "eligibility requirement not met",
    "178": "spend-down not met",
    "179": "waiting period not met",
    "180": "residency requirement not met",
    "185": "rendering provider not eligible",
    "200": "lapse in coverage",
    "202": "comfort item not covered",
    "242": "not a network provider",
    "256": "not payable under managed-care contract",
    "258": "patient in custody",
    "279": "not a preferred provider",
    "299": "billing provider not eligible for payment",
    "170": "not payable to this type of provider",
    "171": "not payable to this provider in this facility",
    "172": "not payable to this specialty",
    "B1": "visit not covered",
    "B7": "provider not certified that day",
    "B9": "patient in hospice",
    "B14": "one visit a day",
    "B15": "qualifying service missing",
    "B16": "new-patient rule not met",
    "B20": "furnished by another provider",
    "B23": "laboratory certificate missing",
}
_WRONG_PAYER: _Rows = {
    "109": "belongs to another payer",
    "22": "another payer comes first",
    "19": "work-related, another insurer liable",
    "20": "liability insurer liable",
    "21": "no-fault insurer liable",
    "136": "earlier payer's rules not followed",
    "201": "settled under workers' compensation",
    "276": "denied by the earlier payer",
    "300": "forwarded to the behavioral health plan",
    "301": "belongs to the behavioral health plan",
    "B11": "passed to the proper payer",
}
_CONTRACTUAL: _Rows = {
    "45": "above the fee schedule",
    "42": "above the maximum allowed",
    "24": "under capitation",
    "44": "prompt-payment discount",
    "59": "multiple-procedure rule",
    "94": "above charges",
    "102": "major medical",
    "103": "promotional discount",
    "104": "managed-care withhold",
    "105": "tax withhold",
    "122": "psychiatric reduction",
    "130": "submission fee",
    "131": "negotiated discount of the claim",
    "132": "demonstration project",
    "137": "regulatory surcharge or tax",
    "144": "incentive",
    "161": "performance bonus",
    "169": "alternate benefit paid",
    "223": "mandated by law",
    "237": "regulatory penalty",
    "245": "performance withhold",
    "253": "sequestration",
    "A2": "contractual adjustment",
    "B4": "late-filing penalty",
}
_PATIENT_SHARE: _Rows = {
    "1": "deductible",
    "2": "coinsurance",
    "3": "copayment",
    "66": "blood deductible",
    "142": "patient's Medicaid share",
    "241": "low-income copayment",
    "247": "deductible, professional part",
    "248": "coinsurance, professional part",
}
_OTHER_PAYER: _Rows = {"23": "earlier payer's payment or adjustment"}
_BUNDLED: _Rows = {
    "97": "included in another service",
    "128": "included in the mother's benefit",
    "190": "included in the nursing-facility allowance",
    "231": "exclusive of another service that day",
    "234": "not paid separately",
    "B10": "part paid in another service",
}
_INFORMATION: _Rows = {
    "85": "interest",
    "100": "paid to the patient",
    "101": "predetermination, nothing paid yet",
    "143": "part of the payment deferred",
    "187": "paid from the member's spending account",
    "225": "penalty or interest by the payer",
    "246": "reporting code only",
    "A0": "patient refund",
}


def _reasons(reason_class: ReasonClass, action: DefaultAction, rows: _Rows) -> list[AdjustmentReason]:
    return [AdjustmentReason(code, reason_class, label, action) for code, label in rows.items()]


_ALL = (
    *_reasons(ReasonClass.UTILIZATION, DefaultAction.ATTACH_AUTHORIZATION, _UTILIZATION),
    *_reasons(ReasonClass.UTILIZATION, DefaultAction.EXTEND_AUTHORIZATION, _EXCEEDED),
    *_reasons(ReasonClass.TIMELY_FILING, DefaultAction.PROVE_TIMELY_FILING, _TIMELY | _APPEAL_CLOCKS),
    *_reasons(ReasonClass.DATA, DefaultAction.CHECK_ORIGINAL, _DUPLICATE),
    *_reasons(ReasonClass.DATA, DefaultAction.CORRECT_CLAIM, _DATA),
    *_reasons(
        ReasonClass.DATA, DefaultAction.CHECK_CONTRACT, {"147": "contract rate run out or not on file"}
    ),
    *_reasons(ReasonClass.CLINICAL, DefaultAction.PEER_TO_PEER, _CLINICAL),
    *_reasons(ReasonClass.COVERAGE, DefaultAction.RECHECK_ELIGIBILITY, _COVERAGE),
    *_reasons(ReasonClass.COVERAGE, DefaultAction.BILL_OTHER_PAYER, _WRONG_PAYER),
    *_reasons(ReasonClass.CONTRACTUAL, DefaultAction.WRITE_OFF, _CONTRACTUAL),
    *_reasons(ReasonClass.PATIENT_SHARE, DefaultAction.ASSIGN_TO_PATIENT, _PATIENT_SHARE),
    *_reasons(ReasonClass.OTHER_PAYER, DefaultAction.NONE, _OTHER_PAYER),
    *_reasons(ReasonClass.BUNDLED, DefaultAction.NONE, _BUNDLED),
    *_reasons(ReasonClass.INFORMATION, DefaultAction.NONE, _INFORMATION),
)
ADJUSTMENT_REASONS = MappingProxyType({reason.code: reason for reason in _ALL})
