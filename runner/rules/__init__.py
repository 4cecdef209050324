"""Pure rules that know nothing of a run: budgets, tests, windows, schedules, answers."""
