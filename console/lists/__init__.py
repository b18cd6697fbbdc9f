"""The lists of the console and the API: one module a domain, each a table and where its rows come from."""
