"""Sound, by itself and with what it should go with."""
