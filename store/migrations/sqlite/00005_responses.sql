-- Answers of the Responses API, each with the conversation that led to it.

-- +goose Up

CREATE TABLE responses (
    team TEXT NOT NULL,
    id TEXT NOT NULL,
    created INTEGER NOT NULL, -- Unix nanoseconds
    body BLOB NOT NULL,
    PRIMARY KEY (team, id)
) WITHOUT ROWID;
CREATE INDEX responses_created ON responses (created);
