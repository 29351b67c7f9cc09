-- Whether a write whose answer was lost was committed: $1 our boot id, $2 the writer, $3 the write's number.
SELECT find_write($1::bigint, $2::bigint, $3::bigint) AS is_committed;
