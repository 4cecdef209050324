"""From the text of a jobspec to a `Campaign`: YAML with positions, templates, and errors that say where."""
