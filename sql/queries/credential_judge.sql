-- What the API says of the token: $1 the credential's name, $2 the token's hash, $3 ok, unknown, refused or forbidden. One row if that is
-- a change; none if it was known, or if another worker has another token by now.
UPDATE credentials AS c SET state = $3::text, next_probe_at = CASE WHEN $3::text IN ('refused', 'forbidden') THEN now() + interval '30 seconds' END
WHERE c.name = $1::text AND c.fingerprint = $2::text AND c.state <> $3::text
RETURNING c.state;
