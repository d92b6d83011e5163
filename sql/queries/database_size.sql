-- How many bytes this database takes on disk.
select pg_database_size(current_database()) as bytes
