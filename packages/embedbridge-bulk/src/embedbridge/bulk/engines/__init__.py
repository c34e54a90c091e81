"""Engines: the embed stage on Ray, Spark and Daft, a thin module each.

Scheduling, shuffling and recovery are the engine's. A module imports its engine when it is used: the
extra of the same name installs it.

    optional.py  the error that names the extra
"""
