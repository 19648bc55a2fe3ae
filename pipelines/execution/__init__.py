"""Execution of tasks: in a local process pool, in an isolated process, or on a Dask cluster."""
