-- All that was looked for when this purge began to look, $1, was found.
DELETE FROM purge_needles WHERE needle = ANY ($1::text[]);
