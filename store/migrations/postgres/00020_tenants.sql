-- What a team may see, whatever a query asks for. The policies are for the roles
-- that tenants.go makes, one for each user of the database; they let everybody
-- else pass. sluice.team has the teams and sluice.prompts the prompts that they
-- publish, as JSON; without them nothing is seen. SQLite has neither roles nor
-- policies.

-- +goose Up

-- Which teams have used a set of tags.
CREATE TABLE tagset_teams (
    tagset BIGINT NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tagset, team)
);

-- A pack has sums of several teams, by the numbers of dims: what a tenant finds no
-- dim for is passed over. Those of kind 3 have no dims.
-- +goose StatementBegin
DO $do$
DECLARE
    own CONSTANT text := '(SELECT json_array_elements_text(nullif(current_setting(''sluice.team'', true), '''')::json))';
    published CONSTANT text := '(SELECT json_array_elements_text(nullif(current_setting(''sluice.prompts'', true), '''')::json))';
    subject text;
    sees text;
BEGIN
    FOR subject, sees IN VALUES
        ('dims', 'team IN ' || own),
        ('entries', 'dim IN (SELECT id FROM dims)'),
        ('packs', 'kind <> 3'),
        ('tagset_teams', 'team IN ' || own),
        ('tagsets', 'id IN (SELECT tagset FROM tagset_teams)'),
        ('tags', 'tagset IN (SELECT tagset FROM tagset_teams)'),
        ('teams', 'name IN ' || own),
        ('keys', 'team IN ' || own),
        ('responses', 'team IN ' || own),
        ('subscriptions', 'team IN ' || own || ' OR prompt IN ' || published),
        ('subscription_steps', 'subscription IN (SELECT id FROM subscriptions)'),
        ('version_uses', 'team IN ' || own)
    LOOP
        EXECUTE format('CREATE POLICY tenants ON %I USING ((SELECT NOT starts_with(current_user::text, ''sluice_tenant_'')) OR %s)', subject, sees);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', subject);
    END LOOP;
END $do$;
-- +goose StatementEnd

-- A replica of an older version neither notes whose tags are nor salts hashes, so
-- it may not write any more: its calls wait in its spool.
-- +goose StatementBegin
CREATE FUNCTION newer_writers() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    IF coalesce(nullif(current_setting('sluice.schema', true), ''), '0')::int < 20 THEN
        RAISE EXCEPTION 'a replica of an older version may not write any more: its calls wait until it is replaced';
    END IF;
    RETURN NULL;
END $fn$;
-- +goose StatementEnd
CREATE TRIGGER newer_writers BEFORE INSERT OR UPDATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION newer_writers();
CREATE TRIGGER newer_writers BEFORE INSERT OR UPDATE ON keys FOR EACH STATEMENT EXECUTE FUNCTION newer_writers();
