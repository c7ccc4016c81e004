"""What every call of a model goes through: see `pipeline.py`, which lists it in order."""
