-- A worker has a token: $1 the credential's name, $2 the token's keyed hash.
SELECT * FROM see_credential($1::text, $2::text);
