"""Run every benchmark."""

from benchmarks import limiter, planning, startup, submission

for benchmark in (startup, limiter, planning, submission):
    print(f"\n## {benchmark.__name__}\n")
    benchmark.main()
