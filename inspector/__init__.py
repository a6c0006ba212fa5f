"""The desktop inspector: FIRE of a whole network at once, caps set by hand, and an exact preview of a cut."""
