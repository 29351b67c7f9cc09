-- The tables in which purged ids and addresses may stand in other rows, and how many blocks each has.
SELECT r.relation, max(r.blocks) AS blocks FROM redactable_columns() AS r GROUP BY r.relation ORDER BY r.relation;
