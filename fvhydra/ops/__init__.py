"""The operations: one module for each word after ``op=``."""
