-- Packs of users without dims: see the migration of the same number for SQLite.

-- +goose Up

DELETE FROM packs;
ALTER TABLE packs RENAME COLUMN days TO by_day;
ALTER TABLE packs RENAME COLUMN hours TO by_hour;
