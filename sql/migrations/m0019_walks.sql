-- Walks through the API's list of engagements: how far each has come, and who is on it.

CREATE TABLE list_walks (
    name        text PRIMARY KEY,
    since       text,
    until       text,
    checkpoint  text,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    pages       bigint NOT NULL DEFAULT 0,
    listed      bigint NOT NULL DEFAULT 0,
    queued      bigint NOT NULL DEFAULT 0,
    drift       bigint,
    _held_by    bigint,
    _held_until timestamptz
);
COMMENT ON TABLE list_walks IS 'Walks through the API''s list of engagements: the last back-fill, the sweep, and the last comparison.';
COMMENT ON COLUMN list_walks.name IS 'backfill, sweep or verify.';
COMMENT ON COLUMN list_walks.since IS 'The earliest updated_at that was asked for; NULL: from the beginning.';
COMMENT ON COLUMN list_walks.until IS 'The updated_at before which it ends; NULL: it does not.';
COMMENT ON COLUMN list_walks.checkpoint IS 'Everything that changed before was seen, and is stored or queued.';
COMMENT ON COLUMN list_walks.finished_at IS 'When its end was reached; NULL while it is under way.';
COMMENT ON COLUMN list_walks.listed IS 'Engagements that were seen.';
COMMENT ON COLUMN list_walks.queued IS 'Those of them that were queued.';
COMMENT ON COLUMN list_walks.drift IS 'How many engagements the list and the tables differed in, of a comparison.';
COMMENT ON COLUMN list_walks._held_by IS 'The process that is on it, until _held_until.';
COMMENT ON COLUMN list_walks._held_until IS 'One process at a time: another may go on after this.';

-- Queues what the table does not hold as the list shows it, and what lacks a part that may be had. What waits already, or has just
-- been a dead letter, is not queued again.
CREATE FUNCTION queue_listed(listed_ids text[], listed_times text[], why text) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    n bigint;
BEGIN
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT l.id, why, -1
    FROM (SELECT DISTINCT ON (t.id) t.id, json_timestamp(to_jsonb(t.at)) AS updated_at, t.n
          FROM unnest(listed_ids, listed_times) WITH ORDINALITY AS t(id, at, n) ORDER BY t.id, t.n) AS l
    LEFT JOIN engagements AS e ON e.id = l.id
    WHERE (e.id IS NULL OR e._deleted_at IS NOT NULL OR e._unreadable_since IS NOT NULL OR l.updated_at IS NOT NULL AND (e.updated_at IS NULL OR e.updated_at < l.updated_at)
           OR e._observed_at < now() - interval '1 day' AND EXISTS (
               SELECT FROM engagement_gaps AS g
               WHERE g.engagement_id = l.id AND g.cause <> 'scope_denied' AND g.next_look_at IS NULL AND g._queued_at IS NULL))
      AND NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = l.id AND q.leased_by IS NULL AND q.available_at <= now())
      AND NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.key = l.id AND d.last_at > now() - interval '1 day' AND (l.updated_at IS NULL OR d.last_at > l.updated_at))
    ORDER BY l.n;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION queue_listed IS 'Internal: queues what the list shows and the tables do not hold.';

-- One process at a time, as long as it says so and is not known to have died. A walk that has ended, or is of another range, begins anew; but a sweep, which has none,
-- always goes on from where it was. No row: another process is on it.
CREATE FUNCTION take_walk(walk text, boot bigint, since text, until text, hold_s double precision) RETURNS SETOF list_walks
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    w list_walks;
    is_new boolean;
BEGIN
    -- The first sweep goes on where a back-fill ended.
    INSERT INTO list_walks (name, since, until, checkpoint) VALUES (walk, since, until, CASE walk WHEN 'sweep' THEN (
        SELECT b.checkpoint FROM list_walks AS b WHERE b.name = 'backfill' AND b.finished_at IS NOT NULL AND b.until IS NULL) END)
    ON CONFLICT DO NOTHING;
    SELECT * INTO w FROM list_walks AS l WHERE l.name = walk FOR UPDATE;
    IF w._held_until > clock_timestamp() AND w._held_by <> boot AND EXISTS (
        SELECT FROM workers AS o WHERE o.boot_id = w._held_by AND NOT (o._holds_lock AND pg_try_advisory_xact_lock(o.boot_id))) THEN
        RETURN;
    END IF;
    is_new := w.finished_at IS NOT NULL OR w.since IS DISTINCT FROM since OR w.until IS DISTINCT FROM until;
    RETURN QUERY UPDATE list_walks AS l SET
        since = take_walk.since, until = take_walk.until,
        checkpoint = CASE WHEN NOT is_new OR walk = 'sweep' THEN l.checkpoint END,
        started_at = CASE WHEN is_new THEN now() ELSE l.started_at END, finished_at = NULL,
        pages = CASE WHEN is_new THEN 0 ELSE l.pages END, listed = CASE WHEN is_new THEN 0 ELSE l.listed END,
        queued = CASE WHEN is_new THEN 0 ELSE l.queued END,
        _held_by = boot, _held_until = clock_timestamp() + make_interval(secs => hold_s)
    WHERE l.name = walk RETURNING l.*;
END $$;
COMMENT ON FUNCTION take_walk IS 'Internal: begins a walk through the list, or goes on with it.';

-- What a page says and how far the walk has come with it, in one transaction. NULL: another process is on it by now.
CREATE FUNCTION note_page(walk text, boot bigint, ids text[], times text[], reached text, is_last boolean, hold_s double precision)
    RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM FROM list_walks AS l WHERE l.name = walk AND l._held_by = boot FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    n := queue_listed(ids, times, walk);
    UPDATE list_walks AS l SET
        -- A time of the future would hide what comes before it from every walk that goes on from here.
        checkpoint = CASE WHEN reached::timestamptz > l.started_at
            THEN to_char(l.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE reached END,
        finished_at = CASE WHEN is_last THEN now() END, pages = l.pages + 1,
        listed = l.listed + cardinality(ids), queued = l.queued + n,
        _held_until = clock_timestamp() + make_interval(secs => hold_s)
    WHERE l.name = walk;
    RETURN n;
END $$;
COMMENT ON FUNCTION note_page IS 'Internal: takes a page of the list.';

-- Nobody has shown that updated_at moves when links or tags do (U-21): what changed lately is looked at once more, about once a day.
CREATE FUNCTION queue_recent(days double precision, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    n bigint;
BEGIN
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT e.id, 'second_look', -1 FROM engagements AS e
    WHERE e.updated_at > now() - make_interval(secs => days * 86400) AND e._observed_at < now() - interval '20 hours'
      AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
      AND NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = e.id AND q.leased_by IS NULL AND q.available_at <= now())
    ORDER BY e.updated_at DESC LIMIT most;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION queue_recent IS 'Internal: queues recent engagements for a second look.';

-- In what the tables differ from a page of the list.
CREATE FUNCTION compare_listed(listed_ids text[], listed_times text[], began timestamptz)
    RETURNS TABLE (id text, cause text, listed_at timestamptz, stored_at timestamptz, state text)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT l.id,
           CASE WHEN e.id IS NULL THEN 'missing' WHEN e._deleted_at IS NOT NULL THEN 'deleted'
                WHEN e._unreadable_since IS NOT NULL THEN 'hidden' WHEN e.updated_at > l.at THEN 'newer' ELSE 'older' END,
           l.at, e.updated_at,
           CASE WHEN EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = l.id AND q.reason IS DISTINCT FROM 'not_ready')
                THEN 'queued' ELSE (SELECT 'dead: ' || d.cause FROM dead_letters AS d WHERE d.key = l.id) END
    FROM (SELECT t.id, json_timestamp(to_jsonb(t.at)) AS at, t.n FROM unnest(listed_ids, listed_times) WITH ORDINALITY AS t(id, at, n)) AS l
    LEFT JOIN engagements AS e ON e.id = l.id
    WHERE e.id IS NULL OR e._deleted_at IS NOT NULL OR e._unreadable_since IS NOT NULL
       OR l.at IS NOT NULL AND (e.updated_at IS NULL OR e.updated_at < l.at OR e.updated_at > l.at AND e._observed_at < began)
    ORDER BY l.n;
END $$;
COMMENT ON FUNCTION compare_listed IS 'Internal: in what the tables differ from a page of the list.';
