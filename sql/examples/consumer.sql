-- A consumer of the outbox: keeps a copy of some columns, in another schema of the same database. Change what you like, but copy no column of
-- other tables, as owner_email is: when a user or contact changes, the engagement does not.
--
--   SELECT follower.follow_all();        -- once, after this file
--   SELECT follower.follow_step(1000);   -- until it says 0
--   LISTEN …                             -- the channel that SELECT askelephant.outbox_channel() names; then step again at each
--                                        -- notification, and once a minute: a notification may be lost, a row is not

CREATE SCHEMA IF NOT EXISTS follower;

CREATE TABLE follower.engagement (
    id            text PRIMARY KEY,
    key           text NOT NULL UNIQUE,
    title         text,
    occurred_at   timestamptz,
    owner_user_id text
);

-- Where it is: one row. It begins before everything that the outbox still has. What is older is copied once, by follow_all().
CREATE TABLE follower.place (tx xid8 NOT NULL, key text NOT NULL);
INSERT INTO follower.place VALUES ('0', '');

-- One batch and the new place, in one transaction: whatever fails is done again, and nothing twice. How many changes it was.
CREATE FUNCTION follower.follow_step(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    place follower.place;
    ids text[];
    keys text[];
    n bigint;
BEGIN
    -- One at a time.
    SELECT * INTO place FROM follower.place FOR UPDATE;
    WITH batch AS MATERIALIZED (
        SELECT o.tx, o._key, o.engagement_id FROM askelephant.outbox_ready AS o
        WHERE (o.tx, o._key) > (place.tx, place.key) ORDER BY o.tx, o._key LIMIT most
    ), moved AS (
        UPDATE follower.place AS p SET tx = last.tx, key = last._key
        FROM (SELECT b.tx, b._key FROM batch AS b ORDER BY b.tx DESC, b._key DESC LIMIT 1) AS last
    )
    SELECT array_agg(DISTINCT b.engagement_id), array_agg(DISTINCT b._key), count(*) INTO ids, keys, n FROM batch AS b;

    -- What is gone, and what cannot be read any more.
    DELETE FROM follower.engagement AS m
    WHERE m.key = ANY (keys) AND NOT EXISTS (SELECT FROM askelephant.engagements_live AS e WHERE e.id = m.id);
    -- The state of now, not of then: a change that comes later in the outbox is applied early, and again, to no harm.
    INSERT INTO follower.engagement AS m (id, key, title, occurred_at, owner_user_id)
    SELECT e.id, e._key, e.title, e.occurred_at, e.owner_user_id
    FROM askelephant.engagements_live AS e WHERE e.id = ANY (ids)
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, occurred_at = excluded.occurred_at, owner_user_id = excluded.owner_user_id;
    RETURN n;
END $$;

-- Everything there is, for the beginning. Not beside a step, which could be ahead of what is read here.
CREATE FUNCTION follower.follow_all() RETURNS void LANGUAGE sql AS $$
    SELECT FROM follower.place FOR UPDATE;
    INSERT INTO follower.engagement AS m (id, key, title, occurred_at, owner_user_id)
    SELECT e.id, e._key, e.title, e.occurred_at, e.owner_user_id FROM askelephant.engagements_live AS e
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, occurred_at = excluded.occurred_at, owner_user_id = excluded.owner_user_id
$$;
