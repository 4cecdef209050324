"""The command line: parse, call `runner.app`, print. One place maps errors to exit codes."""
