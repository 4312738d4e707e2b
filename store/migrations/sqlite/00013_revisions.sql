-- Revisions of the configuration, and the secrets that were written out in
-- those that the store leads by. Times are Unix nanoseconds.

-- +goose Up

CREATE TABLE config_revisions (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL,
    author TEXT NOT NULL,
    message TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL, -- file, or store: it was in force as one of the store's
    body TEXT NOT NULL    -- YAML, its secrets by name
);

CREATE TABLE config_secrets (
    name TEXT PRIMARY KEY, -- empty: what names are made with
    secret TEXT NOT NULL
);

-- +goose Down
DROP TABLE config_secrets;
DROP TABLE config_revisions;
