-- Leave for the next requests: $1 the credential's name, $2 the configured limit in requests a second, 0 for none.
SELECT * FROM take_turns($1::text, nullif($2::double precision, 0));
