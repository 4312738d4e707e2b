-- A fourth kind of packs: users without dims, so that what each user spent is
-- read without all rows that tell apart for what. All packs are made anew from
-- the entries when the store is opened. There is no way down.

-- +goose Up

DELETE FROM packs;
