SELECT EXISTS (SELECT FROM schema_objects) AS is_recorded;
