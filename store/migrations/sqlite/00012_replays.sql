-- Answers that are given again and jobs, so that they outlive the process; the
-- figures of a split's versions, and why a split was stopped. Times are Unix
-- nanoseconds.

-- +goose Up

CREATE TABLE replays (
    id BLOB PRIMARY KEY, -- SHA-256 of whose and which it is
    expires INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX replays_expires ON replays (expires);

ALTER TABLE prompt_splits ADD COLUMN since INTEGER NOT NULL DEFAULT 1; -- when the split was made
ALTER TABLE prompt_splits ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE prompt_splits ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE prompt_splits ADD COLUMN nanos INTEGER NOT NULL DEFAULT 0; -- what the calls have cost, in 1e-9 dollars
ALTER TABLE prompt_splits ADD COLUMN judged INTEGER NOT NULL DEFAULT 0; -- answers
ALTER TABLE prompt_splits ADD COLUMN good INTEGER NOT NULL DEFAULT 0;   -- of these

CREATE TABLE stopped_splits (
    name TEXT PRIMARY KEY, -- of the prompt
    report TEXT NOT NULL   -- JSON
);

-- +goose Down
DROP TABLE stopped_splits;
ALTER TABLE prompt_splits DROP COLUMN good;
ALTER TABLE prompt_splits DROP COLUMN judged;
ALTER TABLE prompt_splits DROP COLUMN nanos;
ALTER TABLE prompt_splits DROP COLUMN errors;
ALTER TABLE prompt_splits DROP COLUMN calls;
ALTER TABLE prompt_splits DROP COLUMN since;
DROP TABLE replays;
