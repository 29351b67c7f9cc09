-- Records denials: $1 the credential's name, $2 parts, $3 the refused requests, $4 the engagement that was delivered without them.
SELECT * FROM deny_parts($1::text, $2::text[], $3::text[], $4::text);
