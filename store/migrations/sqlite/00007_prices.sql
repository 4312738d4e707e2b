-- Prices that were set while the gateway ran. A row counts from a time on, until
-- another one for the same name does; none is ever changed. Times are Unix
-- nanoseconds.

-- +goose Up

CREATE TABLE prices (
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    model TEXT NOT NULL, -- or a pattern with *
    counts_from INTEGER NOT NULL,
    prices TEXT NOT NULL, -- JSON; empty: from then on none is set
    source TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX prices_name ON prices (provider, model);

-- +goose Down
DROP TABLE prices;
