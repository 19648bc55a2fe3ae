"""Tasks run in a local process pool or on a Dask cluster."""
