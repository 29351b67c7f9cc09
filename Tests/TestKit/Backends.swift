/// SQL that ends backends of workers, for a test that asks which.
package enum Backends {
    /// Ends one backend of some worker, drawn by the server; its process id, no row if there was none.
    package static let terminateOne = """
        SELECT a.pid::text AS pid, pg_terminate_backend(a.pid) FROM (
            SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'engagement-worker %' AND datname = current_database()
            ORDER BY random() LIMIT 1) AS a
        """
}
