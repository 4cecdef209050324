"""Run every benchmark."""

from benchmarks import (
    blast_radius,
    deciding,
    history,
    limiter,
    pace,
    pace_http,
    planning,
    safety,
    scale,
    startup,
    submission,
    watching,
)

for benchmark in (
    startup,
    limiter,
    pace,
    pace_http,
    planning,
    deciding,
    submission,
    safety,
    history,
    scale,
    watching,
    blast_radius,
):
    print(f"\n## {benchmark.__name__}\n")
    benchmark.main()
