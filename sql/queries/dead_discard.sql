-- Forgets a slice of the dead letters with a key in $1, or of cause $2, or of all when $3: at most $6 behind the key $5, none that
-- died at $4 or later. How many it were, and the last of their keys: a slice, since all at once would outlast the statement's time.
WITH letters AS MATERIALIZED (
    SELECT key FROM dead_letters
    WHERE (key = ANY ($1::text[]) OR cause = $2::text OR $3::boolean) AND last_at < $4::text::timestamptz AND key > $5::text
    ORDER BY key LIMIT $6::bigint FOR UPDATE
), gone AS (
    DELETE FROM dead_letters AS d USING letters WHERE d.key = letters.key
)
SELECT count(*) AS n, max(key) AS last FROM letters;
