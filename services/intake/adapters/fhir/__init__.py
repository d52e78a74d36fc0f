"""Reads FHIR R4 referrals: files in, frozen referral forms out, refusals that name the place.

A referral is a ServiceRequest (a file of its own, or an entry of a Bundle of any type but history), or a contained one that a
Task puts in focus. Its parts are looked up by R4's rules (contained, fullUrl, relative, logical identifier) in its own Bundle
first, then in the files beside it. Rules where the standard leaves a choice:

- every ServiceRequest given is a referral, save one that another one given `replaces`, and a filler, reflex or instance order
  `basedOn` another one given; one revoked, entered in error or marked doNotPerform refuses the whole set;
- gaps are filled from a Task whose focus is the request, then from a Claim (use preauthorization, Da Vinci PAS) that names it;
- `reason` holds bare codes, every coding of every reason in the file's order, and the words of a reason that has no code;
- `requester` and `payer` are names: the resolved resource's, else the reference's display, its identifier, the reference itself;
- a person's name: a current one before one whose period has an end, official before usual, never old or maiden if there is another;
- a reference that leads nowhere leaves nulls and a finding; one that leads to two different resources is refused.
"""
