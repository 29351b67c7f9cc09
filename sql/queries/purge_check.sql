-- Whether the engagement $1 was purged.
SELECT is_suppressed('engagement', $1::text) AS is_purged;
