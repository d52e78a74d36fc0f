"""Read models of intake: the referral pipeline, the census, and persons as its doors need them."""
