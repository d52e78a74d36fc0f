"""What intake decides: who a person is, what becomes of a referral, when an episode opens and closes."""
