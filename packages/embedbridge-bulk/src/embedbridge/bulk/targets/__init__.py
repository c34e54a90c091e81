"""Targets of bulk jobs: what a job writes to. `base` says what it asks of one; `open` finds it by its name."""
