-- Who asked for which version of a route, by the hour (Unix hours; last is Unix
-- nanoseconds).

-- +goose Up

CREATE TABLE version_uses (
    hour INTEGER NOT NULL,
    route TEXT NOT NULL,
    version TEXT NOT NULL, -- empty: one that there was not
    team TEXT NOT NULL,
    key TEXT NOT NULL,
    requests INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (hour, route, version, team, key)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE version_uses;
