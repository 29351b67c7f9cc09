-- Leaves a walk to whoever goes on with it: $1 its name, $2 our boot id.
UPDATE list_walks SET _held_until = NULL WHERE name = $1::text AND _held_by = $2::bigint;
