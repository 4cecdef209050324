-- To version 4: details of events, apart from them. Entries written before keep theirs among the events, and their hashes.
ALTER TABLE entry ADD COLUMN details TEXT NOT NULL DEFAULT '';
