"""Engines: the embed stage on Ray, Spark and Daft, a thin module each.

Scheduling, shuffling and recovery are the engine's. A module imports its engine when it is used: the
extra of the same name installs it.

    ray.py             Ray Data: the stage in a pipeline of yours
    ray_engine.py      Ray for `run`: how many actors, and what each of them gets
    ray_room.py        how many actors a cluster can hold, for both; which numbers are none
    ray_actors.py      what `run` sends to them, and what comes back
    spark.py           Spark: mapInArrow, persisted
    daft.py            Daft: a batch function on Arrow
    daft_provider.py   Daft's own embed_text and embed_image with our models
    daft_batches.py    what those hand over: lists in, a vector or None per row out
    base.py            what an engine is to `run`, and the one that is this process
"""
