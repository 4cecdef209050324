"""What a jobspec says under `rollout`: from its text to typed rules."""
