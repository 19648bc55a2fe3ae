"""How long the command line takes to answer, beside a bare Python that does nothing.

    python -m benchmarks.startup [--check]

`workbench --help` has 0.4 s and `import pipelines` 0.1 s; --check exits 1 when one takes more than that by a quarter.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

RUNS = 7
SLACK = 1.25
LIMITS = {"workbench --help": 0.4, "import pipelines": 0.1}
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import pipelines": [sys.executable, "-c", "import pipelines"],
    "workbench --help": [sys.executable, "-m", "workbench", "--help"],
}


def median_seconds(command: Sequence[str]) -> float:
    """Median wall time of the whole process over RUNS runs, after one that fills the file cache."""
    taken = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> None:
    """Print each time and its ratio to a bare Python."""
    times = {name: median_seconds(command) for name, command in COMMANDS.items()}
    for name, seconds in times.items():
        limit = f", limit {LIMITS[name]} s" if name in LIMITS else ""
        sys.stdout.write(f"{name}: {seconds:.3f} s, {seconds / times['python']:.1f} times a bare Python{limit}\n")
    missed = any(times[name] > limit * SLACK for name, limit in LIMITS.items())
    sys.exit(1 if missed and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
