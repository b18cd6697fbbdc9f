"""Where things are kept: the record store, the state database, the spool. Ports first, engines beside them."""
