-- What views show as _workspace: $1.
UPDATE control SET workspace = $1::text WHERE workspace IS DISTINCT FROM $1::text;
