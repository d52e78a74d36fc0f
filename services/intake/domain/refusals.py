"""What intake says no to."""

from __future__ import annotations

from chassis.refusal import Refusal


class ReferralDecided(Refusal):
    """Referral {referral} is {status} already: it cannot be triaged or decided again."""


class ReferralIsDuplicate(Refusal):
    """Referral {referral} repeats referral {of}: decide that one, and decline this one."""


class ReferralNotAccepted(Refusal):
    """Referral {referral} is {status}: only an accepted referral leads to an admission."""

    at = "/referral"


class ReferralOfAnother(Refusal):
    """Referral {referral} is about another patient: name the patient that it was received for."""

    at = "/patient"


class PayerMissing(Refusal):
    """Neither the admission nor its referral names a payer: give the payer's code."""

    at = "/payer"


class EpisodeStillOpen(Refusal):
    """Patient {patient} has the open episode {episode}: discharge from it first."""

    at = "/patient"


class EpisodesOverlap(Refusal):
    """The patient's last episode ended on {discharged_on}: admit on that day or later."""

    at = "/admitted_on"


class AdmittedInFuture(Refusal):
    """An admission is recorded on its day or later: expected a day up to today."""

    at = "/admitted_on"


class AdmittedBeforeReferral(Refusal):
    """The referral was received on {received_on}: nobody is admitted on it before."""

    at = "/admitted_on"


class EpisodeEnded(Refusal):
    """Episode {episode} has ended already."""


class DischargedInFuture(Refusal):
    """A discharge is recorded on its day or later: expected a day up to today."""

    at = "/discharged_on"


class DischargedBeforeAdmission(Refusal):
    """The episode opened on {admitted_on}: it cannot end before."""

    at = "/discharged_on"
