"""Measurements for README. Each prints its figure beside a yardstick taken in the same run."""
