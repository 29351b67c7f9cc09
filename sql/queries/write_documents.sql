-- What a write of documents answered: $1 our boot id, $2 the writer, $3 its number.
SELECT r.* FROM last_writes AS w CROSS JOIN LATERAL written_documents(w.results) AS r WHERE w.boot_id = $1::bigint
    AND w.writer = $2::bigint AND w.write = $3::bigint;
