"""Of sound: divergence of recognised classes, errors of recognised words, offset from the picture."""
