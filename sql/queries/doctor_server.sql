-- The server, whether the schema $1 is there, and what of its configuration matters.
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::bigint AS version_num,
       current_setting('server_encoding') AS encoding, current_user::text AS role, current_database()::text AS database,
       pg_is_in_recovery() AS is_standby,
       extract(epoch FROM clock_timestamp())::double precision AS seconds,
       current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS connections_max,
       (SELECT sum(d.numbackends)::bigint FROM pg_stat_database AS d) AS connections_used,
       current_setting('log_statement') AS log_statement, current_setting('log_min_duration_statement') AS log_slower_than,
       current_setting('log_min_duration_sample') AS log_sample_slower_than,
       coalesce(current_setting('auto_explain.log_min_duration', true), '-1') AS explain_slower_than,
       current_setting('log_parameter_max_length') AS log_parameters, current_setting('log_parameter_max_length_on_error') AS log_parameters_on_error,
       coalesce(current_setting('auto_explain.log_parameter_max_length', true), '-1') AS explain_parameters,
       to_regnamespace(quote_ident($1::text)) IS NOT NULL AS has_schema;
