"""What runs a model: one module for each engine, all with the contract of ``base``."""
