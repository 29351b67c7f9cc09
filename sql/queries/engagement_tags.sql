-- The ETags by which requests may ask whether anything changed: $1 the ids. None for what is not whole as far as the credential reaches,
-- hidden, or in progress, nor where another engagement showed an entity of it otherwise since: that is fetched. An ETag that is no plain ASCII cannot be sent.
SELECT e.id, e._etag AS etag, array_to_string(e._etag_parts, ',') AS parts
FROM engagements AS e
WHERE e.id = ANY ($1::text[]) AND e._etag ~ '^[!-~]+$' AND e._etag_parts IS NOT NULL AND NOT 'media_url' = ANY (e._etag_parts)
  AND e._deleted_at IS NULL AND e._unreadable_since IS NULL AND NOT is_unfinished(e.processing_status)
  AND NOT EXISTS (SELECT FROM engagement_gaps AS g WHERE g.engagement_id = e.id AND g.cause <> 'scope_denied')
  AND NOT EXISTS (SELECT FROM jsonb_each(e._parts) AS p(part, stored)
                  CROSS JOIN LATERAL newer_entities(e.id, p.part, (p.stored ->> 'o')::timestamptz));
