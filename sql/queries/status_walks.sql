-- When completeness was looked at last, one row a way of doing so.
SELECT n.name, CASE WHEN w.name IS NULL THEN 'never' WHEN w.finished_at IS NULL THEN 'under way' ELSE date_trunc('second', w.finished_at)::text END AS ended,
       w.since, w.checkpoint, w.listed, w.queued, w.drift
FROM unnest(ARRAY['backfill', 'sweep', 'verify']) WITH ORDINALITY AS n(name, i) LEFT JOIN list_walks AS w ON w.name = n.name
ORDER BY n.i;
