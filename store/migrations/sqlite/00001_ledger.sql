-- The ledger: entries, and the rollups that every report is read from.
-- Times are Unix nanoseconds, hours and days count since the epoch in UTC,
-- money is 1e-9 dollars. What repeats in every entry is kept once, in dims
-- and tagsets. l0 to l14 count latencies, two buckets each: the even one in
-- the lower 31 bits, the odd one above, so that sums of rows are sums of both.

-- +goose Up

CREATE TABLE dims (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    target TEXT NOT NULL,
    prompt TEXT NOT NULL,
    version INTEGER NOT NULL,
    status INTEGER NOT NULL,
    UNIQUE (team, key_id, key, model, provider, target, prompt, version, status)
);
CREATE INDEX dims_key ON dims (key_id);

-- tagset 0 is that of entries without tags and has no row here.
CREATE TABLE tagsets (
    id INTEGER PRIMARY KEY,
    tags TEXT NOT NULL UNIQUE -- a JSON array, sorted, no tag twice
);
CREATE TABLE tags (
    tag TEXT NOT NULL,
    tagset INTEGER NOT NULL REFERENCES tagsets (id),
    PRIMARY KEY (tag, tagset)
) WITHOUT ROWID;
CREATE INDEX tags_tagset ON tags (tagset);

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    time INTEGER NOT NULL,
    dim INTEGER NOT NULL REFERENCES dims (id),
    tagset INTEGER NOT NULL DEFAULT 0,
    user TEXT NOT NULL DEFAULT '',
    operation TEXT NOT NULL,
    input INTEGER NOT NULL,
    cached_input INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0,
    cache_write_1h INTEGER NOT NULL DEFAULT 0,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL DEFAULT 0,
    audio_input INTEGER NOT NULL DEFAULT 0,
    audio_output INTEGER NOT NULL DEFAULT 0,
    images INTEGER NOT NULL DEFAULT 0,
    source INTEGER NOT NULL,
    price_version TEXT NOT NULL,
    cost INTEGER NOT NULL,
    excess INTEGER NOT NULL DEFAULT 0,
    saved INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    origin TEXT NOT NULL DEFAULT '',
    flags INTEGER NOT NULL, -- 1 refused, 2 stream, 4 disconnect, 8 error, 16 served from a cache
    cache TEXT NOT NULL DEFAULT '',
    delivered INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    ttft INTEGER NOT NULL,
    bucket INTEGER NOT NULL, -- of the latency; -1: not an admitted call
    request_id TEXT NOT NULL DEFAULT '', -- empty: the call's own
    attempts TEXT, -- a JSON array
    UNIQUE (call, attempt)
);
CREATE INDEX entries_time ON entries (time);
CREATE INDEX entries_dim ON entries (dim, time);
CREATE INDEX entries_request ON entries (request_id) WHERE request_id <> '';
CREATE INDEX entries_tagset ON entries (tagset, time) WHERE tagset <> 0;

-- An entry in the shape of a rollup's row.
CREATE VIEW entry_sums AS SELECT
    time, time / 3600000000000 AS hour, dim, tagset, user,
    bucket >= 0 AS calls, flags & 1 AS refused, bucket >= 0 AND flags & 8 <> 0 AS errors,
    bucket >= 0 AND flags & 16 <> 0 AS cached,
    input, cached_input, cache_write, output, reasoning, cost AS usd, saved,
    (bucket = 0) + ((bucket = 1) << 31) AS l0, (bucket = 2) + ((bucket = 3) << 31) AS l1,
    (bucket = 4) + ((bucket = 5) << 31) AS l2, (bucket = 6) + ((bucket = 7) << 31) AS l3,
    (bucket = 8) + ((bucket = 9) << 31) AS l4, (bucket = 10) + ((bucket = 11) << 31) AS l5,
    (bucket = 12) + ((bucket = 13) << 31) AS l6, (bucket = 14) + ((bucket = 15) << 31) AS l7,
    (bucket = 16) + ((bucket = 17) << 31) AS l8, (bucket = 18) + ((bucket = 19) << 31) AS l9,
    (bucket = 20) + ((bucket = 21) << 31) AS l10, (bucket = 22) + ((bucket = 23) << 31) AS l11,
    (bucket = 24) + ((bucket = 25) << 31) AS l12, (bucket = 26) + ((bucket = 27) << 31) AS l13,
    (bucket = 28) + ((bucket = 29) << 31) AS l14
FROM entries;

CREATE TABLE usage_hour (
    hour INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (hour, dim)
) WITHOUT ROWID;
CREATE INDEX usage_hour_dim ON usage_hour (dim, hour);

CREATE TABLE usage_day (
    day INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (day, dim)
) WITHOUT ROWID;
CREATE INDEX usage_day_dim ON usage_day (dim, day);

-- Of the entries that have tags, once more by these.
CREATE TABLE tagged_hour (
    hour INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    tagset INTEGER NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (hour, dim, tagset)
) WITHOUT ROWID;
CREATE INDEX tagged_hour_dim ON tagged_hour (dim, hour);

CREATE TABLE tagged_day (
    day INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    tagset INTEGER NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (day, dim, tagset)
) WITHOUT ROWID;
CREATE INDEX tagged_day_dim ON tagged_day (dim, day);

-- Of the entries that have a user, once more by user and tags.
CREATE TABLE user_hour (
    hour INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    tagset INTEGER NOT NULL,
    user TEXT NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (hour, dim, tagset, user)
) WITHOUT ROWID;
CREATE INDEX user_hour_dim ON user_hour (dim, hour);

CREATE TABLE user_day (
    day INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    tagset INTEGER NOT NULL,
    user TEXT NOT NULL,
    calls INTEGER NOT NULL, refused INTEGER NOT NULL, errors INTEGER NOT NULL, cached INTEGER NOT NULL,
    input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd INTEGER NOT NULL, saved INTEGER NOT NULL,
    l0 INTEGER NOT NULL, l1 INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL, l4 INTEGER NOT NULL,
    l5 INTEGER NOT NULL, l6 INTEGER NOT NULL, l7 INTEGER NOT NULL, l8 INTEGER NOT NULL, l9 INTEGER NOT NULL,
    l10 INTEGER NOT NULL, l11 INTEGER NOT NULL, l12 INTEGER NOT NULL, l13 INTEGER NOT NULL, l14 INTEGER NOT NULL,
    PRIMARY KEY (day, dim, tagset, user)
) WITHOUT ROWID;
CREATE INDEX user_day_dim ON user_day (dim, day);

-- +goose Down
DROP TABLE user_day;
DROP TABLE user_hour;
DROP TABLE tagged_day;
DROP TABLE tagged_hour;
DROP TABLE usage_day;
DROP TABLE usage_hour;
DROP VIEW entry_sums;
DROP TABLE entries;
DROP TABLE tags;
DROP TABLE tagsets;
DROP TABLE dims;
