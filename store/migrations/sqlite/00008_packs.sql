-- The sums of each day in a few packs of bytes (see pack.go) instead of a row a
-- group: written at a fifth of the price and read at a fiftieth. They are made
-- anew from the entries when the store is opened. There is no way down.

-- +goose Up

CREATE TABLE packs (
    id INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,   -- since 1970, UTC
    kind INTEGER NOT NULL,  -- what the rows tell apart: 0 dims, 1 tagsets too, 2 users too
    level INTEGER NOT NULL, -- 0: of one transaction; sixteen of a level become one of the next; 99: of all before
    shard INTEGER NOT NULL, -- of kind 2 and level 99: which users; -1: all
    days BLOB NOT NULL,     -- the sums of the day
    hours BLOB NOT NULL     -- the same by hour
);
CREATE INDEX packs_day ON packs (kind, day, level);

-- What cost money by how many digits it has and the first of them: the newest
-- of those above an amount are the newest of each of a few dozen classes.
CREATE INDEX entries_cost ON entries (length(cost) * 10 + substr(cost, 1, 1), time) WHERE cost > 0;

CREATE INDEX entries_corrections ON entries (time) WHERE attempt = -1;

DROP VIEW entry_sums;
DROP TABLE user_day;
DROP TABLE user_hour;
DROP TABLE tagged_day;
DROP TABLE tagged_hour;
DROP TABLE usage_day;
DROP TABLE usage_hour;
