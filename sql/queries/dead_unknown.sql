-- Those of the keys $1 that no dead letter has, in their order; and the clock, before which letters are meant.
SELECT clock_timestamp()::text AS clock,
       ARRAY(SELECT k.key FROM unnest($1::text[]) WITH ORDINALITY AS k(key, i)
             WHERE NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.key = k.key) ORDER BY k.i) AS keys;
