"""Run every benchmark."""

from benchmarks import blast_radius, deciding, history, limiter, planning, safety, startup, submission, watching

for benchmark in (startup, limiter, planning, deciding, submission, safety, history, watching, blast_radius):
    print(f"\n## {benchmark.__name__}\n")
    benchmark.main()
