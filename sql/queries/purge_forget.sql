-- Forgets that these were purged: $1 their kinds, $2 the values.
DELETE FROM suppressions AS s USING unnest($1::text[], $2::text[]) AS t(kind, value) WHERE s.key = suppression_key(t.kind, t.value);
