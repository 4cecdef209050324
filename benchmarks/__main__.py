"""Run every benchmark."""

from benchmarks import (
    blast_radius,
    deciding,
    display,
    history,
    limiter,
    pace,
    pace_http,
    planning,
    safety,
    safety_parts,
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
    display,
    safety,
    safety_parts,
    history,
    scale,
    watching,
    blast_radius,
):
    print(f"\n## {benchmark.__name__}\n")
    benchmark.main()
