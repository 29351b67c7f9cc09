-- What a purge of these would delete: $1 their kinds, $2 the values.
SELECT p.kind, p.n FROM rehearse_purge($1::text[], $2::text[]) AS p;
