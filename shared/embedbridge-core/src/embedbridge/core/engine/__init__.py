"""The stages of a job, and the drivers that walk them; `pipeline.py` shows the way in order."""
