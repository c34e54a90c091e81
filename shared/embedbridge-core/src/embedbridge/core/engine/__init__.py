"""The pipeline of a job: its stages and its two drivers; `pipeline.py` shows them in order."""
