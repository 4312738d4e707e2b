-- Splits: prompts whose calls several versions share. A row is one version and
-- its share; a name without rows has no split.

-- +goose Up

CREATE TABLE prompt_splits (
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    share INTEGER NOT NULL,
    PRIMARY KEY (name, n),
    FOREIGN KEY (name, n) REFERENCES prompt_versions (name, n)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE prompt_splits;
