-- Databases are told apart, and attempts of other databases know where they came from: so merging again adds nothing.
CREATE TABLE identity (
    database_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO identity VALUES (lower(hex(randomblob(16))));
ALTER TABLE attempts ADD COLUMN origin TEXT;
CREATE UNIQUE INDEX attempts_of_origin ON attempts (origin) WHERE origin IS NOT NULL;
