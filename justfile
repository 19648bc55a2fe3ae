# What to run before a commit: `just`.
default: format lint types contracts test

format:
    uv run ruff format .

lint:
    uv run ruff check .

types:
    uv run mypy

contracts:
    uv run lint-imports

test *arguments:
    uv run pytest {{ arguments }}

# Long fault, load and stress runs.
stress:
    uv run pytest -n 0 -m stress

# Every speed claim, each a ratio from one run.
bench:
    uv run python -m benchmarks.features --check
    uv run python -m benchmarks.ingest --check
    uv run python -m benchmarks.overnight_ingest two pydub --check
    uv run python -m benchmarks.threshold_preview --check
    uv run python -m benchmarks.label_latency --check
    uv run python -m benchmarks.clipper_browser --check

# Ten hours of media: the run after it, and one recording of that length (half an hour on two cores).
bench-long:
    uv run python -m benchmarks.overnight_ingest again long --check

# The README's pictures, from the demo's own material.
pictures:
    uv run python -m docs.screenshots

demo:
    uv run workbench demo
