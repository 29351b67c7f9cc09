-- Roles for those who use the schema, each with the rights that it needs and no more. Run it as the schema's owner, after the first
-- migrate and after each migration that added a table or a view; it may be run again.
--
--   psql -d crm -v schema=askelephant -f deploy/grants.sql
--   psql -d crm -c 'GRANT askelephant_worker TO worker' -c 'GRANT askelephant_inserter TO app'
--
-- The roles are groups without a login, named after the schema. To make them takes CREATEROLE; roles of these names that somebody
-- has made before are taken as they are. Leave out what you do not want.
\set ON_ERROR_STOP on
\if :{?schema} \else \set schema askelephant \endif
BEGIN;
SELECT set_config('grants.schema', :'schema', true) \g /dev/null
\set inserter :schema _inserter
\set worker :schema _worker
\set reader :schema _reader
\set reader_all :schema _reader_all

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['_inserter', '_worker', '_reader', '_reader_all'] LOOP
        name := current_setting('grants.schema') || name;
        IF to_regrole(quote_ident(name)) IS NULL THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA :"schema" TO :"inserter", :"worker", :"reader", :"reader_all";

-- Who inserts: the public columns of the queue, and the id for libraries that say RETURNING. What became of it is not for the inserter to
-- ask, since enrichment_state runs with the caller's rights; sql/README.md has a function that says no more than that.
GRANT INSERT (engagement_id, reason, priority, available_at), SELECT (id) ON :"schema".enrichment_queue TO :"inserter";

-- Who works. As a superuser, GRANT pg_read_all_stats TO it, and doctor and the log's queue.bloat see whose transaction is in the way.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO :"worker";
REVOKE INSERT, UPDATE, DELETE ON :"schema".schema_migrations, :"schema".schema_objects FROM :"worker";

-- Who reads: what took place, between which companies, and what is to be done; no transcript, no address, no recording, nothing
-- private. The views show no private engagement, and the tables stay shut; as barriers, so that no function of a reader's own sees a
-- row before it is judged.
CREATE OR REPLACE VIEW :"schema".public_engagements WITH (security_barrier) AS
SELECT e.id, e.title, e.engagement_type, e.processing_status, e.is_internal, e.created_at, e.updated_at, e.engagement_at, e.start_at, e.end_at,
       coalesce(e.start_at, e.engagement_at, e.created_at) AS occurred_at, e.duration_seconds, e.data_source, e.owner_user_id, e.host_user_id,
       e._observed_at, e._changed_at
FROM :"schema".engagements AS e
WHERE e.is_private IS FALSE AND e._deleted_at IS NULL AND e._unreadable_since IS NULL;
COMMENT ON VIEW :"schema".public_engagements IS 'Engagements that exist, can be read and are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_users WITH (security_barrier) AS SELECT u.id, u.role, u.first_name, u.last_name, u.job_title FROM :"schema".users AS u;
COMMENT ON VIEW :"schema".public_users IS 'Users without their addresses: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_contacts WITH (security_barrier) AS
SELECT c.id, c.first_name, c.last_name, c.company_id FROM :"schema".contacts AS c
WHERE EXISTS (SELECT FROM :"schema".engagement_contacts AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id WHERE l.contact_id = c.id);
COMMENT ON VIEW :"schema".public_contacts IS 'Contacts of engagements that are not private, without their addresses: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_contact_links WITH (security_barrier) AS
SELECT l.engagement_id, l.contact_id FROM :"schema".engagement_contacts AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id;
COMMENT ON VIEW :"schema".public_contact_links IS 'Who took part in engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_company_links WITH (security_barrier) AS
SELECT l.engagement_id, l.company_id FROM :"schema".engagement_companies AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id;
COMMENT ON VIEW :"schema".public_company_links IS 'Companies of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_companies WITH (security_barrier) AS
SELECT o.id, o.name, o.domains FROM :"schema".companies AS o
WHERE EXISTS (SELECT FROM :"schema".engagement_companies AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id WHERE l.company_id = o.id);
COMMENT ON VIEW :"schema".public_companies IS 'Companies of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_signals WITH (security_barrier) AS
SELECT s.engagement_id, s.id, s.type, s.name, s.title, s.text, s.value, s.created_at, s.updated_at
FROM :"schema".engagement_signals AS s JOIN :"schema".public_engagements AS e ON e.id = s.engagement_id;
COMMENT ON VIEW :"schema".public_signals IS 'Signals of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_action_items WITH (security_barrier) AS
SELECT i.engagement_id, i.id, i.title, i.text, i.status, i.assignee_user_id, i.due_at, i.completed_at, i.created_at, i.updated_at
FROM :"schema".engagement_action_items AS i JOIN :"schema".public_engagements AS e ON e.id = i.engagement_id;
COMMENT ON VIEW :"schema".public_action_items IS 'Action items of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_tag_links WITH (security_barrier) AS
SELECT l.engagement_id, l.tag_id FROM :"schema".engagement_tags AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id;
COMMENT ON VIEW :"schema".public_tag_links IS 'Tags of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_tags WITH (security_barrier) AS
SELECT t.id, t.name, t.hex_color FROM :"schema".tags AS t WHERE EXISTS (SELECT FROM :"schema".public_tag_links AS l WHERE l.tag_id = t.id);
COMMENT ON VIEW :"schema".public_tags IS 'Tags of engagements that are not private: for readers (deploy/grants.sql).';
CREATE OR REPLACE VIEW :"schema".public_crm_links WITH (security_barrier) AS
SELECT l.* FROM :"schema".engagement_crm_links AS l JOIN :"schema".public_engagements AS e ON e.id = l.engagement_id;
COMMENT ON VIEW :"schema".public_crm_links IS 'CRM links of engagements that are not private: for readers (deploy/grants.sql).';
GRANT SELECT ON :"schema".public_engagements, :"schema".public_users, :"schema".public_contacts, :"schema".public_contact_links,
    :"schema".public_companies, :"schema".public_company_links, :"schema".public_action_items, :"schema".public_signals,
    :"schema".public_crm_links, :"schema".public_tags, :"schema".public_tag_links, :"schema".freshness, :"schema".queue_health, :"schema".coverage_by_part,
    :"schema".status_hourly TO :"reader";

-- Who reads everything, and changes nothing: analysts with leave, status, report, scopes, dead list and show, enrich --dry-run. Not doctor,
-- which asks whether run could work by this role: give it the worker's.
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"reader_all";
COMMIT;
