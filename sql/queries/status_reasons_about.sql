-- The same of a large queue, from $1 percent of its pages.
SELECT CASE WHEN q.priority > 0 THEN 'first' WHEN q.priority < 0 THEN 'background' ELSE 'normal' END AS lane, left(q.reason, 60) AS reason,
       round(count(*) FILTER (WHERE q.available_at <= now()) * 100 / $1::double precision)::bigint AS due,
       round(count(*) FILTER (WHERE q.available_at > now() AND q.leased_by IS NOT NULL) * 100 / $1::double precision)::bigint AS in_hand,
       round(count(*) FILTER (WHERE q.available_at > now() AND q.leased_by IS NULL) * 100 / $1::double precision)::bigint AS waiting
FROM enrichment_queue AS q TABLESAMPLE SYSTEM ($1::double precision)
GROUP BY 1, 2 ORDER BY count(*) DESC, max(sign(coalesce(q.priority, 0))) DESC, 2 LIMIT 20;
