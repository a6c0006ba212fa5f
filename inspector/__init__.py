"""The desktop inspector: FIRE of a whole network at once, caps set by hand, and exactly what a cut would leave."""
