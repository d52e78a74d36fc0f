"""How each row of each read model follows from events, said once more, as data."""

from __future__ import annotations

PUTS: dict[str, dict[str, str]] = {
    "intake.persons": {
        "patient": "",
        "intake.PersonRegistered": "patient name birth_date gender address email phone time_zone"
        " registered_at=@occurred_at position=@position",
        "intake.ContactChanged": "patient=@patient address email phone time_zone",
    },
    "intake.referrals": {
        "referral": "",
        "intake.ReferralReceived": "referral patient source_type channel urgency reasons payer payer_name"
        " member_id requester external_id note status==received received_at=@occurred_at position=@position",
        "intake.ReferralDuplicateDetected": "referral=@subject status==duplicate duplicate_of=of",
        "intake.ReferralTriaged": "referral=@subject status==triaged urgency level_of_care",
        "intake.ReferralAccepted": "referral=@subject status==accepted decided_at=@occurred_at",
        "intake.ReferralDeclined": "referral=@subject status==declined decline_reason=reason"
        " decided_at=@occurred_at",
        "intake.PatientAdmitted": "referral status==admitted episode",
    },
    "intake.episodes": {
        "episode": "",
        "intake.PatientAdmitted": "episode patient referral track site level_of_care payer admitted_on"
        " position=@position referred_on",
        "intake.PatientDischarged": "episode discharged_on discharge_type",
    },
    "clinical.measures": {
        "measure": "",
        "clinical.MeasureAdministered": "measure patient episode instrument scoring score band"
        " administered_on position=@position",
    },
    "clinical.risk_board": {
        "patient": "",
        "clinical.SuicideRiskScreenRequested": "patient screen_asked_at=@recorded_at position=@position",
        "clinical.SuicideRiskScreened": "patient screened_at=@occurred_at screen_level=level"
        " screen_asked_at position=@position",
        "clinical.RiskStatusChanged": "patient level since=@occurred_at rationale position=@position",
    },
    "clinical.diagnoses": {
        "episode rank": "",
        "clinical.DiagnosisRecorded": "episode rank patient icd10 recorded_at=@occurred_at"
        " position=@position",
    },
    "clinical.notes": {
        "note": "",
        "clinical.NoteSigned": "note patient episode session clinician text signed_at=@occurred_at"
        " withdrawn_at==null reason==null position=@position",
        "clinical.NoteWithdrawn": "note=@subject withdrawn_at=@occurred_at reason",
    },
    "scheduling.tracks": {
        "track": "",
        "scheduling.TrackOpened": "track site name weekly_minutes position=@position",
    },
    "scheduling.session_groups": {
        "group_id": "",
        "scheduling.GroupSeriesScheduled": "group_id=group track site name minutes time_zone capacity"
        " facilitator first_on last_on position=@position",
    },
    "scheduling.sessions": {
        "session": "",
        "scheduling.SessionScheduled": "session group_id=group starts_at ends_at status==scheduled"
        " position=@position",
        "scheduling.SessionCancelled": "session status==cancelled reason",
        "scheduling.SessionClosed": "session status==closed participant_count unaccounted",
    },
    "scheduling.placements": {
        "episode": "",
        "scheduling.GroupEnrollmentRequested": "episode patient track status==placed reason==null"
        " position=@position",
        "scheduling.EnrollmentRejected": "episode patient track status==rejected reason position=@position",
        "scheduling.PlacementEnded": "episode=@subject status==ended reason",
    },
    "scheduling.roster": {
        "enrollment": "",
        "scheduling.PatientEnrolledInGroup": "enrollment group_id=group patient episode seat starts_on"
        " ended==false position=@position",
        "scheduling.EnrollmentEnded": "?ends_on enrollment ends_on ended==true",
    },
    "scheduling.waitlist": {
        "enrollment": "",
        "scheduling.WaitlistEntryAdded": "enrollment group_id=group patient episode since=@recorded_at"
        " position=@position",
        "scheduling.PatientEnrolledInGroup": "-enrollment",
        "scheduling.EnrollmentEnded": "-enrollment",
    },
    "scheduling.attendance": {
        "session patient": "",
        "scheduling.SessionAttended": "session patient episode group_id=group status==attended minutes"
        " started_at ended_at cause==null corrected==false position=@position",
        "scheduling.SessionPartiallyAttended": "session patient episode group_id=group status==partial"
        " minutes started_at ended_at cause corrected==false position=@position",
        "scheduling.SessionMissed": "session patient episode group_id=group status==missed minutes==0 excused"
        " reason corrected==false position=@position",
        "scheduling.AttendanceCorrected": "session patient status minutes started_at ended_at cause excused"
        " reason corrected==true",
    },
    "scheduling.presence": {
        "episode position": "",
        "scheduling.SessionAttended": "episode position=@position session starts_at=started_at missed==false",
        "scheduling.SessionPartiallyAttended": "episode position=@position session starts_at=started_at"
        " missed==false",
        "scheduling.SessionMissed": "episode position=@position session starts_at missed==true",
        "scheduling.AttendanceCorrected": "episode position=@position session missed",
    },
    "billing.groups": {
        "group_id": "",
        "scheduling.GroupSeriesScheduled": "group_id=group time_zone weekdays",
    },
    "billing.sessions": {
        "session": "",
        "scheduling.SessionScheduled": "session group_id=group starts_at",
        "scheduling.SessionClosed": "session participants=participant_count position=@position",
    },
    "billing.presence_corrections": {
        "session position": "",
        "scheduling.AttendanceCorrected": "?change session position=@position change",
    },
    "billing.attendances": {
        "session patient": "",
        **dict.fromkeys(
            (
                "scheduling.SessionAttended",
                "scheduling.SessionPartiallyAttended",
                "scheduling.AttendanceCorrected",
            ),
            "session patient episode started_at ended_at minutes source_event=@id",
        ),
    },
    "billing.notes": {
        "session patient": "",
        "clinical.NoteSigned": "session patient signed==true clinician source_event=@id",
        "clinical.NoteWithdrawn": "session patient=@patient signed==false clinician==null source_event=@id",
    },
    "billing.diagnoses": {"episode rank": "", "clinical.DiagnosisRecorded": "episode rank icd10"},
    "billing.seats": {
        "enrollment": "",
        "scheduling.PatientEnrolledInGroup": "enrollment episode group_id=group",
        "scheduling.EnrollmentEnded": "enrollment ended==true",
    },
    "billing.subscribers": {
        "patient": "",
        "intake.PersonRegistered": "patient name birth_date gender address",
        "intake.ContactChanged": "patient=@patient address",
    },
    "billing.coverages": {
        "episode": "",
        "intake.PatientAdmitted": "episode patient payer member_id admitted_on",
        "intake.PatientDischarged": "episode discharged_on",
    },
    "billing.contracts": {
        "payer effective_on": "",
        "billing.ContractAgreed": "payer effective_on terms=@fact position=@position",
    },
    "billing.authorizations": {
        "authorization_id": "",
        "billing.AuthorizationRequested": "authorization_id=authorization patient episode payer code review"
        " status==requested requested=units starts_on ends_on position=@position",
        "billing.AuthorizationPended": "authorization_id=@subject status==pended",
        "billing.AuthorizationApproved": "authorization_id=@subject status==approved action number units"
        " starts_on ends_on",
        "billing.AuthorizationDenied": "authorization_id=@subject status==denied reason",
        "billing.AuthorizationUnitConsumed": "authorization_id=@subject used+units",
        "billing.AuthorizationUnitReleased": "authorization_id=@subject used-units",
        "billing.AuthorizationRunningLow": "authorization_id=@subject review_due",
    },
    "billing.charge_days": {
        "charge": "",
        "billing.ChargeDayOpened": "charge patient episode service_date status==open position=@position",
        "billing.ChargeHeld": "charge=@subject status==held rule minutes held_since=@occurred_at",
        "billing.ChargeCaptured": "charge status==captured rule==null held_since==null minutes payer code"
        " units amount authorization_id=authorization",
        "billing.ChargeClaimed": "charge=@subject status==claimed claim",
        "billing.ChargeVoided": "charge=@subject status==voided rule=reason held_since==null",
    },
    "billing.claims": {
        "claim": "",
        "billing.ClaimCreated": "claim number patient episode payer status==created charge=amount"
        " denied==0.00 lines diagnoses authorization_number frequency first_service_on position=@position",
        "billing.ClaimSubmitted": "claim batch interchange submitted_at=@occurred_at",
        "billing.ClaimPaid": "claim paid+paid adjustments+off patient_responsibility+share status==paid"
        " denied==0.00 decided_at=@occurred_at",
        "billing.ClaimDenied": "claim paid+paid adjustments+off patient_responsibility+share status"
        " denied=denied_amount decided_at=@occurred_at",
        "billing.ClaimReversed": "claim paid+paid adjustments+off patient_responsibility+share"
        " status==reversed denied==0.00 decided_at=@occurred_at",
        "billing.ClaimNeedsReview": "claim paid+paid adjustments+off patient_responsibility+share"
        " status==review denied==0.00 decided_at=@occurred_at",
        "billing.ClaimCorrectionDue": "claim correction_due==true",
    },
    "billing.batches": {
        "batch": "",
        "billing.ClaimBatchCut": "batch payer interchange claims position=@position",
    },
    "billing.exchange_failures": {
        "event": "",
        "billing.ExchangeFailed": "event=@id kind about patient rule place=at failed_at=@occurred_at"
        " position=@position",
    },
    "billing.remittances": {
        "remittance": "",
        "billing.RemittanceReceived": "remittance payer trace total claims paid_on received_at=@occurred_at"
        " file_digest position=@position",
        "billing.RemittancePosted": "remittance=@subject posted parked",
    },
    "billing.parked_claims": {
        "remittance index": "",
        "billing.RemittanceClaimParked": "remittance index rule status charge paid document"
        " position=@position",
    },
    "billing.denials": {
        "denial": "",
        "billing.DenialOpened": "denial claim patient denial_class carc amount regime appeal_deadline work_by"
        " state==open level==0 position=@position",
        "billing.AppealFiled": "denial state==appealed level",
        "billing.AppealDecided": "denial=@subject state=outcome recovered",
        "billing.DenialClosed": "denial=@subject state==closed outcome",
    },
    "notifications.messages": {
        "message": "",
        "notifications.MessageRequested": "message patient template channel about status==waiting"
        " posting=post_at appointment requested_at=@occurred_at position=@position",
        "notifications.MessageDeferred": "message=@subject posting=until",
        "notifications.MessageReleased": "message status==released released_at=@occurred_at",
        "notifications.MessageSuppressed": "message=@subject status==suppressed rule",
        "notifications.MessageSent": "message=@subject status==sent sent_at=@occurred_at reason==null",
        "notifications.MessageFailed": "message=@subject status reason posting?retry_at",
    },
    "notifications.tasks": {
        "task": "",
        "notifications.StaffTaskCreated": "task kind patient about assignee state==open"
        " created_at=@occurred_at due_at level==0 position=@position",
        "notifications.StaffTaskEscalated": "task assignee level due_at",
        "notifications.StaffTaskAcknowledged": "task=@subject state==acknowledged acknowledged_by=by",
        "notifications.StaffTaskCompleted": "task=@subject state==completed completed_by=by outcome",
    },
    "notifications.notices": {
        "notice": "",
        "notifications.StaffNoticeReleased": "notice task assignee status==released attempt",
        "notifications.StaffNoticeSent": "notice=@subject status==sent reason==null",
        "notifications.StaffNoticeFailed": "notice=@subject status reason",
    },
    "notifications.contacts": {
        "patient position": "",
        **dict.fromkeys(
            ("intake.PersonRegistered", "intake.ContactChanged"),
            "patient=@patient position=@position email time_zone since=@recorded_at",
        ),
    },
    "notifications.opt_outs": {
        "patient position": "",
        "notifications.ContactOptedOut": "patient position=@position channel opted_out==true"
        " since=@recorded_at",
        "notifications.ContactOptedIn": "patient position=@position channel opted_out==false"
        " since=@recorded_at",
    },
    "notifications.risk_levels": {
        "patient position": "",
        "clinical.RiskStatusChanged": "patient position=@position level since=@recorded_at",
    },
    "notifications.episodes": {
        "episode": "",
        "intake.PatientAdmitted": "episode patient since=@recorded_at",
        "intake.PatientDischarged": "episode until=@recorded_at discharge_type",
    },
    "notifications.seats": {
        "enrollment": "",
        "scheduling.PatientEnrolledInGroup": "enrollment patient session_group=group since=@recorded_at"
        " until==null",
        "scheduling.EnrollmentEnded": "enrollment until=@recorded_at",
    },
    "notifications.sessions": {
        "session": "",
        "scheduling.SessionScheduled": "session session_group=group starts_at",
    },
    "notifications.withdrawn": {
        "subject": "",
        "scheduling.SessionCancelled": "subject=session since=@recorded_at",
        "scheduling.AttendanceCorrected": "?missed_message subject=missed_message since=@recorded_at",
    },
}
"""Each table: the columns of its key, then by event what a row becomes. A word is a column of the same name
as a field; ``column=field`` one of another, ``@`` a column of the envelope or the like, ``==`` a value;
``+`` and ``-`` count, ``column?field`` puts what is not null; ``?field`` at the beginning lets the event
count only where that field says so, and ``-`` there removes the row."""
