"""Counting people who hide each other: staged crowds with exact truth, what is learnt from them, and how well it counts."""
