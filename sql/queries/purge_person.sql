-- Deletes the contact $1, or contacts and what is known of users with the address $2; of the two one is NULL.
SELECT p.kind, p.n, p.needle FROM purge_person($1::text, $2::text) AS p;
