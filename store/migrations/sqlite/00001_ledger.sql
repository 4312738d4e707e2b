-- The ledger: entries, and the rollups that every report is read from.
-- Times are Unix nanoseconds, hours and days count since the epoch in UTC,
-- money is 1e-9 dollars. What repeats in every entry is kept once, in dims
-- and tagsets.

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
    tagset INTEGER NOT NULL,
    user TEXT NOT NULL,
    operation TEXT NOT NULL,
    input INTEGER NOT NULL,
    cached_input INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_input INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    images INTEGER NOT NULL,
    source INTEGER NOT NULL,
    price_version TEXT NOT NULL,
    cost INTEGER NOT NULL,
    excess INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    code TEXT NOT NULL,
    origin TEXT NOT NULL,
    flags INTEGER NOT NULL, -- 1 refused, 2 stream, 4 disconnect, 8 error, 16 served from a cache
    cache TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    ttft INTEGER NOT NULL,
    bucket INTEGER NOT NULL, -- of the latency; -1: not an admitted call
    request_id TEXT NOT NULL,
    attempts TEXT, -- a JSON array
    UNIQUE (call, attempt)
);
CREATE INDEX entries_time ON entries (time);
CREATE INDEX entries_dim ON entries (dim, time);
CREATE INDEX entries_tagset ON entries (tagset, time) WHERE tagset <> 0;

-- An entry in the shape of a rollup's row.
CREATE VIEW entry_sums AS SELECT
    time, time / 3600000000000 AS hour, dim, tagset, user,
    bucket >= 0 AS calls, flags & 1 AS refused, bucket >= 0 AND flags & 8 <> 0 AS errors,
    bucket >= 0 AND flags & 16 <> 0 AS cached,
    input, cached_input, cache_write, output, reasoning, cost AS usd, saved,
    bucket = 0 AS l0, bucket = 1 AS l1, bucket = 2 AS l2, bucket = 3 AS l3, bucket = 4 AS l4,
    bucket = 5 AS l5, bucket = 6 AS l6, bucket = 7 AS l7, bucket = 8 AS l8, bucket = 9 AS l9,
    bucket = 10 AS l10, bucket = 11 AS l11, bucket = 12 AS l12, bucket = 13 AS l13, bucket = 14 AS l14,
    bucket = 15 AS l15, bucket = 16 AS l16, bucket = 17 AS l17, bucket = 18 AS l18, bucket = 19 AS l19,
    bucket = 20 AS l20, bucket = 21 AS l21, bucket = 22 AS l22, bucket = 23 AS l23, bucket = 24 AS l24,
    bucket = 25 AS l25, bucket = 26 AS l26, bucket = 27 AS l27, bucket = 28 AS l28, bucket = 29 AS l29
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
    l15 INTEGER NOT NULL, l16 INTEGER NOT NULL, l17 INTEGER NOT NULL, l18 INTEGER NOT NULL, l19 INTEGER NOT NULL,
    l20 INTEGER NOT NULL, l21 INTEGER NOT NULL, l22 INTEGER NOT NULL, l23 INTEGER NOT NULL, l24 INTEGER NOT NULL,
    l25 INTEGER NOT NULL, l26 INTEGER NOT NULL, l27 INTEGER NOT NULL, l28 INTEGER NOT NULL, l29 INTEGER NOT NULL,
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
    l15 INTEGER NOT NULL, l16 INTEGER NOT NULL, l17 INTEGER NOT NULL, l18 INTEGER NOT NULL, l19 INTEGER NOT NULL,
    l20 INTEGER NOT NULL, l21 INTEGER NOT NULL, l22 INTEGER NOT NULL, l23 INTEGER NOT NULL, l24 INTEGER NOT NULL,
    l25 INTEGER NOT NULL, l26 INTEGER NOT NULL, l27 INTEGER NOT NULL, l28 INTEGER NOT NULL, l29 INTEGER NOT NULL,
    PRIMARY KEY (day, dim)
) WITHOUT ROWID;
CREATE INDEX usage_day_dim ON usage_day (dim, day);

-- Of the entries that have a user or tags, once more with these.
CREATE TABLE labelled_hour (
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
    l15 INTEGER NOT NULL, l16 INTEGER NOT NULL, l17 INTEGER NOT NULL, l18 INTEGER NOT NULL, l19 INTEGER NOT NULL,
    l20 INTEGER NOT NULL, l21 INTEGER NOT NULL, l22 INTEGER NOT NULL, l23 INTEGER NOT NULL, l24 INTEGER NOT NULL,
    l25 INTEGER NOT NULL, l26 INTEGER NOT NULL, l27 INTEGER NOT NULL, l28 INTEGER NOT NULL, l29 INTEGER NOT NULL,
    PRIMARY KEY (hour, dim, tagset, user)
) WITHOUT ROWID;
CREATE INDEX labelled_hour_dim ON labelled_hour (dim, hour);

CREATE TABLE labelled_day (
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
    l15 INTEGER NOT NULL, l16 INTEGER NOT NULL, l17 INTEGER NOT NULL, l18 INTEGER NOT NULL, l19 INTEGER NOT NULL,
    l20 INTEGER NOT NULL, l21 INTEGER NOT NULL, l22 INTEGER NOT NULL, l23 INTEGER NOT NULL, l24 INTEGER NOT NULL,
    l25 INTEGER NOT NULL, l26 INTEGER NOT NULL, l27 INTEGER NOT NULL, l28 INTEGER NOT NULL, l29 INTEGER NOT NULL,
    PRIMARY KEY (day, dim, tagset, user)
) WITHOUT ROWID;
CREATE INDEX labelled_day_dim ON labelled_day (dim, day);

-- +goose Down
DROP TABLE labelled_day;
DROP TABLE labelled_hour;
DROP TABLE usage_day;
DROP TABLE usage_hour;
DROP VIEW entry_sums;
DROP TABLE entries;
DROP TABLE tags;
DROP TABLE tagsets;
DROP TABLE dims;
