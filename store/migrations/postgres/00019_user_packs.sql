-- Packs of users without dims: see the migration of the same number for SQLite.

-- +goose Up

DELETE FROM packs;
