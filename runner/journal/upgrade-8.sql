-- To version 8: limits of the service that lanes learned.
CREATE TABLE learned_limit (
    lane    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    learned TEXT NOT NULL,
    PRIMARY KEY (lane, kind)
) STRICT, WITHOUT ROWID;
