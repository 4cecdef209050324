-- To version 7: where the report of a run is written, if that is not the state folder.
ALTER TABLE run ADD COLUMN report TEXT;
