-- The API answered 429, or another worker's 429 was heard of: $1 the credential's name, $2 our boot id, $3 for how many seconds to send
-- nothing, $4 how many seconds ago the request was sent, $5 our requests that went well in the second before.
SELECT meet_limit($1::text, $2::bigint, $3::double precision, $4::double precision, $5::bigint);
