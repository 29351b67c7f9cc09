-- All of these was found that was looked for: $1 kinds, $2 needles.
DELETE FROM purge_needles AS p USING unnest($1::text[], $2::text[]) AS t(kind, needle) WHERE p.kind = t.kind AND p.needle = t.needle;
