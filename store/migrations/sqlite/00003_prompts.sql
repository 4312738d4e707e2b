-- Prompts: versions that never change, labels that point to them, and every
-- move of a label. Times are Unix nanoseconds.

-- +goose Up

CREATE TABLE prompt_versions (
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    digest TEXT NOT NULL,
    source BLOB NOT NULL,
    message TEXT NOT NULL,
    author TEXT NOT NULL,
    parent INTEGER NOT NULL, -- 0: none
    created INTEGER NOT NULL,
    PRIMARY KEY (name, n)
);

CREATE TABLE prompt_labels (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (name, label),
    FOREIGN KEY (name, n) REFERENCES prompt_versions (name, n)
) WITHOUT ROWID;

CREATE TABLE prompt_label_moves (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    from_n INTEGER NOT NULL, -- 0: the label is new
    to_n INTEGER NOT NULL,
    time INTEGER NOT NULL
);
CREATE INDEX prompt_label_moves_name ON prompt_label_moves (name);

-- +goose Down
DROP TABLE prompt_label_moves;
DROP TABLE prompt_labels;
DROP TABLE prompt_versions;
