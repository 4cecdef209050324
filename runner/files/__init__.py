"""Files that a person names, and those of the state folder: where a path leads, and how it is written."""
