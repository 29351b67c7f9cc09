-- Whom the contact $1 or the address $2 means; of the two one is NULL.
SELECT p.kind, p.value FROM purgeable_persons($1::text, $2::text) AS p;
