"""Names in MLflow that one part writes and another reads."""

LOOKS = "test.looks"  # the tag that counts how often a run's test split was evaluated
