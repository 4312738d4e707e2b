-- Who asked for which version of a route.

-- +goose Up

CREATE TABLE version_uses (
    hour BIGINT NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (hour, route, version, team, key)
);

-- +goose Down
DROP TABLE version_uses;
