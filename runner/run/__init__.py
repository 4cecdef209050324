"""The pure heart: events, the state they fold to, and the rules that decide what comes next."""
