"""Run every benchmark."""

from benchmarks import blast_radius, deciding, limiter, planning, safety, startup, submission

for benchmark in (startup, limiter, planning, deciding, submission, safety, blast_radius):
    print(f"\n## {benchmark.__name__}\n")
    benchmark.main()
