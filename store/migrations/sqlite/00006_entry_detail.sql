-- What of an entry is only shown moves into one column, JSON: an entry is
-- written at half the price. There is no way down.

-- +goose Up

CREATE TABLE new_entries (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    time INTEGER NOT NULL,
    dim INTEGER NOT NULL REFERENCES dims (id),
    tagset INTEGER NOT NULL DEFAULT 0,
    user TEXT NOT NULL DEFAULT '',
    input INTEGER NOT NULL,
    cached_input INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL,
    saved INTEGER NOT NULL DEFAULT 0,
    flags INTEGER NOT NULL, -- 1 refused, 2 stream, 4 disconnect, 8 error, 16 served from a cache
    bucket INTEGER NOT NULL, -- of the latency; -1: not an admitted call
    request_id TEXT NOT NULL DEFAULT '', -- empty: the call's own
    -- operation, source, price_version, cache_write_1h, audio_input,
    -- audio_output, images, excess, code, origin, cache, delivered, latency,
    -- ttft, attempts, tier, corrects, reason, markup; what is 0 or empty, and -1 of delivered, is left out
    detail TEXT NOT NULL,
    UNIQUE (call, attempt)
);
INSERT INTO new_entries
SELECT id, call, attempt, time, dim, tagset, user, input, cached_input, cache_write, output, reasoning, cost, saved,
    flags, bucket, request_id,
    json_patch('{}', json_object(
        'operation', nullif(operation, ''), 'source', nullif(source, 0), 'price_version', nullif(price_version, ''),
        'cache_write_1h', nullif(cache_write_1h, 0), 'audio_input', nullif(audio_input, 0),
        'audio_output', nullif(audio_output, 0), 'images', nullif(images, 0), 'excess', nullif(excess, 0),
        'code', nullif(code, ''), 'origin', nullif(origin, ''), 'cache', nullif(cache, ''),
        'delivered', nullif(delivered, -1), 'latency', nullif(latency, 0), 'ttft', nullif(ttft, 0),
        'attempts', json(attempts)))
FROM entries;

-- A view is bound to its table by name.
DROP VIEW entry_sums;
DROP TABLE entries;
ALTER TABLE new_entries RENAME TO entries;
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
