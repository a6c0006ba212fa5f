"""Scores, which say how dispensable each filter is: `profile` has the types; FIRE is measured or predicted."""
