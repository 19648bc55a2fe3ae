"""One ingest run: acquire, analyse, finalize, and the tables it writes."""
