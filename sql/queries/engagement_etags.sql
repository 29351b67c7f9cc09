-- The ETags by which requests may ask whether anything changed: $1 the ids, $2 the parts that we want.
SELECT * FROM stored_etags($1::text[], $2::text[]);
