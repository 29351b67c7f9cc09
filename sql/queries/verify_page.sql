-- In what the tables differ from a page of the list: $1 the ids, $2 when each changed, $3 when the comparison began.
SELECT c.id, c.cause, c.listed_at::text, c.stored_at::text, c.state FROM compare_listed($1::text[], $2::text[], $3::timestamptz) AS c;
