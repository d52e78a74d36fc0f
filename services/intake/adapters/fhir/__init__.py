"""Reads FHIR R4 referrals: files in, frozen referral forms out, refusals that name the place.

A referral is a ServiceRequest: a file of its own, an entry of a Bundle of any type but history, or a
contained one that a Task puts in focus. Its parts are looked up by R4's rules (contained, fullUrl, relative,
logical identifier) in its own Bundle first, then in the files beside it. Where the standard leaves a choice:

- every ServiceRequest given is a referral, save one that another `replaces`, and a filler, reflex or instance
  order `basedOn` another; one revoked, entered in error or marked doNotPerform refuses all;
- gaps are filled from a Task that focuses on the request, then from a preauthorization Claim that names it;
- `reason` holds bare codes, every coding of every reason in the file's order; an uncoded reason its words;
- `requester` and `payer` are names: the resolved resource's, else the reference's display, number or text;
  an answer names a requester who was not given by the reference as it stands, for a machine can follow that;
- a person's name: the one by which the request calls them, if their record holds it (with a finding, where
  the record would put another first); else never maiden or old if there is another, one still in use before
  one whose period has an end, official before usual;
- without insurance in the request, the patient's Coverage given beside or inside it pays;
- a reference that leads nowhere leaves nulls and a finding; one that leads to two resources is refused.
"""
