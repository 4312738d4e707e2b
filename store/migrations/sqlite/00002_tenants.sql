-- Teams and keys that the admin API made. Times are Unix nanoseconds.

-- +goose Up

CREATE TABLE teams (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL -- the team as JSON
) WITHOUT ROWID;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE, -- SHA-256 of the whole key
    team TEXT NOT NULL,
    last_used INTEGER NOT NULL, -- 0: never
    body TEXT NOT NULL -- the key as JSON, without hash and last use
);
CREATE INDEX keys_team ON keys (team);

-- +goose Down
DROP TABLE keys;
DROP TABLE teams;
