-- The part arrived that had been missing: $1 the credential's name, $2 the part. True once.
SELECT grant_part($1::text, $2::text) AS granted;
