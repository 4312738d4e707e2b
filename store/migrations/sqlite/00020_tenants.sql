-- PostgreSQL's migration of this number says what a team may see: SQLite has
-- neither roles nor policies.

-- +goose Up
SELECT 1;
