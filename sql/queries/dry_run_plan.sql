-- What writing a document would do, by the function that decides it for the worker; reads only. $1 the engagement, $2 its document
-- and $3 the transcript that was cut out of it, $4 when it was observed, $5 the parts that the token may read (comma list), $6 the
-- parts that we want, $7 whether it wins against a newer one. accepted: parts that would be written; changed: those of them that are
-- another version. stored_gaps and gaps: part=cause.
WITH given AS MATERIALIZED (
    SELECT without_purged(p.documents[1]) AS document,
           CASE WHEN p.refusals[1] IS NOT NULL THEN p.refusals[1] WHEN jsonb_typeof(p.documents[1]) <> 'object' THEN 'not_an_object'
                WHEN p.documents[1] ->> 'id' IS DISTINCT FROM $1::text THEN 'other_document' END AS refusal
    FROM parse_documents(ARRAY[$2::text]) AS p
)
SELECT g.refusal, e.id IS NOT NULL AS is_stored, date_trunc('second', e._observed_at)::text AS observed_at, s.newest,
       array_to_string(s.entities, ',') AS accepted, array_to_string(s.parts, ',') AS changed,
       (SELECT string_agg(o.part || '=' || o.cause, ',') FROM engagement_gaps AS o WHERE o.engagement_id = $1::text) AS stored_gaps,
       (SELECT string_agg(n.part || '=' || n.cause, ',') FROM jsonb_each_text(s.gaps) AS n(part, cause)) AS gaps
FROM given AS g
LEFT JOIN engagements AS e ON e.id = $1::text
LEFT JOIN LATERAL unnest(plan_snapshots(
    numbers => ARRAY[1], ids => ARRAY[$1::text], documents => ARRAY[g.document], transcripts => ARRAY[$3::text], observed => ARRAY[$4::text],
    asked => ARRAY[$5::text], request_ids => ARRAY[NULL::text], etags => ARRAY[NULL::text], api_versions => ARRAY[NULL::text],
    notes => ARRAY[NULL::text], looks => ARRAY[0], priorities => ARRAY[0], wanted => $6::text[], force => $7::boolean)) AS s ON g.refusal IS NULL;
