-- From here on nothing of these is written again: $1 their kinds, $2 the values, $3 and $4 kind and value of what was named.
SELECT suppress($1::text[], $2::text[], suppression_key($3::text, $4::text));
