-- A fourth kind of packs: users without dims, so that what each user spent is
-- read without all rows that tell apart for what. All packs are made anew from
-- the entries when the store is opened. What still writes as before would leave
-- the new kind out: its columns have other names, so its records wait. There is
-- no way down.

-- +goose Up

DELETE FROM packs;
ALTER TABLE packs RENAME COLUMN days TO by_day;
ALTER TABLE packs RENAME COLUMN hours TO by_hour;
