-- What was changed by whom. A record of the chain is kept as the very bytes that
-- its hash is of; the columns beside it are for finding it. Times are Unix
-- nanoseconds.

-- +goose Up

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    record TEXT NOT NULL, -- JSON, with prev
    hash TEXT NOT NULL
);
CREATE INDEX audit_time ON audit (time);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_resource ON audit (resource, seq);

-- The end of the chain, so that the newest records cannot go unnoticed.
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');

-- Records of changes that are not over.
CREATE TABLE audit_open (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL
);

-- +goose Down
DROP TABLE audit_open;
DROP TABLE audit_head;
DROP TABLE audit;
