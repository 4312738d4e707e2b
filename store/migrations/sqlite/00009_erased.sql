-- What became of entries that were erased: their sums.

-- +goose Up

CREATE TABLE erased (
    day INTEGER PRIMARY KEY,  -- since 1970, UTC
    rows BLOB NOT NULL        -- a pack by dims, tagsets, users (but their names) and hours
);

-- +goose Down
DROP TABLE erased;
