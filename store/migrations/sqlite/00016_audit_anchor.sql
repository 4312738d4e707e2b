-- Where the chain of audit records begins that is kept: the last record that was
-- removed as too old. 0: none was.

-- +goose Up

CREATE TABLE audit_anchor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_anchor (one, seq, hash) VALUES (1, 0, '');

-- +goose Down
DROP TABLE audit_anchor;
