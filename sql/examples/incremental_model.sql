-- A model that is brought up to date now and then, as dbt and the like do it (incremental, unique_key = key): here calls with their
-- deals. Run all of it each time; the first time it takes everything. It takes the rights of askelephant_reader_all (deploy/grants.sql), and copies
-- private engagements, too: say AND e.is_private IS FALSE if it is not to.
--
-- The watermark is the last change that the model has seen. A row of engagement_changes may become visible up to a minute after its
-- changed_at, so it begins five minutes earlier; what is read twice is the same again.

CREATE SCHEMA IF NOT EXISTS models;

CREATE TABLE IF NOT EXISTS models.calls (
    key           text PRIMARY KEY,  -- engagement_changes._key: also of what was purged, whose id nobody keeps
    engagement_id text,
    title         text,
    occurred_at   timestamptz,
    owner_user_id text,
    contacts      bigint,
    deals         text[],
    changed_at    timestamptz NOT NULL
);

BEGIN;
CREATE TEMPORARY TABLE changed ON COMMIT DROP AS
SELECT c._key AS key, c.engagement_id, c.changed_at, c.is_gone
FROM askelephant.engagement_changes AS c
WHERE c.changed_at >= (SELECT coalesce(max(m.changed_at), '-infinity') FROM models.calls AS m) - interval '5 minutes';

-- What is gone, is hidden, or is no call any more.
DELETE FROM models.calls AS m USING changed AS c
WHERE m.key = c.key AND NOT EXISTS (
    SELECT FROM askelephant.engagements_live AS e WHERE e.id = c.engagement_id AND e.engagement_type = 'CALL');

INSERT INTO models.calls AS m (key, engagement_id, title, occurred_at, owner_user_id, contacts, deals, changed_at)
SELECT c.key, e.id, e.title, e.occurred_at, e.owner_user_id,
       (SELECT count(*) FROM askelephant.engagement_contacts AS k WHERE k.engagement_id = e.id),
       ARRAY(SELECT DISTINCT l.crm_object_key FROM askelephant.engagement_crm_links AS l
             -- Its own: what comes by a company or contact may change through another engagement, and then this one does not.
             WHERE l.engagement_id = e.id AND l.path = 'engagement' AND l.object_type = 'deal' ORDER BY 1),
       c.changed_at
FROM changed AS c JOIN askelephant.engagements_live AS e ON e.id = c.engagement_id
WHERE e.engagement_type = 'CALL'
ON CONFLICT (key) DO UPDATE SET title = excluded.title, occurred_at = excluded.occurred_at, owner_user_id = excluded.owner_user_id,
    contacts = excluded.contacts, deals = excluded.deals, changed_at = excluded.changed_at;
COMMIT;
