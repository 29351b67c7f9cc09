-- Views and functions for people. Columns are only ever appended.

CREATE VIEW engagements_live AS
SELECT e.id, e.title, e.engagement_type, e.processing_status, e.is_private, e.is_internal, e.created_at, e.updated_at,
       e.engagement_at, e.start_at, e.end_at, coalesce(e.start_at, e.engagement_at, e.created_at) AS occurred_at,
       e.duration_seconds, e.description, e.data_source, e.meeting_url, e.external_url,
       e.owner_user_id, o.first_name AS owner_first_name, o.last_name AS owner_last_name, o.primary_email AS owner_email,
       e.host_user_id, h.first_name AS host_first_name, h.last_name AS host_last_name, h.primary_email AS host_email,
       NOT EXISTS (SELECT FROM engagement_gaps AS g WHERE g.engagement_id = e.id) AS is_complete,
       ARRAY(SELECT g.part FROM engagement_gaps AS g WHERE g.engagement_id = e.id ORDER BY g.part) AS missing_parts,
       e._observed_at, e._changed_at
FROM engagements AS e
LEFT JOIN users AS o ON o.id = e.owner_user_id
LEFT JOIN users AS h ON h.id = e.host_user_id
WHERE e._deleted_at IS NULL AND e._unreadable_since IS NULL;
COMMENT ON VIEW engagements_live IS 'Engagements that exist and can be read at the source, with owner and host. is_complete: no wanted part is missing.';

-- A Salesforce id has 15 significant characters and 3 for systems that ignore case; joins need one form.
CREATE VIEW engagement_crm_links AS
SELECT l.engagement_id, l.path, l.subject_id, a.source, a.object_type, a.crm_object_id,
       CASE WHEN a.source ~* 'salesforce' AND a.crm_object_id ~ '^[A-Za-z0-9]{18}$' THEN left(a.crm_object_id, 15) ELSE a.crm_object_id END AS crm_object_key,
       a.first_seen_at, l.as_of
FROM (
    SELECT e.id AS engagement_id, 'engagement' AS path, 'engagement' AS subject_type, e.id AS subject_id, e._observed_at AS as_of FROM engagements AS e
    UNION ALL
    SELECT c.engagement_id, 'company', 'company', c.company_id, o._observed_at FROM engagement_companies AS c JOIN companies AS o ON o.id = c.company_id
    UNION ALL
    SELECT c.engagement_id, 'contact', 'contact', c.contact_id, o._observed_at FROM engagement_contacts AS c JOIN contacts AS o ON o.id = c.contact_id
) AS l
JOIN crm_associations AS a ON a.subject_type = l.subject_type AND a.subject_id = l.subject_id AND a.removed_at IS NULL;
COMMENT ON VIEW engagement_crm_links IS 'Open CRM links of an engagement: its own, and through its companies and contacts. as_of: when the subject was last seen to have changed.';

CREATE VIEW missing_parts AS
SELECT g.engagement_id, g.part, g.cause, g.scope, g.since, g.last_delivered_at,
       CASE g.cause
           WHEN 'scope_denied' THEN CASE WHEN g.scope IS NOT NULL
               THEN format('%s cannot be read: the token lacks %s. Grant it; the part then fills in by itself.', g.part, g.scope)
               ELSE format('%s cannot be read with this token, and no page of the API names the scope. Ask AskElephant (engagement-worker scopes shows the request); the part then fills in by itself.', g.part) END
           WHEN 'not_delivered' THEN format('%s was asked for and not in the answer', g.part)
               || CASE WHEN g.scope IS NOT NULL THEN format('; perhaps the token lacks %s. Once answers bring it, it fills in by itself.', g.scope) ELSE '.' END
           WHEN 'not_ready' THEN CASE WHEN g.next_look_at IS NOT NULL
               THEN format('%s is not ready at the source yet. Next look: %s.', g.part, to_char(g.next_look_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
               ELSE format('%s was not ready at the source, and we look no more. To look again run: engagement-worker enqueue %s', g.part, g.engagement_id) END
           WHEN 'malformed' THEN format('%s came in a form that cannot be read (request %s). Ask the vendor.', g.part, coalesce(g.request_id, 'without id'))
           ELSE g.cause
       END || CASE WHEN g.last_delivered_at IS NOT NULL THEN format(' What is stored is from %s.', to_char(g.last_delivered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) ELSE '' END AS explanation
FROM engagement_gaps AS g
UNION ALL
SELECT left(d.engagement_id, 100), NULL, d.cause, NULL, d.first_at, NULL,
       CASE d.cause
           WHEN 'invalid_id' THEN 'This is not an engagement id (ngmt_ and up to 64 letters or digits). Correct it and insert it again.'
           WHEN 'not_found' THEN 'The API does not know this engagement, or the token may not see it.'
           WHEN 'private' THEN 'This engagement is private and the token lacks engagements:private:read.'
           WHEN 'forbidden' THEN 'The API refuses this engagement (403): the token lacks a scope that it needs.'
           ELSE format('It could not be enriched (%s).', coalesce(d.error, d.cause))
       END || CASE WHEN d.cause <> 'invalid_id' THEN format(' Then run: engagement-worker dead replay %s', d.key) ELSE '' END
FROM dead_letters AS d
WHERE NOT EXISTS (SELECT FROM engagements AS e WHERE e.id = d.key);
COMMENT ON VIEW missing_parts IS 'What is missing, as a sentence with what to do: parts of engagements, and ids that never became rows (part NULL).';

CREATE VIEW freshness AS
SELECT p.part, count(*) AS engagements,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY p.age) AS age_p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY p.age) AS age_p95, max(p.age) AS age_max
FROM (
    SELECT 'engagement' AS part, now() - e._observed_at AS age FROM engagements AS e WHERE e._deleted_at IS NULL
    UNION ALL
    SELECT k.part, now() - (k.origin ->> 'o')::timestamptz FROM engagements AS e CROSS JOIN LATERAL jsonb_each(e._parts) AS k(part, origin) WHERE e._deleted_at IS NULL
) AS p
GROUP BY p.part;
COMMENT ON VIEW freshness IS 'How long ago each part was last seen at the source. Reads all engagements.';

CREATE VIEW queue_health AS
SELECT q.due, q.oldest_due_s, q.background_due, q.waiting, q.leased,
       (SELECT count(*) FROM dead_letters) AS dead_letters,
       (SELECT count(*) FROM workers AS w WHERE w.last_seen_at > now() - interval '2 minutes') AS workers,
       (SELECT c.paused FROM control AS c) AS paused
FROM (
    SELECT count(*) FILTER (WHERE leased_by IS NULL AND available_at <= now() AND coalesce(priority, 0) >= 0) AS due,
           coalesce(extract(epoch FROM now() - min(CASE WHEN isfinite(available_at) THEN available_at WHEN isfinite(enqueued_at) THEN enqueued_at END)
                    FILTER (WHERE leased_by IS NULL AND available_at <= now() AND coalesce(priority, 0) >= 0)), 0)::double precision AS oldest_due_s,
           count(*) FILTER (WHERE leased_by IS NULL AND available_at <= now() AND priority < 0) AS background_due,
           count(*) FILTER (WHERE leased_by IS NULL AND available_at > now()) AS waiting,
           count(*) FILTER (WHERE leased_by IS NOT NULL) AS leased
    FROM enrichment_queue
) AS q;
COMMENT ON VIEW queue_health IS 'One row: jobs due now, age of the oldest (normal lane and above), in the background, waiting for their time, in hand.';

CREATE VIEW engagement_changes AS
SELECT e.id AS engagement_id, e._changed_at AS changed_at, e._deleted_at IS NOT NULL AS is_gone FROM engagements AS e;
COMMENT ON VIEW engagement_changes IS
    'The watermark for incremental models. A writing transaction lives at most 60 s, so read from your last changed_at minus 5 minutes and nothing is missed.';

CREATE FUNCTION enrichment_state(engagement_id text)
    RETURNS TABLE (state text, since timestamptz, observed_at timestamptz, attempts integer, cause text, missing_parts text[])
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT s.state, s.since, e._observed_at, s.attempts, s.cause,
           ARRAY(SELECT g.part FROM engagement_gaps AS g WHERE g.engagement_id = $1 ORDER BY g.part)
    FROM (
        -- A look of our own at what is not ready does not undo that the engagement arrived.
        (SELECT CASE WHEN q.reason = 'not_ready' AND q.looks > 0 THEN 4 ELSE 1 END AS rank, CASE WHEN q.leased_by IS NOT NULL AND q.available_at > now() THEN 'running'
                                WHEN q.available_at > now() THEN 'waiting' ELSE 'queued' END AS state,
                q.enqueued_at AS since, q.attempts, q.last_error AS cause
         FROM enrichment_queue AS q
         WHERE left(q.engagement_id, 70) = left($1, 70) AND q.engagement_id = $1
         ORDER BY 1, q.leased_by IS NULL, q.available_at LIMIT 1)
        UNION ALL
        SELECT 2, 'dead', d.last_at, d.attempts, d.cause FROM dead_letters AS d WHERE d.key = $1
        UNION ALL
        (SELECT 2, 'dead', d.last_at, d.attempts, d.cause FROM dead_letters AS d
         WHERE $1 !~ '^ngmt_[A-Za-z0-9]{1,64}$' AND d.cause = 'invalid_id' AND d.engagement_id = $1 ORDER BY d.last_at DESC LIMIT 1)
        UNION ALL
        SELECT 3, 'done', e._observed_at, NULL, CASE WHEN e._deleted_at IS NOT NULL THEN 'deleted' ELSE e._unreadable_cause END
        FROM engagements AS e WHERE e.id = $1
        UNION ALL
        SELECT 5, 'unknown', NULL, NULL, NULL
    ) AS s
    LEFT JOIN engagements AS e ON e.id = $1
    ORDER BY s.rank LIMIT 1
$$;
COMMENT ON FUNCTION enrichment_state(text) IS 'Did my insert arrive? queued, running, waiting, done, dead or unknown; never unknown for an id that was inserted.';
