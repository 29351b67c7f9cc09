SELECT version, name, checksum, applied_at::text, binary_version FROM schema_migrations ORDER BY version;
