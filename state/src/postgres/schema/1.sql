-- Version 1. Run with the schema of the tables first in the search path. `head` and `hash` are
-- BLAKE3, bodies are JSON as it was hashed, times are this database's own.
CREATE TABLE about (
    one bool PRIMARY KEY DEFAULT true CHECK (one),
    version int8 NOT NULL,
    deployment text
);
INSERT INTO about (version) VALUES (0);

CREATE TABLE scopes (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    generation int8 NOT NULL,
    serial int8 NOT NULL,
    head bytea NOT NULL,
    run uuid,
    holder text,
    expires timestamptz
);
CREATE INDEX scopes_held ON scopes (run) WHERE run IS NOT NULL;

CREATE TABLE entries (
    seq int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope int8 NOT NULL REFERENCES scopes,
    serial int8 NOT NULL,
    generation int8 NOT NULL,
    run uuid NOT NULL,
    summary bool NOT NULL,
    hash bytea NOT NULL,
    body text NOT NULL,
    UNIQUE (scope, serial)
);
CREATE INDEX entries_summary ON entries (seq) WHERE summary;

-- The journal is only ever appended to, by whomever.
CREATE FUNCTION only_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal of tcloud is only appended to' USING ERRCODE = '42501';
END $$;
CREATE TRIGGER only_append BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION only_append();

CREATE TABLE intents (
    scope int8 NOT NULL REFERENCES scopes,
    run uuid NOT NULL,
    step int8 NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (run, step)
);

CREATE TABLE records (
    scope int8 NOT NULL REFERENCES scopes,
    address text COLLATE "C" NOT NULL,
    host text COLLATE "C" NOT NULL,
    incarnation int8 NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (scope, address, host, incarnation)
);
