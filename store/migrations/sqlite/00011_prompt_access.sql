-- Teams' subscriptions to prompts and routes, and what happened to each; who
-- moved a label of a prompt. Times are Unix nanoseconds.

-- +goose Up

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    prompt TEXT NOT NULL, -- or empty
    route TEXT NOT NULL,  -- or empty
    team TEXT NOT NULL,
    plan TEXT NOT NULL,
    status TEXT NOT NULL  -- of the last step
);
CREATE UNIQUE INDEX subscriptions_open ON subscriptions (prompt, route, team) WHERE status IN ('pending', 'approved');

CREATE TABLE subscription_steps (
    id INTEGER PRIMARY KEY,
    subscription TEXT NOT NULL REFERENCES subscriptions (id),
    time INTEGER NOT NULL,
    by TEXT NOT NULL,
    status TEXT NOT NULL,
    plan TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX subscription_steps_of ON subscription_steps (subscription);

ALTER TABLE prompt_label_moves ADD COLUMN by TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE prompt_label_moves DROP COLUMN by;
DROP TABLE subscription_steps;
DROP TABLE subscriptions;
