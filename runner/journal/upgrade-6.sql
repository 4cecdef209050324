-- To version 6: refused credentials.
CREATE TABLE refused_calls (
    credential TEXT PRIMARY KEY,
    calls      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE salt (value BLOB NOT NULL) STRICT;
INSERT INTO salt VALUES (randomblob(16));
