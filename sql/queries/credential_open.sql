-- The key of the token's hash; the first worker makes the row. $1 the credential's name.
INSERT INTO credentials AS c (name) VALUES ($1::text) ON CONFLICT (name) DO UPDATE SET last_seen_at = now() RETURNING c._salt AS salt;
